"""Head pose, head shape and camera of a whole clip from the landmarker's points.

The landmarker's mean face is bent to the person (one rigid shape for the whole clip) while camera
and poses are found with it: a bundle over frames that differ most, then every frame's pose, then a
smooth course in time. Points that speech, brows and lids move are recognised by how badly a rigid
head explains them, and count little.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.linalg import solveh_banded
from scipy.spatial.transform import Rotation

from motet.tracking.capture.bundle import (
    Poses,
    Prior,
    bundle,
    fit_poses,
    linearise,
    pose_information,
    project,
)
from motet.tracking.capture.face_mesh import FaceMesh
from motet.tracking.capture.faces import Faces

BUNDLE_FRAMES, ROUNDS, POSE_POINTS = 72, 3, 160
_FOCAL_HEIGHTS, _FOCAL_SPREAD = 2.5, 0.5
"""Usual focal length in heights of the whole picture, and the spread of its logarithm."""
_SHAPE_SIGMA_M = 0.004
_NOISE_PX = 0.003
"""Noise of a point as a share of the face's height, independent from point to point."""
_SHARED = 12.0
"""Errors of neighbouring points agree: so many points tell as much as one."""
_TURN_JOLT, _SHIFT_JOLT_M = np.radians(0.25), 0.0006
"""Usual change of velocity from frame to frame of a talking head, a frame: turn in radians, shift
in metres."""
_FACING = np.diag([1.0, -1.0, -1.0])
"""Rotation of a head that looks straight into the camera."""


@dataclasses.dataclass(frozen=True)
class HeadFit:
    """Observations of the head in the footage."""

    poses: Poses
    vertices: Float[ndarray, "468 3"]
    """The person's face at rest, metres."""
    focal_px: float
    residuals: dict[str, float]
    """`landmarks_px`: rms of the points that keep still; `all_landmarks_px`: of all points;
    `smoothing_deg`, `smoothing_mm`: rms of what smoothing changed."""


def fit_head(
    faces: Faces, mesh: FaceMesh, centre: Float[ndarray, "2"], picture_height: float
) -> HeadFit:
    """Fit the head to points in pixels.

    Args:
        faces: what was seen; its points may be in the coordinates of a crop.
        centre: column and row at which the camera's axis meets the picture.
        picture_height: height of the whole picture in the same pixels.
    """
    count = len(mesh.vertices)
    # (frames, 468, 3): column, row and relief
    points = np.concatenate(
        [
            faces.points[:, :count],
            faces.relief[:, :count, None]
            - faces.relief[:, :count, None].mean(axis=1, keepdims=True),
        ],
        axis=-1,
    )
    focal = _FOCAL_HEIGHTS * picture_height
    noise = _NOISE_PX * faces.height_px
    # points that expressions move count a thousandth in the first round
    weight = np.where(mesh.still > 0, 1.0, 1e-3) / noise**2 / _SHARED
    start = _start(points, faces, mesh, focal, centre)
    prior = Prior(mesh.vertices, _SHAPE_SIGMA_M, focal, _FOCAL_SPREAD)
    chosen = _different(start, faces.found)
    # every round bends the mean face further to the person
    vertices = mesh.vertices.copy()
    some, seen = start.take(chosen), points[chosen]
    for _ in range(ROUNDS):
        some, vertices, found_focal = bundle(
            seen,
            fit_poses(seen, some, vertices, focal, centre, weight),
            vertices,
            focal,
            centre,
            weight,
            prior,
        )
        # Depth follows the focal length, so that all other frames begin close.
        start = Poses(start.rotation, start.translation * np.array([1, 1, found_focal / focal]))
        focal = found_focal
        # median over frames of the squared residual of each point
        spread = np.median(
            (linearise(seen, some, vertices, focal, centre).residual ** 2).sum(-1), axis=0
        )
        # Points that a rigid head explains badly move by themselves: they count less.
        weight = 1 / (noise**2 + 4 * spread) / _SHARED
    # the steadiest points only
    used = np.argsort(-weight)[:POSE_POINTS]
    known = points[:, used], vertices[used], focal, centre, weight[used]
    known[0][..., 2] -= known[0][..., 2].mean(axis=1, keepdims=True)
    poses = fit_poses(known[0], start, *known[1:], steps=6)
    smooth = smoothed(*known, poses, faces)
    return HeadFit(
        smooth, vertices, focal, _residuals(points, poses, smooth, vertices, focal, centre, mesh)
    )


def _start(points: ndarray, faces: Faces, mesh: FaceMesh, focal: float, centre: ndarray) -> Poses:
    """The landmarker's rotation, and the place that fits its points as seen from far away."""
    rotation = _FACING @ faces.rotation
    flat = np.einsum("fij,pj->fpi", rotation, mesh.vertices)[..., :2]
    middle, seen = flat.mean(axis=1, keepdims=True), points[..., :2].mean(axis=1, keepdims=True)
    # scale of a weak perspective: least squares of centred points
    scale = ((points[..., :2] - seen) * (flat - middle)).sum((1, 2)) / ((flat - middle) ** 2).sum(
        (1, 2)
    )
    # a head of that size in pixels is so far away
    depth = focal / np.maximum(scale, 1e-6)
    position = (seen[:, 0] - centre) * (depth / focal)[:, None] - middle[:, 0]
    return Poses(rotation, np.concatenate([position, depth[:, None]], axis=1))


def _different(poses: Poses, found: ndarray) -> ndarray:
    """Farthest-point sample of frames by head rotation."""
    candidates = np.flatnonzero(found)
    # a rotation matrix as nine numbers: their distance grows with the angle
    forward = poses.rotation[candidates].reshape(len(candidates), 9)
    # begins at the most ordinary frame
    chosen = [int(np.argmin(np.linalg.norm(forward - np.median(forward, axis=0), axis=1)))]
    distance = np.full(len(candidates), np.inf)
    while len(chosen) < min(BUNDLE_FRAMES, len(candidates)):
        # distance to the nearest chosen frame; the farthest one is next
        distance = np.minimum(distance, np.linalg.norm(forward - forward[chosen[-1]], axis=1))
        chosen.append(int(distance.argmax()))
    return candidates[np.sort(chosen)]


def smoothed(
    points: ndarray,
    vertices: ndarray,
    focal: float,
    centre: ndarray,
    weight: ndarray,
    poses: Poses,
    faces: Faces,
) -> Poses:
    """The most likely course of poses in each shot: points by confidence, little jerk."""
    # Twice: the robust weights depend on the poses.
    for _ in range(2):
        information, pull = pose_information(points, poses, vertices, focal, centre, weight)
        # frames without a face follow from their neighbours alone
        information[~faces.found], pull[~faces.found] = 0.0, 0.0
        course = _course(poses)
        borders = [0, *faces.cuts, len(points)]
        change = np.concatenate(
            [
                _smooth_change(information[a:b], pull[a:b], course[a:b])
                for a, b in zip(borders, borders[1:], strict=False)
            ]
        )
        poses = poses.moved(change)
    return poses


def _course(poses: Poses) -> Float[ndarray, "frames 6"]:
    """Poses as vectors whose second differences are jolts: relative rotations, positions."""
    # relative to the mean, so that no rotation vector comes near pi
    middle = Rotation.from_matrix(poses.rotation).mean()
    turns = (Rotation.from_matrix(poses.rotation) * middle.inv()).as_rotvec()
    return np.concatenate([turns, poses.translation], axis=1)


def _smooth_change(
    information: ndarray, pull: ndarray, course: ndarray
) -> Float[ndarray, "frames 6"]:
    """Change d minimising d'Id/2 + p'd + |second differences of (course + d)|^2 / (2 jolt^2)."""
    frames = len(course)
    # 1 / variance of a change of velocity
    stiffness = 1 / np.array([_TURN_JOLT] * 3 + [_SHIFT_JOLT_M] * 3) ** 2
    # Second differences need three frames: two are only held together.
    if frames < 3:
        return -np.linalg.solve(information + 1e-6 * stiffness.max() * np.eye(6), pull[..., None])[
            ..., 0
        ]
    # upper bands of a symmetric matrix of 6 x 6 blocks, as `solveh_banded` takes them
    bands = np.zeros((13, 6 * frames))
    diagonal = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], float)
    for offset in range(3):  # the stencil of |x[k] - 2 x[k+1] + x[k+2]|^2, summed over its places
        values = np.zeros(frames)
        for row in range(3 - offset):
            values[row + offset : frames - 2 + row + offset] += diagonal[row, row + offset]
        bands[12 - 6 * offset] += (values[:, None] * stiffness).reshape(-1)
    for row in range(6):
        for column in range(row, 6):
            # the blocks on the diagonal: what each frame's points say
            bands[12 - (column - row), column::6] += information[:, row, column]
    # 1e-9 keeps a shot without any face solvable
    bands[12] += 1e-9 * np.tile(stiffness, frames)
    jolt = np.diff(course, 2, axis=0) * stiffness
    right = pull.copy()
    # transposed second difference of the jolts
    right[:-2] += jolt
    right[1:-1] -= 2 * jolt
    right[2:] += jolt
    return -solveh_banded(bands, right.reshape(-1)).reshape(frames, 6)


def _residuals(
    points: ndarray,
    raw: Poses,
    smooth: Poses,
    vertices: ndarray,
    focal: float,
    centre: ndarray,
    mesh: FaceMesh,
) -> dict[str, float]:
    off = np.linalg.norm((project(smooth, vertices, focal, centre)[0] - points)[..., :2], axis=-1)
    # angle between raw and smoothed pose
    turn = Rotation.from_matrix(smooth.rotation @ raw.rotation.transpose(0, 2, 1)).magnitude()
    shift = np.linalg.norm((smooth.translation - raw.translation)[:, :2], axis=1)
    values = {
        "landmarks_px": off[:, mesh.still > 0],
        "all_landmarks_px": off,
        "smoothing_deg": np.degrees(turn),
        "smoothing_mm": 1000 * shift,
    }
    return {name: float(np.sqrt((value**2).mean())) for name, value in values.items()}
