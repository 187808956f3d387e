"""The claim on a host: /var/lib/redis-sentinel-operator/state.json."""

from __future__ import annotations

import json
from typing import Any

from redis_sentinel_operator.model.fact import Claim, Fact, FileFacts, KeyRecord, Known, Unknown
from redis_sentinel_operator.model.operation import from_document

CLAIM_PATH = "/var/lib/redis-sentinel-operator/state.json"
_REASON = "ProbeFailed"


def claim_of(file: FileFacts | None) -> Fact[Claim | None]:
    """Return the claim that a state.json holds; no file, or a file without an owner, is no claim.

    A file that cannot be understood is Unknown: it may be somebody's claim.
    """
    if file is None:
        return Known(None)
    try:
        document = json.loads(file.text)
        return Known(_claim(document))
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        return Unknown(f"{file.path} is damaged ({type(error).__name__}); nobody can tell whose host it is", _REASON)


def _claim(document: Any) -> Claim | None:
    if not isinstance(document, dict):
        raise TypeError("not an object")
    owner, bootstrap, first = (document.get(key, "") for key in ("owner", "bootstrapId", "firstMaster"))
    epoch, keys = document.get("leaseEpoch", 0), document.get("keys", {})
    if not (isinstance(epoch, int) and isinstance(keys, dict)):
        raise TypeError("not as it is written")
    if not all(isinstance(text, str) for text in (owner, bootstrap, first)):
        raise TypeError("not a string")
    records = {name: _record(each) for name, each in keys.items()}
    operation = from_document(document.get("operation", {}))
    return Claim(owner, bootstrap, first, epoch, records, _notes(document), operation) if owner else None


def _notes(document: dict[str, Any]) -> dict[str, str]:
    notes = document.get("notes", {})
    if not isinstance(notes, dict) or not all(isinstance(each, str) for each in notes.values()):
        raise TypeError("not as it is written")
    return notes


def _record(each: Any) -> KeyRecord:
    value, shipped, begun = each["set"], each["shipped"], each.get("begun", "")
    if not (isinstance(value, str) and isinstance(begun, str) and (shipped is None or isinstance(shipped, str))):
        raise TypeError("not a string")
    return KeyRecord(value, shipped, begun)
