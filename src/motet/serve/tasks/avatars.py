"""Avatars: what of an uploaded file can be driven, and the user's assignment of its names."""

from __future__ import annotations

import difflib
import json

from motet.config import JsonValue
from motet.errors import AssetError
from motet.export.gltf.avatar import inspect_avatar
from motet.export.gltf.mapping import AvatarMap, read_map
from motet.export.gltf.profile import avatar_names
from motet.serve.folder import DataFolder
from motet.serve.tasks.task import Arguments, Json, Report, mapping, text
from motet.types import ARKIT_SHAPES

LEAST_LIKENESS = 0.6
"""Of a name and an ARKit shape, for a suggestion."""


def inspect(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """What of an avatar is driven with the assignment `map`. One without a mouth that can speak is
    no error: its names can be assigned.

    Raises:
        AssetError: not a usable GLB or VRM.
        ConfigError: the assignment names what the avatar or motet does not have.
    """
    path = folder.path("avatars", text(arguments, "avatar"))
    names = avatar_names(path)
    try:
        inspection = inspect_avatar(path, map_of(mapping(arguments, "map")))
    except AssetError as error:
        if "no mouth" not in str(error):
            raise
        return _facts(names.kind, [], list(ARKIT_SHAPES), list(names.targets), [], "")
    ignored = [name for name in names.targets if name not in inspection.matched]
    bones = list(inspection.bones)
    return _facts(
        names.kind,
        list(inspection.matched),
        list(inspection.missed),
        ignored,
        bones,
        inspection.mouth,
    )


def _facts(
    kind: str, matched: list[str], missed: list[str], ignored: list[str], bones: list[str],
    mouth: str,
) -> Json:  # fmt: skip
    suggestions = {name: shape for name in ignored if (shape := _likeliest(name, missed))}
    return {
        "kind": kind,
        "matched": list(matched),
        "missed": list(missed),
        "ignored": list(ignored),
        "bones": list(bones),
        "mouth": mouth,
        "suggestions": dict(suggestions),
    }


def _likeliest(name: str, shapes: list[str]) -> str:
    """The ARKit shape that a name resembles; empty when it resembles none."""
    plain = {"".join(filter(str.isalnum, shape)).lower(): shape for shape in shapes}
    letters = "".join(filter(str.isalnum, name)).lower()
    close = difflib.get_close_matches(letters, plain, n=1, cutoff=LEAST_LIKENESS)
    return plain[close[0]] if close else ""


def map_of(values: Json) -> AvatarMap:
    """An assignment from JSON: `{"MyShape": "jawOpen", "bones": {...}}`."""
    shapes: dict[str, str | None] = {}
    bones: dict[str, str | None] = {}
    for name, value in values.items():
        if name == "bones" and isinstance(value, dict):
            bones = {str(bone): _name(node) for bone, node in value.items()}
        else:
            shapes[name] = _name(value)
    return AvatarMap(shapes, bones)


def _name(value: JsonValue) -> str | None:
    return value if isinstance(value, str) else None


def stored_map(identity: str, folder: DataFolder) -> AvatarMap | None:
    """The assignment that a user has saved for an avatar."""
    path = folder.path("avatars", identity, ".map")
    return read_map(path) if path.is_file() else None


def map_as_json(values: Json) -> bytes:
    """An assignment as a file that `read_map` reads."""
    return json.dumps(values, sort_keys=True).encode()
