"""The whole house figure as pictures: following camera, floor with shadow, sound source."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float, UInt8

from motet.errors import SpaceError
from motet.face.blink import blink_closure
from motet.render import floor
from motet.render.body_camera import DISTANCE_M, CameraPath, camera_path
from motet.render.renderer import CHUNK, Renderer, Stage, check_drawable, draw_in_order
from motet.render.scene import Scene
from motet.render.shadow import ShadowMap
from motet.rigs.house.body import HouseBody, load_house_body
from motet.rigs.house.face_body import split
from motet.types import ARKIT_SHAPES, Motion, arkit_space

SHADOW_REACH_M, SHADOW_BIAS_M = 1.25, 0.020
MARKER_M = 0.075
MARKER_COLOUR = (1.0, 0.42, 0.10)


class BodyRenderer:
    """Draws a body, or a face and a body, on the house figure.

    Args:
        width, height: pixels, 16 to 8192.
        figure: the person; the mean person when left out.
        workers: frames drawn at the same time.
        camera: `follow`, `front` (turns with the figure and keeps its face in the picture), `fixed`
            (stands still and has the whole path in its picture).

    Raises:
        InputError: an impossible size.
    """

    def __init__(
        self,
        width: int,
        height: int,
        figure: HouseBody | None = None,
        workers: int = 2,
        camera: str = "follow",
    ) -> None:
        self.camera, self._aspect = camera, width / height
        self._figure = figure or load_house_body()
        self._base = Renderer(self._figure.shaped, width, height, "body", workers)
        self._workers = max(1, workers)
        self._scene = _all_moving(self._base._scene)

    def frames(
        self,
        motion: Motion,
        source: Float[np.ndarray, "points 3"] | None = None,
        loudness: Float[np.ndarray, "frames"] | None = None,
    ) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Pictures in order, 8-bit sRGB, row 0 at the top; bounded memory.

        Args:
            motion: in `smplx25`, or of face and body together.
            source: position of the sound source, metres in the world: one point, or one for each
                frame; drawn as a ball.
            loudness: 0..1 for each frame; brightness of the ball's halo.

        Raises:
            SpaceError: the motion has no body.
            InputError: it has batch axes, or values that are not finite, or there is no such
                camera.
        """
        face, body = _face_and_body(motion)
        check_drawable(motion)
        path = camera_path(body, self.camera, self._aspect, source)
        return self._stream(face, body, path, source, loudness)

    def _stream(
        self,
        face: Motion,
        body: Motion,
        path: CameraPath,
        source: np.ndarray | None,
        loudness: np.ndarray | None,
    ) -> Iterator[np.ndarray]:
        first = self._pose(face.slice(0, 1), body.slice(0, 1))[0]
        stages = [_BodyStage(self._base, self._scene, first) for _ in range(self._workers)]
        points = None if source is None else np.atleast_2d(source)

        def frames() -> Iterator[tuple]:
            for start in range(0, body.frames, CHUNK):
                stop = min(start + CHUNK, body.frames)
                chunk = self._pose(face.slice(start, stop), body.slice(start, stop))
                for k, posed in enumerate(chunk, start):
                    point = None if points is None else points[min(k, len(points) - 1)]
                    glow = 0.5 if loudness is None else float(loudness[min(k, len(loudness) - 1)])
                    yield posed, path.only(k), point, glow

        return draw_in_order([stage.draw_at for stage in stages], frames())

    def _pose(self, face: Motion, body: Motion) -> list[tuple]:
        """Vertices, head transform and eye frames of each frame."""
        with torch.no_grad():
            face, body = (Motion(part.values.float(), part.space) for part in (face, body))
            vertices = self._figure.posed(body, face).vertices.numpy()
            transforms = self._figure.transforms(body, face).numpy()
        names = self._figure.rig.joint_names
        head = np.ascontiguousarray(transforms[:, names.index("head")])
        eyes = np.stack([transforms[:, names.index(f"eye.{side}"), :, :3] for side in "LR"], axis=1)
        eye_frames = (eyes @ self._scene.eye_rest).astype(np.float32)
        return list(zip(vertices, head, eye_frames, strict=True))


def _face_and_body(motion: Motion) -> tuple[Motion, Motion]:
    face, body = split(motion)
    if body is None:
        raise SpaceError(
            "the whole figure moves in 'smplx25', alone or with 'arkit'; this motion is in"
            f" {motion.space.name!r}"
        )
    return face or waiting_face(body), body


def waiting_face(body: Motion, seed: int = 0) -> Motion:
    """A neutral face for a body without one: closed lips and blinks."""
    values = torch.zeros(body.frames, 55)
    closure = blink_closure(seed, 0, body.frames, body.space.fps)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        values[:, ARKIT_SHAPES.index(name)] = closure.float()
    return Motion(values, arkit_space(body.space.fps))


def _all_moving(scene: Scene) -> Scene:
    return dataclasses.replace(scene, n_still=0, moving=np.unique(scene.triangles))


class _BodyStage(Stage):
    """A stage whose camera and floor change with every frame."""

    def __init__(self, base: Renderer, scene: Scene, first: tuple) -> None:
        super().__init__(base, first, scene)
        rows, columns = -(-base.height // 2), -(-base.width // 2)
        self._points = np.zeros((rows, columns, 3), np.float32)
        self._floor_light = np.ones((rows, columns), np.float32)
        self._soft_light = np.ones((rows, columns), np.float32)

    def _shadow_map(self, n_casters: int) -> ShadowMap:
        scene, direction = self._scene, self._lights[0, :3].astype(np.float64)
        return ShadowMap(
            direction,
            np.zeros(3),
            scene.shadow_triangles,
            n_casters,
            scene.n_solid,
            SHADOW_REACH_M,
            SHADOW_BIAS_M,
        )

    def _prepare(self, coarse: np.ndarray, head: np.ndarray, eyes: np.ndarray) -> None:
        self._prepare_posed(coarse, head, eyes)

    def draw_at(
        self,
        posed: tuple,
        path: CameraPath,
        source: np.ndarray | None,
        glow: float,
    ) -> np.ndarray:
        """One picture with the camera of a frame; shadows are exact around the figure."""
        x, z = path.figure[0]
        self._set_camera(path.at(0))
        coarse, head, eyes = posed
        self._map.focus[:] = x, 0.80, z
        self._place(coarse, head)
        self._draw_floor(path.ground[0])
        if source is not None:
            self._draw_marker(np.asarray(source, np.float64), glow)
        floor.encode(self._backdrop, self._table, self._still_bytes)
        return self._draw_placed(eyes)

    def _draw_floor(self, ground: np.ndarray) -> None:
        height, width = self._backdrop.shape[:2]
        rays = self._camera.rays(width, height).astype(np.float32)
        floor.floor_points(rays, self._eye, height, width, self._points)
        self._map.falls_on(self._points.reshape(-1, 3), self._floor_light.reshape(-1))
        floor.soften(self._floor_light, self._soft_light)
        colours = floor.FLOOR, floor.WALL_LOW, floor.WALL_HIGH
        centre = ground.astype(np.float32)
        floor.paint(rays, self._eye, centre, self._soft_light, *colours, self._backdrop)

    def _draw_marker(self, source: Float[np.ndarray, "3"], glow: float) -> None:
        """The sound source as a ball; one outside the picture is drawn at its edge."""
        height, width = self._backdrop.shape[:2]
        column, row, nearness = self._camera.pixels(source, width, height)
        centre = np.array([width, height]) / 2
        offset = np.array([column, row]) - centre
        if nearness <= 0:  # behind the camera: mirrored by the projection, and beyond the edge
            offset *= -1e3
        # As large at the edge as a ball beside the figure, however far the source is.
        nearness = nearness if nearness > 0 else 1 / DISTANCE_M
        radius = MARKER_M * nearness * self._camera.focal(height)
        limit = np.maximum(centre - 1.5 * radius, 1)
        outside = float((np.abs(offset) / limit).max())
        column, row = centre + offset / max(1.0, outside)
        position = np.float32(column), np.float32(row), np.float32(radius)
        floor.ball(self._backdrop, *position, *map(np.float32, MARKER_COLOUR), np.float32(glow))


def draw_still(
    motion: Motion, frame: int, width: int, height: int, source: np.ndarray | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """One picture of a motion, with the camera of the whole film in that frame."""
    renderer = BodyRenderer(width, height, workers=1)
    face, body = _face_and_body(motion)
    one = slice(frame, frame + 1)
    face, single = face.slice(one.start, one.stop), body.slice(one.start, one.stop)
    path = camera_path(body, renderer.camera, width / height, source).only(frame)
    return next(renderer._stream(face, single, path, source, None))
