"""`--avatar` and `--map` of the command lines: names by hand, and what an avatar can do."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import ConfigError

if TYPE_CHECKING:
    from motet.export.gltf.mapping import AvatarMap


def avatar_map(avatar: Path | None, names: Path | None) -> AvatarMap | None:
    """The names that `--map` assigns; None without it.

    Raises:
        ConfigError: there is no avatar whose names they could be.
        AssetError: the file is missing or no such map.
    """
    from motet.export.gltf.mapping import read_map

    if names is None:
        return None
    if avatar is None:
        raise ConfigError("--map assigns names of an --avatar; give one")
    return read_map(names)


def avatar_report(
    avatar: Path | None, by_hand: AvatarMap | None, *, has_face: bool = True, drawn: bool = False
) -> list[str]:
    """Lines that say what of an avatar is driven, missing and ignored; none without one.

    Args:
        has_face: False for takes of a body alone, which need no mouth.
        drawn: pictures are made; a line says what of its materials they leave out.

    Raises:
        AssetError: not a usable GLB or VRM, or it has no mouth that can speak, or no body that
            can move.
        ConfigError: a name that the avatar or motet does not have.
    """
    if avatar is None:
        return []
    from motet.export.gltf.avatar import inspect_avatar
    from motet.export.gltf.container import read_glb
    from motet.export.gltf.materials import undrawn

    lines = inspect_avatar(avatar, by_hand, has_face=has_face).lines()
    left_out = undrawn(read_glb(avatar)[0], avatar) if drawn else []
    if left_out:
        lines.append(f"not drawn: {', '.join(left_out)}")
    return [f"  {line}" for line in lines]
