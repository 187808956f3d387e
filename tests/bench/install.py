"""From four bare hosts to Ready, packages from the lab's own repository, against the same by a play."""

from __future__ import annotations

import json
import statistics
import threading
import time
import urllib.request

from bench.figures import Figure, times_faster
from bench.others import Others
from e2e.rig import NAME, PLURAL, Rig, condition
from lab.controlplane import ControlPlane
from lab.labs import Lab
from lab.machine import LabError
from lab.seed import NAMESPACE, seed_cluster, seed_secrets

ROUNDS = 3
GOAL_SECONDS = 8.0
PATIENCE = 120.0


def install(lab: Lab, cp: ControlPlane, others: Others) -> list[Figure]:
    """Install in turn by the operator and by the play, each on hosts made bare before; the medians."""
    rig = Rig(lab, cp)
    ours, plays = [], []
    for _ in range(ROUNDS):
        rig.forget()
        rig.reset()
        ours.append(_by_operator(rig))
        rig.forget()
        rig.reset()
        plays.append(others.ansible())
    value, play = statistics.median(ours), statistics.median(plays)
    return [
        Figure("fresh_install", round(value, 2), "s", at_most=GOAL_SECONDS),
        times_faster("fresh_install_vs_ansible", value, play, at_least=3),
    ]


def _by_operator(rig: Rig) -> float:
    """Return the seconds from the moment the resource is stored until it is Ready."""
    rig.operator.start()
    rig.namespace(NAMESPACE)
    rig.cp.apply(seed_secrets(rig.lab.private_key.read_text(), rig.lab.known_hosts(), rig.password))
    rig.operator.wait_until(lambda: _is_ready(rig.operator.port), "the operator to be ready", 30)
    path = f"/apis/redis-sentinel-operator.io/v1alpha1/namespaces/{NAMESPACE}/{PLURAL}/{NAME}"
    sender = threading.Thread(target=rig.cp.apply, args=([seed_cluster(rig.lab.config)],))
    sender.start()
    stored = 0.0
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        body = rig.cp.raw(path)
        if body is not None and not stored:
            stored = time.monotonic()
        if body is not None and condition(json.loads(body).get("status", {}), "Ready").get("status") == "True":
            sender.join()
            return time.monotonic() - stored
        time.sleep(0.03)
    raise LabError(f"not Ready within {PATIENCE:.0f} s:\n{rig.operator.tail()}")


def _is_ready(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False
