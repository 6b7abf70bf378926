"""The OpenAPI document is true: schemathesis holds the real process to it, and finds a document that is not."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from select import select
from typing import Any

import pytest

from control.openapi import describe
from control.routes import ROUTES
from ipc.messages import Examine, Examined
from tests.control.raw import TOKEN, RawConnection, control_with, tell_of_services
from tests.control.support import ControlProcess, make_broker

PROGRAM = Path(sys.executable).with_name("schemathesis")
WITHIN_S = 100

CONFIG = """
[parameters]
"path.service" = "decode-0"

# 503 is an answer here, and an honest one: this control plane has nobody to report of.
[checks]
not_a_server_error.expected-statuses = ["2xx", "3xx", "4xx", 503]

[[operations]]
include-path = "/ws"
checks.positive_data_acceptance.expected-statuses = [426]
"""


@contextmanager
def supervised(control: ControlProcess) -> Iterator[None]:
    """Do what a supervisor does when services are examined."""
    is_over = threading.Event()

    def answer() -> None:
        while not is_over.is_set():
            if select([control.channel], [], [], 0.05)[0]:
                order = control.channel.receive()
                if isinstance(order, Examine):
                    control.channel.send(Examined(order.number, order.service, took_ms=1))

    thread = threading.Thread(target=answer)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


@pytest.fixture(scope="module", params=[False, True], ids=["without token", "with token"])
def control(request: pytest.FixtureRequest) -> Iterator[ControlProcess]:
    with control_with(token=request.param) as control, supervised(control):
        tell_of_services(control)
        control.tell(make_broker())
        yield control


def document_of(control: ControlProcess) -> Any:
    """Ask for the document."""
    with RawConnection(control.port) as connection:
        answer = connection.ask("/openapi.json", f"Authorization: Bearer {TOKEN}")
    assert answer.status == 200
    return answer.json


def run_schemathesis(
    control: ControlProcess, document: Any, directory: Path, *options: str
) -> subprocess.CompletedProcess[str]:
    """Hold a control plane to a document."""
    (directory / "openapi.json").write_text(json.dumps(document))
    (directory / "schemathesis.toml").write_text(CONFIG)
    command = [str(PROGRAM), "--config-file", "schemathesis.toml", "run", "openapi.json"]
    command += ["--url", f"http://127.0.0.1:{control.port}", "--header", f"Authorization: Bearer {TOKEN}"]
    command += ["--generation-deterministic", "--continue-on-failure", "--warnings", "off", *options]
    return subprocess.run(command, cwd=directory, check=False, capture_output=True, text=True, timeout=WITHIN_S)


def test_document_is_true(control: ControlProcess, tmp_path: Path) -> None:
    ended = run_schemathesis(control, document_of(control), tmp_path, "--max-examples", "15")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"Tested: {len(ROUTES)}" in ended.stdout


def test_document_that_is_wrong_is_found_out(tmp_path: Path) -> None:
    """The check itself: it must see a figure of another type, a status not declared, and a token not asked for."""
    with control_with(token=True) as control, supervised(control):
        tell_of_services(control)
        document = document_of(control)
        document["components"]["schemas"]["FrameCounts"]["properties"]["received"] = {"type": "string"}
        del document["paths"]["/ws"]["get"]["responses"]["426"]
        document["paths"]["/health/live"]["get"]["security"] = [{"token": []}]
        ended = run_schemathesis(control, document, tmp_path, "--max-examples", "3", "--phases", "coverage,fuzzing")

    assert ended.returncode == 1
    assert "ST108" in ended.stdout
    assert "ST103" in ended.stdout
    assert "ST401" in ended.stdout


def test_document_names_every_route_and_every_schema_it_refers_to() -> None:
    text = describe("1.2.3", has_token=True).decode()
    document = json.loads(text)

    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"] == "1.2.3"
    assert set(document["paths"]) == {route.path for route in ROUTES}
    for name in document["components"]["schemas"]:
        assert f'"#/components/schemas/{name}"' in text
    operation_ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(set(operation_ids)) == len(operation_ids) == len(ROUTES)


def test_document_asks_for_the_token_only_where_it_is_asked_for() -> None:
    with_token, without = json.loads(describe("1", has_token=True)), json.loads(describe("1", has_token=False))

    guarded = {path for path, operations in with_token["paths"].items() if "security" in str(operations)}
    assert guarded == {route.path for route in ROUTES if not route.is_open}
    assert "401" in with_token["paths"]["/api/metrics"]["get"]["responses"]
    assert "401" not in str(without["paths"])
    assert "securitySchemes" not in without["components"]
