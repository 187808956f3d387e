"""Every error the operator raises on purpose, in one tree.

OperatorError
├── ConnectError              a host cannot be reached or used over SSH; `.reason` is the condition's reason
│   ├── HostUnreachable       no TCP, no SSH banner, connection lost while connecting
│   ├── HostKeyUnknown        the Secret's known_hosts has no line for the host
│   ├── HostKeyChanged        the host shows another key than the Secret's known_hosts says
│   ├── AuthenticationFailed  wrong user or key
│   ├── BadPrivateKey         the Secret's private key cannot be read (damaged, passphrase missing or wrong)
│   ├── SudoRefused           `sudo -n` asks for a password, for a tty, or refuses
│   ├── ForwardingRefused     sshd forbids the direct-tcpip channel that RESP runs through
│   ├── CommandTimedOut       a remote command did not end within its deadline
│   └── SessionLost           the connection ended in the middle of a command: its outcome is unknown
├── PortClosed                nobody listens there: a fact, not a failure
├── NotOurHost                the host's claim names another owner, or a later lease epoch (exit 75 of the guard)
├── StepFailed                a change on a host did not succeed; the message says what the host answered
├── SpecRefused               the resource cannot be acted on; `.reason`, the message names field and mend
├── KubeError                 the API server refuses what was asked; `.status` and `.reason` are its own
├── LeaseLost                 this process may change nothing any more
├── ObjectReplaced            the resource is gone, or another object has its name (other uid)
└── ApiUnavailable            the API server does not answer, or answers 5xx / 429: try again later

Messages are sentences for a person at night and never hold a secret.
"""

from __future__ import annotations


class OperatorError(Exception):
    """Root of all errors raised on purpose."""


class ConnectError(OperatorError):
    """A host cannot be reached or used over SSH."""

    reason = "HostUnreachable"


class HostUnreachable(ConnectError):
    """No TCP connection, no SSH banner, or the connection was lost while it was made."""


class HostKeyUnknown(ConnectError):
    """The known_hosts of the Secret has no line for the host."""

    reason = "HostKeyUnknown"


class HostKeyChanged(ConnectError):
    """The host shows another key than the known_hosts of the Secret says."""

    reason = "HostKeyChanged"


class AuthenticationFailed(ConnectError):
    """The host refuses the user or the key."""

    reason = "AuthenticationFailed"


class BadPrivateKey(ConnectError):
    """The private key of the Secret cannot be read."""

    reason = "BadPrivateKey"


class SudoRefused(ConnectError):
    """`sudo -n` does not work for the user."""

    reason = "SudoRefused"


class ForwardingRefused(ConnectError):
    """The host's sshd forbids TCP forwarding."""

    reason = "ForwardingRefused"


class CommandTimedOut(ConnectError):
    """A remote command did not end within its deadline."""

    reason = "CommandTimedOut"


class SessionLost(ConnectError):
    """The SSH connection ended in the middle of a command."""

    reason = "SessionLost"


class PortClosed(OperatorError):
    """Nobody listens on the port."""


class NotOurHost(OperatorError):
    """The host belongs to another owner, or a later lease epoch was there."""


class StepFailed(OperatorError):
    """A change on a host did not succeed."""


class SpecRefused(OperatorError):
    """The resource cannot be acted on."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class ObjectReplaced(OperatorError):
    """The resource is gone, or another object has its name."""


class LeaseLost(OperatorError):
    """This process is not the operator any more."""


class ApiUnavailable(OperatorError):
    """The API server does not answer now."""


class KubeError(OperatorError):
    """The API server refuses what was asked: asking again changes nothing.

    `status` is the HTTP status, `reason` Kubernetes' own word for it (NotFound, Conflict, Forbidden).
    """

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason
