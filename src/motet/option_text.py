"""Options of a dataclass in words: names, values, defaults and meanings, for `motet methods` and
the documentation.
"""

from __future__ import annotations

import ast
import dataclasses
import functools
import inspect
import textwrap
import typing
from collections.abc import Mapping

from motet.config import Settings


@dataclasses.dataclass(frozen=True)
class OptionText:
    """One option."""

    name: str
    values: str
    """Its choices, or its type: `text`, `number`, `whole number`, `true or false`."""
    default: str
    meaning: str


_TYPES: Mapping[object, str] = {
    str: "text", float: "number", int: "whole number", bool: "true or false",
}  # fmt: skip


def options_of(kind: type[Settings]) -> list[OptionText]:
    """Every option of a dataclass, in order."""
    hints, meanings = typing.get_type_hints(kind), field_docstrings(kind)
    return [
        OptionText(
            field.name, _values(hints[field.name]), _shown(field.default), meanings[field.name]
        )
        for field in dataclasses.fields(kind)
    ]


@functools.cache
def field_docstrings(kind: type) -> Mapping[str, str]:
    """The string below each field of a dataclass, base classes included; empty where there is
    none.
    """
    docstrings: dict[str, str] = {}
    for cls in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        (body,) = ast.parse(textwrap.dedent(inspect.getsource(cls))).body
        assert isinstance(body, ast.ClassDef)
        for line, below in zip(body.body, [*body.body[1:], ast.Pass()], strict=True):
            match line, below:
                case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(text))):
                    docstrings[name] = " ".join(text.split())
                case ast.AnnAssign(target=ast.Name(name)), _:
                    docstrings.setdefault(name, "")
    return docstrings


def _values(hint: object) -> str:
    if typing.get_origin(hint) is typing.Literal:
        return ", ".join(map(str, typing.get_args(hint)))
    return _TYPES.get(hint, str(hint))


def _shown(default: object) -> str:
    return str(default).lower() if isinstance(default, bool) else str(default)
