"""Packages, by yum; proved by rpm."""

from __future__ import annotations

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import NOT_FOUND, Guard, change, plain
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.step import InstallPackage
from redis_sentinel_operator.settings import Settings

_REST = 15.0  # of the time for the whole script: what is done around yum
_NO_REPOSITORY = "PackageNotFound"


async def install(action: InstallPackage, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Install a package that is missing; one that is there is left as it is, also in another version."""
    seconds = settings.package_timeout
    deadline = f"{max(seconds - _REST, seconds / 2):.0f}"
    words = (action.name, action.version or "", deadline, ",".join(action.repositories), action.module or "")
    result = await change(link, guard, "package", *words, seconds=seconds)
    if result.exit_status == 0:
        return done(f"{action.name} {result.text.strip()} is installed")
    said = scrub(result.stderr) or f"yum ended with status {result.exit_status}"
    if result.exit_status == NOT_FOUND:
        return failed(said, _NO_REPOSITORY)
    return failed(said)


async def available(action: InstallPackage, link: HostLink, settings: Settings) -> Outcome:
    """Ask the host's repositories whether they have a package; it needs no claim, as nothing is changed.

    Raises ConnectError.
    """
    name = action.name if action.version is None else f"{action.name}-{action.version}"
    seconds = settings.step_timeout
    words = (name, f"{seconds / 2:.0f}", ",".join(action.repositories), action.module or "")
    result = await link.run(plain("available", *words), timeout=seconds)
    if result.exit_status == 0:
        return done(f"{name} can be installed")
    return failed(scrub(result.stderr), _NO_REPOSITORY if result.exit_status == NOT_FOUND else "StepFailed")
