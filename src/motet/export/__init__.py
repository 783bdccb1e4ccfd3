"""Write takes to files; the ending of the path chooses the format.

A file appears only when it is complete. The table `FORMATS` names the module of every format, so
that only the needed one is imported. It has `write(clip, path, options)` and, for formats that can
be read back as a take, `read(path)`. A new format is a new module and a line of the table.
"""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Callable, Iterable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from motet.atomic_write import make_folder
from motet.errors import AssetError, ConfigError, SpaceError, nearest
from motet.file_endings import SOUND_ENDINGS

if TYPE_CHECKING:
    from motet.export.gltf.mapping import AvatarMap
    from motet.export.user_mesh import UserMesh
    from motet.types import Clip

__all__ = [
    "BODY_ARCHIVES",
    "FACE_ARCHIVES",
    "FORMATS",
    "Format",
    "check_ending",
    "check_spaces",
    "read_take",
    "write_clip",
]


@dataclasses.dataclass(frozen=True)
class Format:
    """Properties of a format that are known without importing its module."""

    module: str
    """Name of the module in this folder."""
    spaces: tuple[str, ...] = ("arkit", "smplx25")
    """Motion spaces that it can hold."""
    reads: bool = False
    """A take can be read back from it."""
    takes_avatar: bool = False
    """It can animate an avatar."""

    def load(self) -> ModuleType:
        """The module, imported."""
        return importlib.import_module(f"{__name__}.{self.module}")


FORMATS = {
    ".bvh": Format("bvh", spaces=("smplx25",), reads=True),
    ".csv": Format("live_link_csv", spaces=("arkit",), reads=True),
    ".glb": Format("glb", takes_avatar=True),
    ".html": Format("talk_page"),
    ".json": Format("audio2face_json", spaces=("arkit",), reads=True),
    ".mov": Format("mp4", takes_avatar=True),
    ".mp4": Format("mp4", takes_avatar=True),
    ".npz": Format("npz", reads=True),
    ".obj": Format("obj", spaces=("flame", "vertices")),
    ".png": Format("png_sequence", takes_avatar=True),
    ".srt": Format("captions"),
    ".usda": Format("usd"),
    ".usdc": Format("usd"),
    ".usdz": Format("usd"),
    ".vrma": Format("vrma", takes_avatar=True),
    ".vtt": Format("captions"),
    ".webm": Format("mp4", takes_avatar=True),
}
"""Every format by the ending of its files."""
BODY_ARCHIVES = ("smplx", "amass", "beat2")
"""Second endings of `.npz` archives that hold a body only, e.g. `name.amass.npz`."""
FACE_ARCHIVES = ("flame", "vhap", "vertices")
"""The same of FLAME and mesh motion, e.g. `name.flame.npz`."""


def check_ending(path: str | Path) -> Format:
    """The format that a user's path names, by its last ending and the one before.

    Raises:
        ConfigError: no format has that ending; names those there are.
    """
    clip_format = format_of(path)
    # `name.amass.npz`: the ending before the last names the layout.
    second = Path(Path(path).stem).suffix.lower().removeprefix(".")
    ending = Path(path).suffix.lower()
    if ending == ".npz" and second.isalpha() and second not in BODY_ARCHIVES + FACE_ARCHIVES:
        known = ", ".join(f".{name}.npz" for name in BODY_ARCHIVES + FACE_ARCHIVES)
        raise ConfigError(
            f"no layout '.{second}.npz' is written; there are {known}, and .npz for a take (if"
            f" {second!r} is part of the name, put '_' before it)"
        )
    return clip_format


def format_of(path: str | Path) -> Format:
    """The format of files with this path's ending.

    Raises:
        ConfigError: no format has that ending; names those there are.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        name = f"{Path(path).name!r} has no ending to choose a format by"
        if ending in SOUND_ENDINGS:
            raise ConfigError(
                f"sound alone ({ending}) is not written; .mp4 holds pictures and sound, .npz motion"
                " and sound"
            )
        reason = f"nothing is written as {ending!r}" if ending else name
        raise ConfigError(f"{reason}; {nearest(ending, FORMATS)}")
    return FORMATS[ending]


def check_spaces(path: str | Path, spaces: Iterable[str], method: str) -> None:
    """Check that a file can hold motion of one of these spaces; unknown spaces pass.

    Raises:
        ConfigError: no format has that ending.
        SpaceError: the file holds a face and the motion is a body, or the other way round.
    """
    holds, ending, missing_from = check_ending(path).spaces, Path(path).suffix.lower(), set(spaces)
    second = Path(Path(path).stem).suffix.lower()
    if ending == ".npz" and second.removeprefix(".") in BODY_ARCHIVES:
        holds, ending = ("smplx25",), second + ending
    if ending == ".obj" or (ending == ".npz" and second.removeprefix(".") in FACE_ARCHIVES):
        raise SpaceError(
            f"{Path(path).name} holds FLAME or mesh motion, the shipped {method} has none; it comes"
            " from imported weights (--weights), see 'motet weights import --help'"
        )
    if missing_from <= {"arkit", "smplx25"} and not missing_from & set(holds):
        part, other = ("a body", "mospa") if holds == ("smplx25",) else ("a face", "artalk")
        made = "a face" if part == "a body" else "a body"
        remedy = f"use -m {other}, or another format such as .npz, .glb or .mp4"
        raise SpaceError(f"a {ending} file holds {part}, {method} generates {made}; {remedy}")


def write_clip(
    clip: Clip,
    path: str | Path,
    *,
    size: int | str = 512,
    background: str = "",
    camera: str = "head",
    captions: str = "",
    figure: str = "",
    avatar: str | Path | None = None,
    avatar_map: AvatarMap | None = None,
    marker: bool = True,
    fps: float | None = None,
    mesh: UserMesh | None = None,
    progress: Callable[[int], None] | None = None,
) -> Path:
    """Write a clip in the format that the path's ending names, and return the path (of several
    files the first).

    Args:
        size: of pictures: pixels, `1920x1080`, `9:16`, `1080p` (formats with pictures).
        background: `#RRGGBB`, a picture file, or `transparent` (.webm, .mov, .png).
        camera: `head`, `bust`, `three-quarter` or `body`.
        captions: text or .srt/.vtt file to draw into pictures or write as captions.
        figure: `mira`, `jonas` or `amara` (formats with a figure).
        avatar: a GLB or VRM to animate or draw instead of the house figure (formats with a
            figure).
        avatar_map: names of the avatar that are assigned by hand.
        marker: whole-body pictures show the sound source, if the take has its position.
        fps: frame rate of the file; when left out the format's usual one (60 for Live Link Face
            CSV), else the take's.
        mesh: the user's FLAME or template, for motion in FLAME coefficients or vertices.
        progress: called with the number of frames written so far.

    Raises:
        ConfigError: no format has that ending, or this format cannot take an avatar.
        InputError: the clip lacks what the format needs, or the file cannot be written there.
    """
    from motet.export.options import ExportOptions
    from motet.export.picture import picture_options
    from motet.export.user_mesh import check_mesh, in_arkit

    kind = format_of(path)
    picture = picture_options(size, background, camera, captions, figure)
    options = ExportOptions(
        picture,
        Path(avatar) if avatar is not None else None,
        avatar_map,
        marker,
        fps,
        mesh,
        progress,
    )
    # Resampled once here, so that every format gets the same frames.
    if fps is not None and clip.motion is not None and clip.motion.space.fps != fps:
        clip = dataclasses.replace(clip, motion=clip.motion.at(fps))
    if figure and (avatar is not None or mesh is not None):
        raise ConfigError("what you give is shown instead of a figure of motet; leave figure out")
    if avatar is not None and not kind.takes_avatar:
        able = ", ".join(ending for ending, other in FORMATS.items() if other.takes_avatar)
        raise ConfigError(
            f"an avatar is animated in {able}, not in {Path(path).suffix}; leave --avatar away or"
            " change the ending"
        )
    if clip.motion is not None:
        check_mesh(Path(path), clip.motion.space, mesh, avatar=avatar is not None)
        clip = in_arkit(clip, Path(path), mesh, avatar=avatar is not None)
    if options.avatar is not None and Path(path).absolute() == options.avatar.absolute():
        raise ConfigError(
            f"{path} is the avatar itself and would be lost; give the output another name"
        )
    make_folder(Path(path).absolute().parent)
    first = kind.load().write(clip, Path(path), options)  # of formats that write several files
    return first or Path(path)


def read_take(path: str | Path) -> Clip:
    """Read a take from a file that holds curves.

    `.npz` holds everything, `.csv` and `.json` the face curves, `.bvh` the body.

    Raises:
        AssetError: the file is missing, damaged, or of a format that holds no curves.
    """
    path = Path(path)
    readable = {ending: kind for ending, kind in FORMATS.items() if kind.reads}
    if path.suffix.lower() not in readable:
        raise AssetError(f"{path} is not a take: curves are read from {', '.join(readable)}")
    try:
        if not path.is_file():
            problem = "is not a file" if path.exists() else "does not exist"
            raise AssetError(f"{path} {problem}; give a take that motet wrote")
        return readable[path.suffix.lower()].load().read(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise AssetError(f"{path} cannot be read: {reason}") from error
