"""The kernels as plain Python, for looking at one bar of one lane: the same source, nothing compiled.

A compiled kernel takes bare memory and would be compiled anew for arrays. Explaining judges one bar,
so it runs the kernels' own source, with every kernel they call in this form, too.
"""

import sys
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar, cast

Kernel = TypeVar("Kernel", bound=Callable[..., Any])

_namespaces: dict[str, dict[str, Any]] = {}


def plain(kernel: Kernel) -> Kernel:
    """The kernel's source as a function of arrays; itself where nothing is compiled anyway."""
    source = getattr(kernel, "py_func", None)
    return kernel if source is None else cast(Kernel, _uncompiled(source))


def _uncompiled(source: FunctionType) -> FunctionType:
    namespace = _namespace(source.__module__)
    found: FunctionType = namespace[source.__name__]
    return found


def _namespace(module: str) -> dict[str, Any]:
    """The module's names, with plain functions where it has kernels. Made once."""
    if module not in _namespaces:
        names = dict(vars(sys.modules[module]))
        _namespaces[module] = names
        for name, value in list(names.items()):
            source = getattr(value, "py_func", None)
            if source is None:
                continue
            if source.__module__ == module:
                names[name] = FunctionType(source.__code__, names, source.__name__, source.__defaults__)
            else:
                names[name] = _uncompiled(source)
    return _namespaces[module]
