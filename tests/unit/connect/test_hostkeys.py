"""Host keys: the grammar of known_hosts, and what is said about a host that is unknown or changed."""

from __future__ import annotations

import subprocess
from concurrent.futures import Executor
from pathlib import Path

import pytest

from redis_sentinel_operator.connect import Credentials, HostSession, SshTarget
from redis_sentinel_operator.connect.hostkeys import accepted_algorithms, known_keys, parse_known_hosts, verify
from redis_sentinel_operator.errors import HostKeyChanged, HostKeyUnknown
from unit.connect.conftest import StartSshd
from unit.connect.sshd import KEY_TYPES, PATIENT, Sshd, fingerprint_of, make_key

ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIFx1bNWRK2TVfqGqxfbkZ4NvZXkNUWlYuZ4bPNPp3nCp"
OTHER = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBYOm1gk1wV1cEtRlZcDwJX5tiHwfCBhzp5tYt5tT2mM"
HOST = SshTarget("redis_slave01", "192.168.3.42")
HOST_2222 = SshTarget("redis_slave01", "192.168.3.42", 2222)


@pytest.mark.parametrize(
    ("names", "target", "known"),
    [
        ("192.168.3.42", HOST, True),
        ("192.168.3.41,192.168.3.42", HOST, True),
        ("[192.168.3.42]:22", HOST, True),
        ("192.168.3.4", HOST, False),
        ("192.168.3.*", HOST, True),
        ("192.168.3.4?", HOST, True),
        ("192.168.3.*,!192.168.3.42", HOST, False),
        ("!192.168.3.42,192.168.3.*", HOST, False),
        ("[192.168.3.42]:2222", HOST_2222, True),
        ("[192.168.3.42]:2222", HOST, False),
        ("[192.168.3.42]:2223", HOST_2222, False),
        ("192.168.3.42", HOST_2222, True),
        ("[192.168.3.*]:2222", HOST_2222, True),
        ("FD00::0:42", SshTarget("h", "fd00::42"), True),
        ("[fd00:0::42]:2222", SshTarget("h", "fd00::42", 2222), True),
    ],
)
def test_names_of_a_line(names: str, target: SshTarget, known: bool) -> None:
    assert bool(parse_known_hosts(f"{names} {ED25519} comment\n").of(target.address, target.port)) is known


@pytest.mark.parametrize("target", [HOST, HOST_2222])
def test_hashed_names_as_ssh_keygen_makes_them(tmp_path: Path, target: SshTarget) -> None:
    name = target.address if target.port == 22 else f"[{target.address}]:{target.port}"
    file = tmp_path / "known_hosts"
    file.write_text(f"{name} {ED25519}\n")
    subprocess.run(["ssh-keygen", "-H", "-f", str(file)], check=True, capture_output=True)
    hashed = parse_known_hosts(file.read_text())
    assert hashed.keys[0].names[0].startswith("|1|")
    assert hashed.of(target.address, target.port)
    assert not hashed.of("192.168.3.43", target.port)


def test_comments_authorities_and_damaged_lines() -> None:
    known = parse_known_hosts(
        f"# comment\n\n@cert-authority * {ED25519}\n192.168.3.42 ssh-ed25519 %%%\n192.168.3.42 ssh-rsa "
        f"{ED25519.split()[1]}\n192.168.3.42\n@nonsense 192.168.3.42 {ED25519}\n"
    )
    assert known.keys == ()
    assert known.unreadable == (4, 5, 6, 7)


def test_an_unknown_host_in_full() -> None:
    with pytest.raises(HostKeyUnknown) as caught:
        known_keys(parse_known_hosts(f"192.168.3.41 {ED25519}\n"), HOST)
    assert str(caught.value) == (
        "host redis_slave01 (192.168.3.42:22): the Secret's known_hosts has no key of it; "
        "compare and add the lines that `ssh-keyscan -t ed25519,ecdsa,rsa 192.168.3.42` prints"
    )
    assert caught.value.reason == "HostKeyUnknown"


def test_an_unknown_host_on_another_port_beside_a_damaged_line() -> None:
    with pytest.raises(HostKeyUnknown) as caught:
        known_keys(parse_known_hosts("[192.168.3.42]:2222 ssh-ed25519 AAAA\n"), HOST_2222)
    assert str(caught.value) == (
        "host redis_slave01 (192.168.3.42:2222): the Secret's known_hosts has no key of it (line 1 cannot be read); "
        "compare and add the lines that `ssh-keyscan -p 2222 -t ed25519,ecdsa,rsa 192.168.3.42` prints"
    )


def test_a_revoked_key_is_refused() -> None:
    keys = known_keys(parse_known_hosts(f"192.168.3.42 {OTHER}\n@revoked * {ED25519}\n"), HOST)
    shown = parse_known_hosts(f"x {ED25519}").keys[0]
    with pytest.raises(HostKeyChanged, match=r"shows the key ssh-ed25519 SHA256:\S+, which .* marks as revoked$"):
        verify(HOST, keys, shown.type, shown.blob)


def test_a_host_with_nothing_but_a_revoked_key_is_unknown() -> None:
    with pytest.raises(HostKeyUnknown):
        known_keys(parse_known_hosts(f"@revoked 192.168.3.42 {ED25519}\n"), HOST)


def test_only_algorithms_of_known_types_are_offered() -> None:
    rsa = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQ=="
    keys = parse_known_hosts(
        f"h {rsa}\nh {ED25519}\n@revoked h ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTY="
    ).keys
    assert accepted_algorithms(keys) == ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256")


@pytest.mark.parametrize("key_type", KEY_TYPES)
async def test_one_known_type_is_enough(sshd: Sshd, pool: Executor, key_type: str) -> None:
    credentials = Credentials(sshd.credentials().private_key, sshd.known_hosts(key_type))
    host = HostSession(sshd.target(), credentials, pool, PATIENT)
    await host.connect()
    await host.close()


async def test_a_changed_key_in_full(sshd: Sshd, pool: Executor, tmp_path: Path) -> None:
    make_key(tmp_path / "other")
    kind, blob = (tmp_path / "other.pub").read_text().split()[:2]
    known_hosts = f"[127.0.0.1]:{sshd.port} {kind} {blob}\n"
    host = HostSession(sshd.target(), Credentials(sshd.credentials().private_key, known_hosts), pool, PATIENT)
    with pytest.raises(HostKeyChanged) as caught:
        await host.connect()
    shown, known = fingerprint_of(sshd.host_key("ed25519")), fingerprint_of(tmp_path / "other")
    assert str(caught.value) == (
        f"host redis_master01 (127.0.0.1:{sshd.port}): it shows the key ssh-ed25519 {shown}, but the Secret's "
        f"known_hosts says ssh-ed25519 {known}; if the host was set up anew, replace its lines by what "
        f"`ssh-keyscan -p {sshd.port} -t ed25519,ecdsa,rsa 127.0.0.1` prints; if not, somebody may answer in its place"
    )
    assert not host.connected


async def test_a_host_that_lost_the_known_type(start_sshd: StartSshd, sshd: Sshd, pool: Executor) -> None:
    rsa_only = start_sshd(host_key_types=("rsa",))
    known_hosts = sshd.known_hosts("ed25519").replace(str(sshd.port), str(rsa_only.port))
    host = HostSession(rsa_only.target(), Credentials(rsa_only.credentials().private_key, known_hosts), pool, PATIENT)
    with pytest.raises(HostKeyChanged) as caught:
        await host.connect()
    assert str(caught.value).startswith(
        f"host redis_master01 (127.0.0.1:{rsa_only.port}): it has no key of a type that is known for it; "
        f"the Secret's known_hosts says ssh-ed25519 {fingerprint_of(sshd.host_key('ed25519'))}; "
    )


async def test_an_unknown_host_is_not_even_called(pool: Executor) -> None:
    host = HostSession(HOST, Credentials(_any_key(), "10.0.0.1 " + ED25519), pool, PATIENT)
    with pytest.raises(HostKeyUnknown):
        await host.connect()


def _any_key() -> str:
    return "not looked at before the host is known"
