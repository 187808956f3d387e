"""What can go wrong with a master and its sentinels: a table, one entry a scenario, each mended at its end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import datetime

from e2e.rig import Rig, Status, condition
from e2e.watching import role
from lab.faults import cut_off_from_here, hang_redis, hang_sentinel, partition, power_cut
from lab.hosts import Host
from lab.ledger import Ledger
from lab.machine import LabError
from lab.processes import wait_until
from lab.resp import Resp, RespError, Value
from lab.seedcluster import MASTER_NAME

PATIENCE = 120.0
# A sentinel that began a failover, or voted for another's, begins none for two failover-timeouts and up to a second
# more.
_BLOCKED = 21.0
_BLOCKS = frozenset({"+try-failover", "+vote-for-leader"})


@dataclass(slots=True)
class Run:
    """One run of a scenario: the cluster, its master when it began, and when something was broken."""

    rig: Rig
    old: Host
    book: Ledger
    boots: Callable[[], None]  # to be called after a boot
    faults: list[float] = field(default_factory=list)  # time.time() right before each fault that ends a reign

    @property
    def others(self) -> tuple[Host, ...]:
        """All hosts but the old master."""
        return tuple(host for host in self.rig.lab.hosts if host != self.old)

    @property
    def sentinels(self) -> tuple[Host, ...]:
        """The hosts with a sentinel."""
        return self.rig.lab.replicas

    def fault(self) -> None:
        """Say that the reign of the present master ends now."""
        self.rig.before_a_silence()
        self.faults.append(time.time())

    def sentinel(self, host: Host, *words: str) -> Value:
        """A person's command to a sentinel."""
        with Resp.to(host, 26379) as link:
            return link.call("SENTINEL", *words)

    def redis(self, host: Host, *words: str) -> Value:
        """A person's command to a redis."""
        with Resp.to(host, password=self.rig.password) as link:
            return link.call(*words)

    def named(self) -> str:
        """The address that a majority of the sentinels names as master, "" when none does."""
        names = [self._named(host) for host in self.sentinels]
        return next((name for name in names if name and names.count(name) > len(names) // 2), "")

    def successor(self, old: Host | None = None) -> Host:
        """Wait for a successor, by the sentinels' word and its own, that takes the application's writes."""
        before = old or self.old
        if not wait_until(lambda: self._reigns(before), PATIENCE, 0.1):
            raise LabError(f"no successor of {before.name} within {PATIENCE:.0f} s; the sentinels say\n{self._logs()}")
        new = next(host for host in self.rig.lab.hosts if host.address == self.named())
        self.book.wait(PATIENCE, node=new.address)
        return new

    def _logs(self) -> str:
        """The end of each sentinel's log, without what is said of passwords."""
        ask = "grep -v auth-pass /var/log/redis/sentinel.log | tail -n 15"
        return "\n".join(f"{host.name}:\n{host.run(ask).stdout}" for host in self.sentinels)

    def _reigns(self, old: Host) -> bool:
        new = next((host for host in self.rig.lab.hosts if host.address == self.named()), old)
        return new != old and role(new, self.rig.password) == "master"

    def _named(self, host: Host) -> str:
        try:
            found = self.sentinel(host, "GET-MASTER-ADDR-BY-NAME", MASTER_NAME)
        except (OSError, RespError, LabError):
            return ""
        return str(found[0]) if isinstance(found, list) else ""

    def is_master(self, host: Host) -> bool:
        """Whether sentinels and redis say so."""
        return self.named() == host.address and role(host, self.rig.password) == "master"


@dataclass(frozen=True, slots=True)
class Scenario:
    """What is done, and how many switches come of it: at least and at most.

    `bound`: seconds from the sentinels' own first word of the last switch to the time that status has for it.
    `long`: only in the whole table. `serves_on`: seconds after a switch for which an old master that lives may take
    writes, until it is made a replica; those Redis itself loses. Without end where sentinels may disagree for long.
    """

    name: str
    act: Callable[[Run], None]
    switches: tuple[int, int] = (1, 1)
    bound: float = 20.0
    long: bool = True
    serves_on: float = 0.0


def wait_for(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for what a scenario needs to go on. Raises LabError."""
    if not wait_until(condition, seconds, 0.1):
        raise LabError(f"{what} did not come within {seconds:.0f} s")


# -- the master


def killed(run: Run) -> None:
    run.fault()
    run.old.run("systemctl kill -s KILL redis")
    run.successor()


def hung(run: Run) -> None:
    run.fault()
    with hang_redis(run.old):
        run.successor()


def powered_off(run: Run) -> None:
    run.fault()
    with power_cut(run.old):
        run.successor()
    run.boots()


def cut_off_from_its_peers(run: Run) -> None:
    """The application reaches it, and the operator does: what it takes after the switch is lost by Redis itself."""
    run.fault()
    with partition(run.old, run.others):
        wait_for(lambda: run.named() not in ("", run.old.address), "a successor among the sentinels")
        new = next(host for host in run.others if host.address == run.named())
        run.rig.wait(lambda s: s["master"]["address"] == new.address, "the successor in status", PATIENCE)
    run.book.wait(PATIENCE, node=new.address)


def cut_off_from_the_operator(run: Run) -> None:
    """Nothing is wrong with it: it stays master, and is offered on."""
    with cut_off_from_here(run.old):
        run.rig.wait(lambda s: _is(s, "HostsReachable", "False"), "the host told as away", PATIENCE)
        run.book.wait(PATIENCE, node=run.old.address)
    run.rig.wait(lambda s: _is(s, "HostsReachable", "True"), "the host back", PATIENCE)


def with_a_sentinel(run: Run) -> None:
    """The master and a sentinel end at the same moment; two of three sentinels are left."""
    lost = next(host for host in run.sentinels if host != run.old)
    run.fault()
    lost.run("systemctl kill -s KILL redis-sentinel")
    run.old.run("systemctl kill -s KILL redis")
    run.successor()


def twice(run: Run) -> None:
    """The successor dies as soon as it is told of."""
    run.fault()
    run.old.run("systemctl kill -s KILL redis")
    new = run.successor()
    run.rig.wait(lambda s: s["master"]["host"] == new.name, "the first successor in status", PATIENCE)
    run.fault()
    new.run("systemctl kill -s KILL redis")
    run.successor(new)


def all_power_cycled(run: Run) -> None:
    run.fault()
    with ExitStack() as stack:
        for host in run.rig.lab.hosts:
            stack.enter_context(power_cut(host))
    run.boots()
    run.book.wait(PATIENCE)


def with_a_sentinel_host_restarted(run: Run) -> None:
    cycled = next(host for host in run.sentinels if host != run.old)
    run.fault()
    run.old.run("systemctl kill -s KILL redis")
    with power_cut(cycled):
        pass
    run.boots()
    run.successor()


# -- the sentinels


def leader_crashes_after_election(run: Run) -> None:
    _crash(run, "crash-after-election")


def leader_crashes_after_promotion(run: Run) -> None:
    _crash(run, "crash-after-promotion")


def _crash(run: Run, how: str) -> None:
    """Whichever sentinel leads ends itself at that point; the others are told not to, and the failover goes on."""
    before = {host.name: _pid(host) for host in run.sentinels}
    for host in run.sentinels:
        run.sentinel(host, "SIMULATE-FAILURE", how)
    run.fault()
    run.old.run("systemctl kill -s KILL redis")
    wait_for(lambda: any(_pid(host) != before[host.name] for host in run.sentinels), "a leader that crashes")
    for host in run.sentinels:
        if _pid(host) == before[host.name]:
            run.sentinel(host, "SIMULATE-FAILURE")
    run.successor()


def _pid(host: Host) -> str:
    return host.run("systemctl show -p MainPID redis-sentinel").stdout.strip()


def reset_by_a_person(run: Run) -> None:
    for host in run.sentinels:
        run.sentinel(host, "RESET", MASTER_NAME)
    wait_for(lambda: all(_knows(run, host) == 3 for host in run.sentinels), "the replicas known again")
    run.book.wait(PATIENCE, node=run.old.address)


def _knows(run: Run, host: Host) -> int:
    found = run.sentinel(host, "SLAVES", MASTER_NAME)
    return len(found) if isinstance(found, list) else 0


def three_failovers_at_once(run: Run) -> None:
    """Each sentinel is asked: they count the same epoch, and may promote different replicas for a while.

    None of them fails over again before its time: the next test begins when the last one that voted may.
    """
    run.fault()
    with ExitStack() as stack:
        links = [stack.enter_context(Resp.to(host, 26379)) for host in run.sentinels]
        for link in links:  # before the first has switched: then another one would know no replica well enough
            link.send("SENTINEL", "FAILOVER", MASTER_NAME)
        assert "OK" in [link.read() for link in links]
    wait_for(lambda: _names_one(run), "sentinels that agree again")
    run.book.wait(PATIENCE)
    time.sleep(max(0.0, _voted_last(run) + _BLOCKED - time.time()))


def _voted_last(run: Run) -> float:
    """When a sentinel last began a failover or voted for one, as the operator heard it."""
    lines = [line for line in run.rig.operator.lines() if line.get("channel") in _BLOCKS]
    return max([run.faults[0], *(datetime.fromisoformat(line["time"]).timestamp() for line in lines)])


def _names_one(run: Run) -> bool:
    """Whether every sentinel names one master, which says so, and nobody shows a failover."""
    views = [table(run.sentinel(host, "MASTER", MASTER_NAME)) for host in run.sentinels]
    calm = all(view["flags"] == "master" for view in views) and len({view["ip"] for view in views}) == 1
    return calm and role(_at(run, views[0]["ip"]), run.rig.password) == "master"


def tilt(run: Run) -> None:
    """A sentinel that stood still does nothing for 30 s: the others fail over without it."""
    still = next(host for host in run.sentinels if host != run.old)
    with hang_sentinel(still):
        time.sleep(3)  # a jump of its clock by more than two seconds is what it looks for
    wait_for(lambda: _in_tilt(still), "the tilt of the sentinel that stood still", 5)
    run.fault()
    run.old.run("systemctl kill -s KILL redis")
    run.successor()


def _in_tilt(host: Host) -> bool:
    with Resp.to(host, 26379) as link:
        return "sentinel_tilt:1" in str(link.call("INFO", "sentinel")).splitlines()


def wrong_auth_pass_on_all(run: Run) -> None:
    """No sentinel reaches any redis, and a failover may be tried: the operator gives them the right one back."""
    audited = len(run.rig.operator.audit())

    def mended() -> set[str]:
        return {line["host"] for line in run.rig.operator.audit()[audited:] if "auth-pass" in line["what"]}

    run.fault()
    for host in run.sentinels:
        run.sentinel(host, "SET", MASTER_NAME, "auth-pass", "wrong")
    for host in run.rig.lab.hosts:  # a sentinel authenticates only when it connects
        _send_sentinels_away(run, host)
    wait_for(lambda: mended() == {host.name for host in run.sentinels}, "the right password on every sentinel")
    wait_for(lambda: _names_one(run), "sentinels that agree again")
    run.book.wait(PATIENCE)


def _send_sentinels_away(run: Run, host: Host) -> None:
    for line in str(run.redis(host, "CLIENT", "LIST")).splitlines():
        words = dict(word.partition("=")[::2] for word in line.split())
        if words.get("name", "").startswith("sentinel-"):
            run.redis(host, "CLIENT", "KILL", "ID", words["id"])


def all_priorities_zero(run: Run) -> None:
    """No failover can succeed until a person gives a replica its priority back; the dead master is not started."""
    for host in run.others:
        run.redis(host, "CONFIG", "SET", "slave-priority", "0")
    run.fault()
    run.old.run("systemctl kill -s KILL redis")
    run.rig.wait(lambda s: _reason(s, "MasterConfirmed") == "MasterDeadNoSuccessor", "the dead end told", PATIENCE)
    assert role(run.old, run.rig.password) == ""
    for host in run.others:
        run.redis(host, "CONFIG", "SET", "slave-priority", "100")
    run.successor()


TABLE: tuple[Scenario, ...] = (
    Scenario("killed", killed, long=False),
    Scenario("hung", hung),
    Scenario("powered off", powered_off),
    Scenario("cut off from its peers", cut_off_from_its_peers, serves_on=math.inf),
    Scenario("cut off from the operator", cut_off_from_the_operator, (0, 0)),
    Scenario("with a sentinel", with_a_sentinel),
    Scenario("twice", twice, (2, 2)),
    Scenario("all power-cycled", all_power_cycled, (0, 2), bound=60.0, long=False),
    Scenario("with a sentinel host restarted", with_a_sentinel_host_restarted),
    Scenario("leader crashes after election", leader_crashes_after_election),
    Scenario("leader crashes after promotion", leader_crashes_after_promotion, (1, 2), bound=60.0),
    Scenario("reset by a person", reset_by_a_person, (0, 0)),
    Scenario("three failovers at once", three_failovers_at_once, (1, 3), bound=60.0, long=False, serves_on=math.inf),
    Scenario("tilt", tilt),
    Scenario("wrong auth-pass on all sentinels", wrong_auth_pass_on_all, (0, 1), serves_on=math.inf),
    Scenario("all priorities zero", all_priorities_zero),
)


def _at(run: Run, address: str) -> Host:
    return next(host for host in run.rig.lab.hosts if host.address == address)


def table(words: Value) -> dict[str, str]:
    """The names and values of a sentinel's answer."""
    flat: Iterable[object] = words if isinstance(words, list) else ()
    found = [str(word) for word in flat]
    return dict(zip(found[::2], found[1::2], strict=True))


def _is(status: Status, kind: str, value: str) -> bool:
    return bool(condition(status, kind).get("status") == value)


def _reason(status: Status, kind: str) -> str:
    return str(condition(status, kind).get("reason"))
