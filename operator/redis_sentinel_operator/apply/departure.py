"""What is done on a host only when its resource is deleted: data saved, the package and our files removed."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import redis.asyncio
import redis.exceptions

from redis_sentinel_operator.apply.outcome import Outcome, done, failed, scrub
from redis_sentinel_operator.apply.resp import ask, pairs, still_ours
from redis_sentinel_operator.apply.scripts import Guard, change
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.departure import RemovePackage, RemoveTraces, SaveData
from redis_sentinel_operator.model.desired import Desired

_POLL = 0.1  # seconds between two looks at a save
_SAVES = "3600 1"  # save points of one that has none: SIGTERM saves only where there are some
_IN_USE = 67


async def leave(
    action: SaveData | RemovePackage | RemoveTraces, link: HostLink, desired: Desired, guard: Guard
) -> Outcome:
    """Do one step on the way out. Raises NotOurHost, ConnectError, RedisError."""
    match action:
        case SaveData(port):
            return await _save(port, link, desired, guard)
        case RemovePackage(name, data):
            result = await change(link, guard, "uninstall", name, *data, seconds=link.settings.step_timeout)
            if result.exit_status == _IN_USE:
                return failed(scrub(result.stderr), "PackageInUse")
        case RemoveTraces(paths, saved):
            result = await change(link, guard, "traces", " ".join(saved), *paths, seconds=link.settings.step_timeout)
    return done("removed") if result.exit_status == 0 else failed(scrub(result.stderr) or "it was not removed")


async def _save(port: int, link: HostLink, desired: Desired, guard: Guard) -> Outcome:
    """BGSAVE, so that clients and the operator are answered meanwhile; what comes after it is saved at the stop."""
    client = await link.resp(port, desired.password)
    refusal = await still_ours(link, guard, link.settings)
    if refusal is not None:
        return refusal
    now = await ask(client, "TIME")
    began = int(now[0]) if isinstance(now, list | tuple) else 0
    trouble = await _saved_since(began, client, link.settings.step_timeout)
    if trouble:
        said = scrub(trouble, desired.password)
        return failed(f"redis on {link.host.name} could not save its data ({said}); it runs on with all of them")
    path = f"{await _directive(client, 'dir')}/{await _directive(client, 'dbfilename')}"
    result = await change(link, guard, "saved", path, str(began), seconds=link.settings.step_timeout)
    if result.exit_status != 0:
        return failed(f"{scrub(result.stderr)}: redis on {link.host.name} runs on")
    if not await _directive(client, "save"):
        await ask(client, "CONFIG", "SET", "save", _SAVES)
    return done(f"all data are in {path}")


async def _saved_since(began: int, client: redis.asyncio.Redis, seconds: float) -> str:
    """Have it save; return "" once LASTSAVE is no earlier than `began` and it says so, else why not."""
    deadline, asked = time.monotonic() + seconds, False
    while time.monotonic() < deadline:
        have = await _persistence(client)
        busy = "1" in (have.get("rdb_bgsave_in_progress"), have.get("aof_rewrite_in_progress"))
        if asked and not busy:
            status, last = have.get("rdb_last_bgsave_status", ""), have.get("rdb_last_save_time", "0")
            if status != "ok":
                return f"rdb_last_bgsave_status is {status}: is its disk full?"
            return "" if int(last) >= began else f"LASTSAVE is {last}, before the save that was asked for"
        if not busy:
            try:
                await ask(client, "BGSAVE")
            except redis.exceptions.ResponseError as error:
                return str(error)
            asked = True
        await asyncio.sleep(_POLL)
    return f"the save did not end within {seconds:.0f} s"


async def _persistence(client: redis.asyncio.Redis) -> Mapping[str, str]:
    return pairs(await ask(client, "INFO", "persistence"))


async def _directive(client: redis.asyncio.Redis, name: str) -> str:
    return pairs(await ask(client, "CONFIG", "GET", name)).get(name, "")
