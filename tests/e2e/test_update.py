"""A person updates redis on the master in the middle of a pass: the package itself restarts it, and all goes on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from e2e.rig import Rig, Status, condition, is_healthy, master
from e2e.test_interrupted import accident, all_well
from lab.families import EL7
from lab.hosts import Host
from lab.observe import commands_seen

VERSION, NEWER = f"{EL7.redis.version}-2.el7", f"{EL7.redis.version}-3.el7"
CONFIG = {"bind": "0.0.0.0", "repl-ping-slave-period": 10, "repl-timeout": 61, "slowlog-max-len": 200}
KEYS = {f"update:{number}": str(number) for number in range(200)}


@pytest.mark.long
@pytest.mark.timeout(300)
def test_redis_is_updated_on_the_master_in_the_middle_of_a_pass(bare: Rig, tmp_path: Path) -> None:
    """The pass is held where the running redis has the new values and its file has not: the restart loses them."""
    bare.declare(package={"version": VERSION})
    bare.operator.start()
    chief = master(bare.wait_healthy())
    began = _process(bare.lab[chief])
    _is_locked(bare.lab[chief])
    bare.operator.stop()
    steps = tmp_path / "steps"
    held = accident(bare, "hold", "set repl-timeout", steps, settings={"RSO_UPDATES_EVERY": "20"})
    with held, commands_seen(bare.lab) as seen:
        held.start("e2e.dying")
        held.wait_until(held.has_passed, "a first pass", 60)
        bare.declare(redis={"config": CONFIG})
        held.wait_until(lambda: _held(steps, chief), "the middle of the pass", 60)
        _write(bare, chief)
        bare.lab[chief].run("yum -y -q --disableexcludes=main update redis", timeout=120)
        assert _process(bare.lab[chief]) != began, "the package restarts what runs"
        steps.with_suffix(".go").touch()
        bare.wait(lambda s: _values(bare, s) == {("61", "200")}, "the change on all hosts", 120)
        status = bare.wait(lambda s: is_healthy(s) and all_well(bare, s), "all well", 120)
        since = datetime.fromisoformat(status["master"]["since"]).timestamp()
        assert [each for each in seen.role_commands() if master(status) == chief or each.at < since] == []
        _is_all_there(bare)
        _is_told(bare, chief)
        assert [line for line in held.audit() if line["impact"] != "None" and "start" in line["what"].split()[0]] == []
    bare.operator.start()
    bare.declare()
    bare.wait_healthy()
    assert {host.name for host in bare.lab if _version(host) == NEWER} == {chief}


def _held(steps: Path, host: str) -> bool:
    return steps.exists() and f"{host}: set repl-timeout" in steps.read_text()


def _process(host: Host) -> str:
    return host.run("systemctl show -p MainPID redis").stdout


def _version(host: Host) -> str:
    return host.run("rpm -q --qf '%{VERSION}-%{RELEASE}' redis").stdout


def _is_locked(host: Host) -> None:
    """What the operator wrote into yum's configuration keeps a person's update from it."""
    host.run("yum -y update; yum -y update redis", timeout=120, check=False)
    assert _version(host) == VERSION


def _write(rig: Rig, chief: str) -> None:
    with rig.redis(chief) as client:
        for key, value in KEYS.items():
            client.set(key, value)
        assert client.wait(3, 10000) == 3


def _is_all_there(rig: Rig) -> None:
    for host in rig.lab:
        with rig.redis(host.name) as client:
            assert client.mget(KEYS) == list(KEYS.values())


def _values(rig: Rig, _: Status) -> set[tuple[str, str]]:
    """The two changed directives of every running redis, where all of them have them in their files as well."""
    found = set()
    for host in rig.lab:
        lines = host.run("grep -E '^(repl-timeout 61|slowlog-max-len 200)$' /etc/redis.conf", check=False).stdout
        with rig.redis(host.name) as client:
            have = client.config_get("repl-timeout") | client.config_get("slowlog-max-len")
        found.add((have["repl-timeout"], have["slowlog-max-len"]) if len(lines.splitlines()) == 2 else ("", ""))
    return found


def _is_told(rig: Rig, chief: str) -> None:
    """Which hosts could have the newer one, too; and where an older one is declared, that it stays."""
    can_be_had = f"redis {NEWER} can be had: as package.version it is brought about, the replicas first"
    others = {host.name: can_be_had for host in rig.lab if host.name != chief}
    rig.wait(lambda s: _messages(s) == others, "the newer version told", 60)
    rig.declare(redis={"config": CONFIG}, package={"version": VERSION})
    status = rig.wait(lambda s: condition(s, "PreflightPassed").get("reason") == "OtherVersion", "it told", 60)
    assert status["message"] == (
        f"{chief}: redis {NEWER} is installed, package.version asks for {VERSION}. Nothing is changed on any host: "
        "none is ever downgraded, and an older one is upgraded only on hosts of a cluster that runs, and not "
        "with package.manage CheckOnly. Declare in spec.package.version what is installed. Or install the newer one "
        "yourself, on the replicas first, as that restarts redis: `yum --disableexcludes=main update "
        "<package>-<version>`."
    )
    assert _version(rig.lab[chief]) == NEWER


def _messages(status: Status) -> dict[str, str]:
    """By host what is said of it, where anything is."""
    return {host["name"]: host["message"] for host in status["hosts"] if host.get("message")}
