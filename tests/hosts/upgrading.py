"""An upgrade played on hosts, and what must hold however it went."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from hosts.operating import Operator, files, roles
from hosts.passes import Passes
from hosts.stepping import redis
from lab.hosts import Host
from lab.labs import Lab
from lab.ledger import ledger
from lab.seedcluster import PASSWORD
from redis_sentinel_operator.model.fact import Known, Process
from redis_sentinel_operator.operations.move import RESTORE, Wish
from redis_sentinel_operator.operations.procedures import PROCEDURES

WISH = Wish("upgrade", "-", "2026-01-31T12:00:00Z")
COMMANDS = {**PROCEDURES["upgrade"].commands, RESTORE: "strike the upgrade"}


def asked(loop: Passes, version: str, **changes: object) -> None:
    """Declare a version of the package on all hosts, "" for any."""
    hosts = tuple(
        replace(host, package=replace(host.package, version=version or None, **changes))  # type: ignore[arg-type]
        for host in loop.desired.hosts
    )
    loop.desired = replace(loop.desired, hosts=hosts)


def version(host: Host) -> str:
    return host.run(f"rpm -q --qf '%{{VERSION}}-%{{RELEASE}}' {host.family.redis.name}").stdout


def processes(lab: Lab) -> dict[tuple[str, str], str]:
    """By host and unit."""
    return {
        (host.name, unit): host.run(f"systemctl show -p MainPID {unit}").stdout
        for host in lab.hosts
        for unit in host.family.units
    }


async def old_programs(loop: Passes) -> list[Process]:
    """What runs and was replaced on disk."""
    found = [host.processes for host in (await loop.read()).facts.hosts.values()]
    assert all(isinstance(each, Known) for each in found)
    return [each for fact in found if isinstance(fact, Known) for each in fact.value if each.replaced]


async def upgraded(
    loop: Passes, lab: Lab, operator: Operator, wish: Wish | str = "upgrade", *, result: str = "Done"
) -> list[tuple[str, str]]:
    """Play an upgrade under writes to what is declared. Returns what was done: host and sentence."""
    old, _ = await roles(loop, lab)
    before = files(lab)
    wanted = loop.desired.hosts[0].package.version
    operator.seconds = 240
    with ledger(lab, PASSWORD) as book:
        act = await operator.run(wish)
        new, _ = await roles(loop, lab)
        await asyncio.to_thread(book.wait, 30, new.address)
    assert act["result"] == result, act
    if result == "Done":
        said = f"every host has the package that is declared; {new.name} is the master, before it was {old.name}"
        assert act["message"] == said
        assert {version(host) for host in lab.hosts} == {wanted}
        assert await old_programs(loop) == []
        await loop.until_settled()
    assert [ack for ack in book.missing(new) if ack.kind == "plain"] == []
    assert redis(new, "ROLE")[0] == "master"  # type: ignore[index]
    assert files(lab) == before
    return operator.done
