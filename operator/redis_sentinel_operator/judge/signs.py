"""Signs that sentinel is at work, as the sentinels' own answers show them. Pure."""

from __future__ import annotations

from collections.abc import Collection

from redis_sentinel_operator.judge.aside import rests
from redis_sentinel_operator.judge.master import Sentinels, facts_of, views, views_of_others
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import SentinelView

_SIGNS = {
    "s_down": "sees the master as down",
    "o_down": "agrees with others that the master is down",
    "failover_in_progress": "runs a failover",
    "force_failover": "was asked for a failover",
}
# What counts of a sentinel that joins or leaves: that one may be cut off for ever, and sees a master down that is not.
_AT_WORK = ("failover_in_progress", "force_failover")


def transition_signs(desired: Desired, sentinels: Sentinels, but: str = "") -> tuple[str, ...]:
    """Return a sentence for each sign that sentinel is at work; `but` is a host whose sentinel is left out."""
    signs: list[str] = []
    for host in desired.sentinel_hosts:
        facts = facts_of(sentinels.get(host.name))
        if facts is None or host.name == but:
            continue
        if facts.tilt:
            signs.append(f"the sentinel on {host.name} is in tilt mode")
        if facts.view is not None:
            signs += _signs_of(host.name, facts.view)
    for name, view in views_of_others(desired, sentinels).items():
        signs += [sign for sign in _signs_of(name, view, _AT_WORK) if name != but]
    seen = {name: view for name, view in views(desired, sentinels).items() if name != but}
    if len({(view.address, view.port, view.config_epoch) for view in seen.values()}) > 1:
        signs.append("the sentinels do not name the same master at the same config epoch")
    return tuple(signs)


def _signs_of(host: str, view: SentinelView, told: Collection[str] = _SIGNS) -> list[str]:
    shown = [words for flag, words in _SIGNS.items() if flag in view.flags and flag in told]
    signs = [f"the sentinel on {host} {words}" for words in shown]
    if view.told_address not in ("", view.address):
        signs.append(f"the sentinel on {host} is between {view.told_address} and {view.address}")
    return signs


def undivided(desired: Desired, sentinels: Sentinels, but: str = "", *, whole: bool = False) -> bool:
    """Whether every declared sentinel, `but` left out, answers and names one master at one config epoch.

    One that is stopped on purpose is not waited for, unless the `whole` of them is asked for.
    """
    voters = (host for host in desired.sentinel_hosts if whole or not rests(host, sentinels.get(host.name)))
    wanted = {host.name for host in voters if host.name != but}
    seen = {name: view for name, view in views(desired, sentinels).items() if name in wanted}
    named = {(view.address, view.port, view.config_epoch) for view in seen.values()}
    return seen.keys() == wanted and len(named) == 1
