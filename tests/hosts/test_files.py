"""Files of redis 6 as their people have them: an ACL file, an included file, a directory that redis may not write."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from hosts.declaring import declare, follows, running
from hosts.passes import Passes, find_each_other, set_up, settled_passes
from hosts.stepping import OF_THE_MACHINE, PATIENCE, conf, until
from lab.hosts import Host
from lab.labs import Lab, hosts_lab
from lab.observe import untouched
from lab.resp import Resp, RespError
from lab.seedcluster import PASSWORD
from lab.workers import worker_lab
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.redis_conf import parse
from redis_sentinel_operator.judge.findings import credentials
from redis_sentinel_operator.model.desired import SentinelSettings
from redis_sentinel_operator.model.step import ProveRewrite, RememberNotes, Step

pytestmark = pytest.mark.timeout(240)
LAB = os.environ.get("FAMILIES_LAB", "fams 192.168.180.0/24").split()
USERS, EXTRA = "/etc/redis/users.acl", "/etc/redis/extra.conf"
STATE = "/var/lib/redis-sentinel-operator/state.json"
APP = "user app on >letmein ~app:* &* -@all +get"


@pytest.fixture(scope="module")
def whole() -> Iterator[Lab]:
    """The seed's cluster on hosts of EL9, whose redis makes a new file beside the one that it rewrites."""
    with hosts_lab(worker_lab(*LAB, families=("el9",))) as lab:
        set_up(lab)
        assert find_each_other(lab), "the sentinels did not find each other"
        yield lab


@pytest.fixture
async def loop(whole: Lab) -> AsyncIterator[Passes]:
    """Its sentinels are so patient that a master may be restarted as slowly as a busy machine does it."""
    async with settled_passes(whole, sentinel=SentinelSettings(quorum=2, down_after=PATIENCE)) as each:
        await each.until_settled()
        yield each


async def restarted(host: Host) -> None:
    host.run("systemctl restart redis")
    await until(lambda: follows(host))


async def nothing_is_left(loop: Passes, lab: Lab) -> None:
    with untouched(*lab.hosts, but=OF_THE_MACHINE):
        assert await loop.until_settled() == []


async def test_a_directory_that_redis_may_not_write_is_told_until_it_may(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[0]
    had = host.run("stat -c '%a %U:%G' /etc/redis").stdout.split()
    host.run("chown root:root /etc/redis; chmod 755 /etc/redis")
    try:
        assert (await loop.do(Step(host.name, "forget", "asked again", RememberNotes({}), 0))).ok
        _, results = await loop.once()
        assert [(each.step.host, type(each.step.action), each.ok, each.reason) for each in results] == [
            (host.name, ProveRewrite, False, "RewriteRefused")
        ]
        assert results[0].message == (
            f"redis on {host.name} cannot rewrite {host.family.redis_conf}: Rewriting config file: Permission denied"
        )
    finally:
        host.run(f"chmod {had[0]} /etc/redis; chown {had[1]} /etc/redis")
    assert [each.ok for each in await loop.until_settled()] == [True]
    await nothing_is_left(loop, whole)


async def test_the_default_user_of_an_acl_file_gets_the_password_and_the_others_stay(loop: Passes, whole: Lab) -> None:
    """Somebody gave the running server the password, which the file does not have: it would be gone with a restart."""
    host = whole.replicas[1]
    before = conf(host)
    host.run(
        f"cat >{USERS}; chown redis:root {USERS}; chmod 640 {USERS}", stdin=f"user default on >old ~* &* +@all\n{APP}\n"
    )
    # CONFIG REWRITE has written the default user into redis.conf, and redis takes users from one of the two.
    host.run(f"sed -i '/^user /d' {host.family.redis_conf}; echo 'aclfile {USERS}' >>{host.family.redis_conf}")
    host.run("systemctl restart redis")
    await until(lambda: lets_in(host, "old"))
    with Resp.to(host, 6379, password="old") as link:
        link.call("ACL", "SETUSER", "default", "resetpass", f">{PASSWORD}")
    done = await loop.until_settled()
    assert [each.step.what for each in done if each.step.host == host.name] == [
        f"give the default user in {USERS} the password"
    ]
    assert APP in host.run(f"cat {USERS}").stdout.splitlines()
    await nothing_is_left(loop, whole)
    await restarted(host)
    assert not lets_in(host, "old")
    await nothing_is_left(loop, whole)
    host.run(f"cat >{host.family.redis_conf}; rm {USERS}", stdin=before)
    await restarted(host)


async def test_where_an_acl_file_alone_has_the_password_the_cluster_is_adopted(loop: Passes, whole: Lab) -> None:
    """As its people have it: requirepass is nowhere, and CONFIG GET shows an empty one."""
    before = {host: conf(host) for host in whole.hosts}
    for host in whole.hosts:
        text = f"user default on #{sha256(PASSWORD)} ~* &* +@all\n{APP}\n"
        host.run(f"cat >{USERS}; chown redis:root {USERS}; chmod 640 {USERS}", stdin=text)
        path = host.family.redis_conf
        host.run(f"sed -i '/^user /d; /^requirepass /d' {path}; echo 'aclfile {USERS}' >>{path}; rm {STATE}")
        host.run("systemctl restart redis")
        await until(lambda host=host: lets_in(host, PASSWORD))  # type: ignore[misc]
        assert running(host, "requirepass") == ""
    for host in whole.hosts[1:]:
        await until(lambda host=host: follows(host))  # type: ignore[misc]
    loop.bootstrap = None
    reading = await loop.read()
    assert reading.todo.refusal is None
    assert credentials(loop.desired, reading.facts).ok
    await loop.until_settled()
    for host in whole.hosts:
        assert running(host, "requirepass") == PASSWORD
        assert parse(conf(host)).get("requirepass") == PASSWORD
        assert APP in host.run(f"cat {USERS}").stdout.splitlines()
    await nothing_is_left(loop, whole)
    for host in whole.hosts:
        host.run(f"cat >{host.family.redis_conf}; rm {USERS}", stdin=before[host])
        host.run("systemctl restart redis")
        await until(lambda host=host: lets_in(host, PASSWORD))  # type: ignore[misc]


def lets_in(host: Host, password: str) -> bool:
    try:
        with Resp.to(host, 6379, password=password) as link:
            return link.call("PING") == "PONG"
    except (OSError, RespError):
        return False


async def test_what_an_included_file_says_is_overruled_and_the_file_stays(loop: Passes, whole: Lab) -> None:
    host = whole.replicas[2]
    text = "slowlog-max-len 77\nlatency-monitor-threshold 55\n"
    host.run(f"cat >{EXTRA}; chmod 644 {EXTRA}", stdin=text)
    host.run(f"echo 'include {EXTRA}' >>{host.family.redis_conf}")
    await restarted(host)
    assert running(host, "slowlog-max-len") == "77"
    declare(loop, {"slowlog-max-len": "200"})
    await loop.until_settled()
    assert [running(each, "slowlog-max-len") for each in whole.hosts] == ["200"] * 4
    assert host.run(f"cat {EXTRA}").stdout == text
    await nothing_is_left(loop, whole)
    await restarted(host)
    assert (running(host, "slowlog-max-len"), running(host, "latency-monitor-threshold")) == ("200", "55")
    await nothing_is_left(loop, whole)
    declare(loop, {})
    host.run(f"sed -i '\\|^include {EXTRA}|d' {host.family.redis_conf}; rm {EXTRA}")
    await restarted(host)
    await loop.until_settled()
