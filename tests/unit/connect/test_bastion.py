"""Hosts behind another host: one connection to that, both host keys verified, and a clear word when it does not do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from concurrent.futures import Executor

import pytest
import pytest_asyncio

from lab.ports import closed_port
from redis_sentinel_operator.connect import Credentials, HostSession
from redis_sentinel_operator.connect.bastion import Bastions
from redis_sentinel_operator.connect.tunnel import open_stream
from redis_sentinel_operator.errors import (
    AuthenticationFailed,
    ConnectError,
    ForwardingRefused,
    HostKeyChanged,
    HostKeyUnknown,
    HostUnreachable,
)
from redis_sentinel_operator.model.desired import BastionAccess
from redis_sentinel_operator.settings import Settings
from unit.connect.conftest import StartSshd
from unit.connect.resp import close
from unit.connect.sshd import PATIENT, Sshd, make_key


@pytest.fixture
def jump(start_sshd: StartSshd) -> Sshd:
    return start_sshd()


@pytest_asyncio.fixture
async def bastions(pool: Executor) -> AsyncIterator[Bastions]:
    found = Bastions(pool, Settings(connect_timeout=PATIENT.connect))
    yield found
    found.keep(())


def credentials(jump: Sshd, behind: Sshd, known_hosts: str | None = None) -> Credentials:
    """The key of the host behind, which the bastion lets in as well."""
    jump.authorize(behind.folder / "id.pub")
    known = jump.known_hosts() + behind.known_hosts() if known_hosts is None else known_hosts
    return Credentials(behind.credentials().private_key, known)


def access(jump: Sshd) -> BastionAccess:
    return BastionAccess("127.0.0.1", jump.port, jump.target().user)


def behind_it(bastions: Bastions, jump: Sshd, host: Sshd, pool: Executor, secret: Credentials) -> HostSession:
    return HostSession(host.target(), secret, pool, PATIENT, hop=bastions.get(access(jump), secret))


async def test_hosts_behind_a_bastion_share_one_connection_to_it(
    bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor
) -> None:
    secret = credentials(jump, sshd)
    hosts = [behind_it(bastions, jump, sshd, pool, secret) for _ in range(3)]
    payload = bytes(range(256)) * 4096  # a megabyte each way: the bridge must not lose or reorder
    for host in hosts:
        answer = await host.run("cat", stdin=payload, timeout=30)
        assert answer.stdout == payload
    assert jump.log().count("Accepted publickey") == 1
    seen = (await hosts[0].run("echo $SSH_CONNECTION", timeout=30)).text.split()
    assert int(seen[3]) == sshd.port
    for host in hosts:
        await host.close()


async def test_resp_goes_through_both(bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor) -> None:
    host = behind_it(bastions, jump, sshd, pool, credentials(jump, sshd))
    reader, writer = await open_stream(host, "127.0.0.1", sshd.port)  # any server that greets
    assert (await reader.readline()).startswith(b"SSH-2.0-OpenSSH")
    await close(writer)
    await host.close()


@pytest.mark.parametrize("kind", ["unknown", "changed"])
@pytest.mark.parametrize("whose", ["bastion", "host"])
async def test_both_host_keys_are_verified(  # noqa: PLR0917
    bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor, start_sshd: StartSshd, whose: str, kind: str
) -> None:
    wrong, right = (jump, sshd) if whose == "bastion" else (sshd, jump)
    known = right.known_hosts()
    if kind == "changed":
        other = start_sshd().known_hosts().split()[1:3]
        known += f"[127.0.0.1]:{wrong.port} {' '.join(other)}\n"
    host = behind_it(bastions, jump, sshd, pool, credentials(jump, sshd, known))
    expected = HostKeyChanged if kind == "changed" else HostKeyUnknown
    with pytest.raises(expected) as refused:
        await host.connect()
    named = f"bastion 127.0.0.1:{jump.port}" if whose == "bastion" else f"host redis_master01 (127.0.0.1:{sshd.port})"
    assert str(refused.value).startswith(named)


async def test_a_bastion_that_forbids_forwarding(
    bastions: Bastions, start_sshd: StartSshd, sshd: Sshd, pool: Executor
) -> None:
    jump = start_sshd("AllowTcpForwarding no")
    host = behind_it(bastions, jump, sshd, pool, credentials(jump, sshd))
    with pytest.raises(ForwardingRefused) as refused:
        await host.connect()
    assert str(refused.value) == (
        f"bastion 127.0.0.1:{jump.port}: its sshd forbids TCP forwarding, which the way to host redis_master01 "
        f"(127.0.0.1:{sshd.port}) needs; set `AllowTcpForwarding local` in its sshd_config (and see PermitOpen there, "
        "and `restrict` and `no-port-forwarding` in authorized_keys)"
    )


async def test_a_bastion_that_does_not_let_us_in(
    bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor, tmp_path: object
) -> None:
    secret = Credentials(make_key(jump.folder / "stranger"), jump.known_hosts() + sshd.known_hosts())
    with pytest.raises(AuthenticationFailed) as refused:
        await behind_it(bastions, jump, sshd, pool, secret).connect()
    assert str(refused.value).startswith(f"bastion 127.0.0.1:{jump.port}: user ")


async def test_a_host_that_the_bastion_does_not_reach(
    bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor
) -> None:
    with closed_port() as closed:
        secret = credentials(jump, sshd)
        known = sshd.known_hosts().replace(str(sshd.port), str(closed))
        secret = Credentials(secret.private_key, secret.known_hosts + known)
        host = HostSession(sshd.target(port=closed), secret, pool, PATIENT, hop=bastions.get(access(jump), secret))
        with pytest.raises(HostUnreachable) as refused:
            await host.connect()
    assert str(refused.value) == (
        f"host redis_master01 (127.0.0.1:{closed}): bastion 127.0.0.1:{jump.port} cannot connect to it "
        "(Connection refused)"
    )


async def test_a_bastion_that_dies_takes_its_connections_along_and_they_come_back(
    bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor
) -> None:
    host = behind_it(bastions, jump, sshd, pool, credentials(jump, sshd))
    await host.run("true", timeout=30)
    jump.stop()
    with pytest.raises(ConnectError):
        await host.run("true", timeout=30)
    assert not host.connected
    jump.start()
    assert (await host.run("echo back", timeout=30)).text == "back\n"
    await host.close()


async def test_a_bastion_that_nobody_needs_is_left(bastions: Bastions, jump: Sshd, sshd: Sshd, pool: Executor) -> None:
    secret = credentials(jump, sshd)
    bastion = bastions.get(access(jump), secret)
    await bastion.ready()
    bastions.keep({(access(jump), secret)})
    assert bastion.session.connected
    bastions.keep(())
    assert bastions.get(access(jump), secret) is not bastion


async def test_a_host_may_be_given_by_name(sshd: Sshd, pool: Executor) -> None:
    known = sshd.known_hosts().replace("127.0.0.1", "localhost")
    host = HostSession(
        sshd.target(address="localhost"), Credentials(sshd.credentials().private_key, known), pool, PATIENT
    )
    assert (await host.run("echo in", timeout=30)).text == "in\n"
    await host.close()


async def test_a_name_that_is_none(sshd: Sshd, pool: Executor) -> None:
    known = sshd.known_hosts().replace("127.0.0.1", "no-such-host.invalid")
    target = sshd.target(address="no-such-host.invalid")
    host = HostSession(target, Credentials(sshd.credentials().private_key, known), pool, PATIENT)
    with pytest.raises(HostUnreachable, match="its name cannot be resolved"):
        await host.connect()
