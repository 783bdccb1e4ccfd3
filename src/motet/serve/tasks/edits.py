"""Edits of takes, and takes of which a part is generated again."""

from __future__ import annotations

import re

from motet.config import JsonValue
from motet.editing import Layer, edited_clip, layers_from_json, layers_to_json
from motet.errors import ConfigError
from motet.export import write_clip
from motet.serve.folder import ID_PATTERN, DataFolder
from motet.serve.tasks.takes import make_take, stored_take, take_facts
from motet.serve.tasks.task import Arguments, Json, Report, mapping, text
from motet.types import Motion


def edit(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Apply `layers` to the take `base` and write the result under the id `take`.

    Raises:
        ConfigError: a layer that is not possible.
        SpaceError: the take is no face.
    """
    layers = layers_from_json(arguments.get("layers"))
    return _edit(text(arguments, "base"), layers, text(arguments, "take"), folder)


def reroll(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Generate the take `other` (a request with another seed) if it is not there, and edit `base`
    with `layers`, which take a stretch from it.
    """
    other = mapping(arguments, "other")
    made: Json = {}
    if not folder.take(text(other, "take")).is_file():
        made = make_take(other, folder, report)
    return {"other": made, **edit(arguments, folder, report)}


def _edit(base: str, layers: list[Layer], identity: str, folder: DataFolder) -> Json:
    def read(take: str) -> Motion:
        if not re.fullmatch(ID_PATTERN, take) or not folder.take(take).is_file():
            raise ConfigError(f"there is no take {take[:40]!r}; leave its layer out")
        motion = stored_take(take, folder).motion
        assert motion is not None
        return motion

    clip = edited_clip(stored_take(base, folder), layers, read)
    write_clip(clip, folder.take(identity))
    listed: list[JsonValue] = layers_to_json(layers)
    return {**take_facts(clip), "layers": listed}
