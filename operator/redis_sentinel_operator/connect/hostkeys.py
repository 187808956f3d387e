"""Strict verification of a host's key against the known_hosts text of the Secret.

The grammar is sshd(8), SSH_KNOWN_HOSTS FILE FORMAT: plain, `[address]:port`, wildcard, negated and hashed names, and
the marker `@revoked`. `@cert-authority` lines are skipped: hosts with certificates are not supported. Like ssh, a host
on another port than 22 is looked up as `[address]:port` first and as the bare address then.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import ipaddress
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from redis_sentinel_operator.connect.target import SshTarget, fingerprint
from redis_sentinel_operator.errors import HostKeyChanged, HostKeyUnknown

_RSA_SIGNATURES = ("rsa-sha2-512", "rsa-sha2-256")
_TYPES = ("ssh-ed25519", "ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521", "ssh-rsa")


@dataclass(frozen=True, slots=True)
class KnownKey:
    """One readable line: the name patterns it holds for, the key's type and its blob."""

    names: tuple[str, ...]
    type: str
    blob: bytes
    revoked: bool = False

    def matches(self, name: str) -> bool:
        """Tell whether the line holds for `name` (`address` or `[address]:port`)."""
        found = False
        for pattern in self.names:
            if pattern.startswith("!"):
                if _name_matches(name, pattern[1:]):
                    return False
            elif _name_matches(name, pattern):
                found = True
        return found


@dataclass(frozen=True, slots=True)
class KnownHosts:
    """The readable lines of a known_hosts text, and the numbers of the unreadable ones."""

    keys: tuple[KnownKey, ...]
    unreadable: tuple[int, ...]

    def of(self, address: str, port: int) -> tuple[KnownKey, ...]:
        """Return the keys known for an address and port, revoked ones included; empty when there are none."""
        bare = _canonical(address)
        names = (bare, f"[{bare}]:22") if port == 22 else (f"[{bare}]:{port}", bare)
        for name in names:
            found = tuple(key for key in self.keys if key.matches(name))
            if any(not key.revoked for key in found):
                revoked = (key for key in self.keys if key.revoked and any(key.matches(name) for name in names))
                return tuple(key for key in found if not key.revoked) + tuple(revoked)
        return ()


def parse_known_hosts(text: str) -> KnownHosts:
    """Parse a known_hosts text; lines that cannot be read are counted, never guessed at."""
    keys: list[KnownKey] = []
    unreadable: list[int] = []
    for number, line in enumerate(text.splitlines(), start=1):
        fields = line.split()
        if not fields or fields[0].startswith("#") or fields[0] == "@cert-authority":
            continue
        key = _parse_line(fields)
        if key is None:
            unreadable.append(number)
        else:
            keys.append(key)
    return KnownHosts(tuple(keys), tuple(unreadable))


def accepted_algorithms(keys: Sequence[KnownKey]) -> tuple[str, ...]:
    """Return the host key algorithms to offer: only those a known key can answer.

    Without this the host's preferred type wins, and a host whose ed25519 key is unknown would be refused although its
    rsa key is in the Secret.
    """
    types = {key.type for key in keys if not key.revoked}
    plain = tuple(name for name in _TYPES if name in types and name != "ssh-rsa")
    return plain + (_RSA_SIGNATURES if "ssh-rsa" in types else ())


def known_keys(known: KnownHosts, target: SshTarget) -> tuple[KnownKey, ...]:
    """Return the keys the Secret knows for the target.

    Raises:
        HostKeyUnknown: there are none; the message says which command prints the lines to add.
    """
    keys = known.of(target.address, target.port)
    if keys:
        return keys
    unread = ""
    if known.unreadable:
        unread = f" (line {', '.join(map(str, known.unreadable))} cannot be read)"
    raise HostKeyUnknown(
        f"{target}: the Secret's known_hosts has no key of it{unread}; "
        f"compare and add the lines that `{keyscan(target)}` prints"
    )


def verify(target: SshTarget, keys: Sequence[KnownKey], key_type: str, blob: bytes) -> None:
    """Check the key that the host showed.

    Raises:
        HostKeyChanged: it is not one of the known ones, or it is revoked.
    """
    shown = f"{key_type} {fingerprint(blob)}"
    if any(key.revoked and key.blob == blob for key in keys):
        raise HostKeyChanged(f"{target}: it shows the key {shown}, which the Secret's known_hosts marks as revoked")
    if any(key.type == key_type and key.blob == blob for key in keys):
        return
    same = [key for key in keys if key.type == key_type and not key.revoked]
    raise HostKeyChanged(f"{target}: it shows the key {shown}, but {expected(same or keys)}; {_mend(target)}")


def no_common_type(target: SshTarget, keys: Sequence[KnownKey]) -> HostKeyChanged:
    """Return the error for a host that shows no key of any known type."""
    return HostKeyChanged(f"{target}: it has no key of a type that is known for it; {expected(keys)}; {_mend(target)}")


def expected(keys: Sequence[KnownKey]) -> str:
    """Say which keys are known."""
    known = ", ".join(f"{key.type} {fingerprint(key.blob)}" for key in keys if not key.revoked)
    return f"the Secret's known_hosts says {known}"


def keyscan(target: SshTarget) -> str:
    """Return the command that prints the host's known_hosts lines."""
    port = "" if target.port == 22 else f"-p {target.port} "
    return f"ssh-keyscan {port}-t ed25519,ecdsa,rsa {shlex.quote(target.address)}"


def _mend(target: SshTarget) -> str:
    return (
        "if the host was set up anew, replace its lines by what "
        f"`{keyscan(target)}` prints; if not, somebody may answer in its place"
    )


def _parse_line(fields: list[str]) -> KnownKey | None:
    revoked = fields[0] == "@revoked"
    fields = fields[1:] if revoked else fields
    if len(fields) < 3 or fields[0].startswith("@"):
        return None
    names, key_type, encoded = fields[:3]
    try:
        blob = base64.b64decode(encoded, validate=True)
    except (binascii.Error, ValueError):
        return None
    if not blob[4:].startswith(key_type.encode()):  # the blob begins with its own type: RFC 4253, 6.6
        return None
    return KnownKey(tuple(names.split(",")), key_type, blob, revoked)


def _name_matches(name: str, pattern: str) -> bool:
    if pattern.startswith("|1|"):
        return _hash_matches(name, pattern)
    if "*" in pattern or "?" in pattern:
        return fnmatchcase(name, pattern.replace("[", "[[]"))
    return _canonical_name(pattern) == name


def _hash_matches(name: str, pattern: str) -> bool:
    parts = pattern.split("|")
    if len(parts) != 4:
        return False
    try:
        salt, digest = base64.b64decode(parts[2]), base64.b64decode(parts[3])
    except (binascii.Error, ValueError):
        return False
    made = hmac.new(salt, name.encode(), hashlib.sha1).digest()  # HMAC-SHA1 is the format of HashKnownHosts
    return hmac.compare_digest(made, digest)


def _canonical_name(name: str) -> str:
    address, bracket, port = name.partition("]:")
    if bracket and address.startswith("["):
        return f"[{_canonical(address[1:])}]:{port}"
    return _canonical(name)


def _canonical(address: str) -> str:
    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        return address.lower()
