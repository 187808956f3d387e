"""The cluster that an admin makes by hand: installed, edited, started and opened with the host's own tools.

It is the procedure that the project began with, as it works: `masterauth` on every node, the sentinels' `auth-pass`
right, a routable `bind`. Master is the first host, sentinels run on the replicas. Nothing of the operator is used here.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.hosts import Host
from lab.labs import Lab
from lab.machine import LabError
from lab.processes import wait_until
from lab.resp import Resp

MASTER_NAME = "redis-cluster"
PASSWORD = "dusruffpeltm"  # of lab hosts only


@dataclass(frozen=True, slots=True)
class HandMade:
    """What `make_by_hand` made."""

    master: Host
    replicas: tuple[Host, ...]
    sentinels: tuple[Host, ...]
    name: str
    quorum: int
    password: str = field(repr=False)


def make_by_hand(
    lab: Lab, *, release: str = "2", name: str = MASTER_NAME, password: str = PASSWORD, wait: bool = True
) -> HandMade:
    """Make a working cluster of all hosts of `lab`; `wait` until every sentinel knows all of it. Raises LabError."""
    made = HandMade(lab.master01, lab.replicas, lab.replicas, name, len(lab.replicas) // 2 + 1, password)
    lab.at_once(lambda host: _redis(host, made, release), lab.hosts)
    lab.at_once(lambda host: _sentinel(host, made), made.sentinels)
    if wait and not wait_until(lambda: is_whole(made), 40.0, 0.1):
        raise LabError("the cluster made by hand did not come together: " + "; ".join(_complaints(made)))
    return made


def is_whole(made: HandMade) -> bool:
    """Whether every replica is online and every sentinel knows all replicas and all other sentinels."""
    try:
        return not _complaints(made)
    except OSError:  # a server that was started a moment ago does not listen yet
        return False


def _complaints(made: HandMade) -> list[str]:
    found = []
    with Resp.to(made.master, password=made.password) as master:
        online = str(master.call("INFO", "replication")).count("state=online")
    if online != len(made.replicas):
        found.append(f"{online} of {len(made.replicas)} replicas are online")
    for host in made.sentinels:
        with Resp.to(host, 26379) as sentinel:
            words = sentinel.call("SENTINEL", "MASTER", made.name)
        assert isinstance(words, list)
        view = dict(zip(words[::2], words[1::2], strict=True))
        want = {"num-slaves": str(len(made.replicas)), "num-other-sentinels": str(len(made.sentinels) - 1)}
        want["flags"] = "master"
        found += [
            f"{host.name} has {key}={view[key]}, not {value}" for key, value in want.items() if view[key] != value
        ]
    return found


def _redis(host: Host, made: HandMade, release: str) -> None:
    lines = {"bind": "0.0.0.0", "requirepass": made.password, "masterauth": made.password}
    lines |= {"repl-ping-slave-period": "10", "repl-timeout": "60"}
    if host != made.master:
        lines["slaveof"] = f"{made.master.address} 6379"
    host.run(f"yum -y -q install redis-3.2.6-{release}.el7", timeout=120)
    edit = "\n".join(
        f"grep -q '^{key} ' /etc/redis.conf && sed -i 's/^{key} .*/{key} {value}/' /etc/redis.conf"
        f" || echo '{key} {value}' >>/etc/redis.conf"
        for key, value in lines.items()
    )
    host.run(["/bin/sh", "-s"], stdin=f"set -e\n{edit}\n")
    for port in ("6379", "26379"):
        host.run(f"firewall-cmd -q --add-port={port}/tcp && firewall-cmd -q --permanent --add-port={port}/tcp")
    host.run("systemctl enable -q redis && systemctl start redis")


def _sentinel(host: Host, made: HandMade) -> None:
    name, address = made.name, made.master.address
    text = (  # bound to its own address it would not start at a boot that gives it that address a moment later
        "port 26379\nbind 0.0.0.0\ndir /tmp\nlogfile /var/log/redis/sentinel.log\n"
        f"sentinel monitor {name} {address} 6379 {made.quorum}\n"
        f"sentinel down-after-milliseconds {name} 5000\nsentinel failover-timeout {name} 10000\n"
        f"sentinel auth-pass {name} {made.password}\n"
    )
    host.run("cat >/etc/redis-sentinel.conf", stdin=text)  # in place: owner and mode stay
    host.run("systemctl enable -q redis-sentinel && systemctl start redis-sentinel")
