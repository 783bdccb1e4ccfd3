"""Pinhole cameras."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Camera:
    """A pinhole camera that looks along its own -Z, with +Y up in the picture.

    Raises:
        ValueError: the eye lies on the target, or the field of view is outside (0, pi).
    """

    eye: tuple[float, float, float]
    """Position, metres."""
    target: tuple[float, float, float]
    """Point that appears in the middle of the picture, metres."""
    field_of_view_rad: float
    """Full vertical angle of view."""

    def __post_init__(self) -> None:
        if math.dist(self.eye, self.target) < 1e-9:
            raise ValueError("the camera's eye lies on its target; move one of them")
        if not 0 < self.field_of_view_rad < math.pi:
            raise ValueError(
                f"a field of view must lie between 0 and pi radians, not {self.field_of_view_rad}"
            )

    def world_to_camera(self) -> Float[np.ndarray, "3 4"]:
        """Rigid transform from world to camera axes (right, up, backwards)."""
        eye, target = np.array(self.eye), np.array(self.target)
        back = (eye - target) / np.linalg.norm(eye - target)
        # A camera that looks straight up or down has no horizon; +Z is up in its picture.
        up = np.array([0.0, 1.0, 0.0]) if abs(back[1]) < 0.999 else np.array([0.0, 0.0, 1.0])
        # Right-handed: right x up = back, so the camera looks along its own -Z.
        right = np.cross(up, back)
        right /= np.linalg.norm(right)
        # rows: camera axes in world coordinates
        rotation = np.stack([right, np.cross(back, right), back])
        return np.concatenate([rotation, (-rotation @ eye)[:, None]], axis=1)

    def focal(self, height: int) -> float:
        """Focal length in pixels for a picture of that height."""
        return 0.5 * height / math.tan(0.5 * self.field_of_view_rad)

    def rays(self, width: int, height: int) -> Float[np.ndarray, "3 3"]:
        """World direction from the scene towards the camera, as a linear map of the pixel.

        At (column, row) it is rays[0] + column * rays[1] + row * rays[2], of any length.
        """
        rotation = self.world_to_camera()[:, :3]
        focal = self.focal(height)
        # Ray of pixel (0, 0) in camera axes, reversed: it points from the scene to the camera.
        top_left = [width / 2 / focal, -height / 2 / focal, 1.0]
        return np.array([top_left, [-1 / focal, 0, 0], [0, 1 / focal, 0]]) @ rotation

    def pixels(
        self, points: Float[np.ndarray, "*batch 3"], width: int, height: int
    ) -> Float[np.ndarray, "*batch 3"]:
        """Column, row and 1 / depth (1/m) of world points.

        (0, 0) is the top left corner of the picture; pixel centres lie at halves.
        """
        transform = self.world_to_camera()
        # camera coordinates, (*batch) each
        x, y, z = np.moveaxis(points @ transform[:, :3].T + transform[:, 3], -1, 0)
        # z is negative in front of the camera. 1 / depth is linear over the picture, depth is not:
        # this is what a rasteriser can interpolate.
        inverse_depth = -1.0 / z
        scale = self.focal(height) * inverse_depth
        pixel = [width / 2 + scale * x, height / 2 - scale * y, inverse_depth]
        return np.stack(pixel, axis=-1)
