"""What the kernel is told, by the scripts themselves: on files of a directory, and with what SELinux' tools answer."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from redis_sentinel_operator import apply

FOLDER = Path(apply.__path__[0])
BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
SHELLS = pytest.mark.parametrize("shell", ["dash", "bash"])


def run(shell: str, name: str, home: Path, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Run a script behind a guard that lets everybody in."""
    guard = (FOLDER / "guard.sh").read_text().replace("/var/lib/redis-sentinel-operator", str(home))
    guard = guard.replace("rso_guard() {", "rso_guard() {\n    return 0")
    guard = guard.replace('chown "$3:$4"', "true")  # the tests need no root
    own = (FOLDER / f"{name}.sh").read_text()
    for kept in ("/var/lib/selinux", "/etc/selinux"):
        own = own.replace(kept, f"{home}{kept}")
    script = f"PATH={home}/bin:$PATH\n{guard}\n{own}"
    return subprocess.run(
        [shell, "-c", script, "sh", *words], input=stdin, capture_output=True, text=True, timeout=50, check=False
    )


def tool(home: Path, name: str, text: str) -> None:
    path = home / "bin" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


@SHELLS
def test_a_setting_is_written_and_set(tmp_path: Path, shell: str) -> None:
    queue = tmp_path / "somaxconn"
    queue.write_text("128\n")
    done = run(shell, "kernel", tmp_path, str(tmp_path / "zz.conf"), str(queue), "511", stdin="ours\n")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (queue.read_text(), (tmp_path / "zz.conf").read_text()) == ("511\n", "ours\n")
    assert not (tmp_path / "refused").exists()


@SHELLS
def test_what_is_refused_is_said_and_noted_once(tmp_path: Path, shell: str) -> None:
    """A directory takes no text, as little as a kernel's file that is mounted read-only."""
    refusing, noted = tmp_path / "refusing", tmp_path / "refused"
    refusing.mkdir()
    noted.write_text(f"00000000-earlier /proc/sys/a\n{BOOT} /proc/sys/b\n")
    for _ in range(2):
        done = run(shell, "kernel", tmp_path, str(tmp_path / "zz.conf"), str(refusing), "1", stdin="ours\n")
        assert (done.returncode, done.stdout) == (0, f"{refusing}\n")
    assert sorted(noted.read_text().splitlines()) == sorted([f"{BOOT} /proc/sys/b", f"{BOOT} {refusing}"])


LABELLED = "system_u:object_r:redis_conf_t:s0"
# What semanage of EL7 says about a rule that is there: it ends with 1.
THERE = "echo 'ValueError: File context for /etc/redis\\.conf already defined' >&2; exit 1"


@SHELLS
@pytest.mark.parametrize(
    ("adding", "expected"),
    [
        ("exit 0", [r"fcontext -a -t redis_conf_t {path}", "restorecon"]),
        (THERE, [r"fcontext -a -t redis_conf_t {path}", r"fcontext -m -t redis_conf_t {path}", "restorecon"]),
    ],
)
def test_a_label_is_a_rule_of_the_policy(tmp_path: Path, shell: str, adding: str, expected: list[str]) -> None:
    log, conf = tmp_path / "log", tmp_path / "redis.conf"
    tool(tmp_path, "semanage", f'echo "$*" >>{log}; case $2 in -a) {adding} ;; esac')
    tool(tmp_path, "restorecon", f"echo restorecon >>{log}")
    tool(tmp_path, "stat", f"echo {LABELLED}")
    done = run(shell, "label", tmp_path, str(conf), "redis_conf_t")
    assert (done.returncode, done.stderr) == (0, "")
    rule = str(conf).replace(".", r"\.")
    assert log.read_text().splitlines() == [line.format(path=rule) for line in expected]


@SHELLS
def test_a_label_that_did_not_come_is_set_on_the_file_or_told(tmp_path: Path, shell: str) -> None:
    tool(tmp_path, "semanage", "exit 1")
    tool(tmp_path, "restorecon", "exit 0")
    tool(tmp_path, "stat", "echo system_u:object_r:etc_t:s0")
    tool(tmp_path, "chcon", "exit 0")
    assert run(shell, "label", tmp_path, "/etc/redis.conf", "redis_conf_t").returncode == 0
    tool(tmp_path, "chcon", "echo 'Operation not permitted' >&2; exit 1")
    done = run(shell, "label", tmp_path, "/etc/redis.conf", "redis_conf_t")
    assert (done.returncode, done.stderr) == (
        1,
        "/etc/redis.conf could not be labelled redis_conf_t: Operation not permitted\n",
    )


# What semanage of EL7 and EL8 says about a port that the policy has for others.
TAKEN = "echo 'ValueError: Port tcp/6380 already defined' >&2; exit 1"


@SHELLS
@pytest.mark.parametrize("store", ["var/lib/selinux/mls/active", "etc/selinux/mls/active"])
@pytest.mark.parametrize(("adding", "options"), [(":", ["-a"]), (TAKEN, ["-a", "-m"])], ids=["new", "another's"])
def test_a_port_is_a_rule_of_the_policy(
    tmp_path: Path, shell: str, store: str, adding: str, options: list[str]
) -> None:
    log, added = tmp_path / "log", tmp_path / store / "ports.local"
    added.parent.mkdir(parents=True)
    (tmp_path / "etc/selinux").mkdir(parents=True, exist_ok=True)
    (tmp_path / "etc/selinux/config").write_text("SELINUX=enforcing\nSELINUXTYPE=mls\n")
    rule = 'printf "portcon %s %s system_u:object_r:%s:s0\\n" "$6" "$7" "$4"'
    tool(tmp_path, "semanage", f'echo "$*" >>{log}; {{ {rule}; }} >{added}.new\ncase $2 in -a) {adding} ;; esac\n'
         f"cat {added}.new >>{added}")  # fmt: skip
    done = run(shell, "ports", tmp_path, "6380")
    assert (done.returncode, done.stderr) == (0, "")
    assert log.read_text().splitlines() == [f"port {option} -t redis_port_t -p tcp 6380" for option in options]


@SHELLS
def test_a_port_that_semanage_does_not_add_is_said(tmp_path: Path, shell: str) -> None:
    tool(tmp_path, "semanage", "echo 'ValueError: SELinux policy is not managed' >&2; exit 1")
    done = run(shell, "ports", tmp_path, "6380", "26380")
    assert done.returncode == 1
    assert done.stderr == "SELinux does not let redis use port 6380: ValueError: SELinux policy is not managed\n"


@SHELLS
@pytest.mark.parametrize(
    "store", ["var/lib/selinux/mls/active", "etc/selinux/mls/active", "etc/selinux/mls/modules/active"]
)
def test_the_probe_reads_which_ports_were_added(tmp_path: Path, shell: str, store: str) -> None:
    added = tmp_path / store / "ports.local"
    added.parent.mkdir(parents=True)
    (tmp_path / "etc/selinux").mkdir(parents=True, exist_ok=True)
    (tmp_path / "etc/selinux/config").write_text("# SELINUXTYPE= one of\nSELINUX=enforcing\nSELINUXTYPE=mls\n")
    added.write_text(PORTS_LOCAL)
    probe = (FOLDER.parent / "observe" / "probe.sh").read_text()
    reads = "redis_ports() {" + probe.partition("redis_ports() {")[2].partition("\n}\n")[0] + "\n}\n"
    for kept in ("/var/lib/selinux", "/etc/selinux"):
        reads = reads.replace(kept, f"{tmp_path}{kept}")
    said = subprocess.run([shell, "-c", f"set -f\n{reads}redis_ports"], capture_output=True, text=True, check=False)
    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout.splitlines() == ["redisport 6380", "redisport 7000-7005"]


# As libsemanage writes it.
PORTS_LOCAL = """\
# This file is auto-generated by libsemanage
# Do not edit directly.

portcon tcp 8081 system_u:object_r:http_port_t:s0
portcon tcp 6380 system_u:object_r:redis_port_t:s0
portcon udp 6381 system_u:object_r:redis_port_t:s0
portcon tcp 7000-7005 system_u:object_r:redis_port_t:s0
"""
