"""Who and where a host is, the credentials that open it, and the limits of our patience."""

from __future__ import annotations

import base64
import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property

import paramiko

from redis_sentinel_operator.errors import BadPrivateKey
from redis_sentinel_operator.settings import Settings

_KEY_CLASSES: tuple[type[paramiko.PKey], ...] = (paramiko.Ed25519Key, paramiko.ECDSAKey, paramiko.RSAKey)


@dataclass(frozen=True, slots=True)
class SshTarget:
    """Where to log in. `name` is the host's name in the spec, "" of a bastion; messages use it."""

    name: str
    address: str
    port: int = 22
    user: str = "root"
    sudo: bool = False

    def __str__(self) -> str:
        return f"host {self.name} ({self.address}:{self.port})" if self.name else f"bastion {self.address}:{self.port}"


@dataclass(frozen=True, slots=True)
class Limits:
    """How long each phase may take (seconds) and how much a command may say (bytes).

    Attributes:
        tcp: until the TCP connection stands.
        handshake: banner and key exchange.
        auth: until the key is accepted (sshd's UseDNS can make this slow).
        connect: the three together.
        channel: until sshd answers a request for a channel; a stopped sshd never does.
        grace: what a command gets on top of its own timeout, which the host enforces, before we stop waiting.
        kill_after: how long `timeout -k` waits between TERM and KILL.
        keepalive: silence after which a keepalive is sent.
        dead_peer: unacknowledged data for so long ends the connection (TCP_USER_TIMEOUT).
        output: stdout and stderr of one command, each.
        sessions: commands at one time on one connection; sshd's MaxSessions is 10 by default.
    """

    tcp: float = 5.0
    handshake: float = 5.0
    auth: float = 10.0
    connect: float = 15.0
    channel: float = 5.0
    grace: float = 2.0
    kill_after: float = 5.0
    keepalive: float = 15.0
    dead_peer: float = 30.0
    output: int = 4 * 1024 * 1024
    sessions: int = 8


def limits(settings: Settings) -> Limits:
    """Return the limits that the operator's settings ask for."""
    connect = settings.connect_timeout
    return Limits(tcp=connect, handshake=connect, auth=2 * connect, connect=3 * connect, channel=connect)


@dataclass(frozen=True)  # no slots: the parsed key is cached, as opening a passphrase is slow on purpose
class Credentials:
    """What the SSH Secret holds. Nothing of it is in repr, messages or logs."""

    private_key: str = field(repr=False)
    known_hosts: str = field(repr=False)
    passphrase: str | None = field(default=None, repr=False)

    @cached_property
    def key(self) -> paramiko.PKey:
        """The parsed private key (see `parse_key`)."""
        return parse_key(self.private_key, self.passphrase)


def parse_key(private_key: str, passphrase: str | None = None) -> paramiko.PKey:
    """Return the key of a PEM or OpenSSH private key text: Ed25519, ECDSA or RSA.

    Blocks for up to a second when there is a passphrase (bcrypt rounds).

    Raises:
        BadPrivateKey: damaged, of an unsupported type, or its passphrase is missing or wrong.
    """
    text = private_key.strip() + "\n"  # a Secret made from a file without a last newline
    if "PRIVATE KEY-----" not in text:
        raise BadPrivateKey("the Secret's ssh-privatekey is no private key: it has no BEGIN ... PRIVATE KEY line")
    if "BEGIN DSA PRIVATE KEY" in text:
        raise BadPrivateKey("the Secret's ssh-privatekey is a DSA key, which nobody accepts any more: use ed25519")
    for key_class in _KEY_CLASSES:
        try:
            return key_class.from_private_key(io.StringIO(text), passphrase or None)
        except paramiko.PasswordRequiredException:
            raise BadPrivateKey(
                "the Secret's ssh-privatekey is protected by a passphrase: put it into the Secret's key `passphrase`"
            ) from None
        except (paramiko.SSHException, ValueError, TypeError, IndexError, UnicodeError):
            # Of another type, damaged, or the passphrase is wrong: paramiko does not tell these apart.
            continue
    if passphrase:
        raise BadPrivateKey(
            "the Secret's ssh-privatekey cannot be opened with its passphrase: the passphrase is wrong, "
            "or the key is no ed25519, ecdsa or rsa key"
        )
    raise BadPrivateKey("the Secret's ssh-privatekey cannot be read: it is damaged, or no ed25519, ecdsa or rsa key")


def fingerprint(blob: bytes) -> str:
    """Return the SHA256 fingerprint of a public key as `ssh-keygen -l` prints it."""
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    return f"SHA256:{digest}"
