"""`make bench-peers`: every engine by turns on the same market, best of REPEATS runs, as Markdown.

Each run is a process of its own. CPU seconds are what its kernel counted, user and system, without
loading the market; ratios are between runs of one invocation, so the machine's mood mostly cancels out.
"""

import json
import os
import platform
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.compare import Compared, compared
from tests.benchmarks.peers.environments import BUILD, HERE, Unavailable
from tests.benchmarks.peers.feeds import PLANS, ROWS, SEED, load
from tests.benchmarks.peers.peers import EVERY, PEERS, WE, Peer
from tests.benchmarks.peers.strategy import Trade

TITLES = {
    "trades": "trades, made into one-minute bars by the engine",
    "bars": "one-minute bars",
    "busy": "one-minute bars, much traded",
}
TIMEOUT_SECONDS = 1_800


@dataclass
class Entrant:
    """One row of a table: an engine on one market, with or without the strategy."""

    peer: Peer
    empty: bool
    runs: list[dict[str, Any]] = field(default_factory=list)
    skipped: str = ""

    @property
    def best(self) -> dict[str, Any]:
        return min(self.runs, key=lambda run: float(run["cpu_seconds"]))

    @property
    def speed(self) -> float:
        """Rows a CPU second."""
        return float(self.best["rows"] / self.best["cpu_seconds"])

    def run(self, kind: str, feed: Path) -> None:
        environment = self.peer.environment
        python = sys.executable if environment is None else str(environment.executable)
        arguments = [kind, str(feed), *(["empty"] if self.empty else [])]
        done = subprocess.run(
            [python, "-m", f"tests.benchmarks.peers.{self.peer.module}", *arguments],
            cwd=HERE.parents[2], capture_output=True, text=True, check=False, timeout=TIMEOUT_SECONDS,
        )  # fmt: skip
        if done.returncode:
            self.skipped = f"failed: {(done.stderr.strip() or 'no message').splitlines()[-1]}"
        else:
            # The last line: some engines greet on stdout.
            self.runs.append(json.loads(done.stdout.splitlines()[-1]))


def entrants(kind: str) -> Iterator[Entrant]:
    for peer in PEERS:
        if kind in peer.kinds:
            yield Entrant(peer, empty=False)
            if peer.empty:
                yield Entrant(peer, empty=True)


def prepare(entered: Sequence[Entrant]) -> None:
    for one in entered:
        try:
            if one.peer.environment is not None:
                one.peer.environment.install()
        except Unavailable as reason:
            one.skipped = f"skipped: {reason}"


def market(kind: str, rows: int) -> Path:
    path = BUILD / "feeds" / f"{kind}-{rows}-{SEED}.npz"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "tests.benchmarks.peers.feeds", kind, str(rows), str(path)]
        subprocess.run(command, cwd=HERE.parents[2], check=True)
    return path


def measure(kind: str, repeats: int, rows: int) -> list[Entrant]:
    entered = list(entrants(kind))
    prepare(entered)
    feed = market(kind, rows)
    for repeat in range(repeats):
        for one in entered:
            if not one.skipped:
                print(f"{kind} {repeat + 1}/{repeats} {_label(one)}", file=sys.stderr)
                one.run(kind, feed)
    return entered


def speeds(kind: str, entered: Sequence[Entrant]) -> Iterator[str]:
    unit = "trades/s" if kind == "trades" else "bars/s"
    yield f"| engine | version | Python | {unit} (CPU) | CPU s | loading s | peak MB | trades made | ours / theirs |"
    yield "|---|---|---|--:|--:|--:|--:|--:|--:|"
    ours = {one.empty: one.speed for one in entered if one.peer is WE and not one.skipped}
    for one in entered:
        if one.skipped:
            yield f"| {_label(one)} | | | {one.skipped} | | | | | |"
            continue
        best = one.best
        ratio = "" if one.peer is WE or one.empty not in ours else f"{ours[one.empty] / one.speed:.1f}"
        yield (
            f"| {_label(one)} | {best['version']} | {best['python']} | {one.speed:,.0f} | {best['cpu_seconds']:.2f} "
            f"| {best['load_seconds']:.1f} | {best['peak_mb']:.0f} | {len(best['trades']):,} | {ratio} |"
        )


def differences(kind: str, entered: Sequence[Entrant], feed: Path) -> Iterator[str]:
    columns = load(feed)
    yield "| engine | trades | equal to the reference | differing, by rule | unexplained |"
    yield "|---|--:|--:|---|--:|"
    for one in entered:
        if not one.skipped and not one.empty:
            made = [Trade(*trade) for trade in one.best["trades"]]
            found = compared(made, kind, columns, PLANS[kind], one.peer.rules(kind))
            yield f"| {_label(one)} {one.best['version']} | {_compared(found)} |"


def _compared(found: Compared) -> str:
    rules = "; ".join(f"{number:,}: {name}" for name, number in found.by_rule.items() if number)
    return f"{found.made:,} | {found.equal:,} | {rules or 'none'} | {found.unexplained + found.missing}"


def _label(one: Entrant) -> str:
    return f"{one.peer.name}, no strategy" if one.empty else one.peer.name


def machine() -> str:
    names = [line.partition(":")[2].strip() for line in _lines("/proc/cpuinfo") if line.startswith("model name")]
    load_average = " ".join(f"{one:.1f}" for one in os.getloadavg())
    now = datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC")
    return f"{now}, {os.cpu_count()} x {names[0] if names else platform.machine()}, load average {load_average}"


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def main() -> None:
    repeats = int(os.environ.get("REPEATS", "3"))
    share = float(os.environ.get("SHARE", "1"))
    print(f"Best of {repeats}, by turns. Before: {machine()}.")
    for kind in os.environ.get("KINDS", " ".join(EVERY)).split():
        rows = int(ROWS[kind] * share)
        entered = measure(kind, repeats, rows)
        plan = PLANS[kind]
        print(f"\n### {rows:,} {TITLES[kind]}: highest of {plan.lookback} bars, trail {plan.trail / 10:g} %\n")
        print("\n".join(speeds(kind, entered)), "\n")
        print("\n".join(differences(kind, entered, market(kind, rows))), flush=True)
    print(f"\nAfter: {machine()}.")


if __name__ == "__main__":
    main()
