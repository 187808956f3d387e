"""The tables of conditions and Events, made from the tables that the operator says them from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from string import Formatter
from typing import Final

from handbook.regions import plain, table
from redis_sentinel_operator.judge.messages import ROWS, Row
from redis_sentinel_operator.judge.news import MESSAGES

EVENTS: Final = "Events"
NOTES: Final[Mapping[str, str]] = {
    "HostKeyUnknown": "The Secret's `known_hosts` has no line for the host: the message has the `ssh-keyscan` for it.",
    "HostKeyChanged": "The host shows another key than `known_hosts` says. Was the machine replaced? Compare the key "
    "on its console, then put it into the Secret in place of the old one.",
    "AuthenticationFailed": "The host refuses the user or the key. Put the key into its `authorized_keys`.",
    "SudoRefused": "`sudo` asks for a password or refuses: the message has the lines for `sudoers`.",
    "ForwardingRefused": "sshd forbids forwarding. Allow it for this user, or set `ssh.resp: Direct`.",
    "BadPrivateKey": "The Secret's private key cannot be read: damaged, or its passphrase is missing or wrong.",
    "ProbeFailed": "The host answered what the operator does not understand; the message has it.",
    "SessionLost": "The connection ended in the middle of a command.",
    "InvalidSpec": "A field cannot be made true. The message names each field and what to write.",
    "NotSupportedYet": "The message names each field, and what to set it to: [what is not supported](limits.md"
    "#not-supported-yet).",
    "Degraded": "Something is left undone for now; the message says what it waits for.",
    "HostLeaving": "A host that is to leave waits for you; the message says for what.",
    "UpgradeWaits": "All hosts but the master's are upgraded: ask for the last by the act "
    "[`upgrade`](tasks.md#a-newer-redis).",
    "Unavailable": "The message says what is missing.",
    "PortTaken": "Something else listens on the port of redis or sentinel; the message names it.",
    "UnsupportedSystem": "The host is no EL 7 to 10, or lacks what the operator needs; the message says what.",
}
"""What is to be said of the reasons whose message is made from what a host or another table says."""

_OWN_WORDS: Final = 60  # letters; with fewer a message's template says too little


def regions() -> Mapping[str, str]:
    """Return a table for each type of condition, and one of the Events."""
    types = dict.fromkeys(row.condition for row in ROWS)
    made = {kind: _reasons([row for row in ROWS if row.condition == kind]) for kind in types}
    return {**made, EVENTS: table(("Event", "says"), [(f"`{name}`", said(text)) for name, text in MESSAGES.items()])}


def needs_note(row: Row) -> bool:
    """Whether the template of a reason says too little by itself."""
    own = "".join(text for text, *_ in Formatter().parse(row.message))
    return row.message.startswith("{detail}") and len(re.findall("[A-Za-z]", own)) < _OWN_WORDS


def said(template: str) -> str:
    """Return a message with the names of its values in italics, and within a command as `<name>`."""
    text = "".join(own + (f"\0{name}\0" if name else "") for own, name, *_ in Formatter().parse(template))
    return "`".join(_named(part, code=bool(at % 2)) for at, part in enumerate(text.split("`"))).strip()


def _named(part: str, *, code: bool) -> str:
    parts = part.split("\0")
    return "".join(
        (f"<{each}>" if code else f"*{each.replace('_', ' ')}*") if at % 2 else (each if code else plain(each))
        for at, each in enumerate(parts)
    )


def _reasons(rows: list[Row]) -> str:
    return table(
        ("reason", "says"),
        [(_anchor(row) + f"`{row.reason}`" + (" ⏸" if row.stalled else ""), _message(row)) for row in rows],
    )


def _anchor(row: Row) -> str:
    """Where a link to the reason leads; several types have NotReadYet."""
    return "" if row.reason == "NotReadYet" else f'<a id="{row.reason}"></a>'


def _message(row: Row) -> str:
    note = NOTES.get(row.reason, "")
    return note if row.message == "{detail}" else f"{said(row.message)} {note}".strip()
