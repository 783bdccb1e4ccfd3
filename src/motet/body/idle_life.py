"""Life in a figure that stands still: breath, weight shifts, a gaze that wanders.

A layer over generated motion: it fades out where the body moves by itself. Its curves are fixed
functions of time and seed, and it adds their change since the last known frame, so that pieces of a
take that are generated one after the other join.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, minimum_filter1d
from torch import Tensor

from motet.body.skeleton import house_offsets
from motet.geometry.kinematics import forward_kinematics
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

BREATH_S = 3.9
QUIET_M_S, LIVELY_M_S = 0.10, 0.25
"""Mean speed of the joints up to which the layer is full, and from which on there is none."""
SWAY_M, ROLL_RAD = 0.024, 0.035
"""The hips over one foot, and the drop of the other side."""
GAZE_RAD = (0.10, 0.05)
"""Wandering of the head sideways, and up and down."""
_BREATH = {"spine3": (-0.012, 0.0), "neck": (0.007, 0.0), "left_collar": (0.0, 0.014),
           "right_collar": (0.0, -0.014)}  # fmt: skip
"""Turn about X and Z of a full breath, radians."""


def add_life(
    root: Float[Tensor, "frames 3"],
    rotations: Float[Tensor, "frames joints 3 3"],
    fps: float,
    known: int,
    first_frame: int,
    seed: int,
) -> tuple[Float[Tensor, "frames 3"], Float[Tensor, "frames joints 3 3"]]:
    """The same body with breath, weight shifts and a wandering gaze where it stands still.

    Feet move along; anchor them afterwards (`foot_contact.settle_feet`).

    Args:
        known: frames at the start that stay as they are.
        first_frame: number of the first frame in the take.
    """
    time = (first_frame + np.arange(len(root))) / fps
    curves = _curves(time, seed)  # (frames, 4): breath, weight, gaze sideways, gaze up
    curves = curves - curves[max(known - 1, 0)]
    curves *= _stillness(root, rotations, fps)[:, None]
    curves[:known] = 0
    breath, weight, aside, up = torch.from_numpy(curves).to(root).unbind(1)
    turns = torch.zeros(len(root), len(SMPLX25_JOINTS), 3).to(root)
    for name, (about_x, about_z) in _BREATH.items():
        turns[:, SMPLX25_JOINTS.index(name), 0] += about_x * breath
        turns[:, SMPLX25_JOINTS.index(name), 2] += about_z * breath
    turns[:, SMPLX25_JOINTS.index("pelvis"), 2] -= ROLL_RAD * weight
    turns[:, SMPLX25_JOINTS.index("spine1"), 2] += ROLL_RAD * weight
    for name in ("neck", "head"):
        turns[:, SMPLX25_JOINTS.index(name), 1] += 0.5 * GAZE_RAD[0] * aside
        turns[:, SMPLX25_JOINTS.index(name), 0] += 0.5 * GAZE_RAD[1] * up
    left = rotations[:, 0, :, 0] * torch.tensor([1.0, 0.0, 1.0]).to(root)
    left = left / left.norm(dim=-1, keepdim=True).clamp(min=1e-6)
    return root + SWAY_M * weight.unsqueeze(1) * left, rotations @ matrix_from_axis_angle(turns)


def _curves(time: Float[np.ndarray, " frames"], seed: int) -> Float[np.ndarray, "frames 4"]:
    """Breath, weight on the left foot, and gaze; each within about one."""
    phase = np.random.default_rng([seed, 5]).uniform(0, 2 * np.pi, 7)

    def wave(period_s: float, number: int) -> np.ndarray:
        return np.sin(2 * np.pi * time / period_s + phase[number])

    # People rest on one foot and change rather quickly: the curve dwells at its ends.
    weight = np.tanh(1.8 * (wave(12.7, 0) + 0.6 * wave(7.3, 1)))
    aside = np.tanh(1.5 * (wave(8.9, 2) + wave(5.3, 3)))
    up = 0.5 * (wave(6.1, 4) + wave(9.7, 5))
    return np.stack([wave(BREATH_S, 6), weight, aside, up], 1)


def _stillness(
    root: Float[Tensor, "frames 3"], rotations: Float[Tensor, "frames joints 3 3"], fps: float
) -> Float[np.ndarray, " frames"]:
    """1 where the body stands still by itself, 0 where it moves; smooth over half a second."""
    if len(root) < 2:
        return np.ones(len(root))
    offsets = house_offsets().to(root)
    positions = forward_kinematics(rotations, root, offsets, SMPLX25_PARENTS)[1]
    speed = np.gradient(positions.double().numpy(), axis=0)
    speed = np.linalg.norm(speed, axis=-1).mean(-1) * fps
    still = np.clip((LIVELY_M_S - speed) / (LIVELY_M_S - QUIET_M_S), 0, 1)
    still = minimum_filter1d(still, max(1, round(0.5 * fps)), mode="nearest")
    return gaussian_filter1d(still, 0.25 * fps, mode="nearest")
