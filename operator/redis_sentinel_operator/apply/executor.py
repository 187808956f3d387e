"""Do one step on one host and say how it ended."""

from __future__ import annotations

import time
from collections.abc import Mapping

import redis.exceptions

from redis_sentinel_operator.apply import (
    departure,
    files,
    firewall,
    kernel,
    monitor,
    operation,
    package,
    reset,
    resp,
    roles,
    units,
)
from redis_sentinel_operator.apply.outcome import Outcome, failed, scrub
from redis_sentinel_operator.apply.scripts import Guard
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.errors import PortClosed
from redis_sentinel_operator.model.departure import RemovePackage, RemoveTraces, SaveData
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fence import FreeUnits, HoldUnits
from redis_sentinel_operator.model.operation import (
    AdmitPassword,
    AskFailover,
    Demote,
    Fence,
    ForgetOperation,
    GivePassword,
    MonitorAnew,
    Promote,
    RememberOperation,
    StartAgain,
    StartStopped,
    StopMaster,
)
from redis_sentinel_operator.model.package import FetchPackage, InstallPackage, LockPackage, UpgradePackage
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.step import (
    AllowPorts,
    ConfigSet,
    DisableUnits,
    EditConf,
    EditFirewalld,
    EnableUnits,
    FillChain,
    LabelFile,
    MakeReplica,
    ProveRewrite,
    ReleaseClaim,
    RememberKeys,
    RememberNotes,
    RestoreMaster,
    SaveChain,
    SentinelReset,
    SentinelSet,
    SetKernel,
    StartUnit,
    Step,
    StopUnit,
    TakeClaim,
    WriteDropIn,
    WriteSentinelConf,
)
from redis_sentinel_operator.settings import Settings

__all__ = ["Guard", "execute"]


async def execute(
    step: Step, links: Mapping[str, HostLink], desired: Desired, guard: Guard, settings: Settings
) -> StepResult:
    """Do a step; what the host refuses is a result that is not ok.

    Args:
        step: what to do.
        links: the way to every host; a step on one may have to ask the others right before.
        desired: the declared cluster.
        guard: under which owner and lease.
        settings: deadlines.

    Raises:
        NotOurHost: the host belongs to another owner or a later lease epoch was there; nothing was changed.
        ConnectError: the connection ended or the host did not answer in time: whether the step was done is not known.
    """
    started = time.monotonic()
    try:
        outcome = await _act(step, links, desired, guard, settings)
    except PortClosed:
        outcome = failed("nobody listens there any more")
    except redis.exceptions.RedisError as error:
        outcome = failed(scrub(str(error), desired.password))
    return StepResult(step, outcome.ok, outcome.message, time.monotonic() - started, outcome.reason)


async def _act(
    step: Step, links: Mapping[str, HostLink], desired: Desired, guard: Guard, settings: Settings
) -> Outcome:
    link = links[step.host]
    match step.action:
        case MakeReplica() | RestoreMaster() | SentinelReset() | MonitorAnew():
            return await _act_on_all_there_is(step, link, links, desired, guard)
        case EditConf() | WriteSentinelConf() as action:
            return await files.replace(action, link, desired, guard, settings)
        case StartUnit() as action:
            return await units.start(action, link, desired, guard, settings)
        case UpgradePackage() as action:
            return await package.upgrade(action, link, desired, guard, settings)
        case ConfigSet() | SentinelSet() | ProveRewrite() as action:
            return await _set(action, link, desired, guard, settings)
        case SaveData() | RemovePackage() | RemoveTraces() as action:
            return await departure.leave(action, link, desired, guard)
        case TakeClaim() as action:
            return await files.take_claim(action, link, guard, settings)
        case (
            RememberOperation()
            | ForgetOperation()
            | Fence()
            | AskFailover()
            | Demote()
            | AdmitPassword()
            | GivePassword()
            | StopMaster()
            | StartAgain()
            | StartStopped()
            | Promote()
        ) as action:
            return await operation.operate(action, link, links, desired, guard)
        case _:
            return await _act_plainly(step, link, guard, settings)


async def _act_on_all_there_is(
    step: Step, link: HostLink, links: Mapping[str, HostLink], desired: Desired, guard: Guard
) -> Outcome:
    """Do what is asked of all sentinels again right before."""
    match step.action:
        case MakeReplica() as action:
            return await roles.make_replica(action, link, links, desired, guard)
        case RestoreMaster() as action:
            return await roles.restore_master(action, link, links, desired, guard)
        case SentinelReset() as action:
            return await reset.reset(action, link, links, desired, guard)
        case MonitorAnew() as action:
            return await monitor.monitor_anew(action, link, links, desired, guard)
    raise AssertionError(f"no such action: {type(step.action).__name__}")


async def _set(
    action: ConfigSet | SentinelSet | ProveRewrite, link: HostLink, desired: Desired, guard: Guard, settings: Settings
) -> Outcome:
    """Change what is in force in a running server, or prove that it keeps such a change."""
    match action:
        case ConfigSet():
            return await resp.config_set(action, link, desired, guard, settings)
        case SentinelSet():
            return await resp.sentinel_set(action, link, desired, guard, settings)
        case ProveRewrite():
            return await resp.prove_rewrite(action, link, desired, guard, settings)


async def _act_plainly(step: Step, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    match step.action:
        case RememberKeys() | RememberNotes() as action:
            return await files.remember(action, link, guard, settings)
        case ReleaseClaim():
            return await files.release_claim(link, guard, settings)
        case InstallPackage() | FetchPackage() as action:
            return await package.install(action, link, guard, settings)
        case LockPackage() as action:
            return await files.lock_package(action, link, guard, settings)
        case WriteDropIn() as action:
            return await files.write_drop_in(action, link, guard, settings)
        case StopUnit() | HoldUnits() | FreeUnits() as action:
            return await units.stop(action, link, guard, settings)
        case SetKernel() | LabelFile() | AllowPorts() as action:
            return await kernel.change_kernel(action, link, guard, settings)
        case EnableUnits() | DisableUnits() as action:
            return await units.enable(action, link, guard, settings)
        case EditFirewalld() | FillChain() | SaveChain() as action:
            return await firewall.change_firewall(action, link, guard, settings)
    raise AssertionError(f"no such action: {type(step.action).__name__}")
