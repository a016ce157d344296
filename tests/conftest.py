"""Backends: the line runs on asyncio and on Trio, whose scheduler shuffles on purpose."""

import pytest


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
