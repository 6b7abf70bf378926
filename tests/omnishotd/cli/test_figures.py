"""What `omnishotd top` reads, against what the control plane declares."""

from typing import Any, get_args

import msgspec
import pytest

from control.alerts import Alert
from control.chronicle import EventNote
from control.health import Health
from control.memory import MemoryAnalysis
from control.metrics import Metrics
from control.services import Services
from omnishotd.cli import figures
from tests.omnishotd.cli.bodies import HEALTH, MEMORY, METRICS, SERVICES, Body

PAIRS = [
    (figures.Metrics, Metrics),
    (figures.Services, Services),
    (figures.Memory, MemoryAnalysis),
    (figures.Alert, Alert),
    (figures.Event, EventNote),
    (figures.Health, Health),
]


def structs_in(kind: Any) -> list[type[msgspec.Struct]]:
    """List the structs that a type is made of, as `dict[str, Stage]` of Stage."""
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return [kind]
    return [found for part in get_args(kind) for found in structs_in(part)]


def missing(read: type[msgspec.Struct], declared: type[msgspec.Struct], where: str = "") -> list[str]:
    """Name the fields that are read and not declared, at all depths."""
    known = {field.encode_name: field for field in msgspec.structs.fields(declared)}
    found = []
    for field in msgspec.structs.fields(read):
        if field.encode_name not in known:
            found.append(f"{where}{field.encode_name}")
            continue
        below = zip(structs_in(field.type), structs_in(known[field.encode_name].type), strict=True)
        for inner, its_declaration in below:
            found += missing(inner, its_declaration, f"{where}{field.encode_name}.")
    return found


@pytest.mark.parametrize(("read", "declared"), PAIRS, ids=lambda kind: kind.__name__)
def test_every_figure_that_is_shown_is_declared_by_the_control_plane(
    read: type[msgspec.Struct], declared: type[msgspec.Struct]
) -> None:
    assert missing(read, declared) == []


def test_figure_that_is_not_declared_is_found() -> None:
    """The check itself, at the depth of a list of structs."""

    class Service(msgspec.Struct):
        name: str
        weather: str

    class Told(msgspec.Struct):
        status: str
        services: list[Service]

    assert missing(Told, Services) == ["services.weather"]


@pytest.mark.parametrize(
    ("body", "declared"), [(METRICS, Metrics), (SERVICES, Services), (MEMORY, MemoryAnalysis), (HEALTH, Health)]
)
def test_bodies_of_these_tests_are_such_as_the_control_plane_sends(body: Body, declared: type[msgspec.Struct]) -> None:
    assert msgspec.to_builtins(msgspec.convert(body, declared, strict=True)).keys() == body.keys()
