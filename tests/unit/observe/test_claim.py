"""state.json: whose host it is."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.model.fact import Claim, FileFacts, KeyRecord, Known, Unknown
from redis_sentinel_operator.observe.claim import CLAIM_PATH, claim_of


def file(text: str) -> FileFacts:
    return FileFacts(CLAIM_PATH, 0o600, "root", "root", text)


def test_no_file_is_no_claim() -> None:
    assert claim_of(None) == Known(None)


def test_a_claim() -> None:
    text = (
        '{"owner": "u/ns/c", "bootstrapId": "b1", "firstMaster": "10.0.0.1", "leaseEpoch": 1700000000000000, '
        '"keys": {"hz": {"set": "20", "shipped": "10"}, "save": {"set": "", "shipped": null}}, "new": 1}'
    )
    keys = {"hz": KeyRecord("20", "10"), "save": KeyRecord("", None)}
    assert claim_of(file(text)) == Known(Claim("u/ns/c", "b1", "10.0.0.1", 1_700_000_000_000_000, keys))


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
        "[" * 100_000,
    ],
)
def test_what_cannot_be_understood_may_be_somebodys(text: str) -> None:
    claim = claim_of(file(text))
    assert isinstance(claim, Unknown)
    assert claim.reason == "ProbeFailed"
