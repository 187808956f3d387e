"""Who may connect, as the resource says: narrowed, told where others opened more, and widened again."""

from __future__ import annotations

import json
import socket

import pytest

from e2e.rig import NAME, Rig, condition, is_healthy
from lab.seed import NAMESPACE


@pytest.mark.timeout(400)
def test_only_declared_clients_connect_and_what_others_opened_is_told(seed: Rig) -> None:
    client, stranger = seed.lab.config.client_address, seed.lab.config.bridge_address
    host = seed.lab.replicas[1]
    assert _who_connects(seed, client) == _who_connects(seed, stranger) == _all_ports(seed)

    _patch(seed, {"clients": [client]})
    seed.wait_healthy()
    assert _who_connects(seed, client) == _all_ports(seed)
    assert _who_connects(seed, stranger) == set()
    audited = [line for line in seed.operator.audit() if line["host"] == host.name and "firewalld" in line["what"]]
    assert [line["what"].split()[0] for line in audited[-2:]] == ["open", "close"]

    host.run("firewall-cmd -q --add-port=6379/tcp")
    status = seed.wait(lambda s: condition(s, "PreflightPassed").get("reason") == "FirewallWider", "it is told", 60)
    assert f"{host.name}: zone public of firewalld has `6379/tcp`" in condition(status, "PreflightPassed")["message"]
    assert is_healthy(status)
    assert _who_connects(seed, stranger) == {(host.address, 6379)}

    _patch(seed, {"exclusive": True})
    seed.wait_healthy()
    assert _who_connects(seed, stranger) == set()
    seed.wait(lambda s: condition(s, "PreflightPassed").get("status") == "True", "nothing is too wide any more", 60)

    _patch(seed, None)
    seed.wait_healthy()
    assert _who_connects(seed, stranger) == _all_ports(seed)


def _patch(rig: Rig, firewall: object) -> None:
    spec = json.dumps({"spec": {"firewall": firewall}})
    rig.cp.kubectl("patch", "rsc", NAME, "-n", NAMESPACE, "--type=merge", "-p", spec)


def _all_ports(rig: Rig) -> set[tuple[str, int]]:
    sentinels = {(host.address, 26379) for host in rig.lab.replicas}
    return {(host.address, 6379) for host in rig.lab} | sentinels


def _who_connects(rig: Rig, source: str) -> set[tuple[str, int]]:
    """The servers that let a connection from this address of this machine in."""
    return {server for server in _all_ports(rig) if _connects(server, source)}


def _connects(server: tuple[str, int], source: str) -> bool:
    try:
        with socket.create_connection(server, timeout=10, source_address=(source, 0)):
            return True
    except OSError:
        return False
