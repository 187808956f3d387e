"""Which resources an operator looks after, as its environment says it."""

from __future__ import annotations

import pytest

from redis_sentinel_operator.scope import Scope, scope_from_environment
from redis_sentinel_operator.settings import Settings, from_environment

LABELS = {"team": "a", "tier": "", "example.com/zone": "z1"}


def scope(**variables: str) -> Scope:
    return scope_from_environment({f"RSO_{name.upper()}": value for name, value in variables.items()})


def test_nothing_said_is_everything() -> None:
    found = scope()
    assert (found.namespaces, found.selector, found.lease) == ((), "", "redis-sentinel-operator")
    assert found.selects({})


@pytest.mark.parametrize("text", ["a,b", " a , b ", "a b", "a,,b,a,"])
def test_namespaces_are_listed_with_commas_or_blanks(text: str) -> None:
    assert scope(namespaces=text).namespaces == ("a", "b")


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        ("team=a", True),
        ("team==a", True),
        ("team = b", False),
        ("team!=a", False),
        ("team!=b", True),
        ("color!=red", True),
        ("team in (a,b)", True),
        ("team in ( b , c )", False),
        ("team notin (a, b)", False),
        ("color notin (red)", True),
        ("team", True),
        ("!team", False),
        ("!color", True),
        ("tier=", True),
        ("team=", False),
        ("example.com/zone in (z1,z2),team=a,!color", True),
        ("example.com/zone in (z1,z2),team=b", False),
    ],
)
def test_a_selector_is_read_as_kubernetes_reads_it(selector: str, selected: bool) -> None:
    """What the API server makes of the same ones is asked in tests/api/test_scope.py."""
    assert scope(selector=selector).selects(LABELS) is selected


WRONG = [
    (
        {"RSO_NAMESPACES": "a,B_c"},
        "RSO_NAMESPACES: 'B_c' is no name of a namespace; write names with commas between them",
    ),
    ({"RSO_LEASE": "Mine"}, "RSO_LEASE: 'Mine' is no name of a Lease"),
    (
        {"RSO_SELECTOR": "team>3"},
        "RSO_SELECTOR='team>3': 'team>3' is no requirement; write team=a, team!=a, team in (a,b), team notin (a,b), "
        "team, !team",
    ),
    ({"RSO_SELECTOR": "team in ()"}, "RSO_SELECTOR='team in ()': 'team in ()' names no value"),
    ({"RSO_SELECTOR": "team=a b"}, "RSO_SELECTOR='team=a b': 'team=a b' is no requirement; "),
    ({"RSO_SELECTOR": "team=ä"}, "RSO_SELECTOR='team=ä': 'ä' is no value of a label"),
    ({"RSO_SELECTOR": "team=a,"}, "RSO_SELECTOR='team=a,': commas stand between requirements"),
    ({"RSO_SELECTOR": "team in (a"}, "RSO_SELECTOR='team in (a': commas stand between requirements"),
]


@pytest.mark.parametrize(("environment", "words"), WRONG, ids=[next(iter(each.values())) for each, _ in WRONG])
def test_what_cannot_be_read_is_named(environment: dict[str, str], words: str) -> None:
    with pytest.raises(ValueError) as refused:
        scope_from_environment(environment)
    assert str(refused.value).startswith(words)


def test_the_numbers_are_read_beside_it() -> None:
    assert from_environment({"RSO_SELECTOR": "a", "RSO_NAMESPACES": "b", "RSO_RESYNC": "7"}) == Settings(resync=7)
    with pytest.raises(ValueError, match=r"RSO_SELECTORS is no setting; known are .*RSO_NAMESPACES"):
        from_environment({"RSO_SELECTORS": "a"})
