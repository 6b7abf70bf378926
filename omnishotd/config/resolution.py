"""From layers of values to `ipc.settings.Settings`, or to a list of all that is wrong with them."""

import copy
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from pydantic import BaseModel, ValidationError

from ipc.settings import OverlaySettings, Settings
from omnishotd.config import checks
from omnishotd.config.credentials import credentials_directory, with_credentials
from omnishotd.config.layers import Layer, Values, merge, read_assignments, read_environment, read_file
from omnishotd.config.overlays import Examined, examine, with_overlays_placed
from omnishotd.config.problems import ConfigurationError, Problem, key_of, sentence
from omnishotd.config.schema import Configuration
from omnishotd.runtime import RuntimeDirectoryError, runtime_directory

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


@dataclass(frozen=True, slots=True)
class Resolution:
    """A configuration without faults, and where its values were said."""

    configuration: Configuration
    layers: tuple[Layer, ...]
    runtime: Path
    credentials: Path
    overlays: Mapping[str, OverlaySettings]
    """By name; none where they were not read."""

    def origin(self, path: Sequence[str]) -> str | None:
        """Name the place that has the last word on a key; None: it has its default."""
        return next((layer.origin for layer in reversed(self.layers) if layer.says(path)), None)

    def settings(self) -> Settings:
        """Return the values as processes get them."""
        values = with_credentials(self.configuration, self.credentials).model_dump()
        frames = values["frames"]
        frames["endpoints"] = [checks.expanded(endpoint, self.runtime) for endpoint in frames["endpoints"]]
        frames["socket_mode"] = int(frames["socket_mode"], 8)
        values["overlays"] = self.overlays
        return msgspec.convert({"runtime_directory": str(self.runtime), **values}, Settings)


def resolve(
    file: Path | None = None, environment: Mapping[str, str] = os.environ, assignments: Sequence[str] = ()
) -> Settings:
    """Return the settings that file, environment and command line come to. Raises ConfigurationError."""
    return read(file, environment, assignments).settings()


def read(
    file: Path | None = None,
    environment: Mapping[str, str] = os.environ,
    assignments: Sequence[str] = (),
    *,
    is_to_serve: bool = True,
) -> Resolution:
    """Read and check the configuration; all that is wrong is told in one ConfigurationError.

    Who only asks a daemon, `is_to_serve` being false, need not be able to read the files that it reads.

    `assignments` are `section.key=value` and lie over the environment, which lies over the file. Without `file`, the
    system's own is read where there is one.
    """
    layers = (read_file(file), read_environment(environment), read_assignments(assignments))
    configuration, problems = _validated(merge(layers))
    try:
        runtime = runtime_directory(environment)
    except RuntimeDirectoryError as error:
        problems.append(Problem("RUNTIME_DIRECTORY", error.what))
        # All other rules are checked as if it had not been said.
        runtime = runtime_directory({**environment, "RUNTIME_DIRECTORY": ""})
    credentials = credentials_directory(environment)
    examined = Examined()
    if configuration is not None:
        configuration = with_overlays_placed(configuration, layers)
        told = {_section_key(problem.key) for problem in problems}
        found = list(checks.problems(configuration, runtime))
        if is_to_serve:
            found += checks.unreadable(with_credentials(configuration, credentials))
            examined = examine(configuration.overlays, checks.limits(configuration))
            found += examined.problems
        problems += [problem for problem in found if _section_key(problem.key) not in told]
    if problems or configuration is None:
        raise ConfigurationError([_with_origin(problem, layers) for problem in problems])
    return Resolution(configuration, layers, runtime, credentials, examined.settings)


def _validated(values: Values) -> tuple[Configuration | None, list[Problem]]:
    """Validate; where a value is wrong put its default in its place, so that all other rules can be checked too."""
    try:
        return Configuration.model_validate(values), []
    except ValidationError as error:
        faults = error.errors(include_url=False)
    problems = [Problem(key_of(fault["loc"]), sentence(fault, _known(fault))) for fault in faults]
    rest = copy.deepcopy(values)
    for fault in faults:
        _remove(rest, fault["loc"][:2])
    try:
        return Configuration.model_validate(rest), problems
    except ValidationError:
        return None, problems


def _remove(values: Values, path: Sequence[str | int]) -> None:
    node: Any = values
    for part in path[:-1]:
        node = node.get(part) if isinstance(node, dict) else None
    if isinstance(node, dict) and path:
        node.pop(path[-1], None)


def _known(fault: "ErrorDetails") -> list[str]:
    """List the keys of the section that a fault lies in."""
    model: type[BaseModel] = Configuration
    for part in fault["loc"][:-1]:
        field = model.model_fields.get(str(part))
        annotation = field.annotation if field is not None else None
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            return []
        model = annotation
    return list(model.model_fields)


def _section_key(key: str) -> str:
    return ".".join(key.partition("[")[0].split(".")[:2])


def _with_origin(problem: Problem, layers: Sequence[Layer]) -> Problem:
    path = _section_key(problem.key).split(".")
    origin = next((layer.origin for layer in reversed(layers) if layer.says(path)), "")
    return Problem(problem.key, problem.what, problem.origin or origin)
