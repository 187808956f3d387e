"""A machine is replaced: by a fresh one at its address, which comes as the former one, or by one at another address."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.acting import answer, ask
from e2e.rig import NAME, Rig, Status, condition, is_healthy, master
from e2e.test_following import events
from e2e.test_interrupted import accident
from e2e.test_scaling import done, hosts, is_out
from e2e.test_switchover import settle
from lab.faults import cut_off, power_cut
from lab.hosts import Host
from lab.ledger import ledger
from lab.processes import wait_until

_LONG = {"repl-ping-slave-period": 10, "repl-timeout": 600}  # a master counts a replica that is cut off for so long


def my_id(host: Host) -> str:
    """The id in a sentinel's own file."""
    return host.run(f"sed -n 's/^sentinel myid //p' {host.family.sentinel_conf}").stdout.strip()


def epochs(host: Host) -> Mapping[str, int]:
    """What its file says of epochs, by their names."""
    found = re.findall(
        r"^sentinel (\S+-epoch) (?:\S+ )?(\d+)$", host.run(f"cat {host.family.sentinel_conf}").stdout, re.MULTILINE
    )
    return {name: int(number) for name, number in found}


def peers(rig: Rig, host: Host) -> set[tuple[str, str]]:
    """Id and address of the other sentinels, as the one on a host knows them."""
    with rig.sentinel(host.name) as client:
        return {(str(row["runid"]), str(row["ip"])) for row in client.sentinel_sentinels(NAME)}


@contextmanager
def deaf_to_resets(host: Host, peer: Host) -> Iterator[None]:
    """A host does not hear that a peer knows nothing of its old connections, as where a firewall drops that."""
    rule = f"ip saddr {peer.address} tcp flags & rst == rst drop"
    host.run("nft add table inet deaf && nft add chain inet deaf input '{ type filter hook input priority -300; }'")
    host.run(f"nft add rule inet deaf input '{rule}'")
    try:
        yield
    finally:
        host.run("nft delete table inet deaf")


@pytest.mark.long
@pytest.mark.timeout(500)
def test_a_fresh_machine_at_the_same_address_comes_as_the_voter_that_it_was(bare: Rig) -> None:
    rig = bare
    rig.declare(redis={"config": _LONG})
    rig.operator.start()
    rig.wait_healthy()
    settle(rig)
    assert answer(rig, ask(rig, "switchover redis_slave01"))["result"] == "Done"  # an epoch that somebody voted in
    rig.wait_healthy()
    host, others = rig.lab["redis_slave03"], [rig.lab["redis_slave01"], rig.lab["redis_slave02"]]
    was, before = my_id(host), {other.name: peers(rig, other) for other in others}
    machine = host.run("cat /etc/machine-id").stdout
    first = rig.lab[master(rig.status())]
    with ledger(rig.lab, rig.password) as book, deaf_to_resets(first, host):
        with cut_off(host):  # its last words, that its connections end, are not heard
            host.remove()
        host.boot()
        assert host.run("cat /etc/machine-id").stdout != machine
        rig.wait(lambda s: condition(s, "HostsReachable")["reason"] == "HostKeyChanged", "nothing is sent to it", 60)
        assert host.run(f"rpm -q {host.family.redis.name}", check=False).returncode != 0
        changes = len(done(rig))
        rig.declare(redis={"config": _LONG})  # the Secret with its new key
        rig.wait(lambda s: "the former machine answers" in str(s), "what still hears the former one is told", 30)
        assert [line for line in done(rig)[changes:] if line[0] == host.name] == []
        with rig.redis(first.name) as client:
            client.execute_command("CLIENT", "KILL", "TYPE", "slave")  # as the master does itself after repl-timeout
        status = rig.wait(lambda s: is_healthy(s) and s["ready"] == "4/4", "it is back", 180)
        book.wait(10, rig.lab[master(status)].address)
    assert book.missing(host) == []
    assert my_id(host) == was
    assert {other.name: peers(rig, other) for other in others} == before, "no voter more, and none less"
    heard = max(max(epochs(other).values()) for other in others)
    assert epochs(host)["current-epoch"] >= heard
    assert epochs(host)["leader-epoch"] >= heard
    _its_vote_counts(rig, host, others)


def _its_vote_counts(rig: Rig, host: Host, others: Sequence[Host]) -> None:
    """With one of the others away a failover needs the replaced one: and exactly one master comes of it."""
    old = rig.lab[master(rig.status())]
    assert old in others
    away = next(other for other in others if other != old)
    rig.operator.kill()
    away.run(f"systemctl stop {away.family.units[1]}")
    old.run(f"systemctl kill -s KILL {old.family.units[0]}")
    with rig.sentinel(host.name) as client:
        assert wait_until(lambda: client.sentinel_get_master_addr_by_name(NAME)[0] != old.address, 60.0)
    rig.operator.start()
    status = rig.wait(
        lambda s: master(s) != old.name and is_healthy(s) and s["ready"] == "4/4", "all back, and told anew", 120
    )
    assert rig.master_by_role() == [master(status)]


@pytest.mark.long
@pytest.mark.timeout(500)
def test_killed_after_each_step_it_still_comes_as_that_voter(bare: Rig, tmp_path: Path) -> None:
    rig = bare
    rig.declare()
    rig.operator.start()
    rig.wait_healthy()
    host = rig.lab["redis_slave03"]
    was, before = my_id(host), peers(rig, rig.lab["redis_slave01"])
    rig.operator.kill()
    host.remove()
    host.boot()
    rig.declare()
    steps = tmp_path / "steps"
    steps.touch()
    dying = accident(rig, "kill", "each", steps)

    def whole(status: Status) -> bool:
        return is_healthy(status) and status["ready"] == "4/4" and "start sentinel" in steps.read_text()

    def over() -> bool:
        if not dying.running:
            dying.start("e2e.dying")
        return whole(rig.status())

    assert wait_until(over, 300, 0.2), steps.read_text()
    dying.kill()
    assert (my_id(host), peers(rig, rig.lab["redis_slave01"])) == (was, before)
    mine = [line for line in steps.read_text().splitlines() if line.startswith(host.name)]
    assert len(mine) == len(set(mine)) >= 6, mine


@pytest.mark.long
@pytest.mark.timeout(500)
@pytest.mark.parametrize("alive", [True, False], ids=["leaves", "is-gone"])
def test_one_at_another_address_joins_before_the_former_one_leaves(bare: Rig, alive: bool) -> None:
    rig = bare
    first, kept, old, new = hosts(rig, 4)
    settings = {"downAfterMilliseconds": 5000, "failoverTimeoutMilliseconds": 10000}
    rig.declare(hosts=[first, kept, old], sentinel=settings)
    rig.operator.start()
    rig.wait_healthy()
    machine = rig.lab[old["name"]]
    with ledger(rig.lab, rig.password) as book:
        if alive:
            changes = len(done(rig))
            rig.declare(hosts=[first, kept, new], sentinel=settings)
            status = rig.wait_healthy()
            told = done(rig)[changes:]
            last = max(at for at, (name, _) in enumerate(told) if name == new["name"] and "start" in told[at][1])
            assert last < min(at for at, (name, _) in enumerate(told) if name == old["name"]), told
            assert is_out(machine)
        else:
            with power_cut(machine):
                rig.declare(hosts=[first, kept, new], sentinel=settings)
                rig.wait(lambda s: ("Member", new["name"]) in _states(s), "it has joined", 120)
                _forget(rig, old["name"])
                status = rig.wait_healthy()
        book.wait(10)
    assert [host["name"] for host in status["hosts"]] == [first["name"], kept["name"], new["name"]]
    assert (status["ready"], status["replicas"], status["sentinels"]) == ("3/3", "2/2", "3/3")
    assert book.missing(rig.lab[new["name"]]) == []
    with rig.sentinel(new["name"]) as client:
        told_of = client.sentinel_master(NAME)
    assert (told_of["num-other-sentinels"], told_of["num-slaves"], told_of["quorum"]) == (2, 2, 2)
    assert any(message.startswith(f"{new['name']} ({new['address']}) is part") for message in events(rig, "HostJoined"))
    assert any(message.startswith(f"{old['name']} ({old['address']}) is no") for message in events(rig, "HostLeft"))


def _states(status: Status) -> list[tuple[str, str]]:
    return [(str(host.get("state")), str(host["name"])) for host in status.get("hosts", [])]


def _forget(rig: Rig, name: str) -> None:
    """A master counts a replica that was cut off for repl-timeout longer."""

    def is_forgotten() -> bool:
        told = answer(rig, ask(rig, f"forget-host {name}"))
        assert told["result"] == "Done" or told["message"].endswith("ask again in a minute"), told
        return bool(told["result"] == "Done")

    assert wait_until(is_forgotten, 120, 5.0)
