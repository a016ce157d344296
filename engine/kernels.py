"""How a Numba kernel is declared: compiled once, cached in a directory we own, no fast maths.

Kernels are functions of arrays. They never raise on division (error_model numpy) and never
reorder arithmetic, so that a kernel and its plain-Python form give the same bits.
"""

from collections.abc import Callable
from os import environ
from pathlib import Path
from shutil import rmtree
from typing import Any, ParamSpec, TypeVar

import numba

from engine.closure import closure_hash

P = ParamSpec("P")
R = TypeVar("R")

KEPT_VERSIONS = 8
"""Caches that stay of each module: its current sources' and the last few others'."""

KERNELS: list[Any] = []
"""Every kernel declared so far; `.signatures` of one is empty until it was compiled or loaded."""

_directories: dict[str, Path] = {}


def cache_directory(module: str) -> Path:
    """Where the kernels of dotted name `module` are kept: `$NUMBA_CACHE_DIR`, else `wyckoff/kernels`
    under the user's cache, in a folder named by the module and what it stands on. Mode 0700.

    Numba only looks at the file of the kernel it enters by; a constant or an inlined function in
    another file may change under it. So the folder's name hashes all files the module can reach:
    a change compiles again what it touches and nothing else. The oldest versions go.
    """
    if module not in _directories:
        base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
        kernels = Path(environ.get("NUMBA_CACHE_DIR") or Path(base) / "wyckoff" / "kernels")
        directory = kernels / f"{module}-{closure_hash(module)[:16]}"
        if not directory.exists():
            directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _forget_old(kernels, module)
        _directories[module] = directory
    return _directories[module]


def _forget_old(kernels: Path, module: str) -> None:
    kept = sorted(kernels.glob(f"{module}-*"), key=lambda one: one.stat().st_mtime)
    for version in kept[:-KEPT_VERSIONS]:
        rmtree(version, ignore_errors=True)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first call; `.py_func` is the plain-Python form."""
    vars(numba.config)["CACHE_DIR"] = str(cache_directory(function.__module__))
    compiled: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    KERNELS.append(compiled)
    return compiled


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A small function that kernels call and that costs no call."""
    compiled: Callable[P, R] = numba.njit(inline="always", error_model="numpy")(function)
    return compiled


def hot(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel on every row's path, which LLVM must inline into its callers: no call, no copied arguments."""
    compiled: Callable[P, R] = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return compiled
