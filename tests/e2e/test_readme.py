"""What the README tells applications to do, done."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from e2e.rig import Rig, master
from lab.model import lab_config
from lab.operator import ROOT


def example(rig: Rig) -> str:
    """The README's client with this lab's addresses and password in place of the example's."""
    blocks: list[str] = re.findall(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(), re.DOTALL | re.MULTILINE)
    (code,) = blocks
    replicas = lab_config().hosts[1:]
    assert all(f'"{host.address}"' in code for host in replicas)
    for told, own in zip(replicas, rig.lab.replicas, strict=True):
        code = code.replace(f'"{told.address}"', f'"{own.address}"')
    assert code.count('password="..."') == 2
    return code.replace('password="..."', f"password={rig.password!r}")


@pytest.mark.timeout(300)
def test_the_readmes_client_finds_the_master_and_a_replica(seed: Rig) -> None:
    first = master(seed.status())
    with seed.redis(first) as client:
        client.delete("key")
        subprocess.run([sys.executable, "-W", "error", "-"], input=example(seed), text=True, check=True, timeout=90)
        assert client.get("key") == "value"
        client.set("e2e:later", "")  # WAIT is about this client's own writes
        assert client.wait(3, 10000) == 3
    again = subprocess.run(
        [sys.executable, "-W", "error", "-"], input=example(seed), text=True, check=True, timeout=90,
        stdout=subprocess.PIPE,
    )  # fmt: skip
    assert again.stdout == "b'value'\n"
