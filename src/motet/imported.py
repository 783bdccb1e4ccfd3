"""Configuration of imported weights, with the origin of every setting.

An official checkpoint rarely says everything that its network needs: shapes give widths and depths,
stored options give more, and the number of attention heads often stands nowhere. Importers collect
what they read here; what nobody said is assumed as published, named as assumed, and can be given.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar

from motet import config as settings
from motet.config import JsonValue, Settings, parse_json
from motet.errors import CheckpointError, ConfigError, nearest

if TYPE_CHECKING:
    from torch import Tensor

C = TypeVar("C", bound=Settings)
Official: TypeAlias = "Mapping[str, Tensor | JsonValue | Official]"
"""One of the authors' files as `read_official` gives it: tensors and plain values, nested."""
Origin = Literal["tensors", "stored options", "--config", "assumed"]


@dataclasses.dataclass(frozen=True)
class SettingOrigin:
    """One setting of an imported configuration."""

    name: str
    """Dotted, as in the configuration: `released.codec.heads`."""
    value: JsonValue
    origin: Origin


@dataclasses.dataclass(frozen=True)
class Imported(Generic[C]):
    """Official weights under our names."""

    config: C
    tensors: dict[str, Tensor]
    origins: tuple[SettingOrigin, ...]

    @property
    def assumed(self) -> tuple[str, ...]:
        """Settings that no file says."""
        return tuple(row.name for row in self.origins if row.origin == "assumed")


def read_settings(path: Path) -> dict[str, JsonValue]:
    """Settings that a user gives to an import, as nested JSON objects.

    Raises:
        ConfigError: not there, or not a JSON object.
    """
    try:
        overrides = parse_json(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ConfigError(f"{path} does not exist") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(overrides, dict):
        raise ConfigError(f'{path} must hold an object like {{"codec": {{"heads": 8}}}}')
    return overrides


def resolve_config(
    published: C,
    from_tensors: Mapping[str, JsonValue],
    from_options: Mapping[str, JsonValue] | None = None,
    overrides: Mapping[str, JsonValue] | None = None,
    heads: Mapping[str, int] | None = None,
) -> tuple[C, tuple[SettingOrigin, ...]]:
    """The configuration of imported weights.

    Args:
        published: the configuration of the paper; its values are assumed where nothing else is
            known. It has the optional parts that these weights have.
        from_tensors: dotted names and values that shapes or buffers prove.
        from_options: the same, from options stored beside the tensors.
        overrides: what the user says, nested; it wins over stored options.
        heads: dotted names of numbers of attention heads, and the width that each must divide.

    Raises:
        ConfigError: `overrides` has an unknown setting or contradicts a tensor, or a head count
            is impossible.
        CheckpointError: the values do not make a model.
    """
    # Everything is assumed as published until something says otherwise.
    values = flatten(settings.to_json(published))
    flat_overrides = flatten(overrides or {})
    _check_given(flat_overrides, values, from_tensors)
    # Later layers win: tensors cannot be wrong, what is given by hand beats stored options.
    layers: tuple[tuple[Origin, Mapping[str, JsonValue]], ...] = (
        ("stored options", from_options or {}),
        ("--config", flat_overrides),
        ("tensors", from_tensors),
    )
    origins: dict[str, Origin] = {name: "assumed" for name in values}
    for origin, known in layers:
        # An importer that names an unknown setting is a mistake of ours.
        assert known.keys() <= values.keys(), sorted(known.keys() - values.keys())
        values.update(known)
        origins.update(dict.fromkeys(known, origin))
    _check_heads(heads or {}, values, origins)
    rows = tuple(SettingOrigin(name, values[name], origins[name]) for name in values)
    return _build(published, values), rows


def flatten(values: Mapping[str, JsonValue], prefix: str = "") -> dict[str, JsonValue]:
    """Nested objects as dotted names; the schema number is no setting."""
    flat: dict[str, JsonValue] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= flatten(value, f"{prefix}{name}.")
        elif name != "schema":
            flat[prefix + name] = value
    return flat


def single_file(files: Sequence[Official], method: str) -> Official:
    """The only file of an import.

    Raises:
        CheckpointError: there are more.
    """
    if len(files) != 1:
        raise CheckpointError(f"a {method} checkpoint is one file, {len(files)} were given")
    return files[0]


@contextlib.contextmanager
def naming_what_is_missing() -> Iterator[None]:
    """Around code that takes tensors by name.

    Raises:
        CheckpointError: one is not there.
    """
    try:
        yield
    except KeyError as error:
        raise CheckpointError(f"the checkpoint lacks {error.args[0]}") from error


def _check_heads(
    heads: Mapping[str, int], values: Mapping[str, JsonValue], origins: Mapping[str, Origin]
) -> None:
    """Attention heads must divide the width they share; an assumed number often does not."""
    for name, width in heads.items():
        count = values[name]
        if not isinstance(count, int) or count < 1 or width % count:
            raise ConfigError(
                f"{name} = {count} ({origins[name]}) does not divide the width of {width}; give"
                f" another number by --config FILE.json"
            )


def _check_given(
    flat_overrides: Mapping[str, JsonValue],
    known: Mapping[str, JsonValue],
    read: Mapping[str, JsonValue],
) -> None:
    for name, value in flat_overrides.items():
        if name not in known:
            raise ConfigError(f"these weights have no setting {name!r}; {nearest(name, known)}")
        if name in read and _plain(read[name]) != _plain(value):
            raise ConfigError(
                f"{name} is {_plain(read[name])} in the tensors, --config says {_plain(value)};"
                " leave it out"
            )


def _plain(value: JsonValue) -> JsonValue:
    # JSON has no tuples
    return list(value) if isinstance(value, tuple) else value


def _build(published: C, values: Mapping[str, JsonValue]) -> C:
    nested: dict[str, JsonValue] = {}
    for name, value in values.items():
        # the way through the nested objects
        *parents, leaf = name.split(".")
        level = nested
        for parent in parents:
            child = level.setdefault(parent, {})
            assert isinstance(child, dict)
            level = child
        level[leaf] = value
    try:
        return settings.from_json(type(published), nested)
    except ConfigError as error:
        raise CheckpointError(f"the settings of these weights do not fit: {error}") from error
