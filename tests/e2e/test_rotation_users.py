"""Another password in the Secret where redis has its users from an ACL file (Redis 6 on): at a start that file counts.

It holds digests, as ACL SAVE writes it: no password can be read from it.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

from e2e.rig import Rig, is_healthy, master
from e2e.scenarios import wait_for
from e2e.test_families import cluster_of, row
from e2e.test_interrupted import accident
from e2e.test_rotation import another, everywhere, in_sync, linked, nowhere, put, rotated, taken, watched
from e2e.test_switchover import settle
from lab.hosts import Host
from lab.resp import Resp, RespError
from redis_sentinel_operator.conf import users
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.redis_conf import parse

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]
# Not EL8: its redis:6 rewrites redis.conf in its place, that of the lab makes a new one, which it may not in /etc.
FILES = {9: "/etc/redis/users.acl", 10: "/etc/valkey/users.acl"}
APP = f"user app on #{sha256('letmein')} ~app:* &* -@all +ping +get"


@pytest.mark.parametrize("family", ["el9", "el10"])
def test_the_default_user_has_the_new_one_and_the_others_are_as_they_were(family: str) -> None:
    with cluster_of(family) as rig:
        first, second = rig.password, another()
        users_in_a_file(rig)
        with watched(rig, second):
            rotated(rig, second, window=None)
            in_the_file(rig, first)
            old = master(rig.status())
            restarted(rig, a_replica(rig))
            rig.lab[old].run(f"systemctl kill -s KILL {row(rig.lab[old]).redis_unit}")
            rig.wait(lambda s: master(s) not in ("", old), "a failover with the new one", 40)
            rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "the old master back", 120)
            settle(rig)
            in_the_file(rig, first)
            rotated(rig, first, window=None)
            in_the_file(rig, second)
        if family != "el10":  # there it is in protected mode, which another test is about
            settle(rig)
            taken(rig)
            assert all(users.file_takes_all(people(host)) and APP in people(host) for host in rig.lab)
            replica = a_replica(rig)
            replica.run(f"systemctl restart {row(replica).redis_unit}")
            wait_for(lambda: _follows(replica), "its link to the master: its file lets everybody in", 60)


@pytest.mark.parametrize("at", ["give the default user in", "set requirepass in"])
def test_who_restarts_with_one_of_its_two_files_written_is_let_in_and_has_all_in_the_end(
    tmp_path: Path, at: str
) -> None:
    """The operator dies between the two files of a host, which boots before the next operator comes."""
    with cluster_of("el9") as rig:
        first, second = rig.password, another()
        users_in_a_file(rig)
        with watched(rig, second):
            rig.operator.stop()
            version = put(rig, {"password": second})
            died_at(rig, tmp_path, at)
            half = [host for host in rig.lab if _in_file(host, second) != (_in_conf(host) == second)]
            assert half or at.startswith("set"), "no host is between its two files"
            _start_anew(half)
            rig.password = second
            rig.operator.start()
            rig.wait(lambda s: in_sync(s, version) and s["replicas"] == "3/3", "the new password on all", 90)
            everywhere(rig, first)
            in_the_file(rig, first)


@pytest.mark.parametrize("at", ["open the default user in", "remove requirepass"])
def test_who_restarts_while_it_is_taken_away_is_let_in_and_has_none_in_the_end(tmp_path: Path, at: str) -> None:
    with cluster_of("el9") as rig:
        users_in_a_file(rig)
        rig.operator.stop()
        rig.declare(auth=None)
        died_at(rig, tmp_path, at)
        half = [host for host in rig.lab if users.file_takes_all(people(host)) != (not _in_conf(host))]
        assert half or at.startswith("remove"), "no host is between its two files"
        _start_anew(half)
        rig.operator.start()
        rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3" and "operation" not in s, "taken from all", 90)
        generation = rig.body()["metadata"]["generation"]
        rig.wait(lambda s: is_healthy(s) and s.get("observedGeneration") == generation, "all as declared", 60)
        nowhere(rig)
        assert all(users.file_takes_all(people(host)) and APP in people(host) for host in rig.lab)


def users_in_a_file(rig: Rig) -> None:
    """As the people of the hosts do it: users go into a file, and every redis starts anew with it; the operator stays.

    It finds nothing to do about that.
    """
    rig.operator.stop()
    chief = rig.lab[master(rig.status())]
    for host in (*(each for each in rig.lab if each != chief), chief):
        kind, path = row(host), FILES[host.family.major]
        text = f"user default on #{sha256(rig.password)} ~* &* +@all\n{APP}\n"
        host.run(f"cat >{path}; chown {kind.user}: {path}; chmod 640 {path}", stdin=text)
        # CONFIG REWRITE writes the default user into redis.conf, and redis takes users from one of the two.
        host.run(f"sed -i '/^user /d' {kind.redis_conf}; echo 'aclfile {path}' >>{kind.redis_conf}")
        host.run(f"systemctl restart {kind.redis_unit}")
        wait_for(lambda host=host: host == chief or linked(rig, host.name), f"the link of {host.name}", 60)  # type: ignore[misc]
    rig.operator.start()
    rig.operator.wait_until(rig.operator.has_passed, "a pass", 60)
    settle(rig)
    assert master(rig.status()) == chief.name
    in_the_file(rig, "nobody-has-this")


def a_replica(rig: Rig) -> Host:
    return next(host for host in rig.lab if host.name != master(rig.status()))


def people(host: Host) -> str:
    return host.run(f"cat {FILES[host.family.major]}").stdout


def in_the_file(rig: Rig, old: str) -> None:
    """The default user has the password as the only one, not in clear; all else is as the file's people wrote it."""
    for host in rig.lab:
        text = people(host)
        assert users.file_takes_only(text, rig.password)
        assert rig.password not in text
        assert sha256(old) not in text
        assert text.splitlines()[1:] == [APP]
        path = FILES[host.family.major]
        assert host.run(f"stat -c '%a %U' {path}").stdout == f"640 {row(host).user}\n"
        assert "\nuser " not in host.run(f"cat {row(host).redis_conf}").stdout
        with Resp.to(host) as link:
            assert link.call("AUTH", "app", "letmein") == "OK"


def restarted(rig: Rig, host: Host) -> None:
    """A replica that is started with its files finds its master, and lets nobody in who has another password."""
    host.run(f"systemctl restart {row(host).redis_unit}")
    wait_for(lambda: linked(rig, host.name), "its link to the master", 60)
    with pytest.raises(RespError):
        Resp.to(host, password="nobody-has-this")
    rig.wait(lambda s: is_healthy(s) and s["replicas"] == "3/3", "all in touch", 60)


def _follows(host: Host) -> bool:
    """Whether it is in touch with its master; nobody sends a password."""
    try:
        with Resp.from_outside(host) as link:
            role = link.call("ROLE")
    except (OSError, RespError):  # not up yet
        return False
    return isinstance(role, list) and role[0] == "slave" and role[3] == "connected"


def died_at(rig: Rig, folder: Path, at: str) -> None:
    """An operator that is killed right after a step has begun what is to be done."""
    dying = accident(rig, "kill", steps=folder / "steps", at=at)
    dying.start("e2e.dying")
    dying.wait_until_ended(90)
    log.info("done: %s", (folder / "steps").read_text().splitlines())


def _in_file(host: Host, password: str) -> bool:
    return users.file_takes_only(people(host), password)


def _in_conf(host: Host) -> str:
    """The password by its redis.conf, "" for none."""
    return parse(host.run(f"cat {row(host).redis_conf}").stdout).get("requirepass") or ""


def _start_anew(hosts: list[Host]) -> None:
    log.info("started anew: %s", [host.name for host in hosts])
    for host in hosts:
        host.run(f"systemctl restart {row(host).redis_unit}")
