"""Options of methods as JSON schemas, from their dataclasses, and checks of the options in a
request.
"""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Iterator, Mapping

from motet import config as settings
from motet.config import JsonValue, Settings
from motet.errors import ConfigError
from motet.method import MethodSpec
from motet.method_options import condition_from, option_names, renamed
from motet.option_text import field_docstrings
from motet.options import OptionValue, Postprocess
from motet.registry import specs_of
from motet.serve.folder import ID_PATTERN
from motet.sinks import absorbs

Json = dict[str, JsonValue]
_TYPES: dict[object, str] = {bool: "boolean", int: "integer", float: "number", str: "string"}
_FILE = re.compile(r"[/\\\x00]|\.[A-Za-z]\w{0,11}$")
"""A text that names a file: a separator of paths, or a file ending."""


def schema_of(cls: type[Settings]) -> Json:
    """JSON schema of a dataclass of plain options; field docstrings are the descriptions."""
    hints, documents = typing.get_type_hints(cls), field_docstrings(cls)
    properties: Json = {
        field.name: _property(hints[field.name], field, documents.get(field.name, ""))
        for field in dataclasses.fields(cls)
    }
    return {"type": "object", "additionalProperties": False, "properties": properties}


def _property(hint: object, field: dataclasses.Field[object], document: str) -> Json:
    if typing.get_origin(hint) is typing.Literal:
        schema: Json = {"type": "string", "enum": list(typing.get_args(hint))}
    else:
        schema = {"type": _TYPES.get(hint, "string")}
    default = field.default
    assert default is None or isinstance(default, str | int | float | bool)
    return {**schema, "default": default, "description": document}


def styles_of(spec: MethodSpec) -> tuple[str, ...]:
    """Names of the styles of the shipped model; empty for methods without."""
    for part in _parts(spec.architectures()["default"]):
        styles = getattr(part, "styles", ())
        if styles and all(isinstance(name, str) for name in styles):
            return tuple(styles)
    return ()


def _parts(config: object) -> Iterator[object]:
    yield config
    if dataclasses.is_dataclass(config) and not isinstance(config, type):
        for field in dataclasses.fields(config):
            yield from _parts(getattr(config, field.name))


STORED = {"take": ("style", "start"), "path": ("source",), "person": ("person",)}
"""Kinds of stored files, and the options that may name one as `KIND:ID`."""


def checked_options(method: str, options: Mapping[str, OptionValue]) -> dict[str, OptionValue]:
    """Options of one method, or of a face and a body, under their present names.

    No option may name a file of the server: a style is a name or `take:ID`.

    Raises:
        ConfigError: an option that no method has, of another type, out of range, or a file.
    """
    specs, checked = specs_of(method), {}
    for name, value in options.items():
        owners = [spec for spec in specs if renamed(spec, name) in option_names(spec)]
        if not owners:
            condition_from(specs[0], {name: value})  # raises, and names the nearest option
        checked[renamed((owners or specs)[0], name)] = _checked(name, value)
    for spec in specs:
        own = {name: value for name, value in checked.items() if name in option_names(spec)}
        plain = {k: v for k, v in own.items() if not _is_stored(v)}
        settings.from_json(spec.condition_type(), _given_style(own, plain, spec))
    return checked


def _is_stored(value: OptionValue) -> bool:
    return isinstance(value, str) and value.partition(":")[0] in STORED


def _given_style(
    own: Mapping[str, OptionValue], plain: dict[str, OptionValue], spec: MethodSpec
) -> dict[str, OptionValue]:
    """Options for a check without files: a style from a take counts as some style."""
    for name in own.keys() - plain.keys():
        known = next(iter(styles_of(spec)), "x.npz") if name == "style" else f"x.{name}"
        plain[name] = "0,0,1" if name == "source" else known
    return plain


def _checked(name: str, value: OptionValue) -> OptionValue:
    if not isinstance(value, str):
        return value
    kind = value.partition(":")[0]
    if kind in STORED and name in STORED[kind]:
        if not re.fullmatch(ID_PATTERN, value.removeprefix(f"{kind}:")):
            raise ConfigError(f"option {name} names no {kind}: {value[:40]!r}; give {kind}:ID")
        return value
    last_line = value.rstrip()
    names_file = _FILE.search(last_line) if name != "text" else last_line.lower().endswith(".txt")
    if names_file:
        raise ConfigError(
            f"option {name} cannot name a file here; give a name of the method's, or take:ID of a"
            " take of this server"
        )
    return value


def checked_postprocess(method: str, values: Mapping[str, JsonValue]) -> Json:
    """Post-processing of a face, with all its settings.

    Raises:
        ConfigError: an unknown setting, a value out of range, or one that cannot act.
    """
    checked = settings.from_json(Postprocess, values)
    specs = specs_of(method)
    acts = {name for spec in specs for name in absorbs(spec)}
    faces = any(spec.space == "arkit" for spec in specs)
    for name in values:
        if (
            getattr(checked, name) != getattr(Postprocess(), name)
            and not faces
            and name not in acts
        ):
            raise ConfigError(f"{name} acts on a face, {method} has none; leave it out")
    return settings.to_json(checked)
