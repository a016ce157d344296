"""Arrays as bare memory and tuples by reference, for kernels that hand many of them on.

A compiled array is ten machine words with an owner that is counted, a named tuple of arrays ten
times as many; a kernel made of many small functions spends most of its time, and the compiler most
of its own, on passing them. `bare` gives the flat elements alone, one word; `shifted` the elements
from an offset on; `lent` a named tuple by its address. All are valid while what they point at
lives: arrays as long as the caller's, a lent tuple as long as the function that lent it. Indexes
are not wrapped or checked. Outside compiled code they are plain views, and the tuple itself.
"""

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from llvmlite import ir  # type: ignore[import-untyped]
from numba import extending, types
from numba.core import cgutils
from numba.core.typing.templates import AttributeTemplate

# Numba's own annotations do not say what these take.
build: Any = cgutils
extend: Any = extending
llvm: Any = ir
Attributes: Any = AttributeTemplate
Model: Any = extending.models.PrimitiveModel
Kind: Any = types.Type
pointer_to: Any = types.CPointer

Elements = TypeVar("Elements", bound=npt.NDArray[Any])
Fields = TypeVar("Fields", bound=tuple[Any, ...])


def bare(array: Elements) -> Elements:
    """All elements of a C-contiguous array, as one row."""
    assert array.flags.c_contiguous
    return np.reshape(array, -1)  # type: ignore[return-value]


def shifted(elements: Elements, offset: int) -> Elements:
    """The elements from `offset` on."""
    return elements[offset:]  # type: ignore[return-value]


def fetched(elements: npt.NDArray[Any], offset: int) -> None:
    """Ask for the memory around an element ahead of its use. May point anywhere, also past the end."""


def lent(fields: Fields) -> Fields:
    """A named tuple that costs one word to pass on. Must not outlive the function that calls this."""
    return fields


class Lent(Kind):  # type: ignore[misc]
    """Type of a lent named tuple: its address."""

    def __init__(self, fields: Any) -> None:
        self.fields = fields
        super().__init__(f"Lent({fields})")


class _LentModel(Model):  # type: ignore[misc]
    def __init__(self, manager: Any, lent_type: Any) -> None:
        members = [manager.lookup(member).get_value_type() for member in lent_type.fields.types]
        super().__init__(manager, lent_type, llvm.PointerType(llvm.LiteralStructType(members)))


class _LentAttribute(Attributes):  # type: ignore[misc]
    key = Lent

    def generic_resolve(self, lent_type: Any, name: str) -> Any:
        fields = lent_type.fields
        return fields.types[fields.fields.index(name)] if name in fields.fields else None


def _lent_attribute(_context: Any, builder: Any, lent_type: Any, address: Any, name: str) -> Any:
    return builder.load(build.gep_inbounds(builder, address, 0, lent_type.fields.fields.index(name)))


def _type_lent(_context: Any) -> Callable[[Any], Any]:
    return lambda fields: Lent(fields) if isinstance(fields, types.BaseNamedTuple) else None


def _lower_lent(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """On the stack of the function that calls it; therefore not a function of its own."""
    layout = context.get_value_type(signature.return_type).pointee
    address = build.alloca_once(builder, layout)
    for place in range(len(signature.args[0].types)):
        value = builder.extract_value(arguments[0], place)
        builder.store(value, build.gep_inbounds(builder, address, 0, place))
    return address


def _type_bare(_context: Any) -> Callable[[Any], Any]:
    def typed(array: Any) -> Any:
        flat = isinstance(array, types.Array) and array.layout == "C"
        return pointer_to(array.dtype) if flat else None

    return typed


def _lower_bare(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    return context.make_array(signature.args[0])(context, builder, arguments[0]).data


def _type_shifted(_context: Any) -> Callable[[Any, Any], Any]:
    def typed(elements: Any, offset: Any) -> Any:
        return elements if isinstance(elements, types.CPointer) and isinstance(offset, types.Integer) else None

    return typed


def _lower_shifted(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    offset = context.cast(builder, arguments[1], signature.args[1], types.intp)
    return builder.gep(arguments[0], [offset])


def _type_fetched(_context: Any) -> Callable[[Any, Any], Any]:
    def typed(elements: Any, offset: Any) -> Any:
        return types.void if isinstance(elements, types.CPointer) and isinstance(offset, types.Integer) else None

    return typed


def _lower_fetched(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
    """For writing, into all levels of the cache: llvm.prefetch(address, 1, 3, data)."""
    offset = context.cast(builder, arguments[1], signature.args[1], types.intp)
    byte, number = llvm.IntType(8).as_pointer(), llvm.IntType(32)
    address = builder.bitcast(builder.gep(arguments[0], [offset]), byte)
    takes = llvm.FunctionType(llvm.VoidType(), [byte, number, number, number])
    prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], takes)
    builder.call(prefetch, [address, number(1), number(3), number(1)])
    return context.get_dummy_value()


extend.register_model(Lent)(_LentModel)
extend.infer_getattr(_LentAttribute)
extend.lower_getattr_generic(Lent)(_lent_attribute)
extend.type_callable(lent)(_type_lent)
extend.lower_builtin(lent, types.BaseNamedTuple)(_lower_lent)
extend.type_callable(bare)(_type_bare)
extend.lower_builtin(bare, types.Array)(_lower_bare)
extend.type_callable(shifted)(_type_shifted)
extend.lower_builtin(shifted, types.CPointer, types.Integer)(_lower_shifted)
extend.type_callable(fetched)(_type_fetched)
extend.lower_builtin(fetched, types.CPointer, types.Integer)(_lower_fetched)
