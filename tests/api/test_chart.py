"""The Helm chart with a real helm on a real API server, and deploy/, which is the same without values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.test_deploy import AT_HOME, EVERYWHERE, Rule, rights_of
from lab.controlplane import ControlPlane, KubectlError
from lab.helm import CHART, DEPLOY, NAME, generated, helm, rendered
from lab.image import IMAGE
from lab.machine import LabError
from redis_sentinel_operator.settings import Settings

pytestmark = pytest.mark.timeout(240)
IDENTITY = ("get", "", "namespaces", "kube-system")
ALL = (
    "replicas=2",
    "watch.namespaces={shop,billing}",
    "watch.selector=team in (a\\,b)",
    "networkPolicy.enabled=true",
    "networkPolicy.hosts={192.168.3.0/24,fd00::/64}",
    "networkPolicy.metricsNamespaces={monitoring}",
    "networkPolicy.metricsFrom[0].ipBlock.cidr=10.0.0.7/32",
    "settings.resync=30",
    "image.repository=registry.example:5000/redis-sentinel-operator",
    "imagePullSecrets[0].name=registry",
    "log.level=DEBUG",
    "podLabels.team=db",
    "podAnnotations.why=because",
    "nodeSelector.kubernetes\\.io/os=linux",
    "tolerations[0].operator=Exists",
    "priorityClassName=system-cluster-critical",
)


def documents(texts: Sequence[str]) -> list[dict[str, Any]]:
    """Documents in an order that does not depend on who wrote them."""
    found = [each for text in texts for each in yaml.safe_load_all(text) if each]
    return sorted(
        found, key=lambda each: (each["kind"], each["metadata"].get("namespace", ""), each["metadata"]["name"])
    )


def one(kind: str, found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    (document,) = (each for each in found if each["kind"] == kind)
    return document


# -- without an API server


@pytest.mark.parametrize("values", [(), ALL], ids=["no values", "all values"])
def test_helm_finds_nothing_wrong_with_the_chart(values: tuple[str, ...]) -> None:
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), *(f"--set={value}" for value in values))


def test_the_files_of_deploy_are_made_from_the_chart() -> None:
    stale = [str(path) for path, text in generated().items() if not path.exists() or path.read_text() != text]
    assert stale == [], "run `make generate`"


def test_the_chart_has_the_definition_and_the_versions_of_the_product() -> None:
    project = tomllib.loads((CHART.parents[1] / "pyproject.toml").read_text())["project"]
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (project["version"], project["version"])
    assert f"{NAME}:{chart['appVersion']}" == IMAGE
    shown = yaml.safe_load(helm("show", "crds", str(CHART)))
    assert shown == yaml.safe_load((CHART.parents[1] / "crds" / "redissentinelclusters.yaml").read_text())


def test_every_value_is_in_the_schema_and_every_number_of_the_operator_can_be_set() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())["properties"]
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    assert schema.keys() - {"global"} == values.keys()
    for name, node in schema.items():
        if "properties" in node and name != "settings":
            assert node["properties"].keys() == values[name].keys()
    assert set(schema["settings"]["properties"]) == {each.name for each in fields(Settings)} - {"http_port"}


REFUSED = {
    "replica=2": "at '': additional properties 'replica' not allowed",
    "watch.namespaces={shop,shop}": "at '/watch/namespaces': items at 0 and 1 are equal",
    "replicas=3": "at '/replicas': value must be one of 1, 2",
    "watch.namespace=shop": "at '/watch': additional properties 'namespace' not allowed",
    "watch.namespaces={Shop}": "at '/watch/namespaces/0': 'Shop' does not match pattern",
    "settings.resink=1": "at '/settings': additional properties 'resink' not allowed",
    "settings.resync=soon": "at '/settings/resync': got string, want number",
    "networkPolicy.hosts={192.168.3.1}": "at '/networkPolicy/hosts/0': '192.168.3.1' does not match pattern",
    "networkPolicy.metricsNamespaces={Monitoring}": "at '/networkPolicy/metricsNamespaces/0': 'Monitoring' does not",
    "networkPolicy.metricsFrom[0].namespace=monitoring": (
        "at '/networkPolicy/metricsFrom/0': additional properties 'namespace' not allowed"
    ),
    "log.level=LOUD": "at '/log/level': value must be one of",
}


@pytest.mark.parametrize(("value", "words"), REFUSED.items(), ids=REFUSED.keys())
def test_a_wrong_value_is_refused_by_its_name(value: str, words: str) -> None:
    with pytest.raises(LabError) as refused:
        rendered(value)
    assert words in str(refused.value)


# -- and kustomize


def test_the_components_of_deploy_are_the_chart_with_their_values(api: ControlPlane, tmp_path: Path) -> None:
    kustomization = yaml.safe_load((DEPLOY / "kustomization.yaml").read_text())
    named = ["components/two-replicas", "components/network-policy"]
    for line in named:
        assert f"# - {line}\n" in (DEPLOY / "kustomization.yaml").read_text(), "it is offered there"
    copy = tmp_path / "deploy"
    for path in DEPLOY.rglob("*.yaml"):
        if CHART not in path.parents:
            target = copy / path.relative_to(DEPLOY)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(path.read_text())
    for components, values in (([], ()), (named, ("replicas=2", "networkPolicy.enabled=true"))):
        (copy / "kustomization.yaml").write_text(yaml.safe_dump(kustomization | {"components": components}))
        made = documents([api.kubectl("kustomize", str(copy))])
        made.remove(one("Namespace", made))
        assert made == documents([*rendered(*values).values()])


# -- on the API server


@pytest.fixture(scope="module")
def installed(api: ControlPlane) -> Iterator[list[dict[str, Any]]]:
    """The chart, installed with all its values in a namespace of its own that enforces the restricted profile."""
    for name in ("chart", "shop", "billing"):
        labels = {"pod-security.kubernetes.io/enforce": "restricted"} if name == "chart" else {}
        api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}])
    values = [f"--set={value}" for value in ALL]
    where = ("--namespace=chart", "--skip-crds")
    helm("install", NAME, str(CHART), *where, *values, kubeconfig=api.admin_kubeconfig)
    yield documents([helm("get", "manifest", NAME, "--namespace=chart", kubeconfig=api.admin_kubeconfig)])
    helm("uninstall", NAME, "--namespace=chart", kubeconfig=api.admin_kubeconfig)
    for kind in ("deployment", "poddisruptionbudget", "networkpolicy", "serviceaccount", "role", "rolebinding"):
        assert NAME not in api.kubectl("get", kind, "-n", "chart", "-o", "name")
    assert api.get("crd", "redissentinelclusters.redis-sentinel-operator.io"), "clusters go with it"
    api.kubectl("delete", "namespace", "chart", "shop", "billing", "monitoring", "--ignore-not-found", "--timeout=90s")


def test_it_is_installed_with_all_its_values(api: ControlPlane, installed: list[dict[str, Any]]) -> None:
    spec = api.get("deployment", NAME, "-n", "chart")["spec"]
    assert (spec["replicas"], spec["strategy"]["type"]) == (2, "RollingUpdate")
    pod = spec["template"]["spec"]
    container = pod["containers"][0]
    assert container["image"] == "registry.example:5000/redis-sentinel-operator:0.1.0"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz/standby"
    environment = {each["name"]: each.get("value") for each in container["env"]}
    assert environment["RSO_NAMESPACES"] == "shop,billing"
    assert environment["RSO_SELECTOR"] == "team in (a,b)"
    assert environment["RSO_RESYNC"] == "30"
    assert "RSO_LEASE" not in environment, "the release has the chart's name"
    budget = api.get("poddisruptionbudget", NAME, "-n", "chart")["spec"]
    assert (budget["maxUnavailable"], budget["selector"]) == (1, spec["selector"])
    policy = api.get("networkpolicy", NAME, "-n", "chart")["spec"]
    assert [port["port"] for rule in policy["egress"] for port in rule["ports"]] == [22, 443, 6443, 53, 53]
    assert [peer["ipBlock"]["cidr"] for peer in policy["egress"][0]["to"]] == ["192.168.3.0/24", "fd00::/64"]
    trial = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trial", "namespace": "chart"}, "spec": pod}
    api.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(trial))
    assert not [each for each in installed if each["kind"].startswith("ClusterRole")]


def test_the_network_policy_lets_prometheus_in_from_the_namespaces_that_are_named(
    api: ControlPlane, installed: list[dict[str, Any]]
) -> None:
    """As the API server reads the policy, the Pod and the PodMonitor; no network that enforces policies is run here."""
    policy = api.get("networkpolicy", NAME, "-n", "chart")["spec"]
    pod = api.get("deployment", NAME, "-n", "chart")["spec"]["template"]
    assert policy["podSelector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    monitor = yaml.safe_load((DEPLOY / "monitoring" / "podmonitor.yaml").read_text())["spec"]
    (scraped,) = (each["port"] for each in monitor["podMetricsEndpoints"])
    (number,) = (each["containerPort"] for each in pod["spec"]["containers"][0]["ports"] if each["name"] == scraped)
    (rule,) = policy["ingress"]
    assert (number, rule["ports"]) == (8080, [{"protocol": "TCP", "port": number}])
    of_namespace, of_address = rule["from"]
    assert of_address == {"ipBlock": {"cidr": "10.0.0.7/32"}}
    assert of_namespace.keys() == {"namespaceSelector"}, "all Pods there"
    api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "monitoring"}}])
    labels = ",".join("=".join(each) for each in of_namespace["namespaceSelector"]["matchLabels"].items())
    assert api.kubectl("get", "namespaces", "-l", labels, "-o", "name") == "namespace/monitoring\n"


def test_without_names_of_who_may_ask_anybody_may() -> None:
    policy = one("NetworkPolicy", documents([rendered("networkPolicy.enabled=true")["networkpolicy"]]))
    assert policy["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 8080}]}]


def test_with_a_list_of_namespaces_it_has_these_rights_and_no_others(
    api: ControlPlane, installed: list[dict[str, Any]]
) -> None:
    operator = api.serviceaccount_kubeconfig("chart", NAME)
    api.kubectl("create", "serviceaccount", "anybody", "-n", "chart")
    anybody = api.serviceaccount_kubeconfig("chart", "anybody")
    here = EVERYWHERE - {IDENTITY}
    given = {"shop": here, "billing": here, "chart": AT_HOME, "redis": set[Rule](), "kube-system": {IDENTITY}}
    assert rights_of(api, operator, anybody, given) == given
    api.kubectl("get", "namespace", "kube-system", kubeconfig=operator)
    with pytest.raises(KubectlError, match="cannot list"):
        api.kubectl("get", "rsc", "-A", kubeconfig=operator)


def test_two_releases_in_one_namespace_share_nothing() -> None:
    named = {
        release: {(each["kind"], each["metadata"]["name"]) for each in documents([*found.values()])}
        for release, found in ((name, rendered("replicas=2", release=name)) for name in ("blue", "green"))
    }
    assert not named["blue"] & named["green"]
    deployment = one("Deployment", documents([*rendered(release="blue").values()]))
    environment = {
        each["name"]: each.get("value") for each in deployment["spec"]["template"]["spec"]["containers"][0]["env"]
    }
    role = one("Role", documents([rendered(release="blue")["role"]]))
    assert environment["RSO_LEASE"] == "blue-redis-sentinel-operator" == role["rules"][1]["resourceNames"][0]


def test_one_replica_has_no_disruption_budget_and_is_replaced_whole() -> None:
    found = documents([*rendered().values()])
    assert "PodDisruptionBudget" not in {each["kind"] for each in found}
    assert one("Deployment", found)["spec"]["strategy"] == {"type": "Recreate"}
