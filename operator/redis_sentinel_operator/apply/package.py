"""Packages, by yum; proved by rpm."""

from __future__ import annotations

from redis_sentinel_operator.apply.outcome import NOT_DONE, Outcome, done, failed, scrub
from redis_sentinel_operator.apply.resp import ask
from redis_sentinel_operator.apply.scripts import NOT_FOUND, Guard, change, plain
from redis_sentinel_operator.apply.units import answering
from redis_sentinel_operator.conf.version import at_least
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import Known, RedisFacts
from redis_sentinel_operator.model.package import FetchPackage, InstallPackage, Server, UpgradePackage
from redis_sentinel_operator.observe.gather import read_redis
from redis_sentinel_operator.settings import Settings

_REST = 15.0  # of the time for the whole script: what is done around yum
_NO_REPOSITORY = "PackageNotFound"


async def install(action: InstallPackage | FetchPackage, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Install a package that is missing; one that is there is left as it is, also in another version.

    Or fetch a newer one into yum's cache, unless its module stream is not enabled yet.
    """
    if isinstance(action, FetchPackage):
        return await available(action.package, link, settings, "fetch", settings.package_timeout)
    return await _install(action, (), link, guard, settings)


async def upgrade(
    action: UpgradePackage, link: HostLink, desired: Desired, guard: Guard, settings: Settings
) -> Outcome:
    """Replace a package by a newer version, and prove that its servers answer, and which redis that is.

    Whether a replica is in sync again is waited for by whoever goes on to the next host.
    """
    redis = next((each for each in action.servers if not each.sentinel), None)
    if redis is not None:
        client = await link.resp(redis.port, desired.password)
        role = await ask(client, "ROLE")
        kind = str(role[0]) if isinstance(role, list) and role else "of no role"
        if kind != "slave":
            return failed(f"nothing was done: redis says that it is {kind}, and only a replica is upgraded", NOT_DONE)
    outcome = await _install(action.package, tuple(each.unit for each in action.servers), link, guard, settings)
    for server in action.servers if outcome.ok else ():
        link.drop(server.port)
        up = await answering(server, link, desired, settings)
        if not up.ok:
            return up
    return outcome if redis is None or not outcome.ok else await _is_new(action, redis, link, desired, settings)


async def _is_new(
    action: UpgradePackage, redis: Server, link: HostLink, desired: Desired, settings: Settings
) -> Outcome:
    fact = await read_redis(desired, link, settings)
    found = fact.value if isinstance(fact, Known) else None
    wanted, name = action.package.version or "", action.package.name
    if not isinstance(found, RedisFacts):
        return done(f"{name}-{wanted} is installed; {redis.unit} runs and loads its data")
    version = found.server_version or found.version
    if not at_least(version, wanted):
        return failed(f"{name}-{wanted} is installed, but what runs says that it is {version}: look at {redis.unit}")
    return done(f"{name}-{wanted} is installed, and redis runs with {version}")


async def _install(
    action: InstallPackage, renew: tuple[str, ...], link: HostLink, guard: Guard, settings: Settings
) -> Outcome:
    """`renew` are units: with them another version is replaced."""
    seconds = settings.package_timeout
    deadline = f"{max(seconds - _REST, seconds / 2):.0f}"
    words = (action.name, action.version or "", deadline, ",".join(action.repositories), action.module or "")
    result = await change(link, guard, "package", *words, *renew, seconds=seconds)
    if result.exit_status == 0:
        return done(f"{action.name} {result.text.strip()} is installed")
    said = scrub(result.stderr) or f"yum ended with status {result.exit_status}"
    if result.exit_status == NOT_FOUND:
        return failed(said, _NO_REPOSITORY)
    return failed(said)


async def available(
    action: InstallPackage, link: HostLink, settings: Settings, what: str = "", seconds: float | None = None
) -> Outcome:
    """Ask the host's repositories whether they have a package; it needs no claim, as nothing is changed.

    Raises ConnectError.
    """
    name = action.name if action.version is None else f"{action.name}-{action.version}"
    seconds = seconds or settings.step_timeout
    words = (name, f"{seconds / 2:.0f}", ",".join(action.repositories), action.module or "", what)
    result = await link.run(plain("available", *words), timeout=seconds)
    if result.exit_status == 0:
        return done(f"{name} can be installed")
    return failed(scrub(result.stderr), _NO_REPOSITORY if result.exit_status == NOT_FOUND else "StepFailed")
