"""The scripts that change hosts: words of every sh from EL7 to dash, and no secret among their arguments."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from redis_sentinel_operator import apply
from redis_sentinel_operator.apply.scripts import Guard, compose, plain

SCRIPTS = sorted(Path(apply.__path__[0]).glob("*.sh"))
GUARD = Guard("c0ffee-1/default/redis", 17)
CHANGING = [path.stem for path in SCRIPTS if path.stem not in ("guard", "why", "available")]

# What bash, a newer systemd or a newer coreutils has, and EL7 or dash has not.
NOT_EVERYWHERE = {
    r"\[\[": "bash's test",
    r"\bfunction\b": "bash's function",
    r"(?<!\.)\blocal\b": "not in POSIX",
    r"\bsource\b": "bash's dot",
    r" == ": "bash's equality in test",
    r"<<<": "here-string",
    r"&>": "bash's redirection",
    r"(?:^|[\s=(])\$'": "bash's quoting",
    r"\$\{[^}]*//": "bash's replacement",
    r"\becho -[en]": "differs between shells",
    r"\bwhich\b": "not on minimal hosts",
    r"systemctl[^|]*--value": "systemd 230",
    r"busctl[^|]*(--json|-j\b)": "systemd 240",
    r"systemctl[^|]* --now": "starts what is only to be enabled",
    r"\bsync [^-]": "coreutils 8.24",
    r"\bpython": "not on every host",
    r"\bdnf\b": "yum is the name on all",
    r"--reload\b(?! )": "drops the runtime rules of others",
    r"\bpipefail\b": "not in dash",
}


def code(path: Path) -> str:
    """A script without its comments."""
    return re.sub(r"(?m)(^|\s)#.*$", "", path.read_text())


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_a_script_is_read_by_the_shells_of_hosts(path: Path, shell: str) -> None:
    found = shutil.which(shell)
    assert found, f"{shell} is missing on this machine"
    options = ["--posix", "-n"] if shell == "bash" else ["-n"]
    done = subprocess.run([found, *options, str(path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_a_script_uses_nothing_that_a_host_may_lack(path: Path) -> None:
    text = code(path)
    assert {why for pattern, why in NOT_EVERYWHERE.items() if re.search(pattern, text)} == set()


@pytest.mark.parametrize("name", CHANGING)
def test_whoever_changes_a_host_asks_whose_it_is_first(name: str) -> None:
    lines = [line for line in code(Path(apply.__path__[0], f"{name}.sh")).splitlines() if line.strip()]
    if name == "claim":  # it makes the claim: the lock, then the same questions
        assert "rso_lock" in lines
        assert any("rso_later" in line for line in lines)
    else:
        assert lines[0] == "rso_guard"


def test_arguments_travel_quoted() -> None:
    script = compose("enable", GUARD, "a b'c; rm -rf /")
    assert script.startswith("RSO_OWNER=c0ffee-1/default/redis\nRSO_EPOCH=17\nset -- 'a b'\"'\"'c; rm -rf /'\n")
    assert plain("why", "x", "").startswith("set -- x ''\n")


@pytest.mark.parametrize("owner", ['a"b', "a b", "a\nb", "a,b", "a\\b"])
def test_an_owner_that_state_json_cannot_hold_is_refused(owner: str) -> None:
    with pytest.raises(ValueError, match="an owner cannot be called"):
        compose("verify", Guard(owner, 1))


STATE = '{\n "owner": "c0ffee-1/default/redis",\n "bootstrapId": "b1",\n "leaseEpoch": 17\n}\n'


@pytest.mark.parametrize(
    ("state", "owner", "epoch"),
    [
        (STATE, "c0ffee-1/default/redis", "17"),
        (STATE.replace("17", '17,\n "keys": []'), "c0ffee-1/default/redis", "17"),
        ("", "", ""),
        ("{}", "", ""),
        ("garbage", "", ""),
    ],
)
def test_the_state_is_read_by_sed(tmp_path: Path, state: str, owner: str, epoch: str) -> None:
    (tmp_path / "state.json").write_text(state)
    guard = (Path(apply.__path__[0]) / "guard.sh").read_text()
    guard = guard.replace("rso_dir=/var/lib/redis-sentinel-operator", f"rso_dir={tmp_path}")
    script = f'{guard}\nprintf \'%s|%s\' "$(rso_value owner)" "$(rso_value leaseEpoch)"'
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == f"{owner}|{epoch}"
