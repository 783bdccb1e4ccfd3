"""The option `source` as text; free of torch, so that a wrong one is refused before models load."""

from __future__ import annotations

import math
from pathlib import Path

from motet.errors import AssetError, ConfigError

FILE_ENDINGS = (".csv", ".npy", ".npz")


def names_file(text: str) -> bool:
    """Whether the text names a file with a path instead of one position."""
    return Path(text).suffix.lower() in FILE_ENDINGS


def angles_of(text: str) -> tuple[float, float, float]:
    """Azimuth and elevation in degrees and the distance in metres.

    Raises:
        ConfigError: not AZ,EL,DIST, or impossible numbers.
    """
    try:
        azimuth, elevation, distance = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigError(
            "source must be AZ,EL,DIST in degrees and metres (for example 90,0,2) or a .csv, .npy"
            f" or .npz file, not {text!r}"
        ) from error
    if (
        not all(map(math.isfinite, (azimuth, elevation, distance)))
        or distance <= 0
        or abs(elevation) > 90
        or abs(azimuth) > 360
    ):
        raise ConfigError(
            "a source needs an azimuth from -360 to 360 degrees, an elevation from -90 to 90"
            f" degrees and a positive distance, not {text}"
        )
    return azimuth, elevation, distance


def check_source(text: str) -> None:
    """Make sure that the text is a position or names a file that is there; empty is fine.

    Raises:
        ConfigError: not AZ,EL,DIST, or impossible numbers.
        AssetError: there is no such file.
    """
    if not text:
        return
    if not names_file(text):
        angles_of(text)
    elif not Path(text).is_file():
        raise AssetError(f"{text} cannot be read as the path of a source: there is no such file")
