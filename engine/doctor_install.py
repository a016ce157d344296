"""The doctor's look at the installation: interpreter, locked packages, compiled kernels."""

import re
import stat
import sys
from collections.abc import Iterator, Mapping
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import Final

from engine.doctor_finding import Finding, bad, good, note
from engine.identity import LOCKED
from engine.paths import PathError

PYTHON: Final = (3, 11)
LOCK_FOLDER: Final = Path(__file__).resolve().parent.parent / "configs" / "lock"
LOCK: Final = "demo.txt"

_PIN = re.compile(r"^([A-Za-z0-9._-]+)==([^\s\\;]+)", re.MULTILINE)


def installation() -> Iterator[Finding]:
    yield interpreter(sys.version_info[:2])
    yield packages(pins())
    yield kernels()


def interpreter(found: tuple[int, int]) -> Finding:
    said = f"Python {found[0]}.{found[1]}"
    if found != PYTHON:
        return bad("python", said, f"use Python {PYTHON[0]}.{PYTHON[1]}")
    return good("python", f"{said}, {sys.executable}")


def pins() -> dict[str, str]:
    """Distribution -> version of the lock file; empty where none is installed with us."""
    path = LOCK_FOLDER / LOCK
    return dict(_PIN.findall(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def packages(locked: Mapping[str, str]) -> Finding:
    """Missing ones are bad, and so are others of those that compute: decisions could differ."""
    missing, other = [], []
    for name, wanted in locked.items():
        if name not in _needed():
            continue
        try:
            found = version(name)
        except PackageNotFoundError:
            missing.append(name)
            continue
        if found != wanted:
            other.append(f"{name} {found} (locked {wanted})")
    said = ", ".join([f"{name} is missing" for name in missing] + other)
    if missing or any(one.split()[0] in LOCKED for one in other):
        return bad("packages", said, f"pip install --require-hashes -r configs/lock/{LOCK}")
    if other:
        return note("packages", said, f"pip install --require-hashes -r configs/lock/{LOCK}")
    return good("packages", f"{len(_needed())} as locked" if locked else "no lock file came with this installation")


def _needed() -> list[str]:
    """What the core asks for, and what computes."""
    try:
        asked = requires("wyckoff-engine") or []
    except PackageNotFoundError:
        asked = []
    core = [re.split(r"[<>=!~;\[ ]", one)[0] for one in asked if "extra ==" not in one]
    return [*dict.fromkeys((*core, *LOCKED))]


def kernels() -> Finding:
    from engine.compiling import is_cold
    from engine.kernels import cache_directory

    try:
        folder = cache_directory("engine.market_kernel")
        mode = stat.S_IMODE(folder.stat().st_mode)
    except (OSError, PathError) as error:
        return bad("kernels", f"the cache cannot be used: {error}", "set XDG_CACHE_HOME to a directory of your own")
    if mode & 0o022:
        # Loading a cached kernel runs what it holds.
        return bad("kernels", f"{folder} has mode {mode:04o}", f"chmod 0700 {folder}")
    if is_cold():
        return note("kernels", "not compiled yet: the first start takes a minute", "wyckoff replay any file once")
    return good("kernels", f"compiled, {folder.parent}")
