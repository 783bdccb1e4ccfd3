"""Where a sound source is: the option `source` and files as positions in metres."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.body.source_text import angles_of, names_file
from motet.errors import AssetError

EAR_HEIGHT_M = 1.51
"""Of the house figure; azimuth, elevation and distance are counted from between its ears in its
first frame."""


@dataclasses.dataclass(frozen=True)
class SourcePath:
    """Positions in the world of the figure's first frame (origin under its pelvis, looking to +Z),
    or in the pelvis' axes.
    """

    seconds: Float[np.ndarray, " points"]
    positions: Float[np.ndarray, "points 3"]
    """Metres."""
    local: bool = False
    """True for rows in the true pelvis' axes of each frame, as SAM stores them (`oracle`)."""

    def at(self, seconds: Float[np.ndarray, " moments"]) -> Float[Tensor, "moments 3"]:
        """Positions at any times; straight between the points, resting before the first and after
        the last.
        """
        columns = [np.interp(seconds, self.seconds, self.positions[:, axis]) for axis in range(3)]
        return torch.from_numpy(np.stack(columns, 1)).float()


def position_from_angles(
    azimuth_deg: float, elevation_deg: float, distance_m: float
) -> Float[np.ndarray, "3"]:
    """A position around the head of the figure's first frame."""
    azimuth, elevation = math.radians(azimuth_deg), math.radians(elevation_deg)
    flat = distance_m * math.cos(elevation)
    return np.array(
        [
            flat * math.sin(azimuth),
            EAR_HEIGHT_M + distance_m * math.sin(elevation),
            flat * math.cos(azimuth),
        ]
    )


def parse_source(text: str) -> SourcePath | None:
    """The path of the option `source`; None when it is empty.

    Raises:
        ConfigError: neither AZ,EL,DIST nor a file of a known ending, or impossible numbers.
        AssetError: the file is missing or its rows are not those of a path.
    """
    if not text:
        return None
    if names_file(text):
        return _read_path(Path(text))
    position = position_from_angles(*angles_of(text))
    return SourcePath(np.zeros(1), position[None])


def _read_path(path: Path) -> SourcePath:
    try:
        rows, local = _rows(path)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise AssetError(f"{path} cannot be read as the path of a source: {error}") from error
    if (
        rows.ndim != 2
        or rows.shape[1] != 4
        or not len(rows)
        or not np.isfinite(rows).all()
        or (np.diff(rows[:, 0]) < 0).any()
    ):
        raise AssetError(
            f"{path} must hold rows of seconds (rising), x, y, z in metres; these are {rows.shape}"
        )
    return SourcePath(rows[:, 0], rows[:, 1:], local)


def _rows(path: Path) -> tuple[np.ndarray, bool]:
    """Rows of seconds and position; a SAM sequence gives its `sound_source` at 120 frames a second,
    in the pelvis' axes.
    """
    if path.suffix.lower() == ".csv":
        text = path.read_text(encoding="utf-8").splitlines()
        start = 1 if text and any(letter.isalpha() for letter in text[0].replace("e", "")) else 0
        return (
            np.array(
                [
                    [float(cell) for cell in line.split(",")]
                    for line in text[start:]
                    if line.strip()
                ],
                np.float64,
            ),
            False,
        )
    if path.suffix.lower() == ".npy":
        return np.asarray(read_array(path), np.float64), False
    stored = read_arrays(path)
    if "sound_source" in stored:
        positions = np.asarray(stored["sound_source"], np.float64)
        if positions.ndim != 2:
            raise AssetError(
                f"{path}: sound_source has the shape {positions.shape}, not (frames, 3)"
            )
        return np.column_stack([np.arange(len(positions)) / 120, positions]), True
    if not stored:
        raise AssetError(f"{path} holds no array")
    return np.asarray(next(iter(stored.values())), np.float64), False
