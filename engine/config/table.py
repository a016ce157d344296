"""What every table of the configuration has in common, and how a key says more than its type.

A field's description is the only place where a key is explained: the written file, the schema and
`config show` all take it from there.
"""

from typing import Any, Final

from pydantic import BaseModel, ConfigDict

LIVE: Final[dict[str, Any]] = {"reload": "live"}
"""`json_schema_extra` of a key that a reload changes in a running engine; all others need a restart."""


class Table(BaseModel):
    """Frozen; unknown keys are refused, and no error repeats a value."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)
