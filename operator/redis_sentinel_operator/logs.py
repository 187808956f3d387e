"""Logs: one line a record, as JSON or as text, on standard error; and the audit, one line for each change on a host.

Extra fields of a record (`extra={...}`) become keys of the JSON line, and the cluster that the task works for is one of
them. Nothing here knows a secret, and nobody passes one.
"""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Any, Final, TextIO

AUDIT: Final = "redis_sentinel_operator.audit"
_audit = logging.getLogger(AUDIT)
_cluster: ContextVar[str] = ContextVar("cluster", default="")
_OWN_ATTRIBUTES: Final = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
_KOPF_ATTRIBUTES: Final = frozenset({"k8s_ref", "k8s_skip", "settings"})  # kopf/_core/actions/loggers.py
# kopf tells each handler call, aiohttp each probe, paramiko each packet: none of it is for a person at night
_QUIET: Final = {"kopf": logging.WARNING, "aiohttp.access": logging.WARNING, "paramiko": logging.CRITICAL}


def about(cluster: str) -> None:
    """Let each record of this task and of those that it makes from now on bear the cluster, `<namespace>/<name>`."""
    _cluster.set(cluster)


def _fields(record: logging.LogRecord) -> dict[str, Any]:
    """Return the cluster, and what the caller added to a record; kopf's reference to its object comes as `object`."""
    cluster = _cluster.get()
    extra: dict[str, Any] = {"cluster": cluster} if cluster else {}
    extra |= {k: v for k, v in vars(record).items() if k not in _OWN_ATTRIBUTES and k not in _KOPF_ATTRIBUTES}
    reference = getattr(record, "k8s_ref", None)
    if isinstance(reference, Mapping):
        extra["object"] = f"{reference.get('namespace')}/{reference.get('name')}"
    return extra


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: time, level, logger, message, then the fields of the caller."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        line |= {key: value for key, value in _fields(record).items() if key not in line}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class TextFormatter(logging.Formatter):
    """A record as a line for the eye; an exception follows it."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and the traceback where there is one."""
        message, fields = record.getMessage(), _fields(record)
        cluster = fields.pop("cluster", "")
        prefix = f"{cluster}: " if cluster and not message.startswith(f"{cluster}: ") else ""
        text = f"{_moment(record)} {record.levelname:<8} {prefix}{message}"
        if record.name != AUDIT:  # its message says all that its fields do
            text += "".join(f" {key}={value}" for key, value in fields.items())
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


def configure(form: str, level: str, stream: TextIO | None = None) -> None:
    """Send every record of the process to `stream` (standard error) in one form (json or text), from `level` on.

    Raises:
        ValueError: the level or the form is none.
    """
    if form not in ("json", "text"):
        raise ValueError(f"LOG_FORMAT={form!r} is neither json nor text")
    number = logging.getLevelNamesMapping().get(level.upper())
    if number is None:
        raise ValueError(f"LOG_LEVEL={level!r} is none of DEBUG, INFO, WARNING, ERROR")
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonFormatter() if form == "json" else TextFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(number)
    logging.captureWarnings(True)
    for name, quiet in _QUIET.items():
        logging.getLogger(name).setLevel(max(quiet, number))


def audit(cluster: str, host: str, what: str, why: str, impact: str, result: str) -> None:  # noqa: PLR0917
    """Write the one line that each change on a host leaves: `cluster` is `<namespace>/<name>`, `result` its end."""
    _audit.info(
        "%s: %s: %s, because %s (impact: %s): %s", cluster, host, what, why, impact, result,
        extra={"cluster": cluster, "host": host, "what": what, "why": why, "impact": impact, "result": result},
    )  # fmt: skip
