"""Commands start at once: what a command does not need is not imported."""

import resource
import subprocess
import sys

import pytest

HEAVY = ("numba", "pydantic", "pydantic_settings", "aiohttp", "structlog", "ccxt", "pandas", "exchange_calendars")


def loaded(code: str) -> list[str]:
    """Which heavy packages are in memory after this code."""
    found = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*[one for one in {HEAVY} if one in sys.modules])"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return found.stdout.split()


@pytest.mark.parametrize(
    "code", ["import engine.cli", "import engine.control_commands, engine.status_text", "import engine.notify_systemd"]
)
def test_help_and_control_commands_load_nothing_heavy(code: str) -> None:
    assert loaded(code) == []


def test_what_is_heavy_is_noticed() -> None:
    assert "pydantic" in loaded("import engine.config")


def test_help_takes_half_a_second_of_cpu_at_most() -> None:
    """The best of three: other processes run on the machine that tests."""
    spans = []
    for _ in range(3):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "engine", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spans.append(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime)

    assert min(spans) <= 0.5
