"""The configuration's JSON schema: for completion in editors, and shipped."""

from typing import Any

import msgspec

from engine.config.described import DESCRIBED
from engine.config.model import Config


def config_schema() -> dict[str, Any]:
    """With explanations of the keys that are declared elsewhere."""
    schema = Config.model_json_schema(mode="validation")
    for path, text in DESCRIBED.items():
        _explain(schema, path.split("."), text)
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema, "title": "wyckoff.toml"}


def schema_text() -> str:
    data = msgspec.json.encode(config_schema(), order="sorted")
    return msgspec.json.format(data, indent=2).decode() + "\n"


def _explain(schema: dict[str, Any], path: list[str], text: str) -> None:
    """Follows references; the open tables end where any key is allowed."""
    table: dict[str, Any] = schema
    for part in path[:-1]:
        table = _resolved(schema, table.get("properties", {}).get(part, {}))
    found = table.get("properties", {}).get(path[-1])
    if found is not None:
        found["description"] = text


def _resolved(schema: dict[str, Any], part: dict[str, Any]) -> dict[str, Any]:
    name = part.get("$ref", "").rpartition("/")[2]
    found: dict[str, Any] = schema["$defs"][name] if name else part
    return found
