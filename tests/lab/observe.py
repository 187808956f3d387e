"""The observers that every suite with hosts uses, under one roof."""

from lab.canary import Canary, canary
from lab.capture import Command, Seen, commands_seen
from lab.ledger import Ledger, ledger
from lab.untouched import Snapshot, snapshot, untouched

__all__ = [
    "Canary",
    "Command",
    "Ledger",
    "Seen",
    "Snapshot",
    "canary",
    "commands_seen",
    "ledger",
    "snapshot",
    "untouched",
]
