"""What is really there in rendered footage of the house figure: the pose and the surface of every frame, to judge a fit by."""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from motet.data.capture.bundle import Poses
from motet.geometry.camera import Camera
from motet.rigs.house import ShapedHouse
from motet.types import Motion

_FLIP = np.diag([1.0, -1.0, -1.0])
"""From a camera's right, up, backwards to right, down, forwards."""


@dataclasses.dataclass(frozen=True)
class PoseError:
    """A fit's rotations beside the true ones. What a head looking straight ahead is, is each fit's own choice: one constant turn is taken off."""

    median_deg: float
    p95_deg: float
    worst_deg: float


def true_poses(shaped: ShapedHouse, camera: Camera, motion: Motion) -> Poses:
    """Head to camera in every frame, in the axes of a person's folder."""
    with torch.no_grad():
        transforms = shaped.joint_transforms(motion)[:, shaped.rig.joint_names.index("head")].numpy().astype(np.float64)
    view = _FLIP @ camera.world_to_camera()
    return Poses(view[:, :3] @ transforms[..., :3], transforms[..., 3] @ view[:, :3].T + view[:, 3])


def pose_error(fitted: Float[ndarray, "frames 3 3"], true: Float[ndarray, "frames 3 3"]) -> PoseError:
    """Angles between fitted and true rotations."""
    between = Rotation.from_matrix(true.transpose(0, 2, 1) @ fitted)
    off = np.degrees((between * between.mean().inv()).magnitude())
    return PoseError(float(np.median(off)), float(np.percentile(off, 95)), float(off.max()))
