"""The one place where status is assembled, and its one writer.

Everybody says what they found out; the board keeps the whole status, and stores it whole whenever it differs. It knows
no Kubernetes: it is given what was stored and a callable that stores.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from redis_sentinel_operator.api.status import Bootstrap, Condition, HostStatus, MasterStatus, Phase, Status
from redis_sentinel_operator.board_acts import own_failover, shown, stored, with_answer
from redis_sentinel_operator.board_down import Down
from redis_sentinel_operator.board_failovers import Failovers, restarted
from redis_sentinel_operator.board_hosts import Drift, counts, hosts, plan_items
from redis_sentinel_operator.board_members import begun, left, members, recorded, taken_over
from redis_sentinel_operator.board_unread import Unread
from redis_sentinel_operator.board_writer import NO_HURRY, LatestWriter, patience_for
from redis_sentinel_operator.judge.conditions import Inputs, conditions, overall
from redis_sentinel_operator.judge.master import Sentinels
from redis_sentinel_operator.judge.measured import Measured, measured
from redis_sentinel_operator.judge.messages import ENDPOINTS
from redis_sentinel_operator.model.desired import ClusterRef, Desired
from redis_sentinel_operator.model.event import SentinelEvent
from redis_sentinel_operator.model.fact import ClusterFacts, Fact, Known
from redis_sentinel_operator.model.operation import Operation
from redis_sentinel_operator.model.report import Report, before_a_switch
from redis_sentinel_operator.model.verdict import (
    BootstrapRecord,
    Confirmed,
    Finding,
    MasterRecord,
    Mastership,
    Situation,
    Uncertain,
    Verdict,
)
from redis_sentinel_operator.times import moment, second


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
        self.failovers = Failovers(self._status.failovers, now)
        self._master: Mastership | None = None
        self._desired: Desired | None = None
        self._report: Report | None = None
        self._unread = Unread()
        self._reported: Desired | None = None  # what the report is about: a later declaration is not true yet
        self._deleting: str | None = None
        self._operation = stored(self._status.operation)
        self._read_at = float("-inf")
        self._answered: set[str] = set()
        self._newer: Mapping[str, str] = {}
        self._heard: dict[str, Fact[str]] = {}  # by host: whether its sentinel is followed
        self._services = _finding(self._status.conditions, ENDPOINTS)
        self.changed = asyncio.Event()  # set at each change of what is known
        self.switch_seen: float | None = None  # time.monotonic() of the evidence for the present master
        self._down = Down(moment(self._status.master.withdrawn_since if self._status.master else None), now)
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
    def operation(self) -> Operation | None:
        """The procedure that goes on."""
        return self._operation

    @property
    def members(self) -> Mapping[str, str] | None:
        """Name and address of the members of a cluster that was once wholly as declared, None before."""
        return members(self._status.hosts) or None

    @property
    def fenced(self) -> frozenset[str]:
        """The hosts that were seen to be fenced when they were last read."""
        return self.recorded("Fenced")

    def recorded(self, state: str) -> frozenset[str]:
        """Return the names of the hosts that status has in that state."""
        return recorded(self._status.hosts, state)

    def begin_joining(self, desired: Desired, names: Iterable[str]) -> None:
        """Note which hosts join; to be flushed before the first thing is done there."""
        self._update(hosts=begun(self._status.hosts, desired, names))
        self._store()

    def left(self, names: Collection[str]) -> None:
        """Note that hosts have left, as a person said so."""
        self._update(hosts=left(self._status.hosts, names, second(self._now())))
        self._store()

    @property
    def answered(self) -> frozenset[str]:
        """The times (or whole texts, where there is no time) of the acts that were answered."""
        told = {each for act in self._status.acts for each in (act.at, act.arg) if each}
        return frozenset(self._answered | told) - {""}

    @property
    def down_for(self) -> float:
        """Seconds since a majority of the sentinels calls the last master down; 0 when they do not."""
        return self._down.seconds

    @property
    def measured(self) -> Measured | None:
        """What the last pass read for the metrics alone; None before the first."""
        return measured(self._reported, self._report)

    @property
    def last_for(self) -> float:
        """Seconds for which the last master is it at least; 0 when that is not known."""
        return self.failovers.reign(self._status.master)

    @property
    def aborted(self) -> bool:
        """Whether every failover that the sentinels began since they call the master down came to nothing."""
        master, since = self._status.master, self._down.since
        return master is not None and since is not None and self.failovers.aborted(master.host, since)

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
        self._desired = desired or self._desired
        old = self._status.master
        self._down.track(master, old.address if old else "", observed, self._desired)
        self._master = master = master if self._down.since else self._unread.master(self._master, master, at)
        self.failovers.observed(observed, self._desired)
        if isinstance(master, Confirmed):
            if old is not None and old.address != master.address:
                self.switch_seen, self._report = time.monotonic(), before_a_switch(self._report)
            self._update(master=self._master_status(master, old))
        elif old is not None and self._down.since is not None and not old.withdrawn_since:
            self._update(master=MasterStatus(**(dict(old) | {"withdrawn_since": second(self._now())})))
        self._update(failovers=self.failovers.entries())
        # in a switch the sentinels disagree for a moment: that is told when the next readings do not tell who is master
        self._refresh(NO_HURRY if self._status.master is old else 0.0)

    def event(self, event: SentinelEvent, desired: Desired) -> None:
        """Take a sentinel's message into the history of failovers; a master that was restarted bears the time of it."""
        self._desired = desired
        master = restarted(event, self._status.master)
        if master is not None:
            self._update(master=master)
            self._store()
        if self.failovers.heard(event, desired, self._master):
            self._update(failovers=self.failovers.entries())
            self._store(patience_for(event.channel))

    def report(self, report: Report, desired: Desired | None) -> bool:
        """Take over what a pass found and did, and return True; False where it only missed something for a moment."""
        if self._unread.is_no_news(self._report, report):
            return False
        self._report = report
        self._desired = self._reported = desired or self._desired
        if self._observes(report):
            self._update(observed_generation=report.generation)
        if report.verdict is not None and (report.verdict.undone or isinstance(report.verdict.master, Confirmed)):
            self.failovers.explained(report.verdict.undone)
        if report.facts is not None and report.verdict is not None and desired is not None:
            master, drift = self._master or report.verdict.master, report.plan.drift
            numbers = counts(desired, report.facts, master, drift)
            self._settle(report.verdict, report.facts)
            whole = report.plan.settled and report.refusal is None and isinstance(self._master, Confirmed)
            seen, now = self._seen(report.facts, drift, desired), second(self._now())
            self._update(
                hosts=taken_over(seen, report.plan, desired, now, whole=whole and desired.management == "Full"),
                ready=numbers.ready,
                replicas=numbers.replicas,
                sentinels=numbers.sentinels,
                plan=plan_items(report.plan) if desired.management == "Observe" else (),
            )
        self._refresh()
        return True

    def services(self, finding: Finding) -> None:
        """Take over what is said of the Services."""
        self._services = finding
        self._refresh()

    def newer(self, found: Mapping[str, str]) -> None:
        """Note which hosts' repositories have a newer package; told with the next report."""
        self._newer = found

    def heard(self, host: str, followed: Fact[str]) -> None:
        """Note whether the sentinel of a host is followed, or why not; what is back in a moment is not written."""
        if self._heard.get(host) == followed:
            return
        self._heard[host] = followed
        report, desired = self._report, self._reported
        if report is not None and report.facts is not None and desired is not None:
            self._update(hosts=self._seen(report.facts, report.plan.drift, desired))
        else:  # what the hosts are is not known anew yet
            mark = {"followed": isinstance(followed, Known)}
            told = (HostStatus(**(dict(each) | mark)) if each.name == host else each for each in self._status.hosts)
            self._update(hosts=tuple(told))
        self._store(NO_HURRY)

    def failed(self, sentence: str) -> None:
        """Tell of a pass that came to no report at all: what stands in status may be old."""
        self._update(message=sentence)
        self._store()

    def begin_bootstrap(self, bootstrap_id: str, master: str) -> None:
        """Note that a bootstrap begins; to be flushed before the first thing is done: by then it may be another's."""
        self._update(bootstrap=Bootstrap(id=bootstrap_id, master=master, started_at=second(self._now())))
        self._refresh()

    def begun_by_another(self, stored: Mapping[str, Any]) -> None:
        """Take over the bootstrap of a stored status: another operator had begun it before."""
        self._update(bootstrap=Status.from_document(stored).bootstrap)

    def complete_bootstrap(self) -> None:
        """Note that the bootstrap is done."""
        if self._status.bootstrap is not None and not self._status.bootstrap.completed_at:
            done = dict(self._status.bootstrap) | {"completed_at": second(self._now())}
            self._update(bootstrap=Bootstrap(**done))
            self._refresh()

    def act(self, verb: str, arg: str, at: str, result: str, message: str) -> None:
        """Answer an act; a later answer takes the place of an earlier one."""
        self._answered.add(at)
        self._update(
            acts=with_answer(self._status.acts, verb, arg, at, result=result, message=message, now=self._now())
        )
        self._store()

    def operate(self, operation: Operation | None) -> None:
        """Take over how far a procedure is, None when it has ended; to be flushed before its commands."""
        self._operation = operation
        self.failovers.asked_for(*own_failover(operation), self._desired)
        self._update(operation=shown(operation), failovers=self.failovers.entries())
        self._store()

    def deleting(self, detail: str = "") -> None:
        """Note that the resource is being deleted, and what goes on."""
        self._deleting = detail
        self._refresh()

    def _update(self, **fields: object) -> None:
        self._status = Status(**(dict(self._status) | fields))

    def _store(self, patience: float = 0.0) -> None:
        self._writer.put(self._status.to_document(), patience)
        self.changed.set()

    def _refresh(self, patience: float = 0.0) -> None:
        """Make phase, message and conditions anew from all that is known, and store."""
        if self._report is None and self._status.phase is not None and self._deleting is None:
            self._only_master_condition()
        else:
            inputs = self.known()
            whole = overall(inputs)
            found = tuple(self._stamped(c.type, c.status, c.reason, c.message) for c in conditions(inputs))
            self._update(phase=cast(Phase, whole.phase), message=whole.message, conditions=found)
        self._store(patience)

    def _only_master_condition(self) -> None:
        """Before the first pass of this process all else stays as it was found; who is master cannot wait."""
        if self._master is None:
            return
        new = next(each for each in conditions(self.known()) if each.type == "MasterConfirmed")
        kept = [each for each in self._status.conditions if each.type != new.type]
        self._update(conditions=(*kept, self._stamped(new.type, new.status, new.reason, new.message)))

    def known(self) -> Inputs:
        """Return all that is known now."""
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
            switching=self._down.switching,
            down_for=self.down_for,
            aborted=self.aborted,
            judged=self._down.judged,
            services=self._services,
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
            last_transition_time=kept or second(self._now()),
            reason=reason,
            message=message,
        )

    def _observes(self, report: Report) -> bool:
        """Whether the generation is true on the hosts, or was stopped on purpose with the reason said."""
        if report.refusal is not None or overall(self.known()).stalled:
            return True
        if report.verdict is None:
            return False
        hands_off = self._desired is not None and self._desired.management != "Full"
        return hands_off or (report.plan.settled and report.verdict.situation is Situation.ALIVE)

    def _settle(self, verdict: Verdict, facts: ClusterFacts) -> None:
        """Once all is calm, end the record of what ended unheard."""
        if not verdict.transition and isinstance(verdict.master, Confirmed) and verdict.master == self._master:
            self.failovers.settle(verdict.master, facts.at)
            self._update(failovers=self.failovers.entries())

    def _seen(self, facts: ClusterFacts, drift: Drift, desired: Desired) -> tuple[HostStatus, ...]:
        master = self._master or Uncertain("NotReadYet", "")
        return hosts(desired, facts, master, drift, self._status.hosts, newer=self._newer, heard=self._heard)

    def _master_status(self, master: Confirmed, old: MasterStatus | None) -> MasterStatus:
        same = old is not None and _is_same(old, master)
        withdrawn = self._down.withdraws(master, self._desired, aborted=self.aborted)
        return MasterStatus(
            host=master.host,
            address=master.address,
            port=master.port,
            config_epoch=master.config_epoch,
            since=old.since if old is not None and same else second(self.failovers.switched(master, old)),
            withdrawn_since=((old and same and old.withdrawn_since) or second(self._now())) if withdrawn else None,
            restarted_at=old.restarted_at if old is not None and same else None,
        )


def _is_same(old: MasterStatus, new: Confirmed) -> bool:
    """Whether nothing was switched: an epoch that fell at the same address is the sentinels' new count."""
    return (old.address, old.port) == (new.address, new.port) and new.config_epoch <= old.config_epoch


def _finding(conditions: Sequence[Condition], kind: str) -> Finding | None:
    """Return what a stored condition says, None when there is none."""
    found = next((each for each in conditions if each.type == kind), None)
    holds = {"True": True, "False": False}
    return None if found is None else Finding(holds.get(found.status), found.reason, found.message)
