"""Values out of pickled bytes without running them.

Plain containers, texts, numbers and numeric arrays, nothing else.

Python's own reader calls whatever the bytes name. This one only interprets the few instructions
that build plain values; a name other than those that rebuild a NumPy array is an error.
"""

from __future__ import annotations

import dataclasses
import pickletools
from collections.abc import Callable, Collection

import numpy as np

from motet.errors import AssetError

_MARK = object()
_ARRAY_MODULES = (
    "numpy",
    "numpy.core.multiarray",
    "numpy._core.multiarray",
    "numpy.core.numeric",
    "numpy._core.numeric",
)
_ARRAY_NAMES = ("_reconstruct", "ndarray", "dtype", "scalar", "_frombuffer")
_OBJECT_NAMES = {
    ("copy_reg", "_reconstructor"),
    ("copyreg", "_reconstructor"),
    ("__builtin__", "object"),
    ("builtins", "object"),
    ("__builtin__", "set"),
    ("builtins", "set"),
}
"""What Python 2 and 3 name to rebuild objects and sets."""
_MOST_REMEMBERED = 10_000_000
_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False}
_LITERALS = {
    "SHORT_BINUNICODE", "BINUNICODE", "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8",
    "BYTEARRAY8",
    "BININT", "BININT1", "BININT2", "LONG1", "LONG4", "BINFLOAT",
    "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "INT", "LONG", "FLOAT",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class _Name:
    name: str
    module: str = ""


@dataclasses.dataclass(eq=False)
class Record:
    """An object of a foreign class as its name and attributes; nothing of the class is run."""

    kind: str
    """`module.name` of the class."""
    state: object = None
    """What the class would have got to restore itself: mostly a table of attributes."""


class _Array:
    """An array or scalar type that is still being put together."""

    def __init__(self) -> None:
        self.state: object = None

    def value(self) -> np.ndarray:
        if not isinstance(self.state, tuple) or len(self.state) != 5:
            raise AssetError("an array without its contents")
        _, shape, dtype, fortran, data = self.state
        return _numbers(data, _plain(dtype), shape, "F" if fortran else "C")


class _Type:
    def __init__(self, code: str) -> None:
        self.code, self.order = code, "="

    def value(self) -> np.dtype[np.generic]:
        dtype = np.dtype(self.code)
        if dtype.kind not in "fiub":
            raise AssetError(f"arrays of {self.code!r} are not numbers")
        return dtype.newbyteorder(self.order)


def read_inert(data: bytes, packages: Collection[str] = ()) -> object:
    """The plain value in pickled bytes.

    Args:
        packages: packages whose objects are read as `Record`, without importing them.

    Raises:
        AssetError: damaged bytes, or bytes that ask for more than plain values and numeric arrays.
    """
    stack: list[object] = []
    memory: list[object] = []
    try:
        for code, argument, _ in pickletools.genops(data):
            if code.name == "STOP":
                return _plain(stack.pop())
            _apply(code.name, argument, stack, memory, packages)
    except AssetError:
        raise
    except Exception as error:  # any inconsistency of foreign bytes is the same to the user
        raise AssetError(f"damaged pickled value: {error}") from error
    raise AssetError("damaged pickled value: it does not end")


def _apply(
    name: str,
    argument: object,
    stack: list[object],
    memory: list[object],
    packages: Collection[str],
) -> None:
    if name in _LITERALS:
        stack.append(argument)
    elif name in _CONSTANTS:
        stack.append(_CONSTANTS[name])
    elif name == "MEMOIZE":
        memory.append(stack[-1])
    elif name in ("BINPUT", "LONG_BINPUT", "PUT"):
        if int(argument) > _MOST_REMEMBERED:
            raise AssetError("the bytes number their values absurdly; refused")
        memory.extend([None] * (int(argument) + 1 - len(memory)))
        memory[int(argument)] = stack[-1]
    elif name in ("BINGET", "LONG_BINGET", "GET"):
        stack.append(memory[int(argument)])
    elif name in ("GLOBAL", "STACK_GLOBAL"):
        names = argument.split(" ") if name == "GLOBAL" else [stack.pop(), stack.pop()][::-1]
        stack.append(_named(*names, packages))
    elif name in _BUILDERS:
        _BUILDERS[name](stack)
    elif name not in ("PROTO", "FRAME"):
        raise AssetError(f"the bytes ask for {name}, which plain values do not need; refused")


def _named(module: str, name: str, packages: Collection[str]) -> _Name:
    if (module, name) == ("_codecs", "encode") or (
        module in _ARRAY_MODULES and name in _ARRAY_NAMES
    ):
        return _Name(name)
    if module.partition(".")[0] in packages or (packages and (module, name) in _OBJECT_NAMES):
        return _Name(name, module)
    raise AssetError(f"the bytes ask for {module}.{name}, which is not a plain value; refused")


def _since_mark(stack: list[object]) -> list[object]:
    position = (
        len(stack) - 1 - next(back for back, item in enumerate(reversed(stack)) if item is _MARK)
    )
    items = stack[position + 1 :]
    del stack[position:]
    return items


def _tuple(count: int) -> Callable[[list[object]], None]:
    def build(stack: list[object]) -> None:
        items = tuple(stack[-count:])
        del stack[-count:]
        stack.append(items)

    return build


def _set_items(stack: list[object]) -> None:
    items = _since_mark(stack)
    stack[-1].update(zip(map(_key, items[::2]), items[1::2], strict=True))


def _table(items: list[object]) -> dict[object, object]:
    return dict(zip(map(_key, items[::2]), items[1::2], strict=True))


def _set_item(stack: list[object]) -> None:
    value, key = stack.pop(), stack.pop()
    stack[-1][_key(key)] = value


def _key(value: object) -> object:
    """A key that is no container: the hash of nested tuples can take forever."""
    if isinstance(value, str | bytes | int | float | None):
        return value
    raise AssetError(f"a table with keys of the type {type(value).__name__}; refused")


def _append(stack: list[object]) -> None:
    value = stack.pop()
    stack[-1].append(value)


def _extend(stack: list[object]) -> None:
    items = _since_mark(stack)
    stack[-1].extend(items)


def _call(stack: list[object]) -> None:
    arguments, called = stack.pop(), stack.pop()
    name = called.name
    if called.module:
        stack.append(_record(called, arguments))
    elif name == "_reconstruct":
        stack.append(_Array())
    elif name == "encode":  # how bytes are written for Python 2
        if len(arguments) != 2 or arguments[1] not in ("latin1", "latin-1"):
            raise AssetError("the bytes encode a text other than as bytes; refused")
        stack.append(_bytes(arguments[0]))
    elif name == "dtype":
        stack.append(_Type(str(arguments[0])))
    elif name == "scalar":
        stack.append(np.frombuffer(_bytes(arguments[1]), arguments[0].value(), 1)[0].item())
    elif name == "_frombuffer":
        data, dtype, shape, order = arguments
        stack.append(_numbers(data, _plain(dtype), shape, order))
    else:
        raise AssetError(f"the bytes call {name}; refused")


def _record(called: _Name, arguments: tuple[object, ...]) -> Record | list[object]:
    """An object that the bytes make: `_reconstructor(class, object, None)` or `class(...)`."""
    if called.name == "set":
        return list(arguments[0]) if arguments else []
    if called.name == "_reconstructor":
        called = arguments[0]
    return Record(f"{called.module}.{called.name}")


def _new_object(stack: list[object]) -> None:
    stack.pop()  # arguments of the class, which is not called
    called = stack.pop()
    if not called.module:
        raise AssetError(f"the bytes make a {called.name}; refused")
    stack.append(Record(f"{called.module}.{called.name}"))


def _build(stack: list[object]) -> None:
    state = stack.pop()
    if isinstance(stack[-1], Record):
        stack[-1].state = state
    elif isinstance(stack[-1], _Type):
        stack[-1].order = state[1]
    elif isinstance(stack[-1], _Array):
        stack[-1].state = state
    else:
        raise AssetError("the bytes set the state of something that is not an array; refused")


def _bytes(data: bytes | str) -> bytes:
    """The bytes of a Python 2 string, which the reader decodes as Latin-1."""
    return data.encode("latin-1") if isinstance(data, str) else data


def _numbers(data: bytes | str, dtype: object, shape: object, order: str) -> np.ndarray:
    return (
        np.frombuffer(_bytes(data), dtype)
        .reshape(tuple(int(size) for size in shape), order=order)
        .astype(dtype.newbyteorder("="))
    )  # type: ignore[arg-type]


def _plain(value: object, done: dict[int, object] | None = None) -> object:
    """A value without the classes of this module.

    Args:
        done: results by identity. A value that is used many times is built once: a few bytes can
            nest uses so that there are 2^100 of them.
    """
    done = {} if done is None else done
    if id(value) in done:
        return done[id(value)]
    if isinstance(value, _Array | _Type):
        return done.setdefault(id(value), value.value())
    if isinstance(value, dict):
        return done.setdefault(id(value), {k: _plain(item, done) for k, item in value.items()})
    if isinstance(value, list | tuple):
        items = [_plain(item, done) for item in value]
        return done.setdefault(id(value), items if isinstance(value, list) else tuple(items))
    if isinstance(value, Record):
        done[id(value)] = value  # before its state, which may name it
        value.state = _plain(value.state, done)
        return value
    if isinstance(value, _Name) and value.module:
        return f"{value.module}.{value.name}"
    if isinstance(value, _Name):
        raise AssetError(f"the value is the bare name {value.name}")
    return value


_BUILDERS: dict[str, Callable[[list[object]], None]] = {
    "MARK": lambda stack: stack.append(_MARK),
    "EMPTY_DICT": lambda stack: stack.append({}),
    "EMPTY_LIST": lambda stack: stack.append([]),
    "EMPTY_TUPLE": lambda stack: stack.append(()),
    "LIST": lambda stack: stack.append(_since_mark(stack)),
    "DICT": lambda stack: stack.append(_table(_since_mark(stack))),
    "NEWOBJ": _new_object,
    "TUPLE1": _tuple(1),
    "TUPLE2": _tuple(2),
    "TUPLE3": _tuple(3),
    "TUPLE": lambda stack: stack.append(tuple(_since_mark(stack))),
    "SETITEMS": _set_items,
    "SETITEM": _set_item,
    "APPEND": _append,
    "APPENDS": _extend,
    "REDUCE": _call,
    "BUILD": _build,
}
