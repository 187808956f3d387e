"""What is told when a resource is gone: what was done on its hosts, and what was left. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from redis_sentinel_operator.judge.news import News
from redis_sentinel_operator.judge.telling import listed
from redis_sentinel_operator.model.desired import Desired

_DONE = {
    "Stop": "redis and sentinel are stopped and disabled on {hosts}; packages, files and data are as they were",
    "Uninstall": "redis and sentinel are stopped, and what the operator made is removed, on {hosts}; {data}",
}
_DATA_LEFT = "the data and configuration files (.rpmsave, without passwords) are left there"
_DATA_GONE = "the data are deleted, configuration files (.rpmsave, without passwords) are left there"


@dataclass(frozen=True, slots=True)
class Gone:
    """How it ended.

    `left` is by host why it was left as it is, None where no host was to be changed; `open` are sentences for what was
    still to be done when the time was over; `reason` why no host was changed though the policy said so; `unfinished`
    what became of a procedure.
    """

    desired: Desired | None
    left: Mapping[str, str] | None
    open: tuple[str, ...] = ()
    reason: str = ""
    unfinished: str = ""


def farewell(gone: Gone) -> News | None:
    """Return what is to be told, None where a resource went that leaves its hosts as they run."""
    desired, unfinished = gone.desired, [f"{gone.unfinished}."] if gone.unfinished else []
    if gone.reason:
        policy = f"Its deletionPolicy {desired.deletion_policy}" if desired is not None else "Its deletionPolicy"
        what = f"{policy} could not be carried out, and redis and sentinel are left as they are: {gone.reason}"
        return _news(True, f"{what.rstrip('. ')}.", *unfinished)
    if desired is None or gone.left is None:
        return _news(True, *unfinished) if unfinished else None
    hosts = [host.name for host in desired.hosts if host.name not in gone.left]
    data = _DATA_GONE if desired.delete_data else _DATA_LEFT
    parts = [_DONE[desired.deletion_policy].format(hosts=listed(hosts), data=data)] if hosts and not gone.open else []
    parts += [f"when the time was over there was still to be done: {'; '.join(gone.open)}"] if gone.open else []
    parts += [f"left: {'; '.join(f'{name}: {why}' for name, why in gone.left.items())}"] if gone.left else []
    message = f"Its deletionPolicy was {desired.deletion_policy}: {'. '.join(_capitals(parts))}."
    return _news(bool(gone.left or gone.open or unfinished), message, *unfinished)


def _capitals(parts: list[str]) -> list[str]:
    """All but the first, which goes on after a colon, begin like sentences."""
    return [*parts[:1], *(part[:1].upper() + part[1:] for part in parts[1:])]


def _news(warning: bool, *sentences: str) -> News:
    text = " ".join(each[:1].upper() + each[1:] for each in sentences)
    return News("LeftBehind" if warning else "HostsLeft", warning, f"The resource is gone. {text}")
