"""What systemd gives a redis at its start: how many files it may open, and its umask."""

from __future__ import annotations

from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.model.desired import Desired
from redis_sentinel_operator.model.fact import FileFacts, Process

_CLIENTS = 10000  # maxclients where nobody sets it
_OWN = 32  # what redis keeps for itself (CONFIG_MIN_RESERVED_FDS)
LEAST_OPEN_FILES = 10240  # what the packages give


def open_files(desired: Desired, conf: FileFacts | None) -> int:
    """Return how many files a redis may open: one a client, and as many more as the packages leave it."""
    in_file = (parse(conf.text).get("maxclients") or "") if conf else ""
    clients = desired.redis_config.get("maxclients") or in_file
    return LEAST_OPEN_FILES - _CLIENTS + max(_CLIENTS, int(clients) if clients.isdecimal() else 0)


def room_for(clients: str, process: Process | None) -> bool:
    """Whether a running redis can take so many clients; so it is as long as its limit is not known."""
    limit = process.open_files if process else None
    return limit is None or not clients.isdecimal() or int(clients) + _OWN <= limit
