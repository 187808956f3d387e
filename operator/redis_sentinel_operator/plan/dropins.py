"""Our unit drop-ins: written before the first start, changed without a restart."""

from __future__ import annotations

from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.step import Impact, Step, WriteDropIn
from redis_sentinel_operator.plan.host import Host
from redis_sentinel_operator.plan.part import Part, Stage, only, together

# The package's ExecStop, redis-shutdown, gives the password to redis-cli as an argument, where every user of the host
# can read it. SIGTERM, which systemd sends without an ExecStop, saves the data set as well (server.c, sigtermHandler).
_COMMON = """\
# Written by redis-sentinel-operator; changes are undone.
[Service]
# The package's redis-shutdown shows the password in the process list. SIGTERM saves as well.
ExecStop=
# Dumps, logs and rewritten configuration files are not for everybody.
UMask=0027
"""
REDIS = _COMMON
EPHEMERAL = (
    _COMMON
    + """\
# Nothing is kept on disk: a redis that comes back by itself is empty, and its replicas copy that.
Restart=no
"""
)
SENTINEL = (
    _COMMON
    + """\
# Safe for a sentinel; never for redis, which would come back empty or old and take its replicas with it.
Restart=on-failure
RestartSec=5
"""
)


def drop_ins(desired: Desired, host: Host) -> Part:
    """Return a step for each drop-in that is not as it must be."""
    config = desired.redis_config
    ephemeral = config.get("save") == "" and config.get("appendonly", "no").lower() == "no"
    wanted = {
        **({host.family.redis_drop_in: EPHEMERAL if ephemeral else REDIS} if host.want.redis else {}),
        **({host.family.sentinel_drop_in: SENTINEL} if host.want.sentinel else {}),
    }
    return together(_drop_in(host, path, text) for path, text in wanted.items())


def _drop_in(host: Host, path: str, text: str) -> Part:
    have = host.files.get(path)
    if have is not None and have.text == text:
        return Part()
    why = "stopping must not show the password in the process list"
    step = Step(host.name, f"write {path}", why, WriteDropIn(path, text), Stage.FILES, Impact.RELOAD)
    return only(step)
