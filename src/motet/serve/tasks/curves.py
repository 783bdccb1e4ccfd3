"""Curves of takes in the channels of a figure, for players that set numbers by name (see
`motet.export.player_curves`).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence

import torch

from motet.atomic_write import write_bytes
from motet.errors import SpaceError
from motet.export.gltf.profile import AvatarChannels, Channel, Values
from motet.export.player_curves import house_curves, packed
from motet.rigs.house.face_body import split
from motet.serve.folder import DataFolder
from motet.serve.tasks.avatars import stored_map
from motet.serve.tasks.takes import stored_take
from motet.serve.tasks.task import Arguments, Json, Report, number, text
from motet.types import Motion, MotionSpace, arkit_space

Curves = Callable[[Motion], tuple[list[Channel], list[Values]]]


def write_curves(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Curves of a take for `avatar` (`house`, `raw`, or an id), into the file `out` of the cache.

    Raises:
        SpaceError: the take has no face, which alone moves avatars.
    """
    clip = stored_take(text(arguments, "take"), folder)
    assert clip.motion is not None
    fps, avatar = number(arguments, "fps"), text(arguments, "avatar")
    motion = clip.motion if fps is None else clip.motion.at(fps)
    channels, values = curves_of(avatar, folder)(motion)
    data = packed(motion.space.fps, channels, values)
    write_bytes(folder.path("cache", text(arguments, "out"), ".curves"), data)
    return {}


def write_figure(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """The house figure at rest, without animation, into the file `out` of the cache."""
    from motet.export.glb import generator
    from motet.export.gltf.container import pack_glb
    from motet.export.gltf.figure import figure_document
    from motet.export.gltf.house import house_parts

    document = figure_document(house_parts(text(arguments, "figure")), None, "rest", {})
    document.content["asset"]["generator"] = generator()
    write_bytes(
        folder.path("cache", text(arguments, "out"), ".glb"), pack_glb(*document.finished())
    )
    return {}


def curves_of(avatar: str, folder: DataFolder) -> Curves:
    """A function from a motion to the channels and values of the house figure (`house`), an avatar
    (its id), or of the take itself (`raw`).

    Raises:
        AssetError: not a usable avatar.
    """
    if avatar in ("raw", "house"):
        return raw_curves if avatar == "raw" else house_curves
    channels = AvatarChannels(folder.path("avatars", avatar), stored_map(avatar, folder))

    def of_face(motion: Motion) -> tuple[list[Channel], list[Values]]:
        face, _ = split(motion)
        if face is None:
            raise SpaceError("the take moves a body, avatars are moved by faces; use the figure")
        return channels.curves(face)

    return of_face


def still(space: MotionSpace) -> Motion:
    """One frame at rest: weights of 0, no rotation, standing upright."""
    motion = Motion(torch.zeros(1, space.dim), space)
    for track in space.tracks:
        if track.unit == "rotation 6D rows":
            motion[track.name][:] = torch.tensor([1.0, 0, 0, 0, 1, 0])
    return motion


def write_profile(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Channels of an avatar and its frame at rest, as JSON into the file `out` of the cache."""
    channels, values = curves_of(text(arguments, "avatar"), folder)(still(arkit_space()))
    rest = [float(number) for one in values for number in one[0]]
    content = {"channels": [channel.to_json() for channel in channels], "rest": rest}
    path = folder.path("cache", text(arguments, "out"), ".json")
    write_bytes(path, json.dumps(content).encode())
    return {}


def raw_curves(motion: Motion) -> tuple[list[Channel], list[Values]]:
    """The take's own numbers: weights by name, everything else by track and place."""
    channels, values = [], []
    for track in motion.space.tracks:
        flat = motion[track.name].flatten(1).double().cpu().numpy()
        is_weight = track.unit.startswith("weight")
        for index in range(track.size):
            named = (
                track.channels[index] if is_weight else _place(track.name, track.channels, index)
            )
            channels.append(Channel("weight" if is_weight else "number", named))
            values.append(flat[:, index : index + 1])
    return channels, values


def _place(track: str, names: Sequence[str], index: int) -> str:
    return f"{track}.{names[index]}" if index < len(names) else f"{track}.{index}"
