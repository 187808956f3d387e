"""Files: claimed, replaced whole and atomically, never half; secrets travel on stdin only."""

from __future__ import annotations

import json

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.scripts import CHANGED_MEANWHILE, Guard, change
from redis_sentinel_operator.conf.directives import encode, sha256
from redis_sentinel_operator.connect.command import CommandResult
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.package import LockPackage
from redis_sentinel_operator.model.step import (
    EditConf,
    RememberKeys,
    RememberNotes,
    TakeClaim,
    WriteDropIn,
    WriteSentinelConf,
)
from redis_sentinel_operator.settings import Settings

_MODE = "0640"


async def take_claim(action: TakeClaim, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Write the owner into state.json."""
    force = "force" if action.force else ""
    result = await change(
        link, guard, "claim", action.bootstrap_id, action.first_master, force, seconds=settings.step_timeout
    )
    return _judge(result, "claimed")


async def release_claim(link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Remove our owner from the host."""
    return _judge(await change(link, guard, "release", seconds=settings.step_timeout), "released")


async def remember(action: RememberKeys | RememberNotes, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Write into state.json which directives of redis.conf are ours, or what was seen of the host."""
    name, content = ("notes", dict(action.notes)) if isinstance(action, RememberNotes) else ("keys", _records(action))
    stdin = json.dumps(content, sort_keys=True).encode()
    return _judge(await change(link, guard, "keys", name, stdin=stdin, seconds=settings.step_timeout), "written down")


def _records(action: RememberKeys) -> dict[str, object]:
    return {
        name: {"set": each.value, "shipped": each.shipped, **({"begun": each.begun} if each.begun else {})}
        for name, each in action.keys.items()
    }


async def replace(
    action: EditConf | WriteSentinelConf, link: HostLink, desired: Desired, guard: Guard, settings: Settings
) -> Outcome:
    """Replace redis.conf or sentinel.conf, where it still is the file that the plan was made from."""
    text = action.text.reveal()
    arguments = (action.path, action.base_sha256, sha256(text), action.owner, action.group, _MODE, "")
    result = await change(link, guard, "replace", *arguments, stdin=encode(text), seconds=settings.step_timeout)
    if result.exit_status == CHANGED_MEANWHILE:
        return failed(f"{action.path} was changed meanwhile; it is read again and nothing is lost")
    return _judge(result, f"{action.path} written", desired)


async def lock_package(action: LockPackage, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Replace yum's configuration, where it still is the file that the plan was made from."""
    text = action.text.reveal()
    arguments = (action.path, action.base_sha256, sha256(text), action.owner, action.group, f"{action.mode:04o}")
    result = await change(link, guard, "replace", *arguments, stdin=encode(text), seconds=settings.step_timeout)
    if result.exit_status == CHANGED_MEANWHILE:
        return failed(f"{action.path} was changed meanwhile; it is read again and nothing is lost")
    return _judge(result, f"{action.path} written")


async def write_drop_in(action: WriteDropIn, link: HostLink, guard: Guard, settings: Settings) -> Outcome:
    """Write a unit drop-in and let systemd read it."""
    stdin = encode(action.text)
    result = await change(link, guard, "dropin", action.path, stdin=stdin, seconds=settings.step_timeout)
    return _judge(result, f"{action.path} written")


def _judge(result: CommandResult, message: str, desired: Desired | None = None) -> Outcome:
    if result.exit_status == 0:
        return done(message)
    said = scrub(result.stderr, desired.password if desired else None)
    return failed(said or f"the host answered with status {result.exit_status}")
