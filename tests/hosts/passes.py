"""Passes over lab hosts with the product's own rooms: read, judge, plan, do; without an API server."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from itertools import groupby

from lab.labs import Lab
from lab.processes import wait_until
from lab.seedcluster import MASTER_NAME, PASSWORD, HandMade, is_whole
from redis_sentinel_operator.apply.executor import Guard, execute
from redis_sentinel_operator.connect import Credentials
from redis_sentinel_operator.connect.bastion import Bastions
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.judge.gate import why_not
from redis_sentinel_operator.judge.health import JudgeContext, judge
from redis_sentinel_operator.model.desired import (
    ClusterRef,
    Desired,
    DesiredHost,
    PackageWish,
    SentinelSettings,
    SshAccess,
)
from redis_sentinel_operator.model.fact import ClusterFacts, Fact, Known, RedisFacts, SurveyFacts
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Plan, Step
from redis_sentinel_operator.model.verdict import BootstrapRecord, MasterRecord, Verdict
from redis_sentinel_operator.observe import survey
from redis_sentinel_operator.observe.gather import gather
from redis_sentinel_operator.plan.order import PlanContext, plan
from redis_sentinel_operator.settings import Settings

OWNER = "00000000-0000-4000-8000-000000000001/default/redis-cluster"
EPOCH = 1_700_000_000_000_000


def seed(lab: Lab, **changes: object) -> Desired:
    """The seed's cluster on the hosts of a lab: the first host without a sentinel."""
    hosts = tuple(
        DesiredHost(
            name=host.name,
            address=host.address,
            ssh=SshAccess(host.address),
            sentinel=host != lab.master01,
            package=PackageWish(version=host.family.server().removeprefix(f"{host.family.redis.name}-")),
        )
        for host in lab.hosts
    )
    whole = Desired(
        ref=ClusterRef("default", "redis-cluster", "uid-1"),
        generation=1,
        master_name=MASTER_NAME,
        management="Full",
        hosts=hosts,
        initial_master=lab.master01.name,
        sentinel=SentinelSettings(quorum=2),
        redis_config={"bind": "0.0.0.0", "repl-ping-slave-period": "10", "repl-timeout": "60"},
        password=Secret(PASSWORD),
    )
    return replace(whole, **changes)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Reading:
    """What one pass saw and what it would do."""

    facts: ClusterFacts
    verdict: Verdict
    todo: Plan


@dataclass(slots=True)
class Passes:
    """The loop of an operator, one pass at a time. `last` is the master that status has, since `reign_began`."""

    desired: Desired
    links: Mapping[str, HostLink]
    bootstrap: BootstrapRecord | None = None
    last: MasterRecord | None = None
    reign_began: float = math.inf  # time.monotonic()
    down_for: float = 0.0  # for how long status says that the master is not to be used
    guard: Guard = field(default_factory=lambda: Guard(OWNER, EPOCH))
    settings: Settings = field(default_factory=Settings)

    async def read(self, *, adopt: bool = False) -> Reading:
        facts = await gather(self.desired, self.links, self.settings)
        last_for = max(0.0, facts.at - self.reign_began)
        since = self.down_for  # what happens is told at once: there is no status that it would have to wait for
        context = JudgeContext(self.guard.owner, self.bootstrap, math.inf, since, last_for=last_for, undone_for=since)
        verdict = judge(self.desired, facts, self.last, context)
        return Reading(facts, verdict, plan(self.desired, facts, verdict, self._context(adopt)))

    async def survey(self) -> Mapping[str, Fact[SurveyFacts]]:
        """All hosts asked at length."""
        asked = (survey.read(self.desired, host, self.links[host.name], self.settings) for host in self.desired.hosts)
        return dict(zip((host.name for host in self.desired.hosts), await asyncio.gather(*asked), strict=True))

    async def do(self, step: Step) -> StepResult:
        return await execute(step, self.links, self.desired, self.guard, self.settings)

    async def once(self) -> tuple[Reading, list[StepResult]]:
        """One pass: the plan's stages one after the other, the hosts of a stage at the same time."""
        reading = await self.read()
        results: list[StepResult] = []
        for _, stage in groupby(reading.todo.steps, key=lambda step: step.stage):
            by_host: dict[str, list[Step]] = {}
            for step in stage:
                by_host.setdefault(step.host, []).append(step)
            for done in await asyncio.gather(*(self._one(reading, steps) for steps in by_host.values())):
                results += done
            if not all(result.ok for result in results):
                break
        return reading, results

    async def until_settled(self, passes: int = 150) -> list[StepResult]:
        """Passes until one plans nothing and waits for nothing; returns all that was done.

        None of it may fail but for what a sentinel overtook.
        """
        done: list[StepResult] = []
        for _ in range(passes):
            reading, results = await self.once()
            failed = [result for result in results if not result.ok]
            done += [result for result in results if result.ok]
            assert not failed or await self._overtaken(reading, failed), [result.message for result in failed]
            if reading.todo.settled:
                return done
            if not results:
                await asyncio.sleep(0.5)  # what it waits for is the hosts' own work
        raise AssertionError(f"not settled: {reading.todo.waiting} {reading.verdict}")

    async def _overtaken(self, reading: Reading, failed: list[StepResult]) -> bool:
        """Whether each of these redis has another role by now, which a sentinel gave it: that ends our connection."""
        now = (await self.read()).facts
        return all(_role(reading.facts, each.step.host) not in (None, _role(now, each.step.host)) for each in failed)

    async def _one(self, reading: Reading, steps: list[Step]) -> list[StepResult]:
        results = []
        for step in steps:
            for need in step.needs:
                reason = why_not(need, step.host, self.desired, reading.facts, reading.verdict)
                assert reason is None, f"planned, but {need} is not met: {reason}"
            results.append(await self.do(step))
            if not results[-1].ok:
                break
        return results

    def _context(self, adopt: bool) -> PlanContext:
        return PlanContext(self.guard.owner, self.bootstrap, adopt, frozenset(host.name for host in self.desired.hosts))


def _role(facts: ClusterFacts, host: str) -> tuple[str, str] | None:
    """What a redis is and whom it follows; None where it did not say."""
    fact = facts.hosts[host].redis
    value = fact.value if isinstance(fact, Known) else None
    return (value.role, value.master_address) if isinstance(value, RedisFacts) else None


def set_up(lab: Lab) -> None:
    """Make the seed's cluster on the hosts of a lab as they are: passes until nothing is left to plan."""

    async def until_settled() -> None:
        async with passes(lab) as loop:
            await loop.until_settled()

    asyncio.run(until_settled())


def find_each_other(lab: Lab) -> bool:
    """Wait until all sentinels of the seed's cluster know each other and every replica is online; whether it came."""
    made = HandMade(lab.master01, lab.replicas, lab.replicas, MASTER_NAME, 2, PASSWORD)
    return wait_until(lambda: is_whole(made), 60.0, 0.2)


@asynccontextmanager
async def settled_passes(lab: Lab, **changes: object) -> AsyncIterator[Passes]:
    """An operator's loop over a whole cluster, whose bootstrap is over."""
    async with passes(lab, **changes) as loop:
        assert loop.bootstrap is not None
        loop.bootstrap = replace(loop.bootstrap, completed_at="2026-01-31T12:01:00Z")
        yield loop


@asynccontextmanager
async def soon_in_vain(lab: Lab) -> AsyncIterator[Passes]:
    """One of a settled cluster whose sentinels give up soon; as declared for the others afterwards.

    With a failover-timeout of 3 s, 6 s are in vain, and a drill waits for 14 s.
    """
    async with settled_passes(lab) as loop:
        as_before = loop.desired
        loop.desired = replace(as_before, sentinel=replace(as_before.sentinel, failover_timeout=3000))
        await loop.until_settled()
        yield loop
        loop.desired = as_before
        await loop.until_settled()


@asynccontextmanager
async def passes(lab: Lab, **changes: object) -> AsyncIterator[Passes]:
    """An operator's loop over all hosts of a lab, with a bootstrap begun."""
    desired, settings = seed(lab, **changes), Settings()
    credentials = Credentials(lab.private_key.read_text(), lab.known_hosts())
    record = BootstrapRecord("b1", desired.initial_master, "2026-01-31T12:00:00Z")
    with ThreadPoolExecutor(max_workers=8) as pool:
        bastions = Bastions(pool, settings)
        links = {host.name: HostLink(host, credentials, pool, settings, bastions) for host in desired.hosts}
        try:
            yield Passes(desired, links, record, settings=settings)
        finally:
            await asyncio.gather(*(link.close() for link in links.values()))
            bastions.keep(())
