"""Signals and the service manager: SIGTERM and SIGINT alike stop, the second at once, SIGHUP reloads."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.notify_systemd import Notifier
from engine.signals import Signals

ENGINE = """
import asyncio, sys, time
from engine.signals import Signals

async def main():
    ended = asyncio.Event()
    def stop(name):
        print("stop", name, flush=True)
        if "hang" in sys.argv:
            time.sleep(60)
        if "wait" not in sys.argv:
            ended.set()
    def tell(word):
        return lambda name: print(word, name, flush=True)
    async with Signals(stop, tell("reload"), tell("kill")):
        print("ready", flush=True)
        await ended.wait()
    print("drained", flush=True)

if "uvloop" in sys.argv:
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@contextmanager
def engine(*arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """Killed at the end, whatever a test found."""
    with subprocess.Popen([sys.executable, "-c", ENGINE, *arguments], stdout=subprocess.PIPE, text=True) as found:
        try:
            assert said(found) == "ready"
            yield found
        finally:
            found.kill()


def said(process: "subprocess.Popen[str]") -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_both_stop_the_engine_with_0(number: signal.Signals, loop: str) -> None:
    with engine(loop) as process:
        process.send_signal(number)

        assert said(process) == f"stop {number.name}"
        assert said(process) == "drained"
        assert process.wait(5) == 0


@pytest.mark.parametrize("loop", ["asyncio", "uvloop"])
@pytest.mark.parametrize("state", ["wait", "hang"])
def test_a_second_one_ends_at_once_even_a_loop_that_hangs(state: str, loop: str) -> None:
    with engine(state, loop) as process:
        process.send_signal(signal.SIGTERM)
        assert said(process) == "stop SIGTERM"
        process.send_signal(signal.SIGINT)

        assert process.wait(5) == 130


def test_others_reload_and_kill_and_the_engine_goes_on() -> None:
    with engine() as process:
        process.send_signal(signal.SIGHUP)
        assert said(process) == "reload SIGHUP"
        process.send_signal(signal.SIGUSR2)
        assert said(process) == "kill SIGUSR2"
        process.send_signal(signal.SIGTERM)

        assert process.wait(5) == 0


@pytest.mark.asyncio
async def test_afterwards_signals_do_what_they_did() -> None:
    before = [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)]

    async with Signals(lambda _: None, lambda _: None):
        assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] != before
        await asyncio.sleep(0)

    assert [signal.getsignal(one) for one in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)] == before


@pytest.mark.parametrize("abstract", [False, True])
def test_the_manager_is_told(abstract: bool, tmp_path: Path) -> None:
    name = f"@wyckoff-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(f"\0{name[1:]}" if abstract else name)
        manager.settimeout(5)
        notifier = Notifier({"NOTIFY_SOCKET": name, "WATCHDOG_USEC": "4000000", "WATCHDOG_PID": str(os.getpid())})
        notifier.ready("paper\nREADY=0")
        notifier.watchdog()
        notifier.reloading(7)
        notifier.extend(1.5)
        notifier.stopping("drained")
        told = [manager.recv(500).decode() for _ in range(5)]

    assert told == [
        f"READY=1\nSTATUS=paper READY=0\nMAINPID={os.getpid()}", "WATCHDOG=1", "RELOADING=1\nMONOTONIC_USEC=7",
        "EXTEND_TIMEOUT_USEC=1500000", "STOPPING=1\nSTATUS=drained",
    ]  # fmt: skip
    assert notifier.interval_s == 2.0


@pytest.mark.parametrize(
    "environ",
    [{}, {"WATCHDOG_USEC": "x"}, {"WATCHDOG_USEC": "0"}, {"WATCHDOG_USEC": "4000000", "WATCHDOG_PID": "1"}],
)
def test_no_watchdog_where_none_is_asked_for(environ: dict[str, str]) -> None:
    assert Notifier(environ).interval_s is None


@pytest.mark.parametrize("address", ["", "/nowhere/notify", "relative"])
def test_a_manager_that_is_gone_costs_nothing(address: str) -> None:
    notifier = Notifier({"NOTIFY_SOCKET": address})

    notifier.ready("x")
    notifier.watchdog()

    assert notifier.is_supervised == address.startswith("/")
