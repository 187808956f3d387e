"""`kubectl rsc plan` on a real API server, with the operator's answer played; what is made for it goes again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.examples import changed
from api.rsc import NAME, Rsc, annotation
from lab.controlplane import ControlPlane
from redis_sentinel_operator.cli.exits import DRIFT, FORBIDDEN, NOT_DONE, TIMED_OUT, USAGE

pytestmark = pytest.mark.timeout(240)
ITEM = {"host": "redis_slave01", "what": "set repl-timeout", "why": "the spec has 77", "impact": "None"}


@pytest.fixture
def rsc(api: ControlPlane, namespace: str, capsys: pytest.CaptureFixture[str]) -> Iterator[Rsc]:
    """The program as the administrator."""
    with closing(Rsc(api.admin_kubeconfig, namespace, capsys)) as program:
        yield program


def written(tmp_path: Path, rsc: Rsc, **changes: object) -> str:
    path = tmp_path / "cluster.yaml"
    path.write_text(yaml.safe_dump(changed({"metadata.namespace": rsc.namespace, **changes})))
    return str(path)


def looks(rsc: Rsc) -> list[dict[str, Any]]:
    """The resources that only plan."""
    return [each for each in rsc.api.clusters() if annotation(each, "plan-for")]


def planning(*items: dict[str, str], seen: list[dict[str, Any]]) -> Any:
    """An operator that plans these changes; `seen` gets what it planned for."""

    def played(rsc: Rsc) -> bool:
        for each in looks(rsc):
            seen.append(each)
            rsc.tell(each["metadata"]["name"], observedGeneration=1, phase="Observing", plan=list(items))
            return True
        return False

    return played


def test_drift_and_none_have_their_codes_and_nothing_stays(rsc: Rsc, tmp_path: Path) -> None:
    path, seen = written(tmp_path, rsc), list[dict[str, Any]]()
    with rsc.operator(planning(ITEM, seen=seen)):
        said = rsc("plan", "-f", path)
    assert said.code == DRIFT
    assert "1 change would be made" in said.out
    assert looks(rsc) == []
    with rsc.operator(planning(seen=seen)):
        assert rsc("plan", "-f", path, "-o", "json").code == 0
    with rsc.operator(planning(ITEM, seen=seen)):
        said = rsc("plan", "-f", written(tmp_path, rsc, **{"spec.management": "Paused"}))
    assert said.err.endswith("Note: the file has management: Paused, so none of it is done as long as it has\n")
    assert [annotation(each, "plan-for") for each in seen] == [NAME] * 3
    assert [each["spec"]["management"] for each in seen] == ["Observe"] * 3
    assert annotation(seen[0], "expires-at") > seen[0]["metadata"]["creationTimestamp"]


def test_nothing_stays_either_where_nobody_answers(rsc: Rsc, tmp_path: Path) -> None:
    assert rsc("plan", "-f", written(tmp_path, rsc), "--timeout", "1").code == TIMED_OUT
    assert looks(rsc) == []


def test_what_the_api_server_would_refuse_is_told_before_anything_is_made(rsc: Rsc, tmp_path: Path) -> None:
    path = written(tmp_path, rsc, **{"spec.hosts[1].address": "192.168.3.41"})
    said = rsc("plan", "-f", path)
    assert said.code == NOT_DONE
    assert "the same address more than once" in said.err
    assert said.err.count("\n") == 1

    rsc.api.request("POST", rsc.api.path(), changed({"metadata.namespace": rsc.namespace}))
    moved = rsc("plan", "-f", written(tmp_path, rsc, **{"spec.hosts[1].address": "192.168.3.99"}))
    assert moved.code == NOT_DONE
    assert "a host keeps its address" in moved.err, "a rule about what it was before counts as well"
    assert looks(rsc) == []


def test_a_field_that_nobody_knows_is_refused_as_by_kubectl_apply(rsc: Rsc, tmp_path: Path) -> None:
    for there in (False, True):
        if there:
            rsc.api.request("POST", rsc.api.path(), changed({"metadata.namespace": rsc.namespace}))
        said = rsc("plan", "-f", written(tmp_path, rsc, **{"spec.sentinel.quorm": 2}))
        assert said.code == NOT_DONE
        assert 'unknown field "spec.sentinel.quorm"' in said.err
        assert said.err.count("\n") == 1
        assert looks(rsc) == []


def test_a_namespace_beside_the_files_own_is_refused(rsc: Rsc, tmp_path: Path) -> None:
    path = written(tmp_path, rsc, **{"metadata.namespace": "other"})
    assert rsc("plan", "-f", path).code == USAGE


def test_without_the_right_it_is_no_drift(api: ControlPlane, rsc: Rsc, tmp_path: Path) -> None:
    api.kubectl("create", "serviceaccount", "nobody", "-n", rsc.namespace)
    nobody = Rsc(api.serviceaccount_kubeconfig(rsc.namespace, "nobody"), rsc.namespace, rsc.capsys)
    said = nobody("plan", "-f", written(tmp_path, rsc))
    assert said.code == FORBIDDEN
    assert said.err.count("\n") == 1
