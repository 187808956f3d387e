"""What is asked beside the first question: files that others name, and units and files of people's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from redis_sentinel_operator.model.fact import Claim, Fact, FileFacts, Known, Process, RedisFacts, UnitFacts, Unknown
from redis_sentinel_operator.observe.further import further, together
from redis_sentinel_operator.observe.probe import Asked, ProbeFacts, unreadable

GONE = Unknown("it is away")
CONF = "/etc/redis.conf"
ASKED = Asked((CONF,), ("redis.service",), (CONF,), (), "10.0.0.1", ())
REDIS = RedisFacts("6.2.14", "r", 7, "master", 60)


def probed(text: str, **files: str | None) -> ProbeFacts:
    """A host with a redis.conf, and what else was read."""
    facts = {CONF: text, **{f"/{name}": each for name, each in files.items()}}
    read = {
        path: None if each is None else FileFacts(path, 0o640, "redis", "root", each) for path, each in facts.items()
    }
    unit = UnitFacts("redis.service", "loaded", "active", "enabled")
    return replace(
        unreadable(GONE),
        files=Known(read),
        units=Known({"redis.service": unit}),
        processes=Known(()),
        claim=Known(None),
    )


def paths(question: Asked | None) -> tuple[str, ...]:
    return question.files if question else ()


def test_of_a_host_as_the_package_makes_it_nothing_more_is_asked() -> None:
    assert further(ASKED, probed("port 6379\n"), REDIS) is None


@pytest.mark.parametrize(
    ("line", "asked"),
    [
        ("include /etc/redis-local.conf", ("/etc/redis-local.conf",)),
        ("aclfile /etc/redis/users.acl", ("/etc/redis/users.acl",)),
        ('aclfile ""', ()),
        ("include local.conf", ()),
        ("include /etc/redis/*.conf", ()),
    ],
)
def test_the_files_that_redis_conf_names(line: str, asked: tuple[str, ...]) -> None:
    assert paths(further(ASKED, probed(f"{line}\n"), REDIS)) == asked


def test_included_files_name_others_and_a_missing_one_is_not_asked_for_ever() -> None:
    first = probed("include /a\n", a="include /b\ninclude /c\n")
    assert paths(further(ASKED, first, REDIS)) == ("/b", "/c")
    assert further(ASKED, probed("include /a\n", a="include /b\n", b=None), REDIS) is None


def test_files_that_the_servers_run_with() -> None:
    own = replace(REDIS, config_file="/opt/redis.conf")
    assert paths(further(ASKED, probed(""), own, GONE)) == ("/opt/redis.conf",)
    notes = {"redisFile": "/opt/redis.conf", "sentinelFile": "/opt/s.conf", "redisUnit": "redis-6379.service"}
    noted = replace(probed(""), claim=Known(Claim("o", notes=notes)))
    more = further(ASKED, noted, GONE)
    assert more is not None
    assert (more.files, more.units) == (("/opt/redis.conf", "/opt/s.conf"), ("redis-6379.service",))


def test_units_that_run_them() -> None:
    processes = (
        Process(7, "redis-server", "mine.service", sentinel=False),
        Process(8, "redis-server", "", sentinel=False),
    )
    more = further(ASKED, replace(probed(""), processes=Known(processes)), REDIS)
    assert more is not None
    assert (more.files, more.units) == ((), ("mine.service",))


def test_what_could_not_be_read_asks_for_nothing() -> None:
    assert further(ASKED, replace(probed("include /a\n"), files=GONE), REDIS) is None


def test_both_answers_together_and_nothing_is_known_where_the_second_failed() -> None:
    one, two = probed("port 1\n"), probed("", a="x")
    files: Fact[object] = together(one, two).files
    assert isinstance(files, Known)
    assert set(files.value) == {CONF, "/a"}  # type: ignore[call-overload]
    assert together(one, unreadable(GONE)).files == GONE
