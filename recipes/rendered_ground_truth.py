"""What is really there in rendered footage of the house figure: the pose and the surface of every
frame, to judge a fit by.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

from motet.errors import InputError
from motet.geometry.camera import Camera
from motet.methods.speech2lip.person.folder import Person
from motet.rigs.house import ShapedHouse
from motet.tracking.capture.bundle import Poses
from motet.tracking.capture.view import rasterised
from motet.types import Motion

_FLIP = np.diag([1.0, -1.0, -1.0])
"""From a camera's right, up, backwards to right, down, forwards."""


@dataclasses.dataclass(frozen=True)
class FitError:
    """How far a fit lies from what was rendered.

    What a head looking straight ahead is, and how large heads are, are a fit's own choice (one
    picture cannot tell a small near head from a large far one): one constant turn and one scale,
    found across the picture, are taken off.
    """

    pose_median_deg: float
    pose_p95_deg: float
    pose_worst_deg: float
    depth_median_mm: float
    """Of the relief of the face in the canonical view."""
    depth_p95_mm: float


def fit_error(person: Person, shaped: ShapedHouse, camera: Camera, motion: Motion) -> FitError:
    """Compare a fit of a rendered take with the take.

    Raises:
        InputError: the take has not as many frames as the footage.
    """
    facts, track = person.facts, person.track
    if motion.frames != facts.frames:
        raise InputError(
            f"the take has {motion.frames} frames, the footage {facts.frames}; give the take that"
            " was rendered"
        )
    off = pose_errors(track.rotation.double().numpy(), true_poses(shaped, camera, motion).rotation)
    relief = depth_errors(person, shaped, camera, motion)
    return FitError(
        *(
            float(v)
            for v in (
                np.median(off),
                np.percentile(off, 95),
                off.max(),
                np.median(relief),
                np.percentile(relief, 95),
            )
        )
    )


def true_poses(shaped: ShapedHouse, camera: Camera, motion: Motion) -> Poses:
    """Head to camera in every frame, in the axes of a person's folder."""
    with torch.no_grad():
        transforms = (
            shaped.joint_transforms(motion)[:, shaped.rig.joint_names.index("head")]
            .double()
            .numpy()
        )
    view = _FLIP @ camera.world_to_camera()
    return Poses(view[:, :3] @ transforms[..., :3], transforms[..., 3] @ view[:, :3].T + view[:, 3])


def pose_errors(
    fitted: Float[ndarray, "frames 3 3"], true: Float[ndarray, "frames 3 3"]
) -> Float[ndarray, " frames"]:
    """Angles between fitted and true rotations, degrees, one constant turn taken off."""
    between = Rotation.from_matrix(true.transpose(0, 2, 1) @ fitted)
    return np.degrees((between * between.mean().inv()).magnitude())


def depth_errors(
    person: Person, shaped: ShapedHouse, camera: Camera, motion: Motion
) -> Float[ndarray, " pixels"]:
    """Differences of fitted and true relief on the face of the canonical view, millimetres of the
    true head.
    """
    facts, result = person.facts, person.geometry.depth.double().numpy()
    true, metres_a_pixel = _true_depth(
        person, shaped, camera, motion.slice(facts.canonical, facts.canonical + 1)
    )
    both = (result > 0) & (true > 0)
    fitted_metres_a_pixel = np.median(result[both]) / facts.focal_px
    relief = (result[both] - np.median(result[both])) * metres_a_pixel / fitted_metres_a_pixel
    return 1000 * np.abs(relief - (true[both] - np.median(true[both])))


def _true_depth(
    person: Person, shaped: ShapedHouse, camera: Camera, frame: Motion
) -> tuple[Float[ndarray, "size size"], float]:
    """True depth in the pixels of the canonical crop, and the true size of such a pixel at the
    face.
    """
    facts, crop = person.facts, person.facts.crop
    width, height = facts.scene
    with torch.no_grad():
        vertices = shaped.posed(frame).vertices[0].double().numpy()
    skin = shaped.rig.part("skin").faces.numpy()
    seen = camera.pixels(vertices, width, height)
    position = (seen[:, :2] - np.array([crop.left, crop.top])) * (facts.size / crop.width) - 0.5
    inside = ((position > 0) & (position < facts.size)).all(axis=1)[skin].any(axis=1)
    depth = rasterised(position, 1 / seen[:, 2], skin[inside], facts.size)
    return depth, float(np.median(depth[depth > 0])) / (
        camera.focal(height) * facts.size / crop.width
    )
