"""The answers of hosts that are asked at length, as EL's tools give them."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redis_sentinel_operator import observe
from redis_sentinel_operator.model.fact import SurveyFacts, Unreached
from redis_sentinel_operator.observe.survey import clients_of, parse, sentinels_of
from unit.observe.test_lint import DENIED, SHELLCHECK

SCRIPT = Path(observe.__file__).with_name("survey.sh")
ANSWER = """\
begins 1769860800.250000000
disk /dev/mapper/centos-root  52403200 41230336  11172864      79% /
restart no
restart always
listens 6379
listens 26379
ports 6379, 16379, 26379
unreached 192.168.3.41 6379 No route to host
unreached 192.168.3.43 26379 no answer within 2 s
ends 1769860802.750000000
"""


def test_an_answer_is_facts() -> None:
    assert parse(ANSWER, 1769860800.0, 1769860803.0) == SurveyFacts(
        ahead=(-0.25, 0.25),
        listens=frozenset({6379, 26379}),
        unreached=(
            Unreached("192.168.3.41", 6379, "No route to host"),
            Unreached("192.168.3.43", 26379, "no answer within 2 s"),
        ),
        restart="always",
        free=11172864 * 1024,
        ports=frozenset({6379, 16379, 26379}),
    )


def test_a_clock_is_bounded_however_long_the_answer_took() -> None:
    """The host's is 5 s before ours; asking took 1 s, the way back 20 s."""
    facts = parse("begins 1006.0\nends 1008.0\n", 1000.0, 1023.0)
    assert facts is not None
    assert facts.ahead == (-15.0, 6.0)
    assert facts.ahead[0] <= 5.0 <= facts.ahead[1]


@pytest.mark.parametrize(
    ("listed", "ports"),
    [("6379", {6379}), ("6379, 16379, 26379", {6379, 16379, 26379}), ("7000-7002, 6379", {6379, 7000, 7001, 7002})],
)
def test_what_semanage_lists(listed: str, ports: set[int]) -> None:
    facts = parse(f"begins 1\nports {listed}\nends 2\n", 1.0, 2.0)
    assert facts is not None
    assert facts.ports == ports


def test_a_host_without_selinux_says_nothing_of_ports() -> None:
    facts = parse("begins 1.0\nends 2.0\n", 1.0, 2.0)
    assert facts == SurveyFacts((0.0, 0.0), restart="no")


@given(st.integers(0, len(ANSWER) - 2))
def test_one_that_is_cut_off_is_none(length: int) -> None:
    assert parse(ANSWER[:length], 1769860800.0, 1769860803.0) is None or "ends 1" in ANSWER[:length]


@given(st.text())
def test_any_text_raises_nothing(answer: str) -> None:
    parse(answer, 1.0, 2.0)
    sentinels_of(answer)
    clients_of(answer)


CLIENTS = """\
id=3 addr=192.168.3.42:36862 fd=8 name=sentinel-1d9f7f0a-cmd age=60 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 cmd=ping
id=4 addr=192.168.3.42:36864 fd=9 name=sentinel-1d9f7f0a-pubsub age=60 idle=0 flags=P db=0 sub=1 psub=0 cmd=subscribe
id=5 addr=[2001:db8::7]:36866 laddr=[2001:db8::1]:6379 fd=9 name=sentinel-c0ffee00-cmd age=60 flags=N db=0 cmd=publish
id=6 addr=10.1.2.3:1234 fd=10 name=sentinel-of-nobody age=60 idle=0 flags=N db=0 sub=0 cmd=get
id=7 addr=10.1.2.3:1235 fd=11 name= age=60 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 cmd=client
"""


def test_the_sentinels_among_the_clients_of_a_master() -> None:
    assert sentinels_of(CLIENTS) == {("1d9f7f0a", "192.168.3.42"), ("c0ffee00", "2001:db8::7")}


def test_who_else_is_connected_but_for_the_operator_itself() -> None:
    line = "id=9 addr={}:1 fd=9 name= age=6 idle=0 flags=N db=0 sub=0 psub=0 multi=-1 cmd={}\n"
    others = line.format("10.1.2.9", "get") + line.format("[2001:db8::9]", "psync") + line.format("10.1.2.3", "info")
    assert clients_of(CLIENTS + others) == {"10.1.2.9", "2001:db8::9"}


# -- the script: it runs on every EL, and changes nothing


@pytest.mark.parametrize("what", DENIED)
def test_the_script_does_without(what: str) -> None:
    code = [re.sub(r"(^|\s)#\s.*", "", line) for line in SCRIPT.read_text().splitlines()]
    assert [line for line in code if re.search(DENIED[what], line)] == []


@pytest.mark.parametrize("shell", [["dash", "-n"], ["bash", "--posix", "-n"], [str(SHELLCHECK), "-s", "sh"]])
def test_shells_can_read_it(shell: list[str]) -> None:
    done = subprocess.run([*shell, str(SCRIPT)], capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_it_runs_here(shell: str) -> None:
    words = ["/nowhere /", "redis.service", "127.0.0.1", "1"]
    patient = SCRIPT.read_text().replace("timeout 2 ", "timeout 50 ")  # this machine may be busier than a host
    assert patient != SCRIPT.read_text()
    command = [shell, "-c", patient, str(SCRIPT), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=58, check=True)
    facts = parse(done.stdout, 0.0, 1.0)
    assert facts is not None
    assert facts.unreached == (Unreached("127.0.0.1", 1, "Connection refused"),)
    assert facts.free is not None and facts.free > 0
    assert sys.platform == "linux"
