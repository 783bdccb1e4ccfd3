"""Where the camera of a whole figure stands: `follow` beside it, `front` before its face, `fixed`.

Conventions: metres in the world, Y up; `follow` and `fixed` look along -Z, towards a figure that
faces +Z.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d

from motet.body.skeleton import heading, pose_body
from motet.errors import InputError, nearest
from motet.geometry.camera import Camera
from motet.types import Motion

BODY_CAMERAS = ("follow", "front", "fixed")
DISTANCE_M, HEIGHT_M, SIDE_M = 4.0, 1.25, -0.85
"""Position of the camera relative to the followed point."""
TALL_M = 2.2
"""Height of the picture at the figure."""
AIM_M = 0.46 * TALL_M
FIELD_OF_VIEW = 2 * float(np.arctan(0.5 * TALL_M / DISTANCE_M))
FOLLOW_S, TURN_S = 0.42, 0.8
"""Standard deviations of the Gaussians that smooth the camera's path and its turning."""
ROOM_M = 0.75
"""Around the figure's path, so that stretched arms are in the picture."""
NEAR_SOURCE_M = 4.5
"""A source farther away than this from the whole path is marked at the edge of the picture."""


@dataclasses.dataclass(frozen=True)
class CameraPath:
    """A camera in each frame."""

    ground: Float[np.ndarray, "frames 2"]
    """Point of the floor (x, z) that it looks at."""
    away: Float[np.ndarray, "frames 2"]
    """From that point to the point of the floor below the camera."""
    figure: Float[np.ndarray, "frames 2"]
    """Point of the floor below the figure."""

    def only(self, frame: int) -> CameraPath:
        """Of one frame."""
        one = slice(frame, frame + 1)
        return CameraPath(self.ground[one], self.away[one], self.figure[one])

    def at(self, frame: int) -> Camera:
        """The camera of a frame."""
        (x, z), (aside, back) = self.ground[frame], self.away[frame]
        return Camera((x + aside, HEIGHT_M, z + back), (x, AIM_M, z), FIELD_OF_VIEW)


def camera_path(
    body: Motion,
    name: str,
    aspect: float,
    source: Float[np.ndarray, "points 3"] | None = None,
) -> CameraPath:
    """The camera for a take.

    Args:
        body: in `smplx25`, without a batch axis.
        name: one of `BODY_CAMERAS`.
        aspect: width of the pictures over their height.
        source: position of the sound, metres; `fixed` keeps it in the picture where it is near.

    Raises:
        InputError: no such camera.
    """
    if name not in BODY_CAMERAS:
        raise InputError(f"a body has no camera {name!r}; {nearest(name, BODY_CAMERAS)}")
    ground, fps = body["root"][:, [0, 2]].double().numpy(), body.space.fps
    smooth = gaussian_filter1d(ground, max(1e-3, FOLLOW_S * fps), axis=0, mode="nearest")
    if name == "fixed":
        middle, away = _fixed(ground, aspect, source)
        resting = (np.broadcast_to(row, ground.shape) for row in (middle, away))
        return CameraPath(*resting, smooth)
    turn = np.zeros(len(ground))
    if name == "front":
        facing = np.unwrap(heading(pose_body(body).turn("spine3").double()).numpy())
        turn = gaussian_filter1d(facing, max(1e-3, TURN_S * fps), mode="nearest")
    cosine, sine = np.cos(turn), np.sin(turn)
    aside = np.stack([cosine * SIDE_M + sine * DISTANCE_M, cosine * DISTANCE_M - sine * SIDE_M], 1)
    return CameraPath(smooth, aside, smooth)


def _fixed(
    ground: Float[np.ndarray, "frames 2"],
    aspect: float,
    source: Float[np.ndarray, "points 3"] | None,
) -> tuple[Float[np.ndarray, "2"], Float[np.ndarray, "2"]]:
    """`ground` and `away` of a camera with the whole path and a near source in its picture."""
    points = ground
    if source is not None:
        positions = np.atleast_2d(source)[:, [0, 2]]
        from_path = np.linalg.norm(positions[:, None] - ground[None, ::10], axis=-1).min(1)
        points = np.concatenate([ground, positions[from_path < NEAR_SOURCE_M]])
    low, high = points.min(0) - ROOM_M, points.max(0) + ROOM_M
    middle = 0.5 * (low + high)
    # What is nearest to the camera looks widest: its distance counts from the front of the path.
    half_wide = 0.5 * (high[0] - low[0])
    across = half_wide / (np.tan(0.5 * FIELD_OF_VIEW) * aspect)
    distance = max(DISTANCE_M, across) + 0.5 * (high[1] - low[1]) - ROOM_M
    away = np.array([SIDE_M, max(DISTANCE_M, distance)])
    return middle, away
