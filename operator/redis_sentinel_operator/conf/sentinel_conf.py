"""sentinel.conf: what a sentinel keeps in it, and a fresh one for a sentinel that joins.

The file belongs to the running sentinel, which rewrites it all the time: it is written whole only where it holds no
state, and of a stopped one only the password's line is set right.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from redis_sentinel_operator.conf.directives import Line, join, parse_text
from redis_sentinel_operator.conf.values import any_address
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.secret import Secret

_KNOWN = frozenset({"known-slave", "known-replica", "known-sentinel"})
_REPLICAS = frozenset({"known-slave", "known-replica"})
SHIPPED = ("mymaster", "127.0.0.1")  # what the package's file monitors
_EPOCHS = frozenset({"config-epoch", "leader-epoch", "current-epoch"})
# Keywords whose first word is the name of a master; one that is not monitored ends the sentinel at its start.
_OF_A_MASTER = _KNOWN | {
    "auth-pass",
    "auth-user",
    "down-after-milliseconds",
    "failover-timeout",
    "parallel-syncs",
    "notification-script",
    "client-reconfig-script",
    "config-epoch",
    "leader-epoch",
    "rename-command",
    "master-reboot-down-after-period",
}


@dataclass(frozen=True, slots=True)
class Monitor:
    """`sentinel monitor NAME ADDRESS PORT QUORUM`."""

    address: str
    port: int
    quorum: int


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a sentinel was before its machine was replaced: its id, and the epochs that it must have heard of.

    `epoch` is the highest of all: in none up to that one it may vote again.
    """

    my_id: str
    config_epoch: int
    epoch: int


@dataclass(frozen=True, slots=True)
class SentinelConf:
    """A parsed sentinel.conf. Of lines that repeat the last counts, as in Redis."""

    raws: tuple[str, ...] = field(repr=False)
    lines: tuple[Line, ...] = field(repr=False)

    @property
    def masters(self) -> dict[str, Monitor]:
        """The monitored masters by name."""
        found: dict[str, Monitor] = {}
        for words in self._sentinel("monitor"):
            if len(words) == 4 and words[2].isdigit() and words[3].isdigit():
                found[words[0]] = Monitor(words[1], int(words[2]), int(words[3]))
        return found

    @property
    def known(self) -> int:
        """How many replicas and sentinels it has learnt (known-slave, known-replica, known-sentinel lines)."""
        return sum(1 for line in self.lines if _keyword(line) in _KNOWN)

    @property
    def my_id(self) -> str:
        """The sentinel's 40 hex digits, "" before its first start."""
        return next((words[0] for words in reversed(self._sentinel("myid")) if words), "")

    def config_epoch(self, master: str) -> int:
        """Return the config epoch it keeps for a master, 0 when there is none."""
        epoch = self.setting(master, "config-epoch")
        return int(epoch) if epoch is not None and epoch.isdigit() else 0

    def setting(self, master: str, name: str) -> str | None:
        """Return `sentinel NAME MASTER value`: down-after-milliseconds, failover-timeout, parallel-syncs ..."""
        return next(
            (words[1] for words in reversed(self._sentinel(name)) if len(words) == 2 and words[0] == master), None
        )

    def auth_pass(self, master: str) -> Secret | None:
        """Return the password it uses towards a master and its replicas."""
        value = self.setting(master, "auth-pass")
        return None if value is None else Secret(value)

    @property
    def astray(self) -> tuple[tuple[int, str, str], ...]:
        """Line number, keyword and name of each line about a master that is not monitored: no sentinel starts so."""
        return tuple((line.at + 1, _keyword(line), line.words[2]) for line in self.lines if self._is_astray(line))

    def with_auth_pass(self, master: str, password: Secret | None) -> str:
        """Return the file with the password of a monitored master; equal to the file where it has it already.

        The line stands after `monitor`, as up to 6.0 it must. An auth-pass of a master that is not monitored goes: it
        was meant for this one. Without a password only that is done.
        """
        wrong = [line for line in self.lines if _keyword(line) == "auth-pass" and self._is_astray(line)]
        monitor = [line for line in self.lines if _is_about(line, "monitor", master)][-1]
        have = [line for line in self.lines if _is_about(line, "auth-pass", master)]
        wanted = [] if password is None else [join(("sentinel", "auth-pass", master, password.reveal()))]
        right = password is None or (self.auth_pass(master) == password and have[0].at > monitor.at)
        gone = {line.at for line in wrong} | ({line.at for line in have} if not right else set())
        found: list[str] = []
        for at, raw in enumerate(self.raws):
            found += [] if at in gone else [raw]
            found += wanted if at == monitor.at and not right else []
        return "\n".join(found)

    @property
    def highest_epoch(self) -> int:
        """The highest epoch that it has heard of: of a configuration, a vote, or the present one."""
        words = [line.words[-1] for line in self.lines if _keyword(line) in _EPOCHS]
        return max((int(word) for word in words if word.isdigit()), default=0)

    def with_master(self, master: str, address: str, port: int, epoch: int) -> str:
        """Return the file with a monitored master at another address, at a config epoch that others have to follow.

        As sentinel does it at a switch, the former master becomes a replica that it knows, and the new one is none.
        """
        former = self.masters[master]
        monitor = [line for line in self.lines if _is_about(line, "monitor", master)][-1]
        replicas = [line for line in self.lines if _keyword(line) in _REPLICAS and line.words[2:3] == (master,)]
        word = _keyword(replicas[0]) if replicas else "known-slave"
        wanted = [
            join(("sentinel", "monitor", master, address, str(port), str(former.quorum))),
            join(("sentinel", "config-epoch", master, str(epoch))),
            join(("sentinel", word, master, former.address, str(former.port))),
        ]
        ends = {(former.address, str(former.port)), (address, str(port))}
        gone = {line.at for line in replicas if line.words[3:5] in ends}
        gone |= {line.at for line in self.lines if _is_about(line, "config-epoch", master)}
        found: list[str] = []
        for at, raw in enumerate(self.raws):
            found += wanted if at == monitor.at else [] if at in gone else [raw]
        return "\n".join(found)

    def get(self, name: str) -> str | None:
        """Return a plain directive (port, bind, dir, logfile, protected-mode); None when there is no line."""
        values = [" ".join(line.arguments) for line in self.lines if line.name == name]
        return values[-1] if values else None

    @property
    def broken(self) -> tuple[int, ...]:
        """The numbers of the lines whose quotes do not balance; Sentinel refuses to start with them."""
        return tuple(line.at + 1 for line in self.lines if line.broken)

    def _is_astray(self, line: Line) -> bool:
        return len(line.words) > 2 and _keyword(line) in _OF_A_MASTER and line.words[2] not in self.masters

    def _sentinel(self, keyword: str) -> list[tuple[str, ...]]:
        return [line.words[2:] for line in self.lines if _keyword(line) == keyword]


def _keyword(line: Line) -> str:
    """The word after `sentinel`, "" in other lines."""
    return line.words[1].lower() if line.name == "sentinel" and len(line.words) > 1 else ""


def _is_about(line: Line, keyword: str, master: str) -> bool:
    return _keyword(line) == keyword and line.words[2:3] == (master,)


def parse(text: str) -> SentinelConf:
    """Read a sentinel.conf; never fails: a line that Sentinel could not read is kept and told by `.broken`."""
    return SentinelConf(*parse_text(text))


def _of(who: Identity | None, master_name: str) -> tuple[tuple[str, ...], ...]:
    if who is None:
        return ()
    return (
        ("sentinel", "myid", who.my_id),
        ("sentinel", "config-epoch", master_name, str(who.config_epoch)),
        ("sentinel", "leader-epoch", master_name, str(who.epoch)),
        ("sentinel", "current-epoch", str(who.epoch)),
    )


def is_shipped(conf: SentinelConf) -> bool:
    """Whether it monitors what the package's file does, and has learnt nothing, also when it was started once."""
    monitors = [(name, monitor.address) for name, monitor in conf.masters.items()]
    return monitors == [SHIPPED] and not conf.known and not conf.config_epoch(SHIPPED[0])


def render(
    *,
    master_name: str,
    master: Monitor,
    settings: SentinelSettings,
    port: int,
    log_file: str,
    password: Secret | None = None,
    known_as: Identity | None = None,
) -> Secret:
    """Return a fresh sentinel.conf; secret as a whole, as it holds the password.

    `monitor` stands before all lines that name its master: up to 6.0 Sentinel exits with "No such master with
    specified name" otherwise. A bind line: without one 3.2 is in protected mode and answers nobody but 127.0.0.1, and
    up to 6.2 the first bind address is the source of all its own connections, so that it must not be the loopback. No
    `myid`: Sentinel makes its own, while a copied one would make two voters one; `known_as` is for a machine that takes
    the place of another, whose sentinel the others still count. The password's charset was checked
    before: Sentinel writes it back unquoted in all versions.
    """
    lines = [
        ("bind", any_address(master.address)),
        ("port", str(port)),
        ("protected-mode", "no"),
        ("dir", "/tmp"),  # noqa: S108 - the package's own; nothing is written there without scripts
        ("logfile", log_file),
        ("sentinel", "monitor", master_name, master.address, str(master.port), str(settings.quorum)),
        *([("sentinel", "auth-pass", master_name, password.reveal())] if password else []),
        *_of(known_as, master_name),
        ("sentinel", "down-after-milliseconds", master_name, str(settings.down_after)),
        ("sentinel", "failover-timeout", master_name, str(settings.failover_timeout)),
        ("sentinel", "parallel-syncs", master_name, str(settings.parallel_syncs)),
    ]
    return Secret("".join(join(words) + "\n" for words in lines))
