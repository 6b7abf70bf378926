"""Monitoring: the rules and the dashboard that come along ask for what the exposition has, and read as they should."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
import yaml

from control.rules import RULES
from tests.control.scrape import Samples, observed, samples_of, scrape

HERE = Path(__file__).parent
FOLDER = Path(str(files("control") / "monitoring"))
PROMTOOL = shutil.which("promtool")
"""Where there is one, it has a say too; what does not need it is checked without it."""

SELECTOR = re.compile(r"\b(omnishotd_[a-z_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(=~|=|!=|!~)\s*"([^"]*)"')
OUTSIDE = {"instance", "job"}
"""Labels that Prometheus adds."""


@pytest.fixture(scope="module")
def samples() -> Samples:
    return samples_of(scrape(observed()))


def rules() -> list[dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return dict(json.loads((FOLDER / "grafana.json").read_text()))


def dashboard_expressions() -> list[str]:
    return [target["expr"] for panel in dashboard()["panels"] for target in panel.get("targets", ())]


def unanswered(expression: str, samples: Samples) -> list[str]:
    """Find the selectors of an expression that no sample fits."""
    return [
        f"{name}{{{matchers or ''}}}"
        for name, matchers in SELECTOR.findall(expression)
        if not any(fits(dict(labels), matchers) for sample, labels in samples if sample == name)
    ]


def fits(labels: dict[str, str], matchers: str) -> bool:
    for label, operator, wanted in MATCHER.findall(matchers):
        if label in OUTSIDE:
            continue
        if label not in labels:
            return False
        is_met = labels[label] == wanted if "~" not in operator else bool(re.fullmatch(wanted, labels[label]))
        if is_met == operator.startswith("!"):
            return False
    return True


def test_rules_ask_for_what_the_exposition_has(samples: Samples) -> None:
    asked = {rule["alert"]: unanswered(rule["expr"], samples) for rule in rules()}

    assert {alert: selectors for alert, selectors in asked.items() if selectors} == {}
    assert sum(len(SELECTOR.findall(rule["expr"])) for rule in rules()) > len(rules())


def test_dashboard_asks_for_what_the_exposition_has(samples: Samples) -> None:
    expressions = [*dashboard_expressions(), dashboard()["templating"]["list"][1]["definition"]]

    assert [selector for expression in expressions for selector in unanswered(expression, samples)] == []
    assert all(SELECTOR.search(expression) for expression in expressions)


def test_selector_that_nothing_fits_is_found(samples: Samples) -> None:
    """The check itself."""
    assert unanswered('rate(omnishotd_frames_ended_total{outcome="complete"}[1m])', samples)
    assert unanswered('omnishotd_frames_ended_total{output!="failed"}', samples)
    assert unanswered('omnishotd_service_restarts_total{cause!~".*"}', samples)
    assert unanswered("1 - omnishotd_frames", samples)
    assert not unanswered('sum(omnishotd_frames_ended_total{instance="x", outcome=~"completed|failed"})', samples)


def test_each_rule_says_how_bad_it_is_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]

    assert len(set(names)) == len(names)
    for rule in rules():
        assert rule["alert"].startswith("Omnishotd")
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "description"}
        assert rule["annotations"]["description"].endswith(".")
        # A state that is looked at is waited for; a count over time has its time inside.
        assert "for" in rule or "increase(" in rule["expr"] or 'state="failed"' in rule["expr"]


def test_rules_cover_each_alert_of_the_daemon_itself() -> None:
    assert {rule["labels"].get("condition") for rule in rules()} - {None} == {rule.name for rule in RULES}


def test_rules_are_found_from_the_scrape_example() -> None:
    example = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    (job,) = example["scrape_configs"]

    assert all((FOLDER / name).is_file() for name in example["rule_files"])
    assert (job["job_name"], job["metrics_path"]) == ("omnishotd", "/metrics")
    assert f'up{{job="{job["job_name"]}"}}' in (FOLDER / "alerts.yml").read_text()


def test_scrape_fits_into_the_limits_of_the_example(samples: Samples) -> None:
    (job,) = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"]

    assert len(samples) < job["sample_limit"] / 20
    assert max(len(labels) for _, labels in samples) + len(OUTSIDE) <= job["label_limit"]


def test_dashboard_has_its_rows_and_its_variables() -> None:
    board = dashboard()
    variables = {variable["name"]: variable for variable in board["templating"]["list"]}

    rows = [panel["title"] for panel in board["panels"] if panel["type"] == "row"]
    assert rows == ["Frames", "Latency by stage", "Queue", "Workers", "Memory", "Alerts"]
    assert variables["datasource"]["type"] == "datasource"
    assert variables["instance"]["datasource"]["uid"] == "${datasource}"
    assert board["id"] is None
    assert "__inputs" not in board


def test_every_panel_follows_both_variables_and_has_a_place_of_its_own() -> None:
    panels = dashboard()["panels"]
    taken: dict[tuple[int, int], str] = {}
    for panel in panels:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert taken.setdefault((x, y), panel["title"]) == panel["title"]
        for target in panel.get("targets", ()):
            assert target["datasource"]["uid"] == panel["datasource"]["uid"] == "${datasource}"
            selectors = SELECTOR.findall(target["expr"])
            assert all('instance=~"$instance"' in matchers for _, matchers in selectors), target["expr"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len({panel["title"] for panel in panels}) == len(panels)


def promtool_commands(folder: Path) -> Iterator[list[str]]:
    """What a promtool is to find right; the dashboard's expressions as rules, which is what it reads."""
    yield ["check", "rules", str(FOLDER / "alerts.yml")]
    yield ["check", "config", str(FOLDER / "prometheus.yml")]
    yield ["test", "rules", str(HERE / "alert_rules.yml")]
    expressions = [
        expression.replace("$__rate_interval", "1m").replace("$instance", "here")
        for expression in dashboard_expressions()
    ]
    recorded = [{"record": f"panel:{number}", "expr": each} for number, each in enumerate(expressions)]
    written = folder / "dashboard.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": recorded}]}))
    yield ["check", "rules", str(written)]


def test_promtool_has_no_complaint(tmp_path: Path) -> None:
    """Where there is none, at least what it reads is there, and each rule is in its tests."""
    commands = list(promtool_commands(tmp_path))
    tested = (HERE / "alert_rules.yml").read_text()

    assert [rule["alert"] for rule in rules() if rule["alert"] not in tested] == []
    assert all(Path(command[-1]).is_file() for command in commands)
    for command in commands if PROMTOOL else ():
        checked = subprocess.run([str(PROMTOOL), *command], capture_output=True, text=True, check=False, timeout=60)
        assert checked.returncode == 0, f"{command}: {checked.stdout}{checked.stderr}"
        assert "FAILED" not in checked.stdout + checked.stderr
