"""The server's packages are what EL's are, as far as the operator can tell: files, modes, scriptlets, what they do."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lab.families import EL7, FAMILIES, Family
from lab.labs import Lab
from lab.machine import run
from lab.packages import server_package

pytestmark = pytest.mark.timeout(240)
HERE = Path(__file__).parent
_FILE = "%{FILEMODES:perms} %{FILEUSERNAME}:%{FILEGROUPNAME} %{FILENAMES} %{FILEFLAGS:fflags} %{FILELINKTOS}"
ALL = pytest.mark.parametrize("family", FAMILIES.values(), ids=list(FAMILIES))


def table(family: Family) -> str:
    return (HERE / "packages" / f"{family.name}.rpm.txt").read_text()


def described(family: Family, release: str) -> str:
    """Name, files and scriptlets of a release of the package as rpm tells them."""
    package = server_package(family, release)
    name = run(["rpm", "-qp", package])
    files = run(["rpm", "-qp", "--qf", f"[{_FILE}\\n]", package])
    return (
        name + "".join(f"{line.rstrip()}\n" for line in files.splitlines()) + run(["rpm", "-qp", "--scripts", package])
    )


@ALL
def test_the_package_is_as_written_down(family: Family) -> None:
    assert described(family, "2") == table(family)


@ALL
def test_the_next_release_differs_in_its_name_only(family: Family) -> None:
    assert described(family, "3") == table(family).replace(family.server("2"), family.server("3"))


def test_the_package_starts_nothing_and_ships_what_el_ships(bare_lab: Lab) -> None:
    host = bare_lab.master01
    host.run(f"yum -y -q install {EL7.server()}")
    told = host.run("systemctl is-enabled redis redis-sentinel; systemctl is-active redis redis-sentinel", check=False)
    assert told.stdout.split() == ["disabled", "disabled", "inactive", "inactive"]
    assert host.run("rpm -V redis").stdout == ""
    assert host.run("systemctl show -p LimitNOFILE redis redis-sentinel").stdout.split() == ["LimitNOFILE=10240"] * 2
    conf = host.run("grep -E '^(bind|protected-mode|logfile|dir|daemonize|supervised) ' /etc/redis.conf").stdout
    assert sorted(conf.splitlines()) == [
        "bind 127.0.0.1",
        "daemonize no",
        "dir /var/lib/redis",
        "logfile /var/log/redis/redis.log",
        "protected-mode yes",
        "supervised no",
    ]
    sentinel = host.run("grep -E '^(sentinel monitor|dir|logfile|bind|protected-mode)' /etc/redis-sentinel.conf").stdout
    assert sorted(sentinel.splitlines()) == [
        "dir /tmp",
        "logfile /var/log/redis/sentinel.log",
        "sentinel monitor mymaster 127.0.0.1 6379 2",
    ]
    version = host.run("redis-server --version").stdout
    assert re.match(r"Redis server v=3\.2\.6 ", version)


def test_an_update_restarts_what_runs_and_a_removal_stops_it(bare_lab: Lab) -> None:
    host = bare_lab.master01
    host.run("yum -y -q install redis-3.2.6-2.el7 && systemctl enable -q redis && systemctl start redis")
    before = host.run("systemctl show -p MainPID redis redis-sentinel").stdout.split()
    host.run("echo '# mine' >>/etc/redis.conf; yum -y -q update redis")
    after = host.run("systemctl show -p MainPID redis redis-sentinel").stdout.split()
    assert after[0] not in (before[0], "MainPID=0")
    assert after[1] == before[1] == "MainPID=0"
    assert host.run("tail -n1 /etc/redis.conf").stdout == "# mine\n"
    host.run("yum -y -q remove redis")
    assert host.run("pgrep -c redis-server", check=False).stdout == "0\n"
    assert host.run("ls /etc/redis.conf.rpmsave").returncode == 0


def test_the_stop_script_closes_redis_with_its_password_and_a_dump(bare_lab: Lab) -> None:
    host = bare_lab.master01
    host.run("yum -y -q install redis-3.2.6-2.el7 && echo 'requirepass pw' >>/etc/redis.conf && systemctl start redis")
    host.run("until redis-cli ping; do sleep 0.1; done")
    host.run(
        ["/bin/sh", "-s"], stdin="printf 'AUTH pw\\nSET key value\\n' | redis-cli >/dev/null; systemctl stop redis"
    )
    log = host.run("cat /var/log/redis/redis.log").stdout
    assert "User requested shutdown..." in log
    assert "DB saved on disk" in log
    assert host.run("systemctl show -p Result redis").stdout == "Result=success\n"
