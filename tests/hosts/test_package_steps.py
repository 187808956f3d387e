"""The package on a host of each EL family: a version that is asked for, one repository, a module stream, the lock."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from hosts.passes import OWNER, Passes, passes
from hosts.stepping import until
from hosts.test_kinds import host_of, kinds
from lab.hosts import Host
from lab.labs import Lab
from lab.machine import run
from lab.seedcluster import PASSWORD
from redis_sentinel_operator.apply.package import available
from redis_sentinel_operator.conf import yum_conf
from redis_sentinel_operator.conf.directives import sha256
from redis_sentinel_operator.conf.family import FAMILIES as ROWS
from redis_sentinel_operator.connect.link import HostLink
from redis_sentinel_operator.model.fact import Known
from redis_sentinel_operator.model.package import (
    FetchPackage,
    InstallPackage,
    LockPackage,
    Server,
    UpgradePackage,
)
from redis_sentinel_operator.model.report import StepResult
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import Action, Step, TakeClaim
from redis_sentinel_operator.observe import newer
from redis_sentinel_operator.settings import Settings

__all__ = ["kinds"]

pytestmark = pytest.mark.timeout(240)
FAMILIES = pytest.mark.parametrize(
    "name",
    ["el7", pytest.param("el8", marks=pytest.mark.long), "el9", pytest.param("el10", marks=pytest.mark.long)],
)


@asynccontextmanager
async def owning(kinds: Lab, host: Host) -> AsyncIterator[Passes]:
    """The host, bare and ours."""
    host.reset()
    async with passes(kinds) as loop:
        claimed = await do(loop, host, TakeClaim(OWNER, "b1"))
        assert claimed.ok, claimed.message
        yield loop


async def newer_of(link: HostLink, loop: Passes) -> str:
    return await newer.read(link.host, link, loop.settings)


async def do(loop: Passes, host: Host, action: Action) -> StepResult:
    return await loop.do(Step(host.name, "what", "why", action, 0))


@FAMILIES
async def test_a_version_is_installed_as_asked_for_and_kept_by_the_lock(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    package, version = family.redis.name, f"{family.redis.version}-2.{family.dist}"
    async with owning(kinds, host) as loop:
        done = await do(loop, host, InstallPackage(package, version, repositories=(family.repo_id,)))
        assert (done.ok, done.message) == (True, f"{package} {version} is installed")

        link = loop.links[host.name]
        assert await newer.read(link.host, link, loop.settings) == f"{package} {family.redis.version}-3.{family.dist}"

        path = ROWS[str(family.major)].yum_conf
        before = host.run(f"cat {path}").stdout
        text = yum_conf.exclude(before, package)
        locked = await do(loop, host, LockPackage(path, Secret(text), sha256(before), "root", "root", 0o644))
        assert locked.ok, locked.message
        assert host.run(f"yum -y update; yum -y update {package}; rpm -q {package}", check=False).stdout.endswith(
            f"{family.server('2')}.x86_64\n"
        )
        assert host.run(f"stat -c '%a %U' {path}").stdout == "644 root\n"

        again = await do(loop, host, LockPackage(path, Secret(before), sha256(before), "root", "root", 0o644))
        assert (again.ok, again.message) == (
            False, f"{path} was changed meanwhile; it is read again and nothing is lost",
        )  # fmt: skip
        host.run(f"yum -y --disableexcludes=main update {package}")
        assert host.run(f"rpm -q {package}").stdout == f"{family.server('3')}.x86_64\n"
        assert await newer.read(link.host, link, loop.settings) == ""


@FAMILIES
async def test_an_excluded_package_can_be_installed_all_the_same(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    package, path = family.redis.name, ROWS[str(family.major)].yum_conf
    async with owning(kinds, host) as loop:
        host.run(f"cat >{path}", stdin=yum_conf.exclude(host.run(f"cat {path}").stdout, package))
        action = InstallPackage(package, None)
        told = await available(action, loop.links[host.name], loop.settings)
        assert told.ok, told.message
        done = await do(loop, host, action)
        assert done.ok, done.message


@pytest.mark.long
@pytest.mark.parametrize("name", ["el7", "el8", "el9", "el10"])
async def test_an_upgrade_renews_what_runs_and_leaves_what_is_down(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    package, older, later = family.redis.name, *(f"{family.redis.version}-{each}.{family.dist}" for each in "23")
    redis, sentinel = (f"{each}.service" for each in family.units)
    action = UpgradePackage(InstallPackage(package, later), (Server(redis, 6379, False),))
    async with owning(kinds, host) as loop:
        link = loop.links[host.name]
        await do(loop, host, InstallPackage(package, older))
        mine = f"requirepass {PASSWORD}\nslaveof 127.0.0.1 1\n"  # in no command line: other labs' canaries see all
        host.run(f"cat >>{family.redis_conf}; systemctl start {redis}", stdin=mine)
        await until(lambda: host.run("pgrep -c '(redis|valkey)-server'", check=False).stdout == "1\n")
        before = host.run(f"systemctl show -p MainPID {redis}").stdout

        missing = await do(loop, host, FetchPackage(InstallPackage(package, "99.9")))
        assert (missing.ok, missing.reason) == (False, "PackageNotFound")
        assert missing.message.endswith(f") has {package}-99.9")
        fetched = await do(loop, host, FetchPackage(action.package))
        assert fetched.ok, fetched.message
        assert (await newer_of(link, loop)) == f"{package} {later}", "nothing is installed by that"

        done = await do(loop, host, action)
        assert (done.ok, done.message) == (
            True,
            f"{package}-{later} is installed, and redis runs with {family.redis.version}",
        )
        assert host.run(f"rpm -q {package}").stdout == f"{family.server('3')}.x86_64\n"
        assert host.run(f"systemctl show -p MainPID {redis}").stdout not in (before, "MainPID=0\n")
        assert host.run(f"systemctl is-active {sentinel}", check=False).stdout == "inactive\n"
        facts = (await loop.read()).facts.hosts[host.name]
        assert isinstance(facts.processes, Known)
        assert [each.replaced for each in facts.processes.value] == [False]


EMPTY = "[empty]\nname=empty\nbaseurl=file:///srv/empty\nenabled=1\ngpgcheck=0\n"


@pytest.mark.parametrize("name", ["el9", *(pytest.param(n, marks=pytest.mark.long) for n in ("el7", "el8", "el10"))])
async def test_only_the_repositories_that_are_declared_are_used(kinds: Lab, name: str) -> None:
    """The other one is enabled and has the package: where the declared one has it not, it is not installed."""
    host, family = host_of(kinds, name)
    package = family.redis.name
    async with owning(kinds, host) as loop:
        (host.root / "srv/empty").mkdir()
        run(["createrepo_c", "--quiet", host.root / "srv/empty"])
        host.run("cat >/etc/yum.repos.d/empty.repo", stdin=EMPTY)
        wish = InstallPackage(package, None, repositories=("empty",))
        asked = await available(wish, loop.links[host.name], loop.settings)
        done = await do(loop, host, wish)
        assert (asked.ok, asked.reason) == (False, "PackageNotFound")
        assert (done.ok, done.message, done.reason) == (
            False, f"no enabled repository has {package}", "PackageNotFound",
        )  # fmt: skip
        assert host.run(f"rpm -q {package}", check=False).returncode == 1
        done = await do(loop, host, replace(wish, repositories=("empty", family.repo_id)))
        assert done.ok, done.message


async def test_what_no_repository_has_is_told(kinds: Lab) -> None:
    host, family = host_of(kinds, "el8")
    async with owning(kinds, host) as loop:
        for action, said in (
            (InstallPackage("redis", "9.9.9"), "no enabled repository has redis-9.9.9"),
            (InstallPackage("redis6", None), "no enabled repository has redis6"),
            (InstallPackage("redis", None, "redis:9"), "no enabled repository has the module stream redis:9"),
        ):
            done = await do(loop, host, action)
            assert (done.ok, done.message, done.reason) == (False, said, "PackageNotFound")
        asked = await available(InstallPackage("redis", None, "redis:9"), loop.links[host.name], loop.settings)
        assert (asked.message, asked.reason) == (
            "no enabled repository has the module stream redis:9",
            "PackageNotFound",
        )
        elsewhere = await do(loop, host, InstallPackage("redis", None, repositories=("nowhere",)))
        assert not elsewhere.ok
        assert "nowhere" in elsewhere.message
        assert host.run("rpm -q redis", check=False).returncode == 1
        assert family.redis.stream == "redis:5"


async def test_a_module_stream_is_enabled_before(kinds: Lab) -> None:
    host, _ = host_of(kinds, "el8")
    async with owning(kinds, host) as loop:
        host.run("yum -y -q module enable redis:5")
        action = InstallPackage("redis", None, "redis:6", ("appstream",))
        asked = await available(action, loop.links[host.name], loop.settings)
        assert asked.ok, asked.message
        done = await do(loop, host, action)
        assert (done.ok, done.message) == (True, "redis 6.2.14-2.el8 is installed")

        host.run("echo '# mine' >>/etc/redis.conf; yum -y -q remove redis")
        facts = (await loop.read()).facts.hosts[host.name]
        assert facts.leftovers == Known(("/etc/redis.conf.rpmsave",))


LOCK = "/var/cache/dnf/metadata_lock.pid"
# A yum of the host's own is stopped while it holds the lock; on a fast machine the first may have let go before.
HOLD_THE_LOCK = f"""
for try in $(seq 50); do
    rm -f {LOCK}
    yum -q makecache </dev/null >/dev/null 2>&1 &
    while kill -0 $! && ! [ -s {LOCK} ]; do :; done 2>/dev/null
    kill -STOP $! 2>/dev/null && [ "$(cat {LOCK})" = $! ] && exit 0
    kill -KILL $! 2>/dev/null
done
exit 1
"""


@pytest.mark.parametrize("name", ["el7", "el10"])
async def test_another_yum_is_waited_for_up_to_a_deadline(kinds: Lab, name: str) -> None:
    host, family = host_of(kinds, name)
    package = InstallPackage(family.redis.name, None)
    async with owning(kinds, host) as loop:
        host.run(HOLD_THE_LOCK)
        loop.settings = replace(Settings(), package_timeout=30.0)  # yum itself takes its time
        done = await do(loop, host, package)
        assert (done.ok, done.message) == (False, "another yum holds the lock for longer than 15 s")
        loop.settings = Settings()
        waiting = asyncio.create_task(do(loop, host, package))
        await until(lambda: host.run("pgrep -fc 'yum -y .*install'", check=False).stdout != "0\n")
        assert not waiting.done()
        host.run(f"kill -CONT $(cat {LOCK})")
        done = await waiting
        assert done.ok, done.message


@contextmanager
def yum_that(host: Host, does: str) -> Iterator[None]:
    """The host's yum does something else; the real one is at hand as `really`."""
    host.run(
        "mv /usr/bin/yum /usr/bin/really && cat >/usr/bin/yum && chmod 755 /usr/bin/yum", stdin=f"#!/bin/sh\n{does}"
    )
    try:
        yield
    finally:
        host.run("mv -f /usr/bin/really /usr/bin/yum")


async def test_what_yum_says_at_its_end_is_not_trusted(kinds: Lab) -> None:
    """The status of yum 3 is 0 though it skipped the name, and 1 where something beside the package went wrong."""
    host, _ = host_of(kinds, "el7")
    async with owning(kinds, host) as loop:
        with yum_that(host, "echo 'Loaded plugins: fastestmirror'; echo 'No package redis available.'; exit 0\n"):
            done = await do(loop, host, InstallPackage("redis", None))
        assert (done.ok, done.message, done.reason) == (
            False, "no enabled repository has redis", "PackageNotFound",
        )  # fmt: skip
        with yum_that(host, "echo 'Nothing to do'; exit 0\n"):
            done = await do(loop, host, InstallPackage("redis", None))
        assert (done.ok, done.message) == (False, "yum did not install redis: Nothing to do")
        with yum_that(host, 'really "$@"; exit 1\n'):
            done = await do(loop, host, InstallPackage("redis", "3.2.6-2.el7"))
        assert (done.ok, done.message) == (True, "redis 3.2.6-2.el7 is installed")


async def test_what_an_update_leaves_beside_a_changed_file_is_reported(kinds: Lab, tmp_path: Path) -> None:
    host, _ = host_of(kinds, "el7")
    async with owning(kinds, host) as loop:
        host.run("yum -y -q install redis-3.2.6-2.el7; echo '# mine' >>/etc/redis.conf")
        assert (await loop.read()).facts.hosts[host.name].leftovers == Known(())
        _update_with_another_redis_conf(host, tmp_path)
        reading = await loop.read()
        assert reading.facts.hosts[host.name].leftovers == Known(("/etc/redis.conf.rpmnew",))
        assert host.run("tail -n 1 /etc/redis.conf").stdout == "# mine\n"


def _update_with_another_redis_conf(host: Host, work: Path) -> None:
    """Let rpm itself update redis to a release that ships other lines in redis.conf."""
    (work / "redis.spec").write_text(
        "Name: redis\nVersion: 3.2.6\nRelease: 4.el7\nSummary: redis\nLicense: BSD\n%description\nredis\n"
        "%install\nmkdir -p %{buildroot}/etc\necho '# another' >%{buildroot}/etc/redis.conf\n"
        "%files\n%attr(0640, root, root) %config(noreplace) /etc/redis.conf\n"
    )
    run(["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {work}", work / "redis.spec"])
    built = next(work.glob("RPMS/*/*.rpm"))
    (host.root / "root/redis.rpm").write_bytes(built.read_bytes())
    host.run("rpm -U --noscripts --nodeps /root/redis.rpm")
