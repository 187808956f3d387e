"""What endangers the cluster on its hosts is told in PreflightPassed, and the cluster is used on."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from e2e.rig import FAST_RESYNC, Rig, Status, condition, is_healthy
from lab.hosts import Host
from lab.kernel import at_next_boot, refuses
from lab.operator import OperatorProcess

CUT = "table inet cut {{\n chain in {{\n  type filter hook input priority -5\n  {rule}\n }}\n}}\n"
CONF = "/etc/redis-sentinel.conf"


@pytest.fixture
def asking(seed: Rig) -> Iterator[OperatorProcess]:
    """The seed's cluster under an operator that asks the hosts at length all the time."""
    seed.operator.kill()
    with OperatorProcess(seed.cp, "second", FAST_RESYNC | {"RSO_SURVEY_EVERY": "2"}) as operator:
        operator.wait_until(operator.has_passed, "a pass of this run of the operator", 60)
        seed.wait_healthy()
        yield operator
    seed.operator.start()


def told(status: Status) -> tuple[str, str, str]:
    found = condition(status, "PreflightPassed")
    return found["status"], found["reason"], found["message"]


def of_the_kernel() -> str:
    """What the kernel of the lab refuses is told as well, as long as the machine has it not (a kubelet sets it)."""
    return f" {at_next_boot()}" if refuses() else ""


def wait_told(rig: Rig, reason: str, message: str) -> Status:
    """Wait for what is amiss; a kubelet of another worker's test may set the kernel meanwhile, and set it back."""
    wanted = "False", reason, message
    return rig.wait(lambda s: told(s) == (*wanted[:2], message + of_the_kernel()), str(wanted), 120)


def nothing_amiss(status: Status) -> bool:
    return condition(status, "PreflightPassed").get("status") == "True"


@pytest.mark.timeout(500)
def test_a_port_that_is_closed_between_two_hosts_is_told(seed: Rig, asking: OperatorProcess) -> None:
    """To new connections only: whoever is connected stays so, as after a change of a firewall."""
    host, peer = seed.lab.replicas[0], seed.lab.replicas[1]
    seed.wait(
        lambda s: nothing_amiss(s) and (not refuses() or told(s) == ("True", "AtNextBoot", at_next_boot())),
        "nothing amiss, but for the kernel",
    )
    rule = f"ip saddr {peer.address} tcp dport 26379 ct state new drop"
    host.run("nft -f -", stdin=CUT.format(rule=rule))
    try:
        status = wait_told(
            seed,
            "PeersUnreachable",
            f"Hosts do not reach each other: {peer.name} does not reach {host.name} on port 26379 (no answer within 2 "
            "s). Replication or a failover fails there, though the operator sees all over SSH. It goes on, and looks "
            "again every half minute. Open the ports in whatever stands between these hosts.",
        )
    finally:
        host.run("nft delete table inet cut")
    assert is_healthy(status)
    seed.wait(nothing_amiss, "it is not told any more", 120)


def my_id(host: Host) -> str:
    return host.run(f"sed -n 's/^sentinel myid //p' {CONF}").stdout.strip()


def take_id(host: Host, wanted: str) -> None:
    host.run(
        f"systemctl stop redis-sentinel && sed -i 's/^sentinel myid .*/sentinel myid {wanted}/' {CONF}"
        " && systemctl start redis-sentinel"
    )


@pytest.mark.timeout(500)
def test_a_clone_with_the_same_id_is_told(seed: Rig) -> None:
    one, clone = seed.lab.replicas[1], seed.lab.replicas[2]
    own = my_id(clone)
    seed.operator.kill()  # it would start the sentinel before it has its other id
    take_id(clone, my_id(one))
    seed.operator.start()
    try:
        wait_told(
            seed,
            "SentinelIdTwice",
            f"The sentinels of {one.name} and {clone.name} have the same id {my_id(one)}, as on cloned machines: the "
            "other sentinels take them for one, and a majority may never come together. The operator changes no id. On "
            "all of these hosts but one stop the sentinel, take the line `sentinel myid` out of its configuration file "
            "and start it; then send `SENTINEL RESET redis-cluster` to each declared sentinel, one after the other, 30 "
            "seconds apart.",
        )
    finally:
        seed.operator.kill()
        take_id(clone, own)
        for host in seed.lab.replicas:
            with seed.sentinel(host.name) as sentinel:
                sentinel.execute_command("SENTINEL", "RESET", "redis-cluster")
        seed.operator.start()
    seed.wait_healthy()
    seed.wait(nothing_amiss, "it is not told any more", 120)
