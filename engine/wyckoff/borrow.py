"""Arrays without reference counts, for kernels that hand them on.

Numba counts references with atomic operations whenever a compiled function takes an array out of
a tuple; in kernels made of many small functions that is two thirds of their time (measured). A
borrowed array has no owner to count for. It is valid while the caller's own array lives, which is
as long as the kernel runs. Outside compiled code `borrowed` is the array itself.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import types
from numba.extending import intrinsic, overload

T = TypeVar("T")


def borrowed(array: T) -> T:
    return array


@intrinsic
def _without_owner(_context: Any, array: Any) -> Any:
    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        view = context.make_array(array)(context, builder, arguments[0])
        view.meminfo = view.meminfo.type(None)
        view.parent = view.parent.type(None)
        return view._getvalue()  # noqa: SLF001

    return array(array), generate


@overload(borrowed)
def _borrowed(array: Any) -> Callable[[Any], Any] | None:
    if not isinstance(array, types.Array):
        return None

    def compiled(array: Any) -> Any:
        return _without_owner(array)  # type: ignore[call-arg]

    return compiled
