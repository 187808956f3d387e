"""The dashboard's file and what kustomize makes of deploy/monitoring/; its queries are asked in tests/e2e."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import yaml

from lab.binaries import binary
from lab.prometheus import prometheus_programs
from monitoring.manifests import MONITORING, ROOT, dashboard
from monitoring.picture import Line, Span, draw, legend
from monitoring.server import configuration, queries
from redis_sentinel_operator.metrics import Metrics
from redis_sentinel_operator.settings import Settings

# Okabe and Ito's, which people with any sight tell apart.
SAFE = {"#0072B2", "#56B4E9", "#009E73", "#F0E442", "#E69F00", "#D55E00", "#CC79A7", "#999999"}


def test_the_queries_ask_for_what_there_is() -> None:
    known = {family.name for family in Metrics(Settings()).registry.collect()}
    ends = re.compile(r"_(bucket|sum|count|total)$")
    asked = {name for panel in dashboard()["panels"] for query, _, _ in queries(panel)
             for name in re.findall(r"rso_\w+", query)}  # fmt: skip
    assert {ends.sub("", name) for name in asked} <= known
    assert len(asked) > 12


def test_panels_do_not_lie_on_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in dashboard()["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}
        assert not cells & taken, panel["title"]
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])


def test_colours_are_safe() -> None:
    assert set(re.findall(r"#[0-9A-Fa-f]{6}", json.dumps(dashboard()))) <= SAFE


def test_kustomize_makes_a_config_map_of_it() -> None:
    command = [str(binary("kubectl")), "kustomize", str(MONITORING)]
    made = list(yaml.safe_load_all(subprocess.run(command, capture_output=True, check=True, text=True).stdout))
    found = {each["kind"]: each for each in made}
    assert found.keys() == {"ConfigMap", "PodMonitor", "PrometheusRule"}
    assert json.loads(found["ConfigMap"]["data"]["dashboard.json"]) == dashboard()
    assert found["ConfigMap"]["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {each["metadata"]["namespace"] for each in made} == {"redis-sentinel-operator"}


def test_the_pod_monitor_finds_the_operators_pod() -> None:
    pod = yaml.safe_load((ROOT / "deploy/deployment.yaml").read_text())["spec"]["template"]
    monitor = yaml.safe_load((MONITORING / "podmonitor.yaml").read_text())
    assert monitor["spec"]["selector"]["matchLabels"].items() <= pod["metadata"]["labels"].items()
    ports = {port["name"] for container in pod["spec"]["containers"] for port in container["ports"]}
    assert {each["port"] for each in monitor["spec"]["podMetricsEndpoints"]} <= ports
    (scrape,) = configuration("127.0.0.1:1")["scrape_configs"]
    assert (scrape["honor_labels"], scrape["metrics_path"]) == (True, "/metrics")


def test_the_page_says_how_to_take_the_rules_by_hand(tmp_path: Path) -> None:
    page = (ROOT / "docs/monitoring.md").read_text()
    (command,) = re.findall(r"^(sed .*) > rules\.yaml$", page, re.MULTILINE)
    made = subprocess.run(["bash", "-c", command], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    (tmp_path / "rules.yaml").write_text(made)
    promtool = [str(prometheus_programs() / "promtool"), "check", "rules", "rules.yaml"]
    assert "promtool check rules rules.yaml\n" in page
    subprocess.run(promtool, cwd=tmp_path, capture_output=True, check=True)
    assert yaml.safe_load(made) == yaml.safe_load((MONITORING / "prometheusrule.yaml").read_text())["spec"]


def test_a_panel_is_drawn_with_its_words() -> None:
    panels = [(panel, [Line(legend("{{host}} <1>", {"host": "a"}), ((0.0, 1.0), (30.0, 1.0), (59.0, 0.0)))])
              for panel in dashboard()["panels"]]  # fmt: skip
    drawn = ElementTree.fromstring(draw(panels, Span(0.0, 60.0, 1.0)))
    words = {element.text for element in drawn.iter("{http://www.w3.org/2000/svg}text")}
    assert {panel["title"] for panel, _ in panels} | {"a <1>", "yes", "00:00:30"} <= words


def test_a_line_is_broken_where_there_was_nothing() -> None:
    points = tuple((float(at), 1.0) for at in range(60) if not 20 <= at < 40)
    (panel,) = (each for each in dashboard()["panels"] if each["title"] == "Since a replica was heard")
    drawn = draw([(panel, [Line("a", points)])], Span(0.0, 60.0, 1.0))
    paths = re.findall(r'<path d="([^"]*)" fill="none"', drawn)
    assert [path.count("M") for path in paths] == [2, 1], "the line, and its piece in the legend"


def test_an_axis_ends_at_round_numbers() -> None:
    (panel,) = (each for each in dashboard()["panels"] if each["title"] == "Since a replica was heard")
    drawn = draw([(panel, [Line("a", ((0.0, 0.0), (30.0, 7.3)))])], Span(0.0, 60.0, 1.0))
    words = [element.text for element in ElementTree.fromstring(drawn).iter("{http://www.w3.org/2000/svg}text")]
    assert [word for word in words if word and word.endswith(" s")] == ["0 s", "2 s", "4 s", "6 s", "8 s"]
    assert {"seconds", "UTC"} <= set(words)


def test_two_moments_of_a_state_are_not_the_time_between() -> None:
    (panel,) = (each for each in dashboard()["panels"] if each["title"] == "Phase")
    drawn = draw([(panel, [Line("Degraded", ((10.0, 1.0), (50.0, 1.0)))])], Span(0.0, 60.0, 1.0))
    widths = [float(width) for width in re.findall(r'width="([\d.]+)" height="[\d.]+" fill="#0072B2"', drawn)]
    assert len(widths) == 3, "two moments, and what the colour stands for"
    assert max(widths) < 20
