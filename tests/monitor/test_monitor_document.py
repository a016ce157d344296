"""Requests made from the OpenAPI document itself: never a 5xx of our own, always what the document says.

`WYCKOFF_SOAK=1` makes many more of them.
"""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import CHECKS, load_all_checks

from engine.monitor import gate, guard
from engine.monitor.openapi import openapi
from tests.monitor.rig import OPERATE, running
from tests.monitor.test_monitor_rest import stored

EXAMPLES = 200 if os.environ.get("WYCKOFF_SOAK") else 4

SCHEMA = schemathesis.openapi.from_dict(openapi())
OPERATIONS = [found.ok() for found in SCHEMA.get_all_operations()]

load_all_checks()
KEPT = CHECKS.get_by_names(["status_code_conformance", "content_type_conformance", "response_schema_conformance"])

SAYS_WHY = (HTTPStatus.NOT_IMPLEMENTED, HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE)
"""An engine that is away, or a command that it does not know, are answers."""


@contextmanager
def served(directory: Path) -> Iterator[str]:
    """A monitor with a store on a loop of its own: the client blocks."""
    ready, stop, found = threading.Event(), threading.Event(), []

    async def serve() -> None:
        store = await stored(directory)
        async with running(directory, store=store) as rig:
            found.append(rig.base)
            ready.set()
            await anyio.to_thread.run_sync(stop.wait)

    thread = threading.Thread(target=anyio.run, args=(serve,))
    thread.start()
    assert ready.wait(20)
    try:
        yield found[0]
    finally:
        stop.set()
        thread.join(20)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(guard, "REQUESTS_AT_ONCE", 1_000_000)
        patch.setattr(guard, "TRIES_AT_ONCE", 1_000_000)
        patch.setattr(gate, "BODY_S", 2.0)
        with served(tmp_path_factory.mktemp("document")) as address:
            yield address


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: f"{one.method.upper()} {one.path}")
@pytest.mark.timeout(300)
def test_the_document_is_kept(operation: Any, base: str) -> None:
    with requests.Session() as session:

        @given(case=operation.as_strategy())
        @settings(
            max_examples=EXAMPLES, deadline=None, derandomize=True, database=None, phases=(Phase.generate,),
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        def check(case: Any) -> None:
            answer = case.call(base_url=base, session=session, headers={"Authorization": f"Bearer {OPERATE}"})
            assert answer.status_code < 500 or answer.status_code in SAYS_WHY, answer.text
            assert "Traceback" not in answer.text
            case.validate_response(answer, checks=KEPT)

        check()
