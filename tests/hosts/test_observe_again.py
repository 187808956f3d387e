"""What a host leaves out of its answer because it told it before: whatever a person changes is seen all the same.

The witness of each test is a connection of its own, which is told everything.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import fields, replace

import pytest

from hosts.passes import Passes, passes
from hosts.stepping import step
from hosts.test_observe import without
from lab.hosts import Host
from lab.labs import Lab
from lab.seedcluster import PASSWORD, HandMade, make_by_hand
from redis_sentinel_operator.model.fact import Denied, HostFacts, Known, RedisFacts
from redis_sentinel_operator.model.secret import Secret
from redis_sentinel_operator.model.step import EnableUnits
from redis_sentinel_operator.observe import probe
from redis_sentinel_operator.observe.gather import Kept, gather

CONF, SENTINEL, YUM = "/etc/redis.conf", "/etc/redis-sentinel.conf", "/etc/dnf/dnf.conf"
UNIT = "/usr/lib/systemd/system/redis.service"
OURS = "/var/lib/redis-sentinel-operator"
LEFT_OUT = ("packages", "data", "firewall")
pytestmark = pytest.mark.timeout(240)
BY_ITSELF = ("redis", "sentinel", "machine")  # what no probe leaves out, and changes all the time


@pytest.fixture(scope="module")
def cluster(lab_hosts: Lab) -> HandMade:
    lab_hosts.reset()
    return make_by_hand(lab_hosts)


@pytest.fixture
async def knowing(cluster: HandMade, lab_hosts: Lab) -> AsyncIterator[Passes]:
    """A reader that was told all that a host may leave out."""
    async with only(lab_hosts, cluster.replicas[0]) as work:
        await until_known(work)
        yield work


@asynccontextmanager
async def only(lab: Lab, host: Host) -> AsyncIterator[Passes]:
    async with passes(lab) as work:
        work.desired = replace(work.desired, hosts=(work.desired.host(host.name),))
        yield work


async def read(work: Passes) -> HostFacts:
    (facts,) = (await gather(work.desired, work.links, work.settings)).hosts.values()
    return facts


def kept(work: Passes) -> Kept | None:
    (want,) = work.desired.hosts
    found = work.links[want.name].kept
    return found if isinstance(found, Kept) else None


async def until_known(work: Passes) -> None:
    """Read until files are no longer so young that they are told again, and firewalld is left alone for a moment."""
    async with asyncio.timeout(60):
        while True:
            facts, found = await read(work), kept(work)
            assert isinstance(facts.files, Known) and found is not None
            there = {file.text for file in facts.files.value.values() if file}
            if there <= set(found.memory.texts.values()) and set(found.memory.marked) == set(LEFT_OUT):
                return


def told(facts: HostFacts) -> dict[str, object]:
    return {field.name: getattr(facts, field.name) for field in fields(facts) if field.name not in BY_ITSELF}


async def assert_true(work: Passes, lab: Lab, host: Host, what: str) -> HostFacts:
    """What the reader is told is what one is told who knows nothing."""
    facts = await read(work)
    async with only(lab, host) as witness:
        fresh = await read(witness)
    for name, fact in told(facts).items():
        assert fact == getattr(fresh, name), f"{name} after: {what}"
    return facts


def rewritten(path: str) -> str:
    """A command that says what is in a file, with every letter another one."""
    return f"tr a-y b-z <{path}"


FILES = {  # each content is changed once, as what is young is told whole anyway
    "in place, of the same size": f"new=$({rewritten(CONF)}) && printf '%s\\n' \"$new\" >{CONF}",
    "of the same size, and its time put back": (
        f"touch -r {SENTINEL} /run/old && new=$({rewritten(SENTINEL)}) && printf '%s\\n' \"$new\" >{SENTINEL}"
        f" && touch -r /run/old {SENTINEL}"
    ),
    "replaced by an older file of the same size": (
        f"{rewritten(YUM)} >/etc/new && touch -d 2001-01-01 /etc/new && mv /etc/new {YUM}"
    ),
    "a package gone": "rpm -e --justdb --nodeps --noscripts redis",
    "what an update left behind": f"touch {CONF}.rpmnew",
    "another directory of data": (
        f"mkdir -p '/srv/re dis' && printf 1234 >'/srv/re dis/x.rdb' && echo 'dir \"/srv/re dis\"' >>{CONF}"
    ),
    "another file of data": "printf 12 >/var/lib/redis/other.rdb",
    "another mode": f"chmod 600 {CONF}",
    "another owner": f"chown root {CONF}",
    "a link to another file": f"{rewritten(CONF)} >/etc/other.conf && ln -sf /etc/other.conf {CONF}",
    "gone": f"rm {CONF}",
    "a unit disabled": "systemctl -q disable redis-sentinel",
    "a unit of another family": f"cp {UNIT} /etc/systemd/system/valkey.service",
    "a unit without its file": f"rm {UNIT} && systemctl daemon-reload",
}
RULE = "rule family=ipv4 source address=10.0.0.0/8 service name=redis accept"
FIREWALL = {
    "a port opened": "firewall-cmd -q --add-port=7001/tcp",
    "a port closed": "firewall-cmd -q --remove-port=6379/tcp",
    "a rich rule": f"firewall-cmd -q --add-rich-rule='{RULE}'",
    "a service opened": "firewall-cmd -q --add-service=redis",
    "opened for good only": "firewall-cmd -q --permanent --add-port=7002/tcp",
    "closed for good only": "sed -i 's/6379/6380/' /etc/firewalld/zones/public.xml",
    "reloaded": "firewall-cmd -q --reload",
    "begun anew": "systemctl restart firewalld && firewall-cmd -q --add-port=7003/tcp",
    "another zone": "firewall-cmd -q --zone=internal --change-interface=host0",
    "what we opened": f"mkdir -p {OURS} && echo 'runtime public 7/tcp' >{OURS}/firewall",
    "stopped": "systemctl stop firewalld",
}
KEPT = f"{CONF} {SENTINEL} {YUM} /etc/firewalld /var/lib/rpm {UNIT}"
BACK = (
    f"systemctl stop firewalld; rm -rf {KEPT} {CONF}.rpmnew /etc/other.conf '/srv/re dis' /var/lib/redis/other.rdb"
    f" /etc/systemd/system/valkey.service {OURS} && tar -xpf /root/kept.tar -C / && systemctl daemon-reload"
    " && systemctl -q enable redis-sentinel && systemctl start firewalld"
)


@pytest.mark.timeout(400)  # some forty readings and their proofs, a second each on a busy machine
@pytest.mark.parametrize("changes", [FILES, FIREWALL], ids=["files", "firewall"])
async def test_each_change_by_a_person_is_seen(
    changes: dict[str, str], knowing: Passes, cluster: HandMade, lab_hosts: Lab
) -> None:
    host = cluster.replicas[0]
    host.run(f"tar -cpf /root/kept.tar {KEPT} 2>/dev/null")
    before = await read(knowing)
    try:
        for what, change in changes.items():
            host.run(change)
            facts = await assert_true(knowing, lab_hosts, host, what)
            assert told(facts) != told(before), what
            before = await assert_true(knowing, lab_hosts, host, f"{what}, a second time")
    finally:
        host.run(BACK)


async def test_all_is_left_out_that_did_not_change(knowing: Passes, cluster: HandMade) -> None:
    """Else the tests here would prove nothing."""
    found, (want,) = kept(knowing), knowing.desired.hosts
    assert found is not None
    result = await knowing.links[want.name].run(probe.script(found.question, memory=found.memory), timeout=10)
    answer = result.text
    assert answer.count("\nknown\n") == len(LEFT_OUT)
    assert not [line for line in answer.splitlines() if line.startswith(("file ", "permanent ")) and "=" in line]


async def test_twice_in_the_same_tick_of_the_clock(knowing: Passes, cluster: HandMade, lab_hosts: Lab) -> None:
    """The second of two changes may leave size and times as the first made them."""
    host = cluster.replicas[0]
    for number in range(512, 532):
        began = time.monotonic()
        host.run(f"sed -i 's/^tcp-backlog .*/tcp-backlog {number}/' {CONF}")
        facts = await read(knowing)
        assert isinstance(facts.files, Known)
        file = facts.files.value[CONF]
        assert file is not None and f"\ntcp-backlog {number}\n" in file.text
        found = kept(knowing)
        assert found is not None
        if time.monotonic() - began < 2:  # so young that nothing is believed
            assert file.text not in found.memory.texts.values()


async def test_a_port_that_firewalld_closes_by_itself(knowing: Passes, cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.replicas[0]
    host.run("firewall-cmd -q --add-port=7001/tcp --timeout=15")
    facts = await read(knowing)
    assert isinstance(facts.firewall, Known) and "7001/tcp" in facts.firewall.value.runtime
    await until_known(knowing)
    async with asyncio.timeout(60):
        while "7001/tcp" in facts.firewall.value.runtime:
            facts = await read(knowing)
            assert isinstance(facts.firewall, Known)
    await assert_true(knowing, lab_hosts, host, "its time was over")


async def test_a_change_between_two_answers_of_firewalld(knowing: Passes, cluster: HandMade, lab_hosts: Lab) -> None:
    """The ports were told already: what was read then is not taken for what is."""
    host = cluster.replicas[0]
    host.run(
        "mv /usr/bin/dbus-send /usr/bin/dbus-send.real && printf '%s\\n' '#!/bin/sh' '/usr/bin/dbus-send.real \"$@\"'"
        " 'case $* in *getRichRules*)' 'mv -f /usr/bin/dbus-send.real /usr/bin/dbus-send' 'firewall-cmd -q"
        " --add-port=7002/tcp' ';; esac' >/usr/bin/dbus-send && chmod 755 /usr/bin/dbus-send"
        " && firewall-cmd -q --add-port=7001/tcp"  # so that all is asked for
    )
    try:
        facts = await read(knowing)
        assert isinstance(facts.firewall, Known)
        ports = facts.firewall.value.runtime
        assert "7001/tcp" in ports and "7002/tcp" not in ports
        facts = await assert_true(knowing, lab_hosts, host, "a change between two answers")
        assert isinstance(facts.firewall, Known) and "7002/tcp" in facts.firewall.value.runtime
    finally:
        host.run("firewall-cmd -q --remove-port=7001/tcp --remove-port=7002/tcp")


async def test_nothing_is_kept_beyond_the_connection(knowing: Passes, cluster: HandMade) -> None:
    (want,) = knowing.desired.hosts
    assert kept(knowing) is not None
    await knowing.links[want.name].session.close()
    assert kept(knowing) is None
    await knowing.links[want.name].connect()
    assert kept(knowing) is None


async def test_a_step_of_ours_makes_all_be_told_anew(knowing: Passes, cluster: HandMade) -> None:
    host = cluster.replicas[0]
    assert kept(knowing) is not None
    with pytest.raises(Exception, match="belongs to nobody"):  # not even one that the host refuses
        await knowing.do(step(host, EnableUnits(("redis.service",))))
    assert kept(knowing) is None


async def test_without_dbus_send_it_is_busctl_that_asks(knowing: Passes, cluster: HandMade, lab_hosts: Lab) -> None:
    host = cluster.replicas[0]
    whole = await read(knowing)
    with without(host, "dbus-send"), without(host, "firewall-cmd"):  # which answers, slowly, where the bus does not
        async with only(lab_hosts, host) as work:
            assert (await read(work)).firewall == whole.firewall
            assert (await read(work)).firewall == whole.firewall
            found = kept(work)
            assert found is not None and "firewall" not in found.memory.marked  # it tells no number


async def test_another_password_is_refused_and_not_shown(cluster: HandMade, lab_hosts: Lab) -> None:
    """One that stands in the host's own files lets the operator in; where there is none it is told that it is not."""

    async def asked(password: Secret | None) -> RedisFacts | Denied | None:
        async with passes(lab_hosts, password=password) as work:
            facts = await gather(work.desired, work.links, work.settings)
        found = facts.hosts[cluster.master.name].redis
        assert isinstance(found, Known)
        return found.value

    let_in = await asked(Secret("wrong-pass"))
    assert isinstance(let_in, RedisFacts) and let_in.config["requirepass"] == PASSWORD
    cluster.master.run(f"cp -p {CONF} /run/kept && sed -i '/^requirepass/d; /^masterauth/d' {CONF}")
    refused, unasked = await asked(Secret("wrong-pass")), await asked(None)
    cluster.master.run(f"cp -p /run/kept {CONF}")
    assert isinstance(refused, Denied) and "wrong-pass" not in refused.message
    assert isinstance(unasked, Denied) and unasked.message == "Authentication required."
