"""What the probe must not use: EL7 has systemd 219, yum 3 and dash-like shells are what /bin/sh may be."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from redis_sentinel_operator.observe.probe import SECTIONS, text

SHELLCHECK = Path(sys.executable).with_name("shellcheck")
PROBE = text()
DENIED = {
    "systemctl --value": r"--value\b",
    "busctl --json": r"--json",
    "busctl -j": r"busctl\b.*\s-j\b",
    "a bash test": r"\[\[\s",
    "a bash function": r"^\s*function\s",
    "local": r"^\s*(local|declare|typeset)\s",
    "an array": r"\w+=\(|\$\{\w+\[",
    "quoting with $'": r"\$'",
    "a process substitution": r"[<>]\(",
    "a here string": r"<<<",
    "echo with options": r"\becho\s+-[neE]",
    "source": r"^\s*source\s",
    "a bash redirection": r"&>|>&\s*[^0-9\s-]",
    "a substitution of bash": r"\$\{\w+(//|\^|,|:[0-9])",
    "== in a test": r"\[ [^]]*==",
    "an interpreter": r"\b(python|perl|awk)\d?\b(?! )|\bawk\b|\bpython\d? ",
    "grep -P": r"grep\s+-\w*P",
    "something that changes the host": (
        r"\b(rm|mv|cp|touch|mkdir|chmod|chown|tee|kill|ln)\s|\byum\b|\bdnf\b|rpm -[iUFe]|iptables -[ADIFXP]\b"
        r"|systemctl (start|stop|restart|enable|disable|daemon-reload|mask)|--(add|remove|reload|set)"
    ),
}


def code() -> list[tuple[int, str]]:
    lines = PROBE.splitlines()
    return [(at, re.sub(r"(^|\s)#\s.*", "", line)) for at, line in enumerate(lines, 1)]


@pytest.mark.parametrize("what", DENIED)
def test_the_probe_does_without(what: str) -> None:
    assert [at for at, line in code() if re.search(DENIED[what], line)] == []


@pytest.mark.parametrize(
    ("what", "line"),
    [
        ("systemctl --value", "systemctl show --value -p Id redis"),
        ("a bash test", "[[ $a == b ]] && true"),
        ("local", "    local a=1"),
        ("an array", "a=(1 2)"),
        ("a process substitution", "while read -r a; do :; done < <(ls)"),
        ("echo with options", "echo -e 'a'"),
        ("a substitution of bash", "a=${b//x/y}"),
        ("an interpreter", "awk '{print $1}'"),
        ("something that changes the host", "systemctl restart redis"),
        ("something that changes the host", "    rm -f /tmp/x"),
    ],
)
def test_the_deny_list_finds(what: str, line: str) -> None:
    assert re.search(DENIED[what], line)


def test_only_dev_null_is_written_to() -> None:
    targets = [target for _, line in code() for target in re.findall(r"(?<![<&\d-])>+\s*([^\s;|)]+)", line)]
    targets += [target for _, line in code() for target in re.findall(r"\d>\s*([^\s;|)&]+)", line)]
    assert {target.strip("}\"'") for target in targets} <= {"/dev/null"}


@pytest.mark.parametrize("shell", [["dash", "-n"], ["bash", "--posix", "-n"]])
def test_shells_can_read_it(shell: list[str]) -> None:
    subprocess.run(shell, input=PROBE, text=True, check=True, timeout=50)


def test_shellcheck_has_nothing_to_say() -> None:
    command = [SHELLCHECK, "-s", "sh", "-"]
    done = subprocess.run(command, input=PROBE, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_part_has_its_function() -> None:
    assert set(re.findall(r"^read_(\w+)\(\)", PROBE, re.MULTILINE)) == set(SECTIONS)
