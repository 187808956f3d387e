"""Our unit drop-ins: written before the first start, changed without a restart."""

from __future__ import annotations

from redis_sentinel_operator.conf import kernel
from redis_sentinel_operator.judge.limits import LEAST_OPEN_FILES, open_files
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import Impact, Step, WriteDropIn
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.machine import huge_pages_are_ours
from redis_sentinel_operator.plan.part import Part, Stage, only, together

# The package's ExecStop, redis-shutdown, gives the password to redis-cli as an argument, where every user of the host
# can read it. SIGTERM, which systemd sends without an ExecStop, saves the data set as well (server.c, sigtermHandler).
_COMMON = """\
# Written by redis-sentinel-operator; changes are undone.
[Service]
# The package's redis-shutdown shows the password in the process list. SIGTERM saves as well.
ExecStop=
# Dumps, logs and rewritten configuration files are for redis alone.
UMask=0077
# One for each client, and some for itself.
LimitNOFILE={limit}
"""
_EPHEMERAL = """\
# Nothing is kept on disk: a redis that comes back by itself is empty, and its replicas copy that.
Restart=no
"""
_HUGE_PAGES = f"""\
[Unit]
Wants={kernel.HUGE_PAGES_UNIT}
After={kernel.HUGE_PAGES_UNIT}
"""
_SENTINEL = """\
# Safe for a sentinel; never for redis, which would come back empty or old and take its replicas with it.
Restart=on-failure
RestartSec=5
"""


def drop_ins(desired: Desired, host: Host) -> Part:
    """Return a step for each drop-in that is not as it must be."""
    found: dict[str, str] = {}
    if host.want.redis and host.redis_unit == host.family.redis_unit:  # a person's own unit is theirs
        found[host.family.redis_drop_in] = _redis(desired, host)
    if host.want.sentinel and host.sentinel_unit == host.family.sentinel_unit:
        found[host.family.sentinel_drop_in] = _sentinel()
    return together(_drop_in(host, path, text) for path, text in found.items())


def _redis(desired: Desired, host: Host) -> str:
    config = desired.redis_config
    ephemeral = config.get("save") == "" and config.get("appendonly", "no").lower() == "no"
    text = _COMMON.format(limit=open_files(desired, host.redis_conf))
    text += _EPHEMERAL if ephemeral else ""
    return text + (_HUGE_PAGES if huge_pages_are_ours(host) else "")


def _sentinel() -> str:
    return _COMMON.format(limit=LEAST_OPEN_FILES) + _SENTINEL


def _drop_in(host: Host, path: str, text: str) -> Part:
    have = host.files.get(path)
    if have is not None and have.text == text:
        return Part()
    why = "it differs from what it must be" if have else "stopping must not show the password in the process list"
    step = Step(host.name, f"write {path}", why, WriteDropIn(path, text), Stage.FILES, Impact.RELOAD)
    return only(step)
