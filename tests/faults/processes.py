"""An engine as a process of its own, for tests that stop, starve and kill it, and the second process that looks."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from engine.control.client import ControlClient, NoAnswerError, NotRunningError
from engine.control.protocol import Answer
from engine.control.status import Status
from engine.paths import find_paths

ROOT = Path(__file__).parents[2]
PATIENCE_S = 90.0
"""Of the host. No law is about it: a machine that compiles kernels takes its time."""


@dataclass
class Engine:
    """One home directory, and the engine that runs there now. `module` is what is run as its command line."""

    home: Path
    sets: Sequence[str] = ()
    module: str = "engine"
    configs: Sequence[Path] = ()
    child: "subprocess.Popen[str] | None" = None
    said: list[str] = field(default_factory=list)

    @property
    def client(self) -> ControlClient:
        return ControlClient(find_paths(self.home, {}, self.home).socket)

    @property
    def state(self) -> Path:
        return self.home / "state" / "paper"

    @property
    def pid(self) -> int:
        assert self.child is not None
        return self.child.pid

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", self.module, *words]

    def start(self) -> None:
        flags = [word for one in self.sets for word in ("--set", one)]
        flags += [word for one in self.configs for word in ("--config", str(one))]
        with (self.home / "said.log").open("a") as log:
            self.child = subprocess.Popen(
                self.command("trade", "--home", str(self.home), *flags), stdout=log, stderr=log, text=True, cwd=ROOT,
                env=environment(),
            )  # fmt: skip

    def run(self, *words: str, cwd: Path = ROOT) -> "subprocess.CompletedProcess[str]":
        """Another process at the same home."""
        return subprocess.run(
            self.command(*words), capture_output=True, text=True, cwd=cwd, check=False, timeout=60, env=environment()
        )

    def status(self) -> Status:
        return self.client.status()

    def until(self, condition: Callable[[Status], object], what: str) -> Status:
        """The first status of which it is true."""
        ends = time.monotonic() + PATIENCE_S
        last: object = None
        while time.monotonic() < ends:
            try:
                last = found = self.status()
                if condition(found):
                    return found
            except (NotRunningError, NoAnswerError, OSError) as error:
                last = error
                assert self.child is not None
                assert self.child.poll() is None, f"{what}: the engine has ended: {self.told()}"
            time.sleep(0.05)
        raise AssertionError(f"never: {what}; {last}; {self.told()}")

    def running(self) -> Status:
        return self.until(lambda seen: seen.state not in ("STARTING", "RECOVERING", "WARMING"), "running")

    def order(self, name: str, argument: str = "", reason: str = "") -> Answer:
        return self.client.command(name, argument, reason)

    def kill(self) -> None:
        assert self.child is not None
        self.child.kill()
        self.child.wait()

    def stop(self) -> int:
        """The exit code."""
        assert self.child is not None
        self.child.send_signal(signal.SIGTERM)
        return self.child.wait(PATIENCE_S)

    def ended(self) -> int:
        """The exit code of an engine that ends by itself."""
        assert self.child is not None
        return self.child.wait(PATIENCE_S)

    def told(self) -> str:
        return (self.home / "said.log").read_text()[-3_000:]

    def tapes(self) -> list[Path]:
        return sorted((self.state / "tapes").glob("*.tape"))

    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))


def environment() -> dict[str, str]:
    """This checkout's code, wherever a command is run."""
    return os.environ | {"PYTHONPATH": str(ROOT)}


@contextmanager
def engine(home: Path, sets: Sequence[str] = (), module: str = "engine") -> Iterator[Engine]:
    """Not started yet; gone at the end, whatever happened."""
    one = Engine(home, sets, module)
    try:
        yield one
    finally:
        if one.child is not None and one.child.poll() is None:
            one.child.send_signal(signal.SIGCONT)
            one.kill()
