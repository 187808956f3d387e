"""The one place where status is assembled, and its one writer.

Everybody says what they found out; the board keeps the whole status, and stores it whole whenever it differs. It knows
no Kubernetes: it is given what was stored and a callable that stores.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, cast

from redis_sentinel_operator.api.status import (
    Act,
    ActResult,
    Bootstrap,
    Condition,
    FailoverEntry,
    HostStatus,
    MasterStatus,
    Phase,
    PlanImpact,
    PlanItem,
    Status,
)
from redis_sentinel_operator.board_hosts import counts, hosts
from redis_sentinel_operator.board_writer import LatestWriter
from redis_sentinel_operator.follow.history import published, record, shown
from redis_sentinel_operator.judge.conditions import Inputs, conditions, overall
from redis_sentinel_operator.judge.health import tried_in_vain
from redis_sentinel_operator.judge.master import Sentinels, views
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.event import Failover, SentinelEvent
from redis_sentinel_operator.model.report import Report
from redis_sentinel_operator.model.step import Plan
from redis_sentinel_operator.model.verdict import BootstrapRecord, Confirmed, MasterRecord, Mastership, Situation


class Board:
    """The status of one cluster.

    Args:
        ref: whose.
        document: status as it was read.
        write: stores a whole status; raises ObjectReplaced when there is no such object any more.
        now: the time in UTC.
    """

    def __init__(
        self,
        ref: ClusterRef,
        document: Mapping[str, Any],
        write: Callable[[Mapping[str, Any]], Awaitable[None]],
        now: Callable[[], datetime],
    ) -> None:
        self.ref = ref
        self._now = now
        self._status = Status.from_document(document)
        self._writer = LatestWriter(write, dict(document))
        self._history = tuple(_failover(entry) for entry in self._status.failovers)
        self._master: Mastership | None = None
        self._sentinels: Sentinels = {}
        self._desired: Desired | None = None
        self._report: Report | None = None
        self._reported: Desired | None = None  # what the report is about: a later declaration is not true yet
        self._published_at = ""  # when the present master was put into status, "" when no switch was seen
        self._deleting = False
        self._read_at = float("-inf")
        self._answered: set[str] = set()
        self._newer: Mapping[str, str] = {}
        self._down_since = _moment(self._status.master.withdrawn_since if self._status.master else None)
        if self._status.phase is None:
            self._refresh()

    @property
    def last_master(self) -> MasterRecord | None:
        """The last confirmed master."""
        master = self._status.master
        if master is None:
            return None
        since, withdrawn = master.since or "", master.withdrawn_since or ""
        return MasterRecord(master.host, master.address, master.port, master.config_epoch, since, withdrawn)

    @property
    def bootstrap(self) -> BootstrapRecord | None:
        """Our one bootstrap of this resource."""
        found = self._status.bootstrap
        if found is None:
            return None
        return BootstrapRecord(found.id, found.master, found.started_at or "", found.completed_at or "")

    @property
    def members(self) -> Mapping[str, str] | None:
        """Name and address of the hosts of a cluster that was once wholly as declared, None before."""
        found = {host.name: host.address for host in self._status.hosts if host.state == "Member"}
        return found or None

    @property
    def answered(self) -> frozenset[str]:
        """The times (or whole texts, where there is no time) of the acts that were answered."""
        stored = {act.at or "" for act in self._status.acts} | {act.arg or "" for act in self._status.acts}
        return frozenset(self._answered | stored) - {""}

    @property
    def down_for(self) -> float:
        """Seconds since a majority of the sentinels calls the last master down; 0 when they do not."""
        return (self._now() - self._down_since).total_seconds() if self._down_since else 0.0

    def document(self) -> dict[str, Any]:
        """Return the whole status of now."""
        return self._status.to_document()

    async def run(self) -> None:
        """Write until cancelled. Raises ObjectReplaced when there is nothing to write to any more."""
        await self._writer.run()

    async def flush(self) -> None:
        """Wait until what is there now is stored. Raises ObjectReplaced when it never will be."""
        await self._writer.flush()

    def confirm(
        self, master: Mastership, observed: Sentinels, desired: Desired | None = None, at: float | None = None
    ) -> None:
        """Take over who is master; `observed` is what the sentinels answered in the reading it was judged from.

        `at` is time.monotonic() when that reading began: what was read before a reading that is told already tells
        nothing any more (a slow host holds a pass up while the fast path sees the switch).
        """
        if at is not None:
            if at < self._read_at:
                return
            self._read_at = at
        self._master, self._sentinels = master, observed
        self._desired = desired or self._desired
        self._track_down(master)
        old = self._status.master
        if isinstance(master, Confirmed):
            found = self._master_status(master, old)
            self._update(master=found, failovers=_entries(self._history))
        elif old is not None and self._down_since is not None and not old.withdrawn_since:
            self._update(master=MasterStatus(**(dict(old) | {"withdrawn_since": _second(self._now())})))
        self._refresh()

    def event(self, event: SentinelEvent, desired: Desired) -> None:
        """Take a sentinel's message into the history of failovers."""
        self._desired = desired
        history = record(self._history, event, desired)
        if self._published_at and isinstance(self._master, Confirmed):
            history = published(history, self._master, self._published_at)  # told after the judge saw it
        if history != self._history:
            self._history = history
            self._update(failovers=_entries(history))
            self._store()

    def report(self, report: Report, desired: Desired | None) -> None:
        """Take over what a pass found and did."""
        self._report = report
        self._desired = self._reported = desired or self._desired
        if self._observes(report):
            self._update(observed_generation=report.generation)
        if report.facts is not None and report.verdict is not None and desired is not None:
            master = self._master or report.verdict.master
            drift = report.plan.drift
            numbers = counts(desired, report.facts, master, drift)
            seen = hosts(desired, report.facts, master, drift, self._status.hosts, newer=self._newer)
            self._update(
                hosts=self._joined(seen, report, desired),
                ready=numbers.ready,
                replicas=numbers.replicas,
                sentinels=numbers.sentinels,
                plan=_plan_items(report.plan) if desired.management == "Observe" else (),
            )
        self._refresh()

    def newer(self, found: Mapping[str, str]) -> None:
        """Note which hosts' repositories have a newer package; told with the next report."""
        self._newer = found

    def failed(self, sentence: str) -> None:
        """Tell of a pass that came to no report at all: what stands in status may be old."""
        self._update(message=sentence)
        self._store()

    def begin_bootstrap(self, bootstrap_id: str, master: str) -> None:
        """Note that a bootstrap begins; to be flushed before the first thing is done."""
        started = _second(self._now())
        self._update(bootstrap=Bootstrap(id=bootstrap_id, master=master, started_at=started))
        self._refresh()

    def complete_bootstrap(self) -> None:
        """Note that the bootstrap is done."""
        if self._status.bootstrap is not None and not self._status.bootstrap.completed_at:
            done = dict(self._status.bootstrap) | {"completed_at": _second(self._now())}
            self._update(bootstrap=Bootstrap(**done))
            self._refresh()

    def act(self, verb: str, arg: str, at: str, result: str, message: str) -> None:
        """Answer an act. A time that is none goes into `arg`, as the API server takes only times for `at`."""
        self._answered.add(at)
        moment = _moment(at)
        answer = Act(
            verb=verb or "unknown",
            arg=(arg if moment else at) or None,
            at=at if moment else _second(self._now()),
            result=cast(ActResult, result),
            message=message or None,
        )
        self._update(acts=(*self._status.acts, answer)[-10:])
        self._store()

    def deleting(self) -> None:
        """Note that the resource is being deleted."""
        self._deleting = True
        self._refresh()

    def _update(self, **fields: object) -> None:
        self._status = Status(**(dict(self._status) | fields))

    def _store(self) -> None:
        self._writer.put(self._status.to_document())

    def _refresh(self) -> None:
        """Make phase, message and conditions anew from all that is known, and store."""
        if self._report is None and self._status.phase is not None and not self._deleting:
            self._only_master_condition()
        else:
            inputs = self._inputs()
            whole = overall(inputs)
            found = tuple(
                self._stamped(each.type, each.status, each.reason, each.message) for each in conditions(inputs)
            )
            self._update(phase=cast(Phase, whole.phase), message=whole.message, conditions=found)
        self._store()

    def _only_master_condition(self) -> None:
        """Before the first pass of this process all else stays as it was found; who is master cannot wait."""
        if self._master is None:
            return
        new = next(each for each in conditions(self._inputs()) if each.type == "MasterConfirmed")
        kept = [each for each in self._status.conditions if each.type != new.type]
        self._update(conditions=(*kept, self._stamped(new.type, new.status, new.reason, new.message)))

    def _inputs(self) -> Inputs:
        generation = self._report.generation if self._report else (self._desired.generation if self._desired else 0)
        return Inputs(
            generation=generation,
            desired=self._reported or self._desired,
            report=self._report,
            master=self._master,
            record=self.last_master,
            bootstrap=self.bootstrap,
            observed=self._status.observed_generation or 0,
            ready=self._status.ready or "",
            switching=self._switching(),
            down_for=self.down_for,
            deleting=self._deleting,
        )

    def _stamped(self, kind: str, status: str, reason: str, message: str) -> Condition:
        old = next((each for each in self._status.conditions if each.type == kind), None)
        kept = old.last_transition_time if old is not None and old.status == status else None
        generation = self._report.generation if self._report else (old.observed_generation if old else None)
        return Condition(
            type=kind,
            status=cast(Any, status),
            observed_generation=generation,
            last_transition_time=kept or _second(self._now()),
            reason=reason,
            message=message,
        )

    def _observes(self, report: Report) -> bool:
        """Whether the generation is true on the hosts, or was stopped on purpose with the reason said."""
        if report.refusal is not None:
            return True
        if report.verdict is None:
            return False
        hands_off = self._desired is not None and self._desired.management != "Full"
        return hands_off or (report.plan.settled and report.verdict.situation is Situation.ALIVE)

    def _joined(self, seen: tuple[HostStatus, ...], report: Report, desired: Desired) -> tuple[HostStatus, ...]:
        """Make all declared hosts members once the cluster was wholly as declared: then one more is a change."""
        complete = report.plan.settled and isinstance(self._master, Confirmed) and report.refusal is None
        if not complete or desired.management != "Full":
            return seen
        names = {host.name for host in desired.hosts}
        joined = _second(self._now())
        return tuple(
            HostStatus(**(dict(host) | {"state": "Member", "joined_at": host.joined_at or joined}))
            if host.name in names
            else host
            for host in seen
        )

    def _track_down(self, master: Mastership) -> None:
        """Keep since when the last master is not to be used, by the sentinels' or by its own word."""
        old = self._status.master
        if isinstance(master, Confirmed):
            known = self._down_since if old is not None and old.address == master.address else None
            self._down_since = (known or self._now()) if self._called_down(master.address) else None
        elif old is not None and self._down_since is None:
            no_master = master.reason == "RoleDisagrees" and master.address == old.address
            self._down_since = self._now() if no_master or self._called_down(old.address) else None

    def _called_down(self, address: str) -> bool:
        """Whether a majority of the declared sentinels shows o_down for the address."""
        if self._desired is None:
            return False
        seen = views(self._desired, self._sentinels).values()
        down = [view for view in seen if "o_down" in view.flags and (view.told_address or view.address) == address]
        return len(down) >= self._desired.majority

    def _switching(self) -> bool:
        if self._desired is None:
            return False
        seen = views(self._desired, self._sentinels).values()
        return self._down_since is not None or any("failover_in_progress" in view.flags for view in seen)

    def _master_status(self, master: Confirmed, old: MasterStatus | None) -> MasterStatus:
        same = old is not None and _is_same(old, master)
        return MasterStatus(
            host=master.host,
            address=master.address,
            port=master.port,
            config_epoch=master.config_epoch,
            since=old.since if old is not None and same else self._switched(master),
            withdrawn_since=self._withdrawn(master, old if same else None),
        )

    def _switched(self, master: Confirmed) -> str:
        """Note the switch in the history; return when it was: as the sentinels told it, else now."""
        now, before = self._now(), self._history
        self._published_at = _precise(now) if self._status.master else ""
        self._history = published(before, master, _precise(now))
        entry = next((each for each in reversed(self._history) if each not in before), None)
        told = entry and (_moment(entry.promoted) or _moment(entry.switched))
        return _second(told or now)

    def _withdrawn(self, master: Confirmed, old: MasterStatus | None) -> str | None:
        """A master that the sentinels call down stays withdrawn, until their failovers were in vain while it serves."""
        if self._down_since is None or (self._desired is not None and tried_in_vain(self._desired, self.down_for)):
            return None
        return (old and old.withdrawn_since) or _second(self._now())


def _is_same(old: MasterStatus, new: Confirmed) -> bool:
    """Whether nothing was switched: an epoch that fell at the same address is the sentinels' new count."""
    return (old.address, old.port) == (new.address, new.port) and new.config_epoch <= old.config_epoch


def _second(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _precise(moment: datetime) -> str:
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def _moment(text: str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None


def _plan_items(plan: Plan) -> tuple[PlanItem, ...]:
    return tuple(
        PlanItem(host=step.host, what=step.what, why=step.why, impact=cast(PlanImpact, step.impact.name.capitalize()))
        for step in plan.steps
    )


def _failover(entry: FailoverEntry) -> Failover:
    values = {name: value for name, value in dict(entry).items() if value is not None}
    return Failover(**({"to_host": "", "at": ""} | values))


def _entries(history: tuple[Failover, ...]) -> tuple[FailoverEntry, ...]:
    return tuple(
        FailoverEntry(
            from_host=each.from_host,
            to_host=each.to_host or None,
            cause=each.cause,
            at=each.at,
            detected=each.detected,
            elected=each.elected,
            promoted=each.promoted,
            switched=each.switched,
            published=each.published,
            config_epoch=each.config_epoch or None,
            result=each.result or None,
            message=each.message or None,
        )
        for each in shown(history)[-10:]
    )
