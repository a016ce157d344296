"""A page in a real browser: Chromium without a window, driven over its own protocol.

Nothing may leave the machine: the browser gets a profile of its own, no background networking, and a
proxy that does not exist. Where a page needs a server of this machine `tab(is_served=True)` lets it pass;
elsewhere whatever a page asked for would fail and be seen.
"""

import base64
import json
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from websockets.sync.client import ClientConnection, connect

SECONDS = 30.0
NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-dev-shm-usage", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-default-apps",
    "--disable-extensions", "--no-default-browser-check", "--no-pings", "--metrics-recording-only", "--mute-audio",
    "--hide-scrollbars", "--proxy-server=127.0.0.1:1", "--js-flags=--expose-gc", "--remote-debugging-port=0",
)  # fmt: skip
SERVED = ("--proxy-bypass-list=127.0.0.1",)
SETTLED = "new Promise(done => requestAnimationFrame(() => setTimeout(done, 0)))"


def installed() -> str | None:
    return next(filter(None, map(shutil.which, NAMES)), None)


class Tab:
    """One page and what it has said since it was opened."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._number = 0
        self.events: list[dict[str, Any]] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        self._socket.send(json.dumps({"id": self._number, "method": method, "params": parameters}))
        while True:
            said = self._hear()
            if said.get("id") == self._number:
                assert "error" not in said, said
                return dict(said["result"])

    def look(self, *, width: int, height: int = 900, scheme: str = "light") -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600
        )
        self.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])

    def open(self, page: str | Path, *, width: int = 1440, height: int = 860, scheme: str = "light") -> None:
        """Returns when the page, at an address or in a file, has loaded and drawn once."""
        self.look(width=width, height=height, scheme=scheme)
        # The page before goes first: what it still says, of a server that has ended, is not this one's.
        self._go("about:blank")
        self._go(page.resolve().as_uri() if isinstance(page, Path) else page)
        self.value(SETTLED)

    def _go(self, address: str) -> None:
        self.events.clear()
        self.call("Page.navigate", url=address)
        while not any(one.get("method") == "Page.loadEventFired" for one in self.events):
            self._hear()

    def value(self, expression: str) -> Any:
        """What a piece of script comes to in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def until(self, expression: str, *, seconds: float = SECONDS) -> float:
        """How long it took until the expression was true."""
        started = time.monotonic()
        while not self.value(expression):
            assert time.monotonic() - started < seconds, f"not true within {seconds} s: {expression}"
            time.sleep(0.05)
        return time.monotonic() - started

    def picture(self, path: Path) -> bytes:
        path.parent.mkdir(parents=True, exist_ok=True)
        data = base64.b64decode(self.call("Page.captureScreenshot", format="png")["data"])
        path.write_bytes(data)
        return data

    def press(self, key: str, *, code: int = 0, text: str = "") -> None:
        for kind in ("keyDown", "keyUp"):
            self.call("Input.dispatchKeyEvent", type=kind, key=key, code=key, windowsVirtualKeyCode=code, text=text)

    def heap_bytes(self) -> int:
        """What the page's scripts hold, garbage aside."""
        self.call("HeapProfiler.collectGarbage")
        return int(self.call("Runtime.getHeapUsage")["usedSize"])

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """As a browser does with a tab that nobody has looked at for minutes: none of its tasks runs."""
        self.call("Emulation.setFocusEmulationEnabled", enabled=False)
        self.call("Page.setWebLifecycleState", state="frozen")
        yield
        self.call("Page.setWebLifecycleState", state="active")
        # Without a window nobody else says that the tab is looked at again.
        self.call("Emulation.setFocusEmulationEnabled", enabled=True)

    def said(self, *methods: str) -> list[dict[str, Any]]:
        return [one["params"] for one in self.events if one.get("method") in methods]

    @property
    def complaints(self) -> list[str]:
        """Errors and warnings of the console, of scripts and of the browser."""
        self.value("1")
        entries = [one["entry"] for one in self.said("Log.entryAdded")]
        console = [
            one for one in self.said("Runtime.consoleAPICalled") if one["type"] in ("error", "warning", "assert")
        ]
        thrown = self.said("Runtime.exceptionThrown")
        return [*(f"{one['text']} {one.get('url', '')}" for one in entries), *map(str, console), *map(str, thrown)]

    @property
    def requests(self) -> list[str]:
        return [one["request"]["url"] for one in self.said("Network.requestWillBeSent")]

    def _hear(self) -> dict[str, Any]:
        said: dict[str, Any] = json.loads(self._socket.recv(timeout=SECONDS))
        if "method" in said:
            self.events.append(said)
        return said


@contextmanager
def tab(*, is_served: bool = False) -> Iterator[Tab]:
    browser = installed()
    assert browser is not None
    with tempfile.TemporaryDirectory(prefix="wyckoff-browser-", ignore_cleanup_errors=True) as profile:
        process = subprocess.Popen(
            [browser, *OPTIONS, *(SERVED if is_served else ()), f"--user-data-dir={profile}", "about:blank"],
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        try:
            with connect(_page_address(process), max_size=None, proxy=None) as socket:
                found = Tab(socket)
                yield found
                with suppress(Exception):
                    found.call("Browser.close")
        finally:
            process.terminate()
            try:
                process.communicate(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()


def _page_address(process: "subprocess.Popen[str]") -> str:
    """Of the first tab, by way of the address that the browser prints when it is ready."""
    assert process.stderr is not None
    for line in process.stderr:
        if "DevTools listening on " in line:
            break
    else:
        raise AssertionError("the browser ended before it was ready")
    with connect(line.split()[-1], max_size=None, proxy=None) as socket:
        socket.send(json.dumps({"id": 1, "method": "Target.getTargets"}))
        found = json.loads(socket.recv(timeout=SECONDS))["result"]["targetInfos"]
    page = next(one["targetId"] for one in found if one["type"] == "page")
    return f"{line.split()[-1].rsplit('/devtools/', 1)[0]}/devtools/page/{page}"
