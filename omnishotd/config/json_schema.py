"""JSON Schema of the configuration: the keys' own, with what a preset's outputs may be."""

from typing import Any

from omnishotd.config.schema import Configuration
from stages.schema import outputs_schema


def json_schema() -> dict[str, Any]:
    """Describe all keys, with types, bounds and meanings."""
    schema = Configuration.model_json_schema()
    outputs = outputs_schema()
    schema["$defs"] |= outputs.definitions
    schema["$defs"]["Preset"]["properties"]["outputs"] |= outputs.outputs
    return schema
