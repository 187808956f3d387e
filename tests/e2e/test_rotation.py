"""Another password in the Secret: all servers have it within one short window, and nobody's connection ends."""

from __future__ import annotations

import base64
import logging
import secrets
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
from redis.exceptions import RedisError

from e2e.rig import NAME, Rig, Status, condition, is_healthy, master, operator_logs
from e2e.scenarios import wait_for
from e2e.test_families import cluster_of, row
from e2e.test_interrupted import accident
from e2e.test_switchover import settle
from lab.canary import canary
from lab.capture import Seen
from lab.faults import power_cut
from lab.ledger import ledger
from lab.observe import commands_seen
from lab.resp import Resp, RespError
from lab.seed import NAMESPACE
from redis_sentinel_operator.operations import rotation

log = logging.getLogger(__name__)
NOTICED = 5.0  # seconds without an answer after which sentinels call a master down; how long it was is the bench's
_DOWN = r"\+sdown|\+odown|\+try-failover|\+switch-master"


@pytest.mark.timeout(600)
def test_a_new_password_under_writes_and_back(seed: Rig) -> None:
    first, second = seed.password, another()
    with watched(seed, second):
        rotated(seed, second)
        replica = next(host for host in seed.lab.replicas if host.name != master(seed.status()))
        replica.run(f"systemctl restart {' '.join(replica.family.units)}")
        seed.wait(lambda s: is_healthy(s) and (s["replicas"], s["sentinels"]) == ("3/3", "3/3"), "all in touch", 60)
        wait_for(lambda: linked(seed, replica.name), "its link to the master: it was started with the new one", 60)
        settle(seed)
        rotated(seed, first)


def linked(rig: Rig, name: str) -> bool:
    try:
        with rig.redis(name) as client:
            return bool(client.info("replication").get("master_link_status") == "up")
    except RedisError:  # not up yet
        return False


@pytest.mark.long
@pytest.mark.timeout(200)
def test_what_no_server_can_take_changes_nothing(seed: Rig) -> None:
    settle(seed)
    with commands_seen(seed.lab) as seen, ledger(seed.lab, seed.password) as book:
        for data, reason in (
            ({"password": "pass word"}, "PasswordNotUsable"),
            ({"password": ""}, "SecretKeyMissing"),
            ({"username": "a-good-one"}, "SecretKeyMissing"),
        ):
            put(seed, data)
            assert refused(seed, reason)["phase"] == "Blocked"
            book.wait(10)
        put(seed, {"password": seed.password})
        seed.wait(is_healthy, "all well again", 60)
        assert given(seen) == []


POINTS = [
    (step, when) for step in ("follow", "switch", "files") for when in ("before", "after")
]  # 3.2 knows no second password


@pytest.mark.long
@pytest.mark.timeout(300)
def test_killed_in_the_window(seed: Rig, tmp_path: Path) -> None:
    """What is worst: some have it and some do not, and no file has it where redis would look at its start."""
    settle(seed)
    first, second = seed.password, another()
    with watched(seed, second):
        seed.operator.stop()
        halfway(seed, second)
        seed.operator.start()
        rotated(seed, second)
        settle(seed)
        killed_at(seed, tmp_path, "switch", "after", first)


@pytest.mark.long
@pytest.mark.parametrize(("step", "when"), POINTS, ids=map("-".join, POINTS))
@pytest.mark.timeout(400)
def test_killed_at_any_step(seed: Rig, tmp_path: Path, step: str, when: str) -> None:
    settle(seed)
    first, second = seed.password, another()
    with watched(seed, second):
        killed_at(seed, tmp_path, step, when, second)
        settle(seed)
        rotated(seed, first)


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_host_that_is_away_is_given_it_when_it_is_back(seed: Rig) -> None:
    settle(seed)
    first, second = seed.password, another()
    chief = master(seed.status())
    away = next(host for host in reversed(list(seed.lab.replicas)) if host.name != chief)
    with watched(seed, second):
        with power_cut(away):
            seed.wait(lambda s: s["sentinels"] == "2/3" and s["replicas"] == "2/3", "it missed", 60)
            version = put(seed, {"password": second})
            said = seed.wait(
                lambda s: told(s)["reason"] == "PasswordNotProved" and version in told(s)["message"], "", 90
            )
            assert away.name in told(said)["message"]
            seed.password = second
        seed.wait(lambda s: in_sync(s, version) and s["replicas"] == "3/3", "the host that was away has it", 90)
        everywhere(seed, first)
        assert master(seed.status()) == chief
        time.sleep(6)  # longer than it takes to call somebody down: its sentinel had logged in with the old one
        wait_for(lambda: _all_up(seed, away.name), "its sentinel to log in anew, as it does every 15 s", 60)
        settle(seed)
        rotated(seed, first)


def _all_up(rig: Rig, name: str) -> bool:
    """Whether the sentinel of a host calls nobody down."""
    with rig.sentinel(name) as sentinel:
        known = [sentinel.sentinel_master(NAME), *sentinel.sentinel_slaves(NAME), *sentinel.sentinel_sentinels(NAME)]
    return not any(each["is_sdown"] for each in known)


@pytest.mark.long
@pytest.mark.timeout(240)
def test_servers_without_a_password_get_one(bare: Rig) -> None:
    """Who did not log in is sent away, sentinels and replicas too, and comes back: nobody is called down."""
    bare.declare(auth=None)
    bare.operator.start()
    bare.wait_healthy(120)
    settle(bare)
    before = _unmoved(bare)
    bare.declare()
    version = str(bare.cp.get("secret", "redis-auth", "-n", NAMESPACE)["metadata"]["resourceVersion"])
    bare.wait(lambda s: in_sync(s, version) and s["replicas"] == "3/3", "a password on all", 90)
    for host in bare.lab:
        with Resp.to(host) as redis, pytest.raises(RespError, match="NOAUTH"):
            redis.call("PING")
    everywhere(bare, "nobody-has-this")
    time.sleep(6)  # longer than it takes to call somebody down
    assert _unmoved(bare) == before
    assert condition(bare.status(), "ReplicationHealthy")["status"] == "True"


@pytest.mark.long
@pytest.mark.timeout(300)
def test_taken_away_under_writes_and_given_back(seed: Rig) -> None:
    """spec.auth goes: nobody's connection ends, nothing is restarted, and who comes without one is let in."""
    settle(seed)
    taken(seed)
    settle(seed)
    seed.declare()
    seed.wait(lambda s: in_sync(s, _version(seed)) and s["replicas"] == "3/3", "a password on all", 90)
    everywhere(seed, "nobody-has-this")


@pytest.mark.long
@pytest.mark.timeout(400)
def test_a_host_that_is_away_while_it_is_taken_loses_it_when_it_is_back(seed: Rig, tmp_path: Path) -> None:
    """And the operator dies in the middle: after the window, with the password still in every file."""
    settle(seed)
    chief = master(seed.status())
    away = next(host for host in reversed(list(seed.lab.replicas)) if host.name != chief)
    with power_cut(away):
        seed.wait(lambda s: s["sentinels"] == "2/3" and s["replicas"] == "2/3", "it missed", 60)
        seed.operator.stop()
        seed.declare(auth=None)
        dying = accident(seed, "kill", steps=tmp_path / "steps", at="take the password")
        dying.start("e2e.dying")
        dying.wait_until_ended(90)
        assert seed.password in seed.lab[chief].run("cat /etc/redis.conf").stdout
        seed.operator.start()
        seed.wait(lambda s: told(s)["status"] == "True" and "operation" not in s, "taken from those there", 90)
    seed.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3" and s["sentinels"] == "3/3", "the host is back", 90)
    nowhere(seed)
    assert master(seed.status()) == chief
    seed.declare()
    seed.wait(lambda s: in_sync(s, _version(seed)) and s["replicas"] == "3/3", "a password on all", 90)


@pytest.mark.long
@pytest.mark.timeout(300)
def test_in_protected_mode_it_stays_until_that_is_off() -> None:
    """Without a password such a server answers its own host alone: its replicas would be gone."""
    with cluster_of("el10") as rig:
        settle(rig)
        rig.declare(auth=None)
        status = rig.wait(lambda s: "protected mode" in s["message"], "it is told why it is not taken", 60)
        assert told(status)["reason"] == "PasswordNotDeclared"
        assert 'protected-mode: "no"' in status["message"]
        for host in rig.lab:
            with Resp.to(host, password=rig.password) as redis:
                assert redis.call("PING") == "PONG"
        config = {"repl-ping-slave-period": 10, "repl-timeout": 60, "protected-mode": "no"}
        taken(rig, redis={"config": config})


@pytest.mark.long
@pytest.mark.parametrize("family", ["el8", "el9", "el10"])
@pytest.mark.timeout(500)
def test_on_other_families(family: str) -> None:
    """From Redis 6 on who connects in the middle is let in with the old one or the new one."""
    with cluster_of(family) as rig:
        first, second = rig.password, another()
        window = NOTICED if family == "el8" else None  # where both are good there is none
        with watched(rig, second):
            settle(rig)
            rotated(rig, second, window)
            chief = master(rig.status())
            rig.lab[chief].run(f"systemctl kill -s KILL {row(rig.lab[chief]).redis_unit}")
            rig.wait(lambda s: master(s) not in ("", chief), "a failover with the new one", 40)
            rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back", 120)
            settle(rig)
            rotated(rig, first, window)
            if family != "el10":  # there it takes more than that, and has a test of its own
                settle(rig)
                taken(rig)


# -- what several tests do


def another() -> str:
    return "Rotated-" + secrets.token_urlsafe(12)


@contextmanager
def watched(rig: Rig, password: str) -> Iterator[None]:
    """The new password is seen nowhere either."""
    with canary(password, rig.lab, files=operator_logs(rig.cp), texts=rig.told):
        yield


def put(rig: Rig, data: dict[str, str]) -> str:
    """Another content of the Secret; its resourceVersion."""
    encoded = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    document = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "redis-auth", "namespace": NAMESPACE},
        "type": "kubernetes.io/basic-auth",
        "data": encoded,
    }
    rig.cp.apply([document])
    return str(rig.cp.get("secret", "redis-auth", "-n", NAMESPACE)["metadata"]["resourceVersion"])


def told(status: Status) -> dict[str, Any]:
    return condition(status, "CredentialsInSync")


def refused(rig: Rig, reason: str) -> Status:
    return rig.wait(lambda s: told(s)["reason"] == reason, reason, 40)


def _version(rig: Rig) -> str:
    return str(rig.cp.get("secret", "redis-auth", "-n", NAMESPACE)["metadata"]["resourceVersion"])


def taken(rig: Rig, **changes: Any) -> None:
    """Take spec.auth out under writes; what must hold of it."""
    before, old = _unmoved(rig), rig.password
    with ExitStack() as stack:
        held = [stack.enter_context(Resp.from_outside(host, password=old)) for host in rig.lab]
        with ledger(rig.lab, old) as book:
            rig.declare(auth=None, **changes)
            generation = rig.body()["metadata"]["generation"]

            def over(status: Status) -> bool:
                seen = status.get("observedGeneration") == generation and "operation" not in status
                return seen and is_healthy(status) and told(status)["status"] == "True"

            rig.wait(over, "the password is taken", 90)
            book.wait(10)
        assert all(link.call("PING") == "PONG" for link in held), "connections of before go on"
    log.info("taken from all, no write for %.2f s", book.pause())
    assert book.pause() < NOTICED
    book.password = ""
    assert book.missing(rig.lab[master(rig.status())]) == []
    nowhere(rig)
    time.sleep(6)  # longer than it takes to call somebody down
    assert _unmoved(rig) == before, "nothing was restarted, nobody called down, no failover"


def nowhere(rig: Rig) -> None:
    """The password is neither in force nor in any file, and replicas find their master when they connect anew."""
    for host in rig.lab:
        with Resp.from_outside(host) as redis:
            assert redis.call("CONFIG", "GET", "masterauth") == ["masterauth", ""]
        assert rig.password not in host.run(f"cat {row(host).redis_conf}").stdout
    for host in rig.lab.replicas:
        assert "auth-pass" not in host.run(f"cat {row(host).sentinel_conf}").stdout
    chief = rig.lab[master(rig.status())]
    with Resp.from_outside(chief) as redis:
        redis.call("CLIENT", "KILL", "TYPE", "slave")
        wait_for(lambda: len(_replicas(redis)) == len(rig.lab.hosts) - 1, "replicas that connect anew", 30)


def _replicas(redis: Resp) -> Any:
    role = redis.call("ROLE")
    assert isinstance(role, list)
    return role[2]


def in_sync(status: Status, version: str) -> bool:
    """Whether status says that the servers have the password of that version of the Secret, and nothing goes on."""
    said = told(status)
    return (
        is_healthy(status)
        and "operation" not in status
        and said["status"] == "True"
        and f"of resourceVersion {version}." in said["message"]
    )


def given(seen: Seen) -> list[float]:
    """When the servers were given a password by the operator, in seconds since the epoch."""
    firsts = (("CONFIG", "SET", "REQUIREPASS"), ("SENTINEL", "SET"))
    found = [(each.at, tuple(word.upper() for word in each.words)) for each in seen.commands()]
    return [at for at, words in found if any(words[: len(first)] == first for first in firsts)]


def rotated(rig: Rig, new: str, window: float | None = NOTICED) -> None:
    """Change the Secret under writes; what must hold of it, and the seconds in which all are given it."""
    _holds(rig, new, lambda: put(rig, {"password": new}), window)


def killed_at(rig: Rig, folder: Path, step: str, when: str, new: str) -> None:
    """The same, with an operator that is killed before or after a step, and another that comes after it."""
    sentence = rotation.COMMANDS[step]
    where: dict[str, Any] = {"before": sentence, "at": "10000"} if when == "before" else {"at": sentence}

    def change() -> str:
        rig.operator.stop()
        version = put(rig, {"password": new})
        dying = accident(rig, "kill", steps=folder / "steps", **where)
        dying.start("e2e.dying")
        dying.wait_until_ended(90)
        rig.operator.start()
        return version

    _holds(rig, new, change, window=None)


def halfway(rig: Rig, new: str) -> None:
    """As an operator leaves it that is killed in the middle of the window."""
    for host in rig.lab.hosts[:2]:
        with Resp.to(host, password=rig.password) as redis:
            redis.call("CONFIG", "SET", "requirepass", new)
    with Resp.to(rig.lab.replicas[0], 26379) as sentinel:
        sentinel.call("SENTINEL", "SET", "redis-cluster", "auth-pass", new)


def _holds(rig: Rig, new: str, change: Any, window: float | None = NOTICED) -> None:
    old, before = rig.password, _unmoved(rig)
    with ExitStack() as stack:
        held = [stack.enter_context(_open(host, (old, new))) for host in rig.lab]
        with commands_seen(rig.lab) as seen:
            with ledger(rig.lab, _good_at(rig.lab.hosts[0], (old, new))) as book:
                version = change()
                rig.wait(lambda s: in_sync(s, version), "the new password on all", 120)
                book.wait(30)
            times = given(seen)
        assert all(link.call("PING") == "PONG" for link in held), "connections of before go on"
    rig.password = book.password = new
    log.info("%d servers in %.0f ms, no write for %.2f s", len(times), (times[-1] - times[0]) * 1000, book.pause())
    if window is not None:
        assert 0 < times[-1] - times[0] < window
    assert book.pause() < NOTICED
    assert book.missing(rig.lab[master(rig.status())]) == []
    everywhere(rig, old)
    assert _unmoved(rig) == before, "nothing was restarted, nobody called down, no failover"


def _open(host: Any, passwords: tuple[str, ...]) -> Resp:
    return Resp.from_outside(host, password=_good_at(host, passwords))


def _good_at(host: Any, passwords: tuple[str, ...]) -> str:
    for password in passwords:
        try:
            with Resp.from_outside(host, password=password):
                return password
        except RespError:
            continue
    raise AssertionError(f"{host.name} takes none of them")


def _unmoved(rig: Rig) -> list[Any]:
    """What a rotation leaves as it is: processes, what sentinels called down, the master and its history."""
    kind = row(rig.lab.hosts[0])
    command = (
        f"systemctl show -p MainPID {kind.redis_unit} {kind.sentinel_unit}; "
        f"grep -cE '{_DOWN}' {kind.sentinel_log} 2>/dev/null || true"
    )
    status = rig.status()
    told = [status["master"]["host"], status["master"]["configEpoch"], status.get("failovers")]
    return [told, [host.run(command).stdout for host in rig.lab]]


def everywhere(rig: Rig, old: str) -> None:
    """The new password in force and in every file, and the old one nowhere."""
    for host in rig.lab:
        with Resp.to(host, password=rig.password) as redis:
            assert redis.call("CONFIG", "GET", "masterauth") == ["masterauth", rig.password]
        with pytest.raises(RespError):
            Resp.to(host, password=old)
        conf = host.run(f"cat {row(host).redis_conf}").stdout
        assert rig.password in conf
        assert old not in conf
    for host in rig.lab.replicas:
        conf = host.run(f"cat {row(host).sentinel_conf}").stdout.replace('"', "")  # valkey writes it in quotes
        assert f"sentinel auth-pass redis-cluster {rig.password}\n" in conf
        assert old not in conf
