"""`init`: hosts as they may be typed, and the file that comes of what they said."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from redis_sentinel_operator.api.desired import resolve
from redis_sentinel_operator.cli.asking import Asked, Watched, together
from redis_sentinel_operator.cli.drafting import Draft, Place, cluster_yaml
from redis_sentinel_operator.cli.exits import Usage
from redis_sentinel_operator.cli.init import Ssh, commands, places_of

M, S1, S2, S3 = "192.168.3.41", "192.168.3.42", "192.168.3.43", "192.168.3.44"
PLACES = tuple(Place(f"redis_{number}", address) for number, address in enumerate((M, S1, S2, S3), 1))
WATCHED = Watched("mymaster", S1, 2, 7000, 20000, 2)
MASTER = Asked("Answers", "Absent", "slave", True, {"maxmemory": "1073741824", "repl-timeout": "77"})
OTHERS = Asked("Answers", "Answers", "slave", True, {"maxmemory": "1073741824"}, (WATCHED,))
RUNNING = {M: MASTER, S1: OTHERS, S2: OTHERS, S3: OTHERS}
BARE = dict.fromkeys((M, S1, S2, S3), Asked("Absent", "Absent"))


def draft(asked: dict[str, Asked], places: tuple[Place, ...] = PLACES, user: str = "root", port: int = 22) -> Draft:
    return Draft("redis-cluster", "redis", places, user, port, asked, together(asked))


def stored(made: Draft) -> dict[str, object]:
    """The file as the API server would hand it out."""
    body = yaml.safe_load(cluster_yaml(made))
    body["metadata"] |= {"uid": "1", "generation": 1}
    return dict(body)


def test_hosts_may_be_named_or_not() -> None:
    assert list(places_of(["a_1=10.0.0.1", "10.0.0.2", "fd00:0::3"])) == [
        Place("a_1", "10.0.0.1"),
        Place("host02", "10.0.0.2"),
        Place("host03", "fd00::3"),
    ]
    (named,) = places_of(["localhost"])
    assert named.name == "localhost"


@pytest.mark.parametrize(
    ("hosts", "said"),
    [
        (["a=10.0.0.1", "a=10.0.0.2"], "a is there twice"),
        (["a=10.0.0.1", "b=10.0.0.1"], "10.0.0.1 is there twice"),
        (["-a=10.0.0.1"], "'-a' is no name for a host"),
        (["a=10.0.0"], "'10.0.0' is no address, and no name that is known here"),
        (["no.such.host.invalid"], "is no address, and no name that is known here; write NAME=ADDRESS"),
        (["=10.0.0.1"], "'' is no name for a host"),
    ],
)
def test_hosts_that_cannot_be_used(hosts: list[str], said: str) -> None:
    with pytest.raises(Usage) as error:
        list(places_of(hosts))
    assert said in error.value.message


def test_bare_hosts_get_an_odd_number_of_sentinels() -> None:
    wanted = resolve(stored(draft(BARE)), None)
    assert [(host.address, host.sentinel, host.redis) for host in wanted.hosts] == [
        (M, False, True), (S1, True, True), (S2, True, True), (S3, True, True),
    ]  # fmt: skip
    assert (wanted.management, wanted.initial_master, wanted.sentinel.quorum) == ("Observe", "redis_1", 2)
    assert all(host.sentinel for host in resolve(stored(draft(BARE, PLACES[:3])), None).hosts)
    assert "passwordSecretRef" in cluster_yaml(draft(BARE))


def test_what_runs_is_written_down_as_it_is() -> None:
    made = draft(RUNNING)
    wanted = resolve(stored(made), None)
    assert (wanted.master_name, wanted.initial_master) == ("mymaster", "redis_2")
    assert wanted.redis_config == {"maxmemory": "1073741824"}, "what not all have is left out"
    settings = wanted.sentinel
    assert (settings.quorum, settings.down_after, settings.failover_timeout, settings.parallel_syncs) == (
        2, 7000, 20000, 2,
    )  # fmt: skip
    assert [host.name for host in wanted.hosts if not host.sentinel] == ["redis_1"]
    assert "initialMaster: redis_2  # it is master now" in cluster_yaml(made)


def test_a_cluster_without_a_password_names_no_secret() -> None:
    open_to_all = {
        address: Asked("Answers", each.sentinel, each.role, False, {}, each.watched)
        for address, each in RUNNING.items()
    }
    made = draft(open_to_all)
    assert "auth" not in cluster_yaml(made)
    assert "redis-auth" not in commands(made, Path(), Ssh("root", 22, "~/.ssh/id"))


def test_a_host_with_a_sentinel_alone_has_no_redis() -> None:
    alone = RUNNING | {S3: Asked("Absent", "Answers", watched=(WATCHED,))}
    assert [host.name for host in resolve(stored(draft(alone)), None).hosts if not host.redis] == ["redis_4"]


def test_a_port_that_a_firewall_closes_is_a_sentinel_where_others_know_it() -> None:
    """Where none runs nobody has opened the port, so that it looks like one that does not answer."""
    closed = RUNNING | {M: replace(MASTER, sentinel="Unreachable")}
    assert [host.name for host in resolve(stored(draft(closed)), None).hosts if not host.sentinel] == ["redis_1"]
    assert together(closed).doubts == ()
    knows = replace(OTHERS, watched=(replace(WATCHED, peers=frozenset({M})),))
    known = closed | dict.fromkeys((S1, S2, S3), knows)
    assert draft(known).sentinels == {place.name for place in PLACES}
    assert together(known).doubts == (f"{M}: port 26379 does not answer from here, so its sentinel was not asked",)


def test_another_user_and_port_are_for_ssh() -> None:
    wanted = resolve(stored(draft(BARE, user="deploy", port=2222)), None)
    ssh = wanted.hosts[0].ssh
    assert (ssh.user, ssh.port, ssh.sudo) == ("deploy", 2222, True)


def test_names_that_yaml_takes_for_something_else_stay_names() -> None:
    places = tuple(Place(name, f"10.0.0.{n}") for n, name in enumerate(("no", "1.5", "0x10", "on", "null", "a.b"), 1))
    found = yaml.safe_load(cluster_yaml(draft({}, places)))["spec"]["hosts"]
    assert [host["name"] for host in found] == [place.name for place in places]
    six = cluster_yaml(draft({}, (Place("a", "fd00::1"), Place("b", "fd00::2"), Place("c", "fd00::3"))))
    assert [host["address"] for host in yaml.safe_load(six)["spec"]["hosts"]] == ["fd00::1", "fd00::2", "fd00::3"]


def test_what_hosts_do_not_agree_on_is_told() -> None:
    other = Watched("mymaster", S2, 2, 7000, 20000, 2)
    asked = RUNNING | {
        M: Asked("Denied", "Absent", has_password=True),
        S1: replace(OTHERS, watched=(replace(WATCHED, peers=frozenset({S2, S3})),)),
        S2: Asked("Unreachable", "Unreachable"),
        S3: Asked("Answers", "Answers", "slave", True, {}, (other,)),
    }
    assert together(asked).doubts == (
        f"{M}: its redis wants a password (--password-file), so it was not asked",
        f"{S2}: port 6379 does not answer from here, so its redis was not asked",
        f"{S2}: port 26379 does not answer from here, so its sentinel was not asked",
        f"the sentinels do not name one master: mymaster at {S1}, mymaster at {S2}; the most named is taken",
    )
    masters = {address: Asked("Answers", "Answers", "master", watched=(WATCHED,)) for address in (M, S1)}
    assert together(masters).doubts == (f"more than one redis says that it is a master: {M}, {S1}",)


def test_a_master_elsewhere_is_not_this_clusters() -> None:
    stranger = Watched("mymaster", "10.9.9.9", 2, 5000, 10000, 1)
    assert together({M: Asked("Answers", "Answers", "slave", watched=(stranger,))}).master is None


def test_what_is_to_be_typed_next() -> None:
    text = commands(draft(BARE), Path("a b"), Ssh("root", 22, "~/.ssh/id_ed25519"))
    assert "--from-file=ssh-privatekey=\"$HOME/.ssh/id_ed25519\" --from-file=known_hosts='a b/known_hosts'" in text
    assert "kubectl apply -f 'a b/cluster.yaml'" in text
    assert text.splitlines()[-1] == "kubectl rsc status redis-cluster -n redis"
