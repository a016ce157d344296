"""How a Numba kernel is declared: compiled once, cached in a directory we own, no fast maths.

Kernels are functions of arrays. They never raise on division (error_model numpy) and never
reorder arithmetic, so that a kernel and its plain-Python form give the same bits.
"""

from collections.abc import Callable
from os import environ
from pathlib import Path
from typing import ParamSpec, TypeVar

import numba

P = ParamSpec("P")
R = TypeVar("R")


def cache_directory() -> Path:
    """`$NUMBA_CACHE_DIR`, else `wyckoff/kernels` under the user's cache; created with mode 0700."""
    base = environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    directory = Path(environ.get("NUMBA_CACHE_DIR") or Path(base) / "wyckoff" / "kernels")
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


vars(numba.config)["CACHE_DIR"] = str(cache_directory())


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
