"""Times as status has them: RFC 3339, UTC."""

from __future__ import annotations

from datetime import UTC, datetime


def second(moment: datetime) -> str:
    """Return a time to the second."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def precise(moment: datetime) -> str:
    """Return a time to the millisecond."""
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}Z"


def moment(text: str | None) -> datetime | None:
    """Return the time of a text, None when it is none."""
    try:
        found = datetime.fromisoformat(text or "")
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def stamp(at: float) -> str:
    """Return seconds since the epoch to the millisecond."""
    return precise(datetime.fromtimestamp(at, UTC))


def seconds(text: str | None) -> float:
    """Return the seconds since the epoch of a text, 0 when it is no time."""
    found = moment(text)
    return found.timestamp() if found else 0.0
