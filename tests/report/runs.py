"""Feeds and pages for the tests of the report: made once, small, and busy enough to trade."""

from pathlib import Path

from tests.markets import bar_market
from tests.test_cli import HEADER, wyckoff

BUSY = bar_market(3, 700, 5)
LIVELY = (
    "[strategies.wyckoff_bmad]\nmin_score = 35.0\nmin_confidence = 40.0\nspring_reward = 1.0\n"
    "sos_reward = 0.8\nlps_reward = 0.8\nshakeout_entry = true\nmin_quality = 0.0\nmin_strength = 0.0\n"
    "volatile_volume_rank = 100.0\n[campaigns]\ncooldown_days = { stock = 0, crypto = 0, fx = 0, future = 0 }\n"
)
INERT = "<img src=x onerror=alert(1)>"


def write_feed(path: Path, symbols: tuple[str, ...], *, rows: int | None = None) -> Path:
    columns = (BUSY.instrument, BUSY.open_ns, BUSY.open, BUSY.high, BUSY.low, BUSY.close, BUSY.volume)
    found = zip(*(column[:rows].tolist() for column in columns), strict=True)
    lines = [
        ",".join(map(str, (symbols[number % len(symbols)], *rest))) for number, *rest in found if number < len(symbols)
    ]
    path.write_text("\n".join([HEADER, *lines]) + "\n")
    return path


def lively(folder: Path) -> Path:
    path = folder / "lively.toml"
    path.write_text(LIVELY)
    return path


def report(folder: Path, *arguments: object, name: str = "page.html") -> str:
    """The page of a replay with these arguments."""
    done = wyckoff("replay", *arguments, "--report", folder / name, "--quiet")
    assert done.exit_code == 0, done.output
    return (folder / name).read_text(encoding="utf-8")
