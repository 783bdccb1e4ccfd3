"""The pose that a take begins with, and where it stands in the world."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_arrays
from motet.body.feature_vector import encode_body, turned
from motet.body.skeleton import heading
from motet.body.standing_pose import standing_root, standing_rotations
from motet.errors import AssetError
from motet.geometry.rotation import matrix_from_6d_rows, matrix_from_axis_angle


@dataclasses.dataclass(frozen=True)
class StartPose:
    """The first frame, at the origin and facing +Z, and its place in the world."""

    vector: Float[Tensor, " dim"]
    angle: float = 0.0
    """Heading in the world, radians counter-clockwise seen from above."""
    shift: tuple[float, float] = (0.0, 0.0)
    """X and Z in the world, metres."""

    def placed(
        self, vector: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Frames that were generated from the origin, in the world."""
        if not self.angle and not any(self.shift):
            return vector
        angle = torch.full((len(vector),), self.angle)
        x, z = self.shift
        moved = torch.tensor([x, 0.0, z]).expand(len(vector), 3)
        still = torch.zeros_like(moved)
        return turned(turned(vector, angle, still), torch.zeros_like(angle), moved)


def standing_start() -> StartPose:
    """Relaxed standing at the origin."""
    return StartPose(_encoded(standing_root(), standing_rotations()))


def read_start(path: Path) -> StartPose:
    """The last frame of a take (`root` and `joints`), or of a body in SMPL-X order (`trans` and
    `poses`, axis-angle).

    Raises:
        AssetError: missing, damaged, or without a body.
    """
    try:
        stored = read_arrays(path)
        root, rotations = _last_frame(stored)
    except (OSError, ValueError, KeyError) as error:
        raise AssetError(
            f"{path} holds no pose to start with ({error}); give a take of a body (.npz), or an"
            " .npz file with poses (frames, 25 or more, 3) and trans (frames, 3)"
        ) from error
    angle = float(heading(rotations[0]))
    vector = _encoded(root, rotations).view(1, 1, -1)
    shift = torch.tensor([[-float(root[0]), 0.0, -float(root[2])]])
    own = turned(vector, torch.tensor([-angle]), shift)[0, 0]
    return StartPose(own, angle, (float(root[0]), float(root[2])))


def _last_frame(
    stored: dict[str, np.ndarray],
) -> tuple[Float[Tensor, "3"], Float[Tensor, "joints 3 3"]]:
    if "joints" in stored:
        root = np.asarray(stored["root"], np.float32)
        rows = np.asarray(stored["joints"], np.float32)
        rotations = matrix_from_6d_rows(torch.from_numpy(rows[-1].reshape(25, 6).copy()))
    else:
        root = np.asarray(stored["trans"], np.float32)
        poses = np.asarray(stored["poses"], np.float32)
        rotations = matrix_from_axis_angle(torch.from_numpy(poses[-1].reshape(-1, 3)[:25].copy()))
    if root.ndim != 2 or root.shape[1] != 3 or len(rotations) != 25:
        raise ValueError(f"root {root.shape}, {len(rotations)} joints")
    if not (np.isfinite(root[-1]).all() and bool(torch.isfinite(rotations).all())):
        raise ValueError("its last frame is not finite")
    return torch.from_numpy(root[-1].copy()), rotations


def _encoded(
    root: Float[Tensor, "3"], rotations: Float[Tensor, "joints 3 3"]
) -> Float[Tensor, " dim"]:
    return encode_body(root.unsqueeze(0), rotations.unsqueeze(0))[0]
