"""JSON Schema of a request's `outputs`, made of the declarations of operations and encodings."""

import inspect
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from stages import operations
from stages.encodings import ENCODINGS
from stages.outputs import FORMAT_DEFAULT, OPERATIONS_MAX, OUTPUTS_MAX

Document = dict[str, Any]
"""JSON Schema, or a part of it, as it is written."""

_REFERENCES: Final = "#/$defs/{name}"


@dataclass(frozen=True, slots=True)
class OutputsSchema:
    """A schema, and what it refers to as `#/$defs/NAME`."""

    outputs: Document
    definitions: dict[str, Document]


def outputs_schema() -> OutputsSchema:
    """Describe what may stand in `outputs`."""
    kinds = [*operations.OPERATIONS.values(), *ENCODINGS.values()]
    _, definitions = msgspec.json.schema_components(kinds, ref_template=_REFERENCES)
    listed = {
        "description": "What to do, in this order",
        "type": "array",
        "items": _any_of([kind.__name__ for kind in operations.OPERATIONS.values()]),
        "maxItems": OPERATIONS_MAX,
        "default": [],
    }
    for name, kind in ENCODINGS.items():
        definition = definitions[kind.__name__]
        definition["properties"] = {"operations": listed, **definition["properties"]}
        if name == FORMAT_DEFAULT:
            definition["required"] = [key for key in definition["required"] if key != "format"]
            definition["properties"]["format"]["default"] = name
    outputs = {
        "description": "What to make of a frame",
        "type": "array",
        "items": _any_of([kind.__name__ for kind in ENCODINGS.values()]),
        "minItems": 1,
        "maxItems": OUTPUTS_MAX,
    }
    return OutputsSchema(outputs, {name: _tidied(definition) for name, definition in definitions.items()})


def _any_of(names: Sequence[str]) -> Document:
    return {"anyOf": [{"$ref": _REFERENCES.format(name=name)} for name in names]}


def _tidied(definition: Document) -> Document:
    """Write its description, which is a docstring, on lines of their own without what indents them in the source."""
    return {**definition, "description": inspect.cleandoc(definition.get("description", ""))}
