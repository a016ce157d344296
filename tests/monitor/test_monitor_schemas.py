"""The shipped documents are those the monitor serves; `python -m tests.monitor.test_monitor_schemas` makes them."""

from pathlib import Path

import msgspec
import pytest

from engine.monitor.openapi import openapi, websocket_schema

SCHEMAS = Path(__file__).parents[2] / "configs" / "schemas"
DOCUMENTS = {"monitor-openapi.json": openapi, "monitor-ws.schema.json": websocket_schema}


def text(name: str) -> str:
    return msgspec.json.format(msgspec.json.encode(DOCUMENTS[name](), order="sorted"), indent=2).decode() + "\n"


@pytest.mark.parametrize("name", DOCUMENTS)
def test_the_shipped_document_is_the_one_that_is_served(name: str) -> None:
    assert (SCHEMAS / name).read_text() == text(name)


def test_another_document_is_noticed() -> None:
    assert text("monitor-openapi.json") != text("monitor-ws.schema.json")


if __name__ == "__main__":
    for shipped in DOCUMENTS:
        (SCHEMAS / shipped).write_text(text(shipped))
