"""How an action on a host ended, before it becomes the step's result."""

from __future__ import annotations

from dataclasses import dataclass

from redis_sentinel_operator.model.secret import Secret

NOT_DONE = "NothingDone"  # reason of an outcome: the command was not sent, or was refused


@dataclass(frozen=True, slots=True)
class Outcome:
    """`message` is a sentence without secrets; `reason` one of the message table, where the failure has one."""

    ok: bool
    message: str
    reason: str = ""


def done(message: str) -> Outcome:
    """Return a success."""
    return Outcome(True, message)


def failed(message: str, reason: str = "StepFailed") -> Outcome:
    """Return a failure."""
    return Outcome(False, message, reason)


def scrub(text: str, *secrets: Secret | None) -> str:
    """Return what a host said, on one line and without the secrets."""
    for secret in secrets:
        if secret is not None and secret.reveal():
            text = text.replace(secret.reveal(), "***")
    return " ".join(text.split())
