"""`kubectl apply -k deploy/monitoring/` on an API server that has the Prometheus Operator's own definitions."""

from __future__ import annotations

import pytest

from lab.controlplane import ControlPlane, KubectlError
from lab.monitors import monitor_definitions
from monitoring.manifests import MONITORING, document

OPERATOR = "redis-sentinel-operator"


@pytest.mark.timeout(240)
def test_the_api_server_takes_what_is_there_and_drops_nothing_of_it(api: ControlPlane) -> None:
    api.apply(monitor_definitions())
    api.kubectl("wait", "--for=condition=Established", "crd", "podmonitors.monitoring.coreos.com", "--timeout=90s")
    api.kubectl("wait", "--for=condition=Established", "crd", "prometheusrules.monitoring.coreos.com", "--timeout=90s")
    api.apply([{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": OPERATOR}}])
    api.wait_until(lambda: _applied(api), "the definitions to be served")
    for kind, name in (("podmonitor", "podmonitor.yaml"), ("prometheusrule", "prometheusrule.yaml")):
        assert api.get(kind, OPERATOR, "-n", OPERATOR)["spec"] == document(name)["spec"]
    with pytest.raises(KubectlError, match=r'unknown field "spec\.podMetricsEndpoints\[0\]\.honorLabel"'):
        wrong = (MONITORING / "podmonitor.yaml").read_text().replace("honorLabels:", "honorLabel:", 2)
        api.kubectl("apply", "--dry-run=server", "-f", "-", stdin=wrong)


def _applied(api: ControlPlane) -> bool:
    try:
        return "prometheusrule" in api.kubectl("apply", "-k", str(MONITORING))
    except KubectlError as error:
        if "no matches for kind" in str(error):  # established, and told a moment later
            return False
        raise
