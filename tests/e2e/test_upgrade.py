"""A newer package.version: brought about host by host, the master's last; Supervised it waits for the act."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from e2e.acting import answer, ask, changed_for_a_while, failovers_asked, not_to_be_lost
from e2e.rig import Rig, Status, is_healthy, master
from e2e.test_families import row
from e2e.test_following import events
from e2e.test_interrupted import accident
from e2e.test_switchover import settle
from lab.hosts import Host
from lab.ledger import ledger
from lab.observe import commands_seen
from redis_sentinel_operator.operations.procedures import PROCEDURES

log = logging.getLogger(__name__)
pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def test_a_newer_version_is_brought_about_and_no_acknowledged_plain_write_is_lost(bare: Rig) -> None:
    old = with_the_older_one(bare)
    before = changed_for_a_while(bare)
    with commands_seen(bare.lab) as seen, ledger(bare.lab, bare.password) as book:
        bare.declare(package={"version": newer(bare)})
        _is_done(bare, old)
        book.wait(30, bare.lab[master(bare.status())].address)
        assert len(failovers_asked(seen)) == 1
    missing = book.missing(bare.lab[master(bare.status())])
    assert not_to_be_lost(bare, missing) == []
    log.info("acknowledged %d, lost %d by EVAL and MULTI, pause %.1f s", len(book.acks), len(missing), book.pause())
    assert changed_for_a_while(bare) == before
    last = bare.status()["failovers"][-1]
    assert (last["from"], last["to"], last["cause"]) == (old, master(bare.status()), "Ours")
    _updates_pass_it_by(bare)


def test_supervised_it_waits_before_the_master_until_a_person_asks(bare: Rig) -> None:
    old = with_the_older_one(bare)
    bare.declare(package={"version": newer(bare)}, updateStrategy="Supervised")
    status = bare.wait(lambda s: s.get("phase") == "WaitingForYou", "it waits for a person", 240)
    kind = bare.lab.master01.family.redis
    said = (
        f"{kind.name}-{newer(bare)} is on all hosts but {old}, which is the master. Its upgrade needs a switchover and "
        "updateStrategy is Supervised: it is done when you ask for it (act upgrade -), or when another host has become "
        "master"
    )
    assert status["message"] == f"{said[0].upper()}{said[1:]}."
    assert status["observedGeneration"] == bare.body()["metadata"]["generation"]
    assert master(status) == old
    assert {host.name for host in bare.lab if version(host) == older(bare)} == {old}
    at = ask(bare, "upgrade -")
    told = answer(bare, at, 200)
    assert told["result"] == "Done"
    _is_done(bare, old)
    assert f"upgrade -, asked for at {at}, is done: {told['message']}." in events(bare, "ActDone")


@pytest.mark.parametrize(
    ("step", "when"),
    [("fetch", "after"), ("replicas", "before"), ("replicas", "after"), ("ask", "after"), ("last", "before")],
)
def test_killed_in_the_middle_of_an_upgrade(bare: Rig, tmp_path: Path, step: str, when: str) -> None:
    old = with_the_older_one(bare)
    sentence = PROCEDURES["upgrade"].commands[step]
    bare.operator.stop()
    where: dict[str, Any] = {"before": sentence, "at": "10000"} if when == "before" else {"at": sentence}
    dying = accident(bare, "kill", steps=tmp_path / "steps", **where)
    with commands_seen(bare.lab) as seen, ledger(bare.lab, bare.password) as book:
        bare.declare(package={"version": newer(bare)})
        dying.start("e2e.dying")
        dying.wait_until_ended(200)
        bare.operator.start()
        _is_done(bare, old)
        assert len(failovers_asked(seen)) == 1
        book.wait(30, bare.lab[master(bare.status())].address)
    assert not_to_be_lost(bare, book.missing(bare.lab[master(bare.status())])) == []


def version(host: Host) -> str:
    return host.run(f"rpm -q --qf '%{{VERSION}}-%{{RELEASE}}' {host.family.redis.name}").stdout


def older(rig: Rig) -> str:
    """The version of the package that is there first."""
    return _release(rig, "2")


def newer(rig: Rig) -> str:
    """The version that it is brought to."""
    return _release(rig, "3")


def _release(rig: Rig, number: str) -> str:
    family = rig.lab.master01.family
    return f"{family.redis.version}-{number}.{family.dist}"


def with_the_older_one(rig: Rig) -> str:
    """The seed's cluster with the older package; its master."""
    rig.declare(package={"version": older(rig)})
    rig.operator.start()
    rig.wait_healthy()
    settle(rig)
    return master(rig.status())


def _is_done(rig: Rig, old: str) -> Status:
    def whole(status: Status) -> bool:
        last = (status.get("acts") or [{}])[-1]
        return last.get("verb") == "upgrade" and last["result"] != "Running" and is_healthy(status)

    status = rig.wait(whole, "the upgrade", 300)
    new = master(status)
    assert (status["acts"][-1]["result"], status["acts"][-1]["message"]) == (
        "Done",
        f"every host has the package that is declared; {new} is the master, before it was {old}",
    )
    assert {version(host) for host in rig.lab} == {newer(rig)}
    assert rig.master_by_role() == [new] != [old]
    assert (status["replicas"], status["sentinels"]) == ("3/3", "3/3")
    assert "operation" not in status
    return status


def _updates_pass_it_by(rig: Rig) -> None:
    """What keeps the package from updates by the way is there as before."""
    for host in rig.lab:
        assert "exclude" in host.run(f"grep {row(host).package} {row(host).yum_conf}").stdout
