"""How a Numba kernel is declared: compiled once, cached in a directory we own, no fast maths.

Kernels are functions of arrays. They never raise on division (error_model numpy) and never
reorder arithmetic, so that a kernel and its plain-Python form give the same bits.
"""

from collections.abc import Callable
from os import environ
from pathlib import Path
from shutil import rmtree
from typing import Final, ParamSpec, TypeVar

import numba

from engine.identity import build_hash

P = ParamSpec("P")
R = TypeVar("R")

KEPT_BUILDS = 4
"""Caches that stay: this build's and the last few others'."""


def cache_directory() -> Path:
    """Where this build's kernels are kept: `$NUMBA_CACHE_DIR`, else `wyckoff/kernels` under the
    user's cache, in a folder named by the build. Created with mode 0700.

    Numba only looks at the file of the kernel it enters by; a constant or an inlined function in
    another file may change under it. So each build has a cache of its own, and old ones go.
    """
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    kernels = Path(environ.get("NUMBA_CACHE_DIR") or Path(base) / "wyckoff" / "kernels")
    directory = kernels / build_hash()[:16]
    if not directory.exists():
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(kernels)
    return directory


def is_cold() -> bool:
    """Whether no kernel of this build has been compiled on this machine yet."""
    return not any(CACHE.iterdir())


def _forget_old(kernels: Path) -> None:
    builds = sorted((one for one in kernels.iterdir() if one.is_dir()), key=lambda one: one.stat().st_mtime)
    for build in builds[:-KEPT_BUILDS]:
        rmtree(build, ignore_errors=True)


CACHE: Final = cache_directory()
vars(numba.config)["CACHE_DIR"] = str(CACHE)


def kernel(function: Callable[P, R]) -> Callable[P, R]:
    """Compile `function` on first call; `.py_func` is the plain-Python form."""
    compiled: Callable[P, R] = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return compiled


def inlined(function: Callable[P, R]) -> Callable[P, R]:
    """A small function that kernels call and that costs no call."""
    compiled: Callable[P, R] = numba.njit(inline="always", error_model="numpy")(function)
    return compiled


def hot(function: Callable[P, R]) -> Callable[P, R]:
    """A kernel on every row's path, which LLVM must inline into its callers: no call, no copied arguments."""
    compiled: Callable[P, R] = numba.njit(nogil=True, error_model="numpy", forceinline=True)(function)
    return compiled
