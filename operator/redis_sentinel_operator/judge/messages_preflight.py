"""What PreflightPassed says: the part of the message table about what endangers a cluster that runs."""

from __future__ import annotations

from typing import Final

TEXT: Final[dict[str, str]] = {
    "PreflightPassed": "Nothing stands in the way of the declared state.",
    "NotReadYet": "The hosts were not looked at yet.",
    "PackagesNotAsked": (
        "Nothing that was read stands in the way. Whether the hosts can get their packages is asked with "
        "management Full, before the first change."
    ),
    "ForeignData": (
        "This resource did not make what is on {detail} Nothing is changed on any host. If it is to be taken "
        "over, start its sentinels with master name {name}; if it may go, remove it from the host."
    ),
    "ForeignDataOnNewHost": (
        "A host that is to join is not bare, and the operator did not make what is on {detail} Nothing is changed on "
        "any host. If it may go, stop its servers there and remove it; else take the host out of spec.hosts."
    ),
    "MasterNameDiffers": (
        "The hosts run a cluster of another name: {found} instead of {name}. Nothing is touched. Create the "
        "resource anew with spec.masterName: {found}."
    ),
    "UndeclaredSentinels": (
        "Sentinels that this resource does not declare work for {name}: {sentinels}. Their votes count in a "
        "failover, so the operator changes nothing. Add their hosts to spec.hosts, or stop them and send "
        "`SENTINEL RESET {name}` to each declared sentinel, one after the other, 30 seconds apart."
    ),
    "PackageNotFound": (
        "{detail} Add a repository that has it to the yum configuration there, or correct spec.package."
    ),
    "RewriteRefused": (
        "{detail} After a failover it could not write down its new role, and would come up with the old one. The "
        "operator keeps owner and mode of the file right, and tries again by itself. Look what else forbids it: "
        "`lsattr` (chattr +i), a read-only mount, the directory (from Redis 6.0.9 on redis makes a new file beside "
        "the old one), or SELinux (`ausearch -m avc -c redis-server`, `restorecon`)."
    ),
    "NotByItsUnit": (
        "Not started by systemd: {detail}. That runs on as it is, but nothing brings it back with the machine. "
        "Where its file is the package's, the operator enables the package's unit; else make a unit for it."
    ),
    "OtherVersion": (
        "{detail}. Nothing is changed on any host: none is ever downgraded, and an older one is upgraded only on "
        "hosts of a cluster that runs, and not with package.manage CheckOnly. Declare in spec.package.version what "
        "is installed. Or install the newer one yourself, on the replicas first, as that restarts redis: "
        "`yum --disableexcludes=main update <package>-<version>`."
    ),
    "PortTaken": ("{detail} Nothing is started there. Stop what listens there."),
    "WritesRefused": (
        "The master {host} refuses writes (MISCONF), because it could not save its data: {detail}. Reads and "
        "replication go on; the sentinels get the same answer to their PING, and switch to a replica if they can. "
        "The operator does not restart it: what is not on disk would be lost. Make room there (its log names any "
        "other reason); redis saves again by itself when a save is due, and takes writes from then on. `redis-cli "
        "BGSAVE` does it at once."
    ),
    "CannotSave": (
        "Data is not saved: {detail}. Redis serves on from memory, and the operator does not restart it: what is "
        "not on disk would be lost. Make room there (the log of redis names any other reason); redis saves again "
        "by itself when a save is due."
    ),
    "UnsupportedSystem": "{detail} The operator leaves the host alone.",
    "FirewallWider": (
        "More can connect than spec.firewall.clients says: {detail}. The operator did not open that and leaves it."
        " Close it on the hosts; what is about the ports of redis alone is closed by the operator with "
        "spec.firewall.exclusive: true. Or declare who may connect in spec.firewall.clients."
    ),
    "SentinelIdTwice": (
        "{detail}, as on cloned machines: the other sentinels take them for one, and a majority may never come "
        "together. The operator changes no id. On all of these hosts but one stop the sentinel, take the line "
        "`sentinel myid` out of its configuration file and start it; then send `SENTINEL RESET {name}` to each "
        "declared sentinel, one after the other, 30 seconds apart."
    ),
    "ForeignSentinels": (
        "Sentinels of no declared host watch the master {host} under another name than {name}: {sentinels}. The "
        "declared ones do not know them, and they may switch the master on their own. The operator leaves them "
        "alone. Stop them, or make them monitor it as {name} and declare their hosts."
    ),
    "GhostSentinels": (
        "Sentinels that are gone still count as voters: {detail}. With {voters} voters a failover needs {needed} "
        "votes, and {sentinels} sentinels are declared. {then} Or start them and declare their hosts."
    ),
    "ShippedSentinel": (
        "A sentinel runs with the file that its package brought, watches nothing of {name}, and has no vote: {detail}. "
        "{then} Or stop it (systemctl stop): a stopped one is set up at once."
    ),
    "RestartsByItself": (
        "systemd restarts redis by itself: {detail}. A master that is back before the sentinels have switched has "
        "only what it had saved, and its replicas copy that. The operator leaves it. Take Restart= out of the unit "
        "(`systemctl cat` shows where it stands) and do a `systemctl daemon-reload`."
    ),
    "PeersUnreachable": (
        "Hosts do not reach each other: {detail}. Replication or a failover fails there, though the operator sees "
        "all over SSH. It goes on, and looks again every half minute. Open the ports in whatever stands between "
        "these hosts."
    ),
    "SharedFailureDomain": (
        "One failure domain takes too much with it: {detail}. The operator goes on as declared. Move hosts, or add a "
        "sentinel elsewhere; or say that it is meant so with spec.unsafe.sharedFailureDomain: true."
    ),
    "DiskTooSmall": (
        "A dump or a full resynchronisation may fill the disk: {detail}. The operator changes nothing about it. "
        "Make room, give the data a larger disk, or set a smaller maxmemory."
    ),
    "MemoryTooSmall": (
        "Memory may run out: {detail}. While redis saves, pages that are written exist twice. The operator changes "
        "nothing about it. Give the machine more memory, or set a smaller maxmemory."
    ),
    "ClocksDiffer": (
        "{detail}. A clock that is set right in one leap sends a sentinel into tilt, which does nothing for 30 "
        "seconds then. The operator sets no clock. Let chronyd or ntpd run on every host."
    ),
    "SelinuxPorts": (
        "SELinux does not let redis use its ports: {detail}. The operator adds them to the policy where a host "
        "has semanage: install it on these."
    ),
    "OtherServers": (
        "There is more of redis on the hosts than is declared: {detail}. The operator leaves it alone, and it may "
        "take memory and names from what is declared. Stop it and disable it where nobody needs it."
    ),
    "AtNextStart": (
        "In force only when the server is started the next time: {detail}. It is written, and nothing is restarted "
        "for it. Restart replicas when it suits you; a master after a switch."
    ),
    "AtNextBoot": (
        "The kernel does not take now what is written for the next boot: {detail}. The operator does not try again "
        "before. Boot the machines when it suits you; the kernel of a container is set on the machine under it."
    ),
    "StepFailed": "A change did not succeed: {detail} The round was stopped; the operator tries again.",
}
