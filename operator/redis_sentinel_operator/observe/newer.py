"""Whether a host's repositories have a newer package than the installed one: asked seldom, as yum takes seconds."""

from __future__ import annotations

import shlex
from functools import cache
from pathlib import Path

from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.desired import DesiredHost
from redis_sentinel_operator.settings import Settings

_NAMES = ("redis", "valkey")


async def read(host: DesiredHost, link: HostLink, settings: Settings) -> str:
    """Return the newest that there is, such as `redis 3.2.12-2.el7`; "" where nothing newer is known.

    Raises ConnectError.
    """
    names = (host.package.name,) if host.package.name else _NAMES
    seconds = settings.step_timeout
    line = shlex.join(("set", "--", f"{seconds / 3:.0f}", *names))
    result = await link.run(f"{line}\n{_text()}", timeout=seconds)
    return parse(result.text)


def parse(answer: str) -> str:
    """Read the script's answer; one that is cut off says nothing."""
    lines = answer.split("\n")
    if "asked" not in lines:
        return ""
    found = [line.split() for line in lines if line.startswith("newer ")]
    return next((f"{words[1]} {words[2]}" for words in found if len(words) == 3), "")


@cache
def _text() -> str:
    return Path(__file__).with_name("newer.sh").read_text()
