"""How a script travels to a host and how its answer comes back.

The command line that sshd gives to the user's login shell holds nothing but numbers, a random marker and the fixed text
of `_BOOT`; it means the same to sh, bash, dash, zsh, fish and csh. The script comes first on stdin and is read exactly
(`head -c` never reads further than told), the payload follows and is the script's own stdin. Both outputs are framed by
lines with the marker, so that whatever a banner, a .bashrc or sudo's lecture prints is outside of the frame, and a
process the script leaves behind with its outputs open does not keep us waiting. A script that arrived incomplete is not
run.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from redis_sentinel_operator.errors import OperatorError

_BOOT = (
    "m=$1 n=$2 PAYLOAD_SIZE=$3; set --; umask 077; cd /; "
    "LC_ALL=C; PATH=/usr/sbin:/usr/bin:/sbin:/bin; export LC_ALL PATH PAYLOAD_SIZE; "
    's=$(head -c "$n"); [ "${#s}" -eq "$n" ] || exit 91; '
    'echo "$m begin"; echo "$m begin" >&2; '
    '(eval "$s"); r=$?; '
    'echo "$m end $r"; echo "$m end $r" >&2'
)
# What sudo says when it refuses, in the C locale; the text after the program's name is quoted to the reader.
_SUDO_LINE = re.compile(
    r"^(sudo: .*|.* is not in the sudoers file.*|Sorry, user .* is not allowed to execute .*|env: .*sudo.*)$",
    re.MULTILINE,
)
_STATUS = re.compile(rb"(\d+)\n")
_SUDO_HARMLESS = ("unable to resolve host", "setrlimit")


class OutputTooLarge(OperatorError):
    """A command said more than the limit allows; its outcome is unknown."""


@dataclass(frozen=True, slots=True)
class CommandResult:
    """What a script answered. Outputs can hold secrets of the host, so they are not in repr."""

    exit_status: int
    stdout: bytes = field(repr=False)
    stderr: str = field(repr=False)
    seconds: float

    @property
    def text(self) -> str:
        """Stdout as text; bytes that are no UTF-8 are replaced."""
        return self.stdout.decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Command:
    """A script made ready: the line for the login shell, and the bytes for its stdin."""

    line: str
    stdin: bytes = field(repr=False)


def frame_command(
    script: str, payload: bytes, *, marker: str, seconds: float, kill_after: float, sudo: bool
) -> Command:
    """Return the command line and stdin that run `script` with `payload` as its stdin for at most `seconds`.

    Raises:
        ValueError: the script holds a NUL byte, which no shell can carry.
    """
    text = script.rstrip("\n").encode()  # $(...) strips trailing newlines, and the length is compared
    if b"\0" in text:
        raise ValueError("a script cannot hold a NUL byte")
    words = ["env", "LC_ALL=C", "sudo", "-n"] if sudo else []  # what sudo says is read
    words += ["timeout", "-k", f"{kill_after:.1f}", f"{seconds:.1f}", "/bin/sh", "-c", f"'{_BOOT}'", "sh"]
    words += [marker, str(len(text)), str(len(payload))]
    return Command(" ".join(words), text + payload)


class Frame:
    """Cuts the framed part out of one output stream as it arrives."""

    def __init__(self, marker: str, limit: int) -> None:
        self._begin = f"{marker} begin\n".encode()
        self._end = f"{marker} end ".encode()
        self._tail = len(self._end) + len("000\n")
        self._limit = limit
        self._data = bytearray()
        self._scanned = 0
        self.begun = False
        self.exit_status: int | None = None

    @property
    def complete(self) -> bool:
        """Whether the end was seen; nothing after it counts."""
        return self.exit_status is not None

    @property
    def data(self) -> bytes:
        """The framed bytes so far; before the frame begins, the noise."""
        return bytes(self._data)

    def feed(self, data: bytes) -> None:
        """Take more bytes.

        Raises:
            OutputTooLarge: the limit is exceeded.
        """
        if self.complete:
            return
        self._data += data
        if not self.begun:
            self._find_begin()
        if self.begun:
            self._find_end()
        if len(self._data) > self._limit:
            raise OutputTooLarge(f"the command said more than {self._limit} bytes and was given up")

    def _find_begin(self) -> None:
        found = self._data.find(self._begin, max(0, self._scanned - len(self._begin)))
        self._scanned = len(self._data)
        if found >= 0:
            del self._data[: found + len(self._begin)]
            self.begun = True
            self._scanned = 0

    def _find_end(self) -> None:
        found = self._data.find(self._end, max(0, self._scanned - self._tail))
        self._scanned = len(self._data)
        status = _STATUS.match(self._data, found + len(self._end)) if found >= 0 else None
        if status:
            self.exit_status = int(status[1])
            del self._data[found:]


def sudo_refusal(stderr: str) -> str | None:
    """Return the line in which sudo refuses, or None when sudo did not refuse."""
    for found in _SUDO_LINE.finditer(stderr):
        line = found[0].strip()
        if not any(text in line for text in _SUDO_HARMLESS):
            return line
    return None


def sudo_mend(user: str) -> str:
    """Return the sentence part that says which sudoers lines a user needs.

    Every command of the operator is a script under timeout(1), so no other program is needed; it can run anything.
    """
    return (
        f"`{user} ALL=(root) NOPASSWD: /usr/bin/timeout` and `Defaults:{user} !requiretty` in "
        "/etc/sudoers.d/redis-sentinel-operator make it work"
    )


def last_line(text: str, limit: int = 200) -> str:
    """Return the last line of some output that says anything, shortened, for a message."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:limit] if lines else "no output"
