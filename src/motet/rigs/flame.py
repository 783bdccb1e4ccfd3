"""The FLAME head model from the user's own file; nothing of it is shipped here.

Registration and terms are those of the Max Planck Society. Written from the paper (Li et al. 2017,
eq. 1-5): template + shape and expression offsets + pose correctives, then linear blend skinning
about five joints (root, neck, jaw, left and right eye).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.array_files import read_arrays
from motet.checkpoint import read_official
from motet.errors import AssetError
from motet.geometry.kinematics import skinning_transforms
from motet.geometry.rotation import matrix_from_axis_angle
from motet.geometry.skinning import skin
from motet.restricted_unpickle import Record, read_inert
from motet.types import MotionSpace, Track

N_SHAPE, N_EXPRESSION = 300, 100
PARENTS = [-1, 0, 1, 1, 1]
_MOST_ENTRIES = 10_000_000
_KEYS = ("v_template", "shapedirs", "posedirs", "J_regressor", "weights", "f")


@dataclasses.dataclass(frozen=True)
class Flame:
    """The tables of the model."""

    template: Float[Tensor, "verts 3"]
    directions: Float[Tensor, "verts 3 400"]
    """300 identity then 100 expression offsets."""
    correctives: Float[Tensor, "verts 3 36"]
    """Pose correctives: offsets for the entries of R - I of all joints but the root."""
    regressor: Float[Tensor, "joints verts"]
    weights: Float[Tensor, "verts joints"]
    faces: Int[Tensor, "faces 3"]

    def vertices(
        self,
        expression: Float[Tensor, "*batch expression"],
        pose: Float[Tensor, "*batch joints 3"],
        shape: Float[Tensor, "*batch shape"] | None = None,
    ) -> Float[Tensor, "*batch verts 3"]:
        """Surfaces in metres.

        Args:
            expression: up to 100 coefficients; those left out are zero.
            pose: axis-angle of root, neck, jaw, left and right eye, in radians.
            shape: up to 300 identity coefficients; the mean person when left out.
        """
        # v: vertex, c: coordinate, e, s, p: expression, shape and pose coefficient
        directions = self.directions[..., N_SHAPE : N_SHAPE + expression.shape[-1]]
        offsets = torch.einsum("vce,...e->...vc", directions, expression)
        if shape is not None:
            directions = self.directions[..., : shape.shape[-1]]
            offsets = offsets + torch.einsum("vcs,...s->...vc", directions, shape)
        shaped = self.template + offsets
        joints = torch.einsum("jv,...vc->...jc", self.regressor, shaped)
        rotation = matrix_from_axis_angle(pose)
        pose_feature = (rotation[..., 1:, :, :] - torch.eye(3).to(pose)).flatten(-3)
        corrected = shaped + torch.einsum("vcp,...p->...vc", self.correctives, pose_feature)
        return skin(corrected, self.weights, skinning_transforms(rotation, joints, PARENTS))


def artalk_vertices(
    flame: Flame,
    motion: Float[Tensor, "*batch frames dim"],
    shape: Tensor | None = None,
    *,
    head: bool = True,
) -> Float[Tensor, "*batch frames verts 3"]:
    """Surfaces of ARTalk's motion.

    A frame has 106 numbers (expression, head, jaw) or 108 (expression, head, jaw x, two axes of
    each eye).

    Args:
        head: False leaves the head's rotation out.

    Raises:
        AssetError: another width.
    """
    if motion.shape[-1] not in (106, 108):
        raise AssetError(
            f"ARTalk's motion has 106 or 108 numbers a frame, this has {motion.shape[-1]}"
        )
    pose = motion.new_zeros(*motion.shape[:-1], 5, 3)
    if head:
        pose[..., 0, :] = motion[..., 100:103]
    if motion.shape[-1] == 106:
        pose[..., 2, :] = motion[..., 103:106]
    else:
        pose[..., 2, 0] = motion[..., 103]
        pose[..., 3, :2], pose[..., 4, :2] = motion[..., 104:106], motion[..., 106:108]
    return flame.vertices(motion[..., :100], pose, shape)


def flame_from_tables(tables: Mapping[str, Any], source: str = "the FLAME file") -> Flame:
    """The model from the arrays of a FLAME file.

    Raises:
        AssetError: a table is missing or of an impossible shape.
    """
    missing = [key for key in _KEYS if key not in tables]
    if missing:
        raise AssetError(f"{source} lacks {', '.join(missing)}; it needs {', '.join(_KEYS)}")
    arrays = {key: _numbers(tables[key], f"{source}: {key}") for key in _KEYS}
    verts = arrays["v_template"].numel() // 3
    shapes = {
        "v_template": (verts, 3),
        "shapedirs": (verts, 3, N_SHAPE + N_EXPRESSION),
        "posedirs": (verts, 3, 36),
        "J_regressor": (5, verts),
        "weights": (verts, 5),
    }
    for key, shape in shapes.items():
        if tuple(arrays[key].shape) != shape:
            raise AssetError(
                f"{source}: {key} has the shape {tuple(arrays[key].shape)} instead of {shape}; is"
                " it a FLAME with five joints and 400 shapes?"
            )
    faces = arrays["f"].long()
    if faces.ndim != 2 or faces.shape[1] != 3 or not 0 <= faces.min() <= faces.max() < verts:
        raise AssetError(f"{source}: f {tuple(faces.shape)} are not triangles of {verts} vertices")
    return Flame(*(arrays[key].float() for key in shapes), faces)


def _numbers(value: Any, name: str) -> Tensor:
    """A table as a tensor of finite numbers."""
    if isinstance(value, Tensor):
        value = (value.float() if value.is_floating_point() else value).detach().cpu().numpy()
    array = np.asarray(value)
    if array.dtype.kind not in "iuf" or not array.size or not np.isfinite(array).all():
        raise AssetError(f"{name} holds no finite numbers; get an intact file")
    return torch.from_numpy(array.astype(np.float32 if array.dtype.kind == "f" else np.int64))


def load_flame(path: str | Path) -> Flame:
    """Read the user's FLAME file: the official `.pkl` (2019, 2020, 2023), whose objects are read
    without running anything, `.npz`, `.safetensors`, or `.pt` of plain tensors.

    Raises:
        AssetError: not there, damaged, or not a FLAME model.
    """
    path = Path(path)
    if not path.is_file():
        raise AssetError(
            f"{path} {'is not a file' if path.exists() else 'does not exist'}; FLAME comes from"
            " https://flame.is.tue.mpg.de after registration"
        )
    if path.suffix == ".pkl":
        return flame_from_tables(_pickled_tables(path), str(path))
    if path.suffix == ".npz":
        return flame_from_tables(read_arrays(path), str(path))
    tables = read_official(path)
    tables = tables.get("flame_model", tables)
    return flame_from_tables(
        {key.removeprefix("flame."): value for key, value in tables.items()}, str(path)
    )


def _pickled_tables(path: Path) -> dict[str, np.ndarray]:
    """Arrays of the official file; some are objects of chumpy and of SciPy's sparse matrices."""
    try:
        tables = read_inert(path.read_bytes(), packages=("chumpy", "scipy"))
    except (OSError, AssetError) as error:
        raise AssetError(f"{path} cannot be read as a FLAME model: {error}") from error
    if not isinstance(tables, dict):
        raise AssetError(f"{path} holds a {type(tables).__name__} instead of FLAME's tables")
    return {key: _dense(tables[key], f"{path}: {key}") for key in _KEYS if key in tables}


def _dense(value: object, name: str) -> np.ndarray:
    """An array, also of the objects that the official file has in its place."""
    if isinstance(value, np.ndarray):
        return value
    state = value.state if isinstance(value, Record) else None
    if isinstance(state, dict) and isinstance(state.get("x"), np.ndarray):
        return state["x"]
    if isinstance(state, dict) and isinstance(value, Record) and "indptr" in state:
        return _from_sparse(state, by_column="csc" in value.kind, name=name)
    raise AssetError(f"{name} is no array but a {getattr(value, 'kind', type(value).__name__)}")


def _from_sparse(state: Mapping[str, Any], by_column: bool, name: str) -> np.ndarray:
    """A compressed sparse matrix as a dense one."""
    try:
        rows, columns = (int(n) for n in state.get("_shape", state.get("shape")))
        if not 0 < rows * columns <= _MOST_ENTRIES:
            raise ValueError(f"{rows} x {columns} entries")
        starts, inner = (np.asarray(state[key], np.int64) for key in ("indptr", "indices"))
        if starts.ndim != 1 or (np.diff(starts) < 0).any() or starts[-1] != inner.size:
            raise ValueError("row starts that do not fit the entries")
        outer = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
        dense = np.zeros((rows, columns))
        np.add.at(dense, (inner, outer) if by_column else (outer, inner), state["data"])
    except (TypeError, ValueError, KeyError, IndexError) as error:
        raise AssetError(f"{name} is a damaged sparse matrix: {error}") from error
    return dense


def flame_space(fps: float = 25.0) -> MotionSpace:
    """56 numbers a frame: 50 FLAME expression coefficients, head and jaw rotation."""
    tracks = (
        Track("expression", (50,), "FLAME expression coefficient"),
        Track("head", (3,), "axis-angle rad"),
        Track("jaw", (3,), "axis-angle rad"),
    )
    return MotionSpace("flame-diffposetalk", tracks, fps)
