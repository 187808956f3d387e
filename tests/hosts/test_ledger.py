"""The ledger itself: it notices an acknowledged write that is lost, of each kind, and says whose it was."""

from __future__ import annotations

import math
import time
from collections import Counter

import pytest

from hosts.stepping import patient, told
from lab.faults import hang_redis, partition
from lab.hosts import Host
from lab.labs import Lab
from lab.ledger import KINDS, Fate, Reign, fates
from lab.observe import ledger
from lab.processes import wait_until
from lab.resp import Resp
from lab.seedcluster import HandMade, is_whole, make_by_hand

pytestmark = pytest.mark.timeout(300)
SWITCHED = 120  # seconds: sentinels that voted in vain try again after twenty, and one in tilt waits for thirty


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    """A cluster made by hand; its master is another one at the end."""
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


def test_one_acknowledged_write_that_is_gone_is_noticed_whatever_its_kind(lab_hosts: Lab, cluster: HandMade) -> None:
    with ledger(lab_hosts, cluster.password) as book:
        book.wait(60)
    assert {ack.kind for ack in book.acks} == set(KINDS)
    assert {ack.node for ack in book.acks} == {cluster.master.address}
    assert book.missing(cluster.master) == []
    gone = [next(ack for ack in book.acks if ack.kind == kind) for kind in KINDS]
    changed = book.acks[-1]
    with Resp.to(cluster.master, password=cluster.password) as redis:
        for ack in gone:
            redis.call("DEL", ack.key)
        redis.call("SET", changed.key, "another")
    found = book.missing(cluster.master)
    assert sorted(ack.key for ack in found) == sorted(ack.key for ack in (*gone, changed))
    assert Counter(fates(found, [Reign(cluster.master.address, -math.inf)])[Fate.LOST]) == Counter(found)


def test_a_master_that_hangs_acknowledges_nothing(lab_hosts: Lab, cluster: HandMade) -> None:
    with patient(*cluster.sentinels), ledger(lab_hosts, cluster.password) as book:  # nobody is promoted
        with hang_redis(cluster.master):
            hung = time.time()
            time.sleep(6)
            woken = time.time()
        book.wait(60)
        # else some call it down in the moment in which they may again
        assert wait_until(lambda: all(_heard(host) for host in cluster.sentinels), 60, 0.1), (
            f"not heard of\n{_said(cluster)}"
        )
    assert [
        ack for ack in book.acks if hung + 3 < ack.at < woken
    ] == []  # what came before is written down a moment later
    assert book.pause() > 2.0
    assert book.missing(cluster.master) == []


def test_what_a_master_took_alone_is_missing_after_the_switch(lab_hosts: Lab, cluster: HandMade) -> None:
    """Cut off from its peers it goes on writing for whoever reaches it; all of that is lost, and is said to be."""
    old = cluster.master
    with ledger(lab_hosts, cluster.password) as book:
        with partition(old, cluster.replicas):
            settled = time.time() + 3  # what was acknowledged before is written down by then
            switch = wait_until(lambda: _named(cluster) not in ("", old.address), SWITCHED, 0.1)
            assert switch, f"no failover\n{_said(cluster)}"
            switched = time.time()
            book.wait(60, node=old.address)  # its connection stands: the application notices nothing
        assert wait_until(lambda: _role(old, cluster) == "slave", 60, 0.2), "the old master was not made a replica"
        new = next(host for host in cluster.replicas if host.address == _named(cluster))
        book.wait(60, node=new.address)
    found = fates(book.missing(new), [Reign(old.address, -math.inf), Reign(new.address, switched)])
    assert found[Fate.LOST] == []
    alone = [ack for ack in book.acks if ack.node == old.address and ack.at > settled]
    assert {ack.key for ack in alone} == {ack.key for each in found.values() for ack in each if ack.at > settled}
    assert {ack.kind for ack in found[Fate.DEPOSED]} == set(KINDS)
    assert wait_until(lambda: is_whole(HandMade(new, _others(lab_hosts, new), cluster.sentinels, *_rest(cluster))), 60)


def _heard(host: Host) -> bool:
    """Whether the master has answered the sentinel, which asks it each second, since it was woken."""
    return int(told(host)["last-ok-ping-reply"]) < 3000


def _named(cluster: HandMade) -> str:
    names = []
    for host in cluster.sentinels:
        with Resp.to(host, 26379) as sentinel:
            found = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", cluster.name)
        names.append(str(found[0]) if isinstance(found, list) else "")
    return names[0] if len(set(names)) == 1 else ""


def _said(cluster: HandMade) -> str:
    """What the sentinels logged last."""
    logs = (host.run("tail -n 15 /var/log/redis/sentinel.log").stdout for host in cluster.sentinels)
    return "\n".join(logs)


def _role(host: Host, cluster: HandMade) -> str:
    with Resp.to(host, password=cluster.password) as redis:
        found = redis.call("ROLE")
    return str(found[0]) if isinstance(found, list) else ""


def _others(lab: Lab, master: Host) -> tuple[Host, ...]:
    return tuple(host for host in lab.hosts if host != master)


def _rest(cluster: HandMade) -> tuple[str, int, str]:
    return cluster.name, cluster.quorum, cluster.password
