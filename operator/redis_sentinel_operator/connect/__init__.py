"""Reaching a host: one SSH connection per host, commands over it, RESP through it. Only this room knows paramiko.

- `target`: who and where (`SshTarget`), with what (`Credentials`), and how patient we are (`Limits`).
- `hostkeys`: strict verification of a host's key against the known_hosts text of the Secret.
- `wire`: paramiko as a citizen of the event loop: nothing in it blocks, no thread waits for a slow host.
- `connection`: one live connection, made and authenticated with a deadline for each phase.
- `command`: how a script and its payload travel on stdin and how its answer is cut out of a noisy stream.
- `session`: the connection, shared by all who need the host; `link`: it and the RESP clients over it.
- `bastion`: a host on the way to the others, one connection to it for all of them.
- `tunnel`: redis-py's asyncio client through a `direct-tcpip` channel of that connection.
"""

from redis_sentinel_operator.connect.command import CommandResult, OutputTooLarge
from redis_sentinel_operator.connect.session import HostSession
from redis_sentinel_operator.connect.target import Credentials, Limits, SshTarget
from redis_sentinel_operator.connect.tunnel import RespMode, resp_client

__all__ = [
    "CommandResult",
    "Credentials",
    "HostSession",
    "Limits",
    "OutputTooLarge",
    "RespMode",
    "SshTarget",
    "resp_client",
]
