"""What is shipped: a wheel built offline runs on its own, with configuration, schema and migrations."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("engine", "adapters", "strategies", "configs", "pyproject.toml", "README.md", "LICENSE")
PIP = (sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check")


def done(command: list[str], cwd: Path, **environment: str) -> str:
    found = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, check=False, env=os.environ | environment
    )  # fmt: skip
    assert found.returncode == 0, found.stderr
    return found.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it but the wheel's content."""
    base = tmp_path_factory.mktemp("wheel")
    tree, target = base / "tree", base / "target"
    tree.mkdir()
    for name in SOURCES:
        if (ROOT / name).is_dir():
            shutil.copytree(ROOT / name, tree / name, ignore=shutil.ignore_patterns("__pycache__"))
        elif (ROOT / name).exists():
            shutil.copy(ROOT / name, tree / name)
    done([*PIP, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", str(base), str(tree)], base)
    (wheel,) = base.glob("*.whl")
    done([*PIP, "install", "--no-deps", "--no-index", "--target", str(target), str(wheel)], base)
    return target


def test_what_runs_without_code_is_in_the_wheel(installed: Path) -> None:
    names = {path.relative_to(installed).as_posix() for path in installed.rglob("*") if path.is_file()}

    assert {"configs/replay.toml", "configs/schemas/replay.schema.json", "engine/py.typed"} <= names
    assert {f"engine/migrations/{path.name}" for path in (ROOT / "engine" / "migrations").glob("*.sql")} <= names
    assert not any(name.startswith("tests/") for name in names)


ALONE = """
import engine
from engine.config import load, shipped
from engine.store_schema import migrations
from adapters.files import open_feed
load([shipped("replay")])
assert migrations()
print(engine.__file__)
"""


def test_the_installed_packages_find_what_they_brought(installed: Path, tmp_path: Path) -> None:
    where = done([sys.executable, "-c", ALONE], tmp_path, **alone(installed))
    told = done([sys.executable, "-m", "engine", "version"], tmp_path, **alone(installed))

    assert Path(where.strip()).is_relative_to(installed)
    assert told.startswith("version ")


@pytest.mark.slow
@pytest.mark.skipif("WYCKOFF_SOAK" not in os.environ, reason="compiles every kernel: part of make soak")
def test_the_installed_command_replays(installed: Path, tmp_path: Path) -> None:
    """Slow because kernels are kept by path: here all are compiled anew."""
    (tmp_path / "days.csv").write_text(
        "date,open,high,low,close,volume\n"
        + "".join(f"2020-01-{day:02},10,11,9,10.5,100\n" for day in range(1, 29))
    )  # fmt: skip
    command = [sys.executable, "-m", "engine", "replay", "days.csv", "--json", "--store", "runs.sqlite"]

    found = json.loads(done(command, tmp_path, NUMBA_CACHE_DIR=str(tmp_path / "kernels"), **alone(installed)))

    assert found["rows_read"] == 28
    assert (tmp_path / "runs.sqlite").stat().st_size > 0


def alone(installed: Path) -> dict[str, str]:
    """The checkout must not stand in for the wheel."""
    return {"PYTHONPATH": str(installed), "PYTHONWARNINGS": "error"}
