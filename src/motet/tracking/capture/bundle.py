"""Bundle adjustment: one rigid head, one camera, a pose for every frame, from tracked points.

A tracked point has three numbers: column, row and relief, the tracker's estimate of depth in
pixels relative to the other points. Parallax alone tells little about a head that turns a few
degrees, and trackers exaggerate it; their estimate of depth turns with the head.

Camera as in a person's folder: x right, y down, z forward, q = R p + t, column f q_x / q_z +
centre, the same for rows.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.spatial.transform import Rotation

RELIEF = 1.0
"""Weight of a pixel of relief beside a pixel of place."""
OUTLIER = 3.0
"""Residuals beyond this many deviations pull with constant force (Huber)."""


@dataclasses.dataclass(frozen=True)
class Poses:
    """Head to camera, one for each frame."""

    rotation: Float[ndarray, "frames 3 3"]
    translation: Float[ndarray, "frames 3"]
    """Metres."""

    def moved(self, change: Float[ndarray, "frames 6"]) -> Poses:
        """Turned by a small rotation vector about the head's origin, then shifted."""
        turn = Rotation.from_rotvec(change[:, :3]).as_matrix()
        return Poses(turn @ self.rotation, self.translation + change[:, 3:])

    def take(self, index: ndarray | slice) -> Poses:
        """Some of the frames."""
        return Poses(self.rotation[index], self.translation[index])


@dataclasses.dataclass(frozen=True)
class Prior:
    """What is believed of the head and the camera before looking."""

    vertices: Float[ndarray, "points 3"]
    """A mean head, metres."""
    sigma_m: float
    """How far heads lie from it."""
    focal_px: float
    focal_spread: float
    """Standard deviation of the logarithm of the focal length."""


@dataclasses.dataclass(frozen=True)
class Linearised:
    """Projections and their derivatives."""

    residual: Float[ndarray, "frames points 3"]
    """Projected minus seen, pixels."""
    by_pose: Float[ndarray, "frames points 3 6"]
    by_point: Float[ndarray, "frames points 3 3"]
    by_focal: Float[ndarray, "frames points 3"]


def project(
    poses: Poses, vertices: Float[ndarray, "points 3"], focal: float, centre: Float[ndarray, "2"]
) -> tuple[Float[ndarray, "frames points 3"], Float[ndarray, "frames points 3"]]:
    """Columns, rows and relief in pixels, and camera coordinates of the head's points.

    Relief is relative to its mean over the points.
    """
    # q = R p + t: (frames, points, 3)
    local = np.einsum("fij,pj->fpi", poses.rotation, vertices) + poses.translation[:, None]
    # relief: depth in pixels at the head's distance
    depth = focal * local[..., 2:] / poses.translation[:, None, 2:]
    return (
        np.concatenate(
            [
                focal * local[..., :2] / local[..., 2:] + centre,
                depth - depth.mean(axis=1, keepdims=True),
            ],
            axis=-1,
        ),
        local,
    )


def linearise(
    points: ndarray, poses: Poses, vertices: ndarray, focal: float, centre: ndarray
) -> Linearised:
    """Residuals of all points and how they change with pose, point and focal length."""
    pixels, local = project(poses, vertices, focal, centre)
    x, y, z = local[..., 0], local[..., 1], local[..., 2]
    by_local = np.zeros((*local.shape[:2], 3, 3))
    # d column / d x = d row / d y = f / z
    by_local[..., 0, 0] = by_local[..., 1, 1] = focal / z
    # d column / d z = -f x / z^2, and the same for rows
    by_local[..., 0, 2], by_local[..., 1, 2] = -focal * x / z**2, -focal * y / z**2
    # relief is linear in z; its scale by the head's distance is held fixed
    by_local[..., 2, 2] = RELIEF * focal / poses.translation[:, None, 2]
    arm = local - poses.translation[:, None]
    turn = np.zeros((*local.shape[:2], 3, 3))  # d(w x arm) / dw
    turn[..., 0, 1], turn[..., 0, 2], turn[..., 1, 2] = arm[..., 2], -arm[..., 1], arm[..., 0]
    turn[..., 1, 0], turn[..., 2, 0], turn[..., 2, 1] = -arm[..., 2], arm[..., 1], -arm[..., 0]
    # (frames, points, 3, 6): rotation, then translation
    by_pose = np.concatenate([by_local @ turn, by_local], axis=-1)
    # Relief is relative to its mean over the points, and so is its derivative.
    by_pose[..., 2, :] -= by_pose[..., 2, :].mean(axis=1, keepdims=True)
    # d q / d p = R
    by_point = np.einsum("fpij,fjk->fpik", by_local, poses.rotation)
    by_focal = np.concatenate([pixels[..., :2] - centre, RELIEF * pixels[..., 2:]], axis=-1) / focal
    return Linearised(_off(pixels, points), by_pose, by_point, by_focal)


def _off(pixels: ndarray, points: ndarray) -> Float[ndarray, "frames points 3"]:
    """Found minus seen."""
    # relief counts RELIEF times a pixel of place
    return (pixels - points) * np.array([1.0, 1.0, RELIEF])


def robust(
    residual: Float[ndarray, "frames points 3"], weight: Float[ndarray, " points"]
) -> Float[ndarray, "frames points"]:
    """Weights of single observations: far-off ones count less."""
    # Huber's weights: 1 inside OUTLIER deviations, falling as 1 / size beyond
    size = np.linalg.norm(residual, axis=-1) * np.sqrt(weight) / OUTLIER
    return weight / np.maximum(size, 1.0)


def fit_poses(
    points: ndarray,
    poses: Poses,
    vertices: ndarray,
    focal: float,
    centre: ndarray,
    weight: ndarray,
    steps: int = 8,
) -> Poses:
    """Every frame's pose by itself (Gauss-Newton), head and camera given."""
    for _ in range(steps):
        line = linearise(points, poses, vertices, focal, centre)
        information, pull = _normal(line, robust(line.residual, weight))
        # 1e-9: a frame without any observation stays where it is
        poses = poses.moved(
            -np.linalg.solve(information + 1e-9 * np.eye(6), pull[..., None])[..., 0]
        )
    return poses


def pose_information(
    points: ndarray, poses: Poses, vertices: ndarray, focal: float, centre: ndarray, weight: ndarray
) -> tuple[ndarray, ndarray]:
    """Normal equations of every frame's pose: (frames 6 6) and (frames 6)."""
    line = linearise(points, poses, vertices, focal, centre)
    return _normal(line, robust(line.residual, weight))


def _normal(line: Linearised, weight: ndarray) -> tuple[ndarray, ndarray]:
    frames = len(weight)
    # J^T W J and J^T W r of each frame by itself
    slopes, turned = (
        line.by_pose.reshape(frames, -1, 6),
        (line.by_pose * weight[..., None, None]).reshape(frames, -1, 6).transpose(0, 2, 1),
    )
    return turned @ slopes, (turned @ line.residual.reshape(frames, -1, 1))[..., 0]


def bundle(
    points: ndarray,
    poses: Poses,
    vertices: ndarray,
    focal: float,
    centre: ndarray,
    weight: ndarray,
    prior: Prior,
    steps: int = 12,
) -> tuple[Poses, Float[ndarray, "points 3"], float]:
    """Bundle adjustment of poses, points and focal length (Levenberg-Marquardt).

    The points are eliminated first.
    """
    # damping of Levenberg and Marquardt: smaller after success, larger after failure
    damping, best = 1e-3, _cost(points, poses, vertices, focal, centre, weight, prior)
    for _ in range(steps):
        change_pose, change_points, change_focal = _step(
            points, poses, vertices, focal, centre, weight, prior, damping
        )
        trial = (
            poses.moved(change_pose),
            vertices + change_points,
            # The focal length moves by at most a factor of e^0.5 a step.
            focal * float(np.exp(np.clip(change_focal / focal, -0.5, 0.5))),
        )
        cost = _cost(points, *trial, centre, weight, prior)
        if cost < best:
            gain, best = best - cost, cost
            poses, vertices, focal = trial
            damping = max(damping / 5, 1e-9)
            if gain < 1e-6 * best:
                break
        else:
            damping *= 10
    return poses, vertices, focal


def _cost(
    points: ndarray,
    poses: Poses,
    vertices: ndarray,
    focal: float,
    centre: ndarray,
    weight: ndarray,
    prior: Prior,
) -> float:
    size = np.linalg.norm(
        _off(project(poses, vertices, focal, centre)[0], points), axis=-1
    ) * np.sqrt(weight)
    # Huber's loss: square inside, linear outside
    data = np.where(size < OUTLIER, size**2, OUTLIER * (2 * size - OUTLIER)).sum()
    shape = (((vertices - prior.vertices) / prior.sigma_m) ** 2).sum()
    return float(data + shape + (np.log(focal / prior.focal_px) / prior.focal_spread) ** 2)


def _step(
    points: ndarray,
    poses: Poses,
    vertices: ndarray,
    focal: float,
    centre: ndarray,
    weight: ndarray,
    prior: Prior,
    damping: float,
) -> tuple[ndarray, ndarray, float]:
    line = linearise(points, poses, vertices, focal, centre)
    trust = robust(line.residual, weight)
    frames, count = trust.shape
    size = 6 * frames + 1
    # Unknowns of the reduced system: all poses, then the focal length.
    information, pull = _normal(line, trust)
    reduced, right = np.zeros((size, size)), np.zeros(size)
    for frame in range(frames):
        reduced[6 * frame : 6 * frame + 6, 6 * frame : 6 * frame + 6] = information[frame]
    cross = np.einsum("fpki,fpk,fp->fi", line.by_pose, line.by_focal, trust, optimize=True).reshape(
        -1
    )
    reduced[:-1, -1] = reduced[-1, :-1] = cross
    # data, and the prior on the logarithm of the focal length
    reduced[-1, -1] = (line.by_focal**2 * trust[..., None]).sum() + 1 / (
        prior.focal_spread * focal
    ) ** 2
    right[:-1] = pull.reshape(-1)
    right[-1] = (line.by_focal * line.residual * trust[..., None]).sum() + np.log(
        focal / prior.focal_px
    ) / (prior.focal_spread**2 * focal)
    # Marquardt: the diagonal is scaled, not shifted
    reduced[np.arange(size), np.arange(size)] *= 1 + damping
    by_point = line.by_point * trust[..., None, None]
    # 3 x 3 blocks of the points, which are independent of each other
    own = (
        np.einsum("fpki,fpkj->pij", by_point, line.by_point, optimize=True)
        + np.eye(3) / prior.sigma_m**2
    )
    own *= 1 + damping * np.eye(3)
    offset = (
        np.einsum("fpki,fpk->pi", by_point, line.residual, optimize=True)
        + (vertices - prior.vertices) / prior.sigma_m**2
    )
    # (points, poses and focal, 3)
    mixed = np.empty((count, size, 3))
    mixed[:, :-1] = np.einsum("fpki,fpkj->pfij", line.by_pose, by_point, optimize=True).reshape(
        count, -1, 3
    )
    mixed[:, -1] = np.einsum("fpk,fpkj->pj", line.by_focal, by_point, optimize=True)
    # Schur complement: points are eliminated, poses and the focal length remain.
    through = mixed @ np.linalg.inv(own)
    flat, flat_through = (m.transpose(1, 0, 2).reshape(size, -1) for m in (mixed, through))
    reduced -= flat_through @ flat.T
    right -= np.einsum("psi,pi->s", through, offset)
    change = -np.linalg.solve(reduced, right)
    # back substitution for the points
    moved = -np.linalg.solve(own, (offset + np.einsum("psi,s->pi", mixed, change))[..., None])[
        ..., 0
    ]
    return change[:-1].reshape(frames, 6), moved, float(change[-1])
