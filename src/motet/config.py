"""Settings: frozen dataclasses, read from and written to JSON strictly.

Unknown keys are errors that name the nearest known key. A dataclass may carry a class constant
`SCHEMA`; older files pass through the functions in `MIGRATIONS[(class name, old schema)]` one
schema at a time.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import ClassVar, Protocol, TypeAlias, TypeVar

from motet.errors import ConfigError, nearest

JsonValue: TypeAlias = (
    "None | bool | int | float | str | Sequence[JsonValue] | Mapping[str, JsonValue]"
)
"""What a JSON file can hold."""


class Settings(Protocol):
    """Any instance of a dataclass: a configuration or a condition."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[object]]]


C = TypeVar("C")
Migration = Callable[[dict[str, JsonValue]], dict[str, JsonValue]]
MIGRATIONS: dict[tuple[str, int], Migration] = {}
_MAX_DIGITS = 300
"""Of an integer: more do not fit into a float."""


def to_json(config: Settings) -> dict[str, JsonValue]:
    """A dataclass as plain JSON values, with its schema number where it has one."""
    plain = {f.name: _plain(getattr(config, f.name)) for f in dataclasses.fields(config)}
    schema = getattr(type(config), "SCHEMA", None)
    return plain if schema is None else {"schema": schema, **plain}


def parse_json(text: str | bytes) -> JsonValue:
    """JSON from a file that anybody may have written.

    Raises:
        ValueError: not JSON, nested too deeply, or a number that is no finite float.
    """
    try:
        return json.loads(text, parse_int=_integer, parse_float=_number, parse_constant=_number)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:
        raise ValueError(f"a number of {len(text)} digits")
    return int(text)


def _number(text: str) -> float:
    if not math.isfinite(value := float(text)):
        raise ValueError(f"{text[:20]} is not a finite number")
    return value


def from_json(cls: type[C], values: JsonValue | Mapping[str, JsonValue]) -> C:
    """Build a dataclass from the values of a JSON object, strictly.

    Raises:
        ConfigError: an unknown or missing key, a value of the wrong type, or a schema newer than
            this program.
    """
    if not isinstance(values, Mapping):
        raise ConfigError(f"{cls.__name__} must be an object, not {_short(values)}")
    values = _migrated(cls, dict(values))
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    for key in values:
        if key not in fields:
            raise ConfigError(f"{cls.__name__} has no setting {key!r}; {nearest(key, fields)}")
    hints = _hints(cls)
    supplied = {
        key: _value(hints[key], value, f"{cls.__name__}.{key}") for key, value in values.items()
    }
    missing = [n for n, f in fields.items() if n not in supplied and _required(f)]
    if missing:
        raise ConfigError(f"{cls.__name__} needs the settings {', '.join(missing)}")
    return cls(**supplied)


def digest(config: Settings) -> str:
    """Twelve hex digits that identify a configuration."""
    text = json.dumps(to_json(config), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


@functools.cache
def _hints(cls: type) -> dict[str, object]:
    """Types of the fields. Kept, because resolving them took most of the time in which a corpus
    of a thousand intervals is read.
    """
    return typing.get_type_hints(cls)


def _short(value: object) -> str:
    return repr(value)[:80]


def _required(field: dataclasses.Field[object]) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _plain(value: object) -> JsonValue:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value  # type: ignore[return-value]  # json.dumps refuses anything else


def _migrated(cls: type, values: dict[str, JsonValue]) -> dict[str, JsonValue]:
    current = getattr(cls, "SCHEMA", None)
    schema = values.pop("schema", current)
    if schema == current:
        return values
    if current is None or not isinstance(schema, int) or schema > current:
        raise ConfigError(
            f"{cls.__name__} has schema {current}, the file has {schema!r}: use the version of"
            " motet that wrote it, or a newer one"
        )
    while schema < current:
        step = MIGRATIONS.get((cls.__name__, schema))
        if step is None:
            raise ConfigError(
                f"{cls.__name__} of schema {schema} can no longer be read (current: {current})"
            )
        values, schema = step(values), schema + 1
    return values


def _value(hint: object, value: JsonValue, where: str) -> object:
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in arguments:
            return None
        return _value(next(a for a in arguments if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise ConfigError(f"{where} must be an object, not {_short(value)}")
        return from_json(hint, value)
    if origin is tuple:
        return _tuple(arguments, value, where)
    if origin is typing.Literal:
        if value not in arguments:
            raise ConfigError(
                f"{where} must be one of {', '.join(map(repr, arguments))}, not {_short(value)}"
            )
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if isinstance(hint, type) and (
        not isinstance(value, hint) or (hint is int and isinstance(value, bool))
    ):
        raise ConfigError(f"{where} must be {hint.__name__}, not {_short(value)}")
    return value


def _tuple(arguments: tuple[object, ...], value: JsonValue, where: str) -> tuple[object, ...]:
    if not isinstance(value, list | tuple):
        raise ConfigError(f"{where} must be a list, not {_short(value)}")
    if len(arguments) == 2 and arguments[1] is Ellipsis:
        return tuple(_value(arguments[0], item, f"{where}[{i}]") for i, item in enumerate(value))
    if len(value) != len(arguments):
        raise ConfigError(f"{where} must have {len(arguments)} entries, not {len(value)}")
    return tuple(
        _value(a, item, f"{where}[{i}]")
        for i, (a, item) in enumerate(zip(arguments, value, strict=True))
    )
