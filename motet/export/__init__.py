"""Takes to files. The ending of the path chooses the format; a file appears only when it is complete.

Every module in this folder with a constant `ENDINGS` is a format. It has `write(clip, path, options)` and, where a take can
be had back from the file, `read(path)`. A new format is a new module; nothing else is edited.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from motet.errors import AssetError, ConfigError, nearest

if TYPE_CHECKING:
    from motet.types import Clip

__all__ = ["check_ending", "formats", "read_take", "write_clip"]


@cache
def formats() -> dict[str, ModuleType]:
    """The module of every format, by the ending of its files."""
    found: dict[str, ModuleType] = {}
    for entry in pkgutil.iter_modules(__path__):
        module = importlib.import_module(f"{__name__}.{entry.name}")
        found.update(dict.fromkeys(getattr(module, "ENDINGS", ()), module))
    return dict(sorted(found.items()))


def check_ending(path: str | Path) -> ModuleType:
    """The module that writes files with this path's ending.

    Raises:
        ConfigError: no format has that ending; names those there are.
    """
    ending = Path(path).suffix.lower()
    if ending not in formats():
        what = f"nothing is written as {ending!r}" if ending else f"{Path(path).name!r} has no ending to choose a format by"
        raise ConfigError(f"{what}; {nearest(ending, formats())}")
    return formats()[ending]


def write_clip(
    clip: Clip, path: str | Path, *, size: int = 512, avatar: str | Path | None = None, marker: bool = True, progress: Callable[[int], None] | None = None
) -> Path:
    """Write a clip in the format that the path's ending names; answers the path.

    Args:
        size: height and width of pictures, pixels (formats with pictures).
        avatar: a GLB or VRM to animate instead of the house figure (formats with a figure).
        marker: whole-body pictures show where the sound comes from, if the take knows it.
        progress: told the number of frames written so far.

    Raises:
        ConfigError: no format has that ending, or this format cannot take an avatar.
        InputError: the clip lacks what the format needs, or the file cannot be written there.
    """
    from motet.export.options import ExportOptions

    module = check_ending(path)
    options = ExportOptions(size, Path(avatar) if avatar is not None else None, marker, progress)
    if avatar is not None and not getattr(module, "TAKES_AVATAR", False):
        able = ", ".join(ending for ending, other in formats().items() if getattr(other, "TAKES_AVATAR", False))
        raise ConfigError(f"an avatar is animated in {able}, not in {Path(path).suffix}; leave --avatar away or change the ending")
    if options.avatar is not None and Path(path).absolute() == options.avatar.absolute():
        raise ConfigError(f"{path} is the avatar itself and would be lost; give the output another name")
    module.write(clip, Path(path), options)
    return Path(path)


def read_take(path: str | Path) -> Clip:
    """A take back from a file that holds curves: `.npz` (everything), `.csv` and `.json` (face curves only).

    Raises:
        AssetError: the file is missing, damaged, or of a format that holds no curves.
    """
    path = Path(path)
    readable = {ending: module for ending, module in formats().items() if hasattr(module, "read")}
    if path.suffix.lower() not in readable:
        raise AssetError(f"{path} is not a take: curves are read from {', '.join(readable)}")
    try:
        if not path.is_file():
            raise AssetError(f"{path} {'is not a file' if path.exists() else 'does not exist'}; give a take that motet wrote")
        return readable[path.suffix.lower()].read(path)
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
