"""Style clips from files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.checkpoint import read_official
from motet.errors import AssetError
from motet.rigs.flame_clips import flame_tracks, of_width
from motet.rigs.flame_figure import in_flame
from motet.types import MotionSpace, Track


def read_style(path: str, space: MotionSpace) -> Float[Tensor, "1 frames dim"]:
    """A style clip: a take or FLAME coefficients (`.npz`), or one plain tensor as the authors give
    it (`.pt` with a bare tensor, `.safetensors`), or an array (`.npy`).

    Raises:
        AssetError: not there, unreadable, not finite, or of another width than the model's motion.
    """
    if path.endswith(".npz"):
        values = _take(path, space)
    elif path.endswith(".npy"):
        values = torch.from_numpy(np.asarray(read_array(path), np.float32))
    else:
        values = _only_tensor(read_official(Path(path), bare=True), path)
    if values.ndim != 2 or values.shape[1] != space.dim or not len(values):
        raise AssetError(
            f"style {path} has the shape {tuple(values.shape)}; {space.name!r} needs (frames,"
            f" {space.dim})"
        )
    if not bool(torch.isfinite(values).all()):
        raise AssetError(f"style {path} contains values that are not finite; export the take again")
    return values.float().unsqueeze(0)


def _take(path: str, space: MotionSpace) -> Tensor:
    try:
        stored = flame_tracks(read_arrays(path))
        tracks = [_track(stored[track.name], track, space) for track in space.tracks]
        return torch.from_numpy(np.concatenate(tracks, axis=1))
    except (ValueError, KeyError) as error:
        raise AssetError(
            f"style {path} cannot be read as a take with the tracks"
            f" {', '.join(t.name for t in space.tracks)}: {error}"
        ) from error


def _track(values: np.ndarray, track: Track, space: MotionSpace) -> np.ndarray:
    numbers = np.asarray(values, dtype=np.float32)
    if in_flame(space) and numbers.ndim == 2:
        return of_width(numbers, track.size)
    return numbers.reshape(-1, track.size)


def _only_tensor(content: Mapping[str, Any], path: str) -> Tensor:
    tensors = [value for value in content.values() if isinstance(value, Tensor)]
    if len(tensors) != 1:
        raise AssetError(
            f"style {path} holds {len(tensors)} tensors, expected one (frames, numbers a frame)"
        )
    return tensors[0].contiguous()
