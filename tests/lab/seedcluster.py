"""The cluster that an admin makes by hand: installed, edited, started and opened with the host's own tools.

It is the procedure that the project began with, as it works: `masterauth` on every node, the sentinels' `auth-pass`
right, a routable `bind`. Master is the first host, sentinels run on the replicas. Nothing of the operator is used here.
On demand it is made as that document says, with its two mistakes, or by units and a hand of one's own.
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
    lab: Lab,
    *,
    release: str = "2",
    name: str = MASTER_NAME,
    password: str = PASSWORD,
    quorum: int | None = None,
    wait: bool = True,
) -> HandMade:
    """Make a working cluster of all hosts of `lab`; `wait` until every sentinel knows all of it. Raises LabError.

    Without a password ("") nobody has one.
    """
    made = HandMade(lab.master01, lab.replicas, lab.replicas, name, quorum or len(lab.replicas) // 2 + 1, password)
    lab.at_once(lambda host: _redis(host, made, release), lab.hosts)
    lab.at_once(lambda host: _sentinel(host, made), made.sentinels)
    if wait and not wait_until(lambda: is_whole(made), 120.0, 0.1):
        raise LabError("the cluster made by hand did not come together: " + "; ".join(_complaints(made)))
    return made


def make_with_mistakes(lab: Lab, *, password: str = PASSWORD) -> HandMade:
    """Make it exactly as the first document says: no masterauth on the master, auth-pass for a master of another name.

    So no sentinel starts, and its admin has not looked.
    """
    made = HandMade(lab.master01, lab.replicas, lab.replicas, MASTER_NAME, 2, password)
    lab.at_once(lambda host: _redis(host, made, "2", masterauth=host != made.master), lab.hosts)
    lab.at_once(lambda host: _sentinel(host, made, auth_pass_of="mymaster"), made.sentinels)
    for host in made.sentinels:  # which shows the line that it cannot read, with the password: not the operator's doing
        host.run("journalctl -q --rotate && journalctl -q --vacuum-time=1s")
    if not wait_until(lambda: _all_online(made), 120.0, 0.1):
        raise LabError("the replicas of the cluster made by hand are not online")
    return made


def make_with_own_units(lab: Lab, *, password: str = PASSWORD) -> HandMade:
    """Make it with units and files of one's own; the redis of the first host has no unit at all."""
    made = HandMade(lab.master01, lab.replicas, lab.replicas, MASTER_NAME, 2, password)
    lab.at_once(lambda host: _own_redis(host, made), lab.hosts)
    lab.at_once(lambda host: _own_sentinel(host, made), made.sentinels)
    if not wait_until(lambda: is_whole(made), 120.0, 0.1):
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
    online = _online(made)
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


def _online(made: HandMade) -> int:
    with Resp.to(made.master, password=made.password or None) as master:
        return str(master.call("INFO", "replication")).count("state=online")


def _all_online(made: HandMade) -> bool:
    try:
        return _online(made) == len(made.replicas)
    except OSError:
        return False


def _redis(host: Host, made: HandMade, release: str, *, masterauth: bool = True) -> None:
    lines = {"bind": "0.0.0.0"}
    if made.password:
        lines |= {"requirepass": made.password, **({"masterauth": made.password} if masterauth else {})}
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
    _open_ports(host)
    host.run("systemctl enable -q redis && systemctl start redis")


def _open_ports(host: Host) -> None:
    for port in ("6379", "26379"):
        host.run(f"firewall-cmd -q --add-port={port}/tcp && firewall-cmd -q --permanent --add-port={port}/tcp")


def _sentinel(host: Host, made: HandMade, *, auth_pass_of: str = "") -> None:
    host.run("cat >/etc/redis-sentinel.conf", stdin=_sentinel_conf(made, auth_pass_of))  # in place: owner and mode stay
    starts = not auth_pass_of
    host.run("systemctl enable -q redis-sentinel && systemctl start redis-sentinel", check=starts)


def _sentinel_conf(made: HandMade, auth_pass_of: str = "") -> str:
    name, address = made.name, made.master.address
    text = (  # bound to its own address it would not start at a boot that gives it that address a moment later
        "port 26379\nbind 0.0.0.0\ndir /tmp\nlogfile /var/log/redis/sentinel.log\n"
        f"sentinel monitor {name} {address} 6379 {made.quorum}\n"
        f"sentinel down-after-milliseconds {name} 5000\nsentinel failover-timeout {name} 10000\n"
    )
    return text + (f"sentinel auth-pass {auth_pass_of or name} {made.password}\n" if made.password else "")


_REDIS_UNIT = """\
[Service]
Type=forking
PIDFile=/run/redis-6379.pid
ExecStart=/usr/bin/redis-server /opt/redis/6379.conf
[Install]
WantedBy=multi-user.target
"""
_SENTINEL_UNIT = """\
[Service]
User=redis
ExecStart=/usr/bin/redis-sentinel /opt/redis/26379.conf
[Install]
WantedBy=multi-user.target
"""


def _own_redis(host: Host, made: HandMade) -> None:
    role = "" if host == made.master else f"slaveof {made.master.address} 6379\n"
    conf = (
        "daemonize yes\npidfile /run/redis-6379.pid\nport 6379\nbind 0.0.0.0\ndir /opt/redis\nlogfile /opt/redis/log\n"
        f"requirepass {made.password}\nmasterauth {made.password}\n{role}save 900 1\n"
    )
    host.run("yum -y -q install redis-3.2.6-2.el7 && install -d -o redis -g redis -m 0750 /opt/redis", timeout=120)
    host.run("umask 077; cat >/opt/redis/6379.conf && chown redis: /opt/redis/6379.conf", stdin=conf)
    _open_ports(host)
    if host == made.master:
        host.run("cd / && setsid /usr/bin/redis-server /opt/redis/6379.conf")
        return
    host.run("cat >/etc/systemd/system/redis-6379.service", stdin=_REDIS_UNIT)
    host.run("systemctl daemon-reload && systemctl enable -q redis-6379 && systemctl start redis-6379")


def _own_sentinel(host: Host, made: HandMade) -> None:
    text = _sentinel_conf(made).replace("/var/log/redis", "/opt/redis")
    host.run("umask 077; cat >/opt/redis/26379.conf && chown redis: /opt/redis/26379.conf", stdin=text)
    host.run("cat >/etc/systemd/system/sentinel-26379.service", stdin=_SENTINEL_UNIT)
    host.run("systemctl daemon-reload && systemctl enable -q sentinel-26379 && systemctl start sentinel-26379")
