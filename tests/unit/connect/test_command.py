"""The pure part of commands: the line and its stdin, cutting the answer out, and reading sudo's refusals."""

from __future__ import annotations

import subprocess

import pytest

from redis_sentinel_operator.connect.command import Frame, OutputTooLarge, frame_command, sudo_refusal

MARKER = "0123456789abcdef"


def _frame(script: str, payload: bytes = b"", sudo: bool = False) -> tuple[str, bytes]:
    command = frame_command(script, payload, marker=MARKER, seconds=50, kill_after=5, sudo=sudo)
    return command.line, command.stdin


@pytest.mark.parametrize("login_shell", ["dash", "bash"])
@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash --posix"])
def test_the_line_means_the_same_to_every_shell(login_shell: str, shell: str) -> None:
    payload = bytes(range(256)) * 300
    line, stdin = _frame("printf 'ß %s\\n' \"$PAYLOAD_SIZE\"; cat; exit 3", payload)
    done = subprocess.run(
        [login_shell, "-c", line.replace("/bin/sh -c", f"{shell} -c")], input=stdin, capture_output=True, check=False
    )
    out = Frame(MARKER, 1 << 20)
    out.feed(done.stdout)
    assert out.data == "ß 76800\n".encode() + payload
    assert out.exit_status == 3
    assert done.stderr.decode() == f"{MARKER} begin\n{MARKER} end 3\n"


@pytest.mark.parametrize("shell", ["/bin/dash", "/bin/bash --posix"])
@pytest.mark.parametrize("missing", [1, 10])
def test_a_script_that_arrived_incomplete_is_not_run(shell: str, missing: int) -> None:
    line, stdin = _frame("echo ran; echo ran >&2 # the end")
    command = ["sh", "-c", line.replace("/bin/sh -c", f"{shell} -c")]
    done = subprocess.run(command, input=stdin[:-missing], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (91, b"", b"")


def test_a_script_with_a_nul_is_refused() -> None:
    with pytest.raises(ValueError, match="NUL"):
        _frame("echo \0")


def test_the_line_holds_neither_script_nor_payload() -> None:
    line, stdin = _frame("echo SCRIPT", b"PAYLOAD", sudo=True)
    assert line.startswith("env LC_ALL=C sudo -n timeout -k 5.0 50.0 /bin/sh -c '")
    assert "SCRIPT" not in line
    assert "PAYLOAD" not in line.replace("PAYLOAD_SIZE", "")
    assert stdin == b"echo SCRIPTPAYLOAD"
    assert "PAYLOAD" not in repr(
        frame_command("", b"PAYLOAD", marker=MARKER, seconds=1, kill_after=1, sudo=False)
    ).replace("PAYLOAD_SIZE", "")


STREAM = f"motd {MARKER[:9]}\nno newline {MARKER} begin\nbody\x00 {MARKER} e\n{MARKER} end 42\nlogout\n".encode()


@pytest.mark.parametrize("size", [1, 2, 7, 16, 31, 1000])
def test_a_frame_is_found_however_it_is_cut(size: int) -> None:
    frame = Frame(MARKER, 1 << 20)
    for start in range(0, len(STREAM), size):
        frame.feed(STREAM[start : start + size])
    assert frame.exit_status == 42
    assert frame.data == f"body\x00 {MARKER} e\n".encode()


def test_without_a_frame_there_is_only_noise() -> None:
    frame = Frame(MARKER, 1 << 20)
    frame.feed(b"This account is currently not available.\n")
    assert not frame.begun
    assert not frame.complete
    assert frame.data == b"This account is currently not available.\n"


def test_endless_noise_ends() -> None:
    frame = Frame(MARKER, 100)
    frame.feed(b"x" * 100)
    with pytest.raises(OutputTooLarge):
        frame.feed(b"x")


@pytest.mark.parametrize(
    ("stderr", "refusal"),
    [
        # EL8, EL9, Debian 12: no NOPASSWD
        ("sudo: a password is required\n", "sudo: a password is required"),
        # EL7 images with `Defaults requiretty`
        (
            "sudo: sorry, you must have a tty to run sudo\n",
            "sudo: sorry, you must have a tty to run sudo",
        ),
        (
            "ops is not in the sudoers file.  This incident will be reported.\n",
            "ops is not in the sudoers file.  This incident will be reported.",
        ),
        # sudo 1.9.13 and later
        ("ops is not in the sudoers file.\n", "ops is not in the sudoers file."),
        (
            "Sorry, user ops is not allowed to execute '/bin/timeout -k 5.0 10.0 /bin/sh' as root on redis-slave01.\n",
            "Sorry, user ops is not allowed to execute '/bin/timeout -k 5.0 10.0 /bin/sh' as root on redis-slave01.",
        ),
        ("env: 'sudo': No such file or directory\n", "env: 'sudo': No such file or directory"),
        (
            "motd\nsudo: unable to resolve host web: Name or service not known\nsudo: a password is required\n",
            "sudo: a password is required",
        ),
        ("sudo: unable to resolve host redis_slave01: Name or service not known\n", None),
        ("Welcome\n", None),
        ("", None),
    ],
)
def test_what_sudo_says_when_it_refuses(stderr: str, refusal: str | None) -> None:
    assert sudo_refusal(stderr) == refusal
