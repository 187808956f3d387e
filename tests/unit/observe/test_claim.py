"""state.json: whose host it is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.fact import Claim, FileFacts, KeyRecord, Known, Unknown
from redis_sentinel_operator.model.operation import Before, Operation, to_text
from redis_sentinel_operator.observe.claim import CLAIM_PATH, claim_of


def file(text: str) -> FileFacts:
    return FileFacts(CLAIM_PATH, 0o600, "root", "root", text)


def test_no_file_is_no_claim() -> None:
    assert claim_of(None) == Known(None)


def test_a_claim() -> None:
    text = (
        '{"owner": "u/ns/c", "bootstrapId": "b1", "firstMaster": "10.0.0.1", "leaseEpoch": 1700000000000000, '
        '"keys": {"hz": {"set": "20", "shipped": "10"}, "save": {"set": "", "shipped": null}}, '
        '"notes": {"rewritten": "/etc/redis.conf"}, "new": 1}'
    )
    keys = {"hz": KeyRecord("20", "10"), "save": KeyRecord("", None)}
    assert claim_of(file(text)) == Known(
        Claim("u/ns/c", "b1", "10.0.0.1", 1_700_000_000_000_000, keys, {"rewritten": "/etc/redis.conf"})
    )


RECORD = Operation(
    "op1", "switchover", "ask", "t0", "t1", "t2", "-", "10.0.0.1", "10.0.0.2", 3, "10.0.0.3", 7,
    {"10.0.0.2": {"slave-priority": Before("100", None)}},
)  # fmt: skip


def test_a_procedure_is_read_as_it_was_written_and_what_a_later_version_added_is_left_out() -> None:
    text = to_text(replace(RECORD, message='it said "no" \\ and more'))
    claim = claim_of(file(f'{{"owner": "a", "operation": {text[:-1]}, "later": 1}}}}'))
    assert isinstance(claim, Known)
    assert claim.value is not None
    assert claim.value.operation == replace(RECORD, message='it said "no" \\ and more')
    assert claim_of(file('{"owner": "a", "operation": {}}')) == Known(Claim("a"))


@pytest.mark.parametrize("text", ["{}", '{"owner": ""}', '{"keys": {}, "leaseEpoch": 7}'])
def test_without_an_owner_it_is_nobodys(text: str) -> None:
    assert claim_of(file(text)) == Known(None)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '"u/ns/c"',
        '{"owner": 7}',
        '{"owner": "a", "keys": "repl-timeout"}',
        '{"owner": "a", "keys": ["hz"]}',
        '{"owner": "a", "keys": {"hz": "20"}}',
        '{"owner": "a", "keys": {"hz": {"set": "20"}}}',
        '{"owner": "a", "keys": {"hz": {"set": 20, "shipped": null}}}',
        '{"owner": "a", "leaseEpoch": "x"}',
        '{"owner": "a", "bootstrapId": null}',
        '{"owner": "a", "firstMaster": 1}',
        '{"owner": "a", "operation": []}',
        '{"owner": "a", "operation": {"id": "op1"}}',
        f'{{"owner": "a", "operation": {to_text(RECORD).replace("3,", "null,")}}}',
        f'{{"owner": "a", "operation": {to_text(RECORD).replace(": null", ": 7")}}}',
        "[" * 100_000,
    ],
)
def test_what_cannot_be_understood_may_be_somebodys(text: str) -> None:
    claim = claim_of(file(text))
    assert isinstance(claim, Unknown)
    assert claim.reason == "ProbeFailed"
