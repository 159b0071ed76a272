"""The alerts and the dashboard: every expression is PromQL, and asks for what a scrape has."""

import json
import re
from pathlib import Path

import promql_parser
import pytest
import yaml
from serving import TESTS

from model_service.metrics.families import FAMILIES, Kind
from model_service.transports.http.problems import CODES

DEPLOY = TESTS.parent / "deploy"
RULES = [
    rule
    for group in yaml.safe_load((DEPLOY / "prometheus/rules.yaml").read_text())["groups"]
    for rule in group["rules"]
]
DASHBOARD = json.loads((DEPLOY / "grafana/model-service.json").read_text())
PANELS = DASHBOARD["panels"]
#: What Grafana writes in the place of its variables.
VARIABLES = {"$__rate_interval": "5m", "$instance": ".*", "$model": ".*"}
#: What Prometheus adds to every sample.
ADDED = {"instance", "job"}


def list_samples() -> dict[str, set[str]]:
    """Return the labels of every sample that a scrape may have, by its name."""
    samples: dict[str, set[str]] = {"up": ADDED}
    for family in FAMILIES:
        labels = {*family.labels, *ADDED}
        if family.kind is Kind.HISTOGRAM:
            samples |= {f"{family.name}_bucket": {*labels, "le"}}
            samples |= {f"{family.name}_{part}": labels for part in ("sum", "count")}
        else:
            samples[family.name] = labels
    return samples


def list_expressions() -> list[tuple[str, str]]:
    found = [(rule["alert"], rule["expr"]) for rule in RULES]
    for panel in PANELS:
        for target in panel["targets"]:
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            found.append((panel["title"], expression))
    return found


@pytest.mark.parametrize(("title", "expression"), list_expressions())
def test_an_expression_asks_for_what_a_scrape_has(title, expression):
    promql_parser.parse(expression)
    samples = list_samples()
    named = re.findall(r"\b(up|model_service_\w+)(?:\{([^}]*)\})?", expression)
    assert named or expression == "vector(0)"
    known: set[str] = set()
    for name, matchers in named:
        assert name in samples
        assert set(re.findall(r"(\w+)\s*[=!]~?", matchers)) <= samples[name]
        known |= samples[name]
    for labels in re.findall(r"\bby \(([^)]*)\)", expression):
        assert {label.strip() for label in labels.split(",")} <= known


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule["alert"])
def test_an_alert_tells_what_to_do(rule):
    assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["description"]
    for codes in re.findall(r'code=~"([^"]*)"', rule["expr"]):
        assert set(codes.split("|")) <= set(CODES)


def test_no_alert_has_the_name_of_another():
    assert len({rule["alert"] for rule in RULES}) == len(RULES)


def test_a_label_that_a_legend_shows_is_kept_by_its_expression():
    for panel in PANELS:
        for target in panel["targets"]:
            shown = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            grouped = re.search(r"\bby \(([^)]*)\)", target["expr"])
            assert grouped is None or shown <= {label.strip() for label in grouped[1].split(",")}, panel["title"]


def test_panels_do_not_overlap():
    taken: set[tuple[int, int]] = set()
    for panel in PANELS:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not taken & cells
        assert max(x for x, _ in cells) < 24
        taken |= cells
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_the_example_of_a_prometheus_reads_the_rules():
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yaml").read_text())
    assert [(DEPLOY / "prometheus" / name).is_file() for name in config["rule_files"]] == [True]
    jobs = {job["job_name"] for job in config["scrape_configs"]}
    assert set(re.findall(r'job="([^"]*)"', Path(DEPLOY / "prometheus/rules.yaml").read_text())) <= jobs
