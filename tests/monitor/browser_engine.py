"""A real engine with its monitor, as `wyckoff trade` runs them, and a browser that is signed in to it."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from tests.chromium import Tab
from tests.faults.processes import PATIENCE_S, Engine, engine
from tests.monitor.browser_pages import LOADED

SYMBOLS = ("ACME", "BOLT", "CRUX", "DUNE", "ELMS", "FERN", "GOLD", "HAZE", "IRIS", "JADE", "KITE", "LOOM")
OVERLAY = """config_version = 1

[[feeds]]
kind = "simulated"
name = "simulated"
symbols = {symbols}
stale_after = {{ bars = "15s" }}
lateness_ms = 0
seed = 1
timeframe = "1m"
speed = {speed}
history_bars = 600

[monitor]
listen = "127.0.0.1:{port}"

[campaigns]
cooldown_days = {{ stock = 0, crypto = 0, fx = 0, future = 0 }}

[strategies.wyckoff_bmad]
sos_entry = true
shakeout_entry = true
min_score = 35
min_confidence = 40
spring_reward = 1.0
sos_reward = 0.8
lps_reward = 0.8
min_width_percent = 0
min_range_bars = 1
min_quality = 0
min_strength = 0
round_trip_cost_bp = {{ stock = 0, crypto = 0, fx = 0, future = 0 }}
volatile_volume_rank = 100
"""
"""Gates so wide that positions come within seconds."""


@contextmanager
def trading(home: Path, *, speed: float = 1200.0) -> Iterator[tuple[Engine, str]]:
    """A started engine of a generated market and the address of its page. Gone at the end, its monitor with it."""
    home.mkdir()
    with engine(home) as one:
        made = one.run("init", str(home), cwd=home)
        assert made.returncode == 0, made.stderr
        port = _free()
        overlay = home / "quick.toml"
        overlay.write_text(OVERLAY.format(symbols=list(SYMBOLS), speed=speed, port=port).replace("'", '"'))
        one.configs = (home / "wyckoff.toml", overlay)
        one.start()
        one.running()
        served(port)
        yield one, f"http://127.0.0.1:{port}"


def served(port: int) -> None:
    """Returns when the monitor answers: an engine runs before its page is there."""
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise AssertionError(f"nobody listened on port {port} within {PATIENCE_S:g} s")


def sign_in(browser: Tab, home: Path, address: str, **look: Any) -> None:
    """As a person does: with the token that `init` wrote. Returns when the chart is there."""
    browser.open(address, **look)
    browser.until("document.querySelector('#sign-in').open")
    enter_token(browser, home)


def enter_token(browser: Tab, home: Path) -> None:
    browser.value("token.focus()")
    browser.call("Input.insertText", text=(home / "secrets" / "monitor_token").read_text().strip())
    browser.press("Enter", code=13, text="\r")
    browser.until(f"document.body.dataset.signed === 'yes' && {LOADED}")


def _free() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])
