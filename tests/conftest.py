"""What all tests stand on: signals as a terminal leaves them, and the backends asyncio and Trio, whose scheduler
shuffles on purpose."""

import signal

import pytest

# A shell that starts a suite in the background has it ignore these, and every process that a test starts as well.
for _number in (signal.SIGINT, signal.SIGHUP):
    if signal.getsignal(_number) is signal.SIG_IGN:
        signal.signal(_number, signal.default_int_handler)


@pytest.fixture(params=["asyncio", "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)
