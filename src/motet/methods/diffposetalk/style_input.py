"""Person conditions from the user: a style by name, clip or vector, and a shape."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.errors import AssetError, ConfigError, nearest
from motet.face.mouth_style import NAMED, NEUTRAL, MouthStyle, style_of
from motet.methods.diffposetalk.config import AS_TRAINED, DiffPoseTalkCondition
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.diffposetalk.windows import Person
from motet.rigs.flame_clips import flame_tracks, of_width
from motet.types import Motion


def read_person(
    condition: DiffPoseTalkCondition,
    model: DiffPoseTalkModel,
    styles: Mapping[str, Sequence[float]],
    batch: int,
) -> Person:
    """Shape and style of a condition, for every item of a batch.

    Raises:
        ConfigError: the model has no such condition, or does not know the style.
        AssetError: a file that cannot be used.
    """
    if condition.shape and not model.config.shape_dim:
        raise ConfigError(
            "this model knows no shape; leave the option shape out, or use a FLAME model"
        )
    if condition.style and not model.config.style_dim:
        raise ConfigError("this model knows no style; leave the style out, or use a model with one")
    shape = style = None
    if condition.shape:
        shape = read_shape(condition.shape, model).expand(batch, -1)
    if condition.style:
        style = read_style(condition.style, model, styles, condition.style_start)
        style = style.expand(batch, -1)
    return Person(shape, style)


def read_mouth_style(condition: DiffPoseTalkCondition, model: DiffPoseTalkModel) -> MouthStyle:
    """What the style does to the regressed mouth of the house space; a style vector says nothing
    of it.
    """
    if condition.style.endswith(".npz"):
        style = style_of(read_clip(Path(condition.style), model))
    else:
        style = NAMED.get(condition.style, NEUTRAL)
    return style.scaled(condition.guidance_style / AS_TRAINED)


def read_style(
    name: str, model: DiffPoseTalkModel, styles: Mapping[str, Sequence[float]], start: int = -1
) -> Float[Tensor, "1 width"]:
    """A named style, a style vector (`.npy`), or the style of a clip (`.npz`: a take, or FLAME
    coefficients as DiffPoseTalk or VHAP store them).

    Args:
        start: first frame of the one stretch of a clip that is encoded; -1: the whole clip.

    Raises:
        ConfigError: no file and no name of the model's.
        AssetError: a file that cannot be used.
    """
    if name in styles:
        return torch.tensor([list(styles[name])])
    path = Path(name)
    if path.suffix == ".npy":
        return _vector(path, model.config.style_dim)
    if path.suffix != ".npz":
        raise ConfigError(
            f"no style {name!r}; {nearest(name, styles) if styles else 'this model names none'}; or"
            " give a take (.npz) or a vector (.npy)"
        )
    if model.style_encoder is None:
        raise ConfigError(
            "this model has no style encoder; import it together with one, or give a style vector"
            " (.npy)"
        )
    motion = read_clip(path, model)
    assert model.config.style is not None
    if start >= len(motion):
        raise ConfigError(f"style clip {path} has {len(motion)} frames; style_start is {start}")
    stretch = motion if start < 0 else motion[start : start + model.config.style.frames]
    return encode_style(model, stretch)


def encode_style(
    model: DiffPoseTalkModel, motion: Float[Tensor, "frames dim"]
) -> Float[Tensor, "1 width"]:
    """The style of a clip in the model's motion space; of a long one the mean over its whole
    stretches of training length.

    Raises:
        AssetError: the clip has no frame.
    """
    assert model.style_encoder is not None and model.config.style is not None
    if not len(motion):
        raise AssetError("a style clip without a single frame")
    vector, length = model.coefficients.vector(motion), model.config.style.frames
    stretches = vector.split(length)
    # The encoder knows clips of one length; a shorter recording is taken as it is.
    whole = [piece for piece in stretches if len(piece) == length] or [vector]
    return model.style_encoder(torch.stack(whole)).mean(0, keepdim=True)


def read_clip(path: Path, model: DiffPoseTalkModel) -> Float[Tensor, "frames dim"]:
    """Motion of a file in the model's space and at its rate.

    Raises:
        AssetError: not an archive of plain arrays, or without the tracks of the space.
    """
    space, arrays = model.coefficients.space, read_arrays(path)
    if space.name != "arkit":
        arrays = flame_tracks(arrays)
        if "expression" in arrays:
            arrays["expression"] = of_width(arrays["expression"], space.track("expression").size)
    parts = []
    for track in space.tracks:
        values = arrays.get(track.name)
        if values is None or values.ndim < 2 or values.shape[-1] != track.size:
            came = "nothing" if values is None else tuple(values.shape)
            raise AssetError(
                f"style clip {path} needs {track.name} (frames, {track.size}), there is {came}"
            )
        parts.append(torch.from_numpy(np.asarray(values, dtype=np.float32)).reshape(-1, track.size))
    if len({len(part) for part in parts}) != 1:
        raise AssetError(
            f"the tracks of style clip {path} differ in length: {[len(part) for part in parts]}"
        )
    motion = torch.cat(parts, -1)
    if not len(motion) or not bool(torch.isfinite(motion).all()):
        raise AssetError(f"style clip {path} is empty or holds numbers that are not finite")
    fps = _frame_rate(arrays.get("fps"), space.fps, path)
    return Motion(motion, space.at(fps)).at(space.fps).values if fps != space.fps else motion


def _frame_rate(stored: np.ndarray | None, default: float, path: Path) -> float:
    if stored is None:
        return default
    if stored.size != 1 or stored.dtype.kind not in "if" or not 1 <= stored.item() <= 1000:
        raise AssetError(f"style clip {path} needs fps between 1 and 1000, it has {stored!s:.40}")
    return float(stored.item())


def read_shape(name: str, model: DiffPoseTalkModel) -> Float[Tensor, "1 coefficients"]:
    """Identity coefficients of a file (`shape`, one row or one a frame), normalised.

    Raises:
        AssetError: no `shape` of the right width in it.
    """
    values, width = read_arrays(name, ["shape"]).get("shape"), model.config.shape_dim
    if values is None or values.size == 0 or values.ndim == 0 or values.shape[-1] < width:
        raise AssetError(
            f"{name} needs an array `shape` with at least {width} numbers, there is"
            f" {'none' if values is None else tuple(values.shape)}"
        )
    row = torch.from_numpy(
        np.asarray(values, dtype=np.float32).reshape(-1, values.shape[-1])[:1, :width].copy()
    )
    return model.coefficients.shape_vector(row)


def _vector(path: Path, width: int) -> Float[Tensor, "1 width"]:
    values = read_array(path)
    if values.size != width or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise AssetError(
            f"style {path} has the shape {values.shape}; this model's styles are {width} finite"
            " numbers, of its own style encoder"
        )
    return torch.from_numpy(values.astype(np.float32)).reshape(1, width)
