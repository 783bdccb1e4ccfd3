"""Pictures of the whole house figure: a camera that follows, a floor with the figure's shadow, the
source of the sound on request.
"""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import torch
from jaxtyping import Float, UInt8
from scipy.ndimage import gaussian_filter1d

from motet.errors import InputError, SpaceError
from motet.face.blink import blink_closure
from motet.geometry.camera import Camera
from motet.render import floor
from motet.render.renderer import CHUNK, Renderer, Stage, halves
from motet.render.scene import SUPERSAMPLE, Scene
from motet.render.shadow import ShadowMap
from motet.rigs.house.body import HouseBody, load_house_body
from motet.rigs.house.face_body import split
from motet.types import ARKIT_SHAPES, Motion, arkit_space

DISTANCE_M, HEIGHT_M, SIDE_M = 4.0, 1.25, -0.85
"""Where the camera stands from what it follows."""
TALL_M = 2.2
"""Height of the picture at the figure."""
LAZY_S = 0.42
"""The camera follows as smoothly as a mean over so many seconds to each side."""
SHADOW_REACH_M, SHADOW_BIAS_M = 1.25, 0.020
MARKER_M = 0.075
MARKER_COLOUR = (1.0, 0.42, 0.10)


class BodyRenderer:
    """Draws a body, or a face and a body, on the house figure.

    Args:
        width, height: pixels, 16 to 8192.
        figure: the person; the mean person when left out.
        workers: frames drawn at the same time.

    Raises:
        InputError: an impossible size.
    """

    def __init__(
        self, width: int, height: int, figure: HouseBody | None = None, workers: int = 2
    ) -> None:
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
        """Pictures in order, 8-bit sRGB, row 0 at the top. Memory does not grow with the length.

        Args:
            motion: in `smplx25`, or of face and body together.
            source: where the sound comes from, metres in the world: one point, or one for each
                frame; drawn as a ball.
            loudness: 0..1 for each frame; makes the ball glow.

        Raises:
            SpaceError: the motion has no body.
            InputError: it has batch axes, or values that are not finite.
        """
        face, body = split(motion)
        if body is None:
            raise SpaceError(
                "the whole figure moves in 'smplx25', alone or with 'arkit'; this motion is in"
                f" {motion.space.name!r}"
            )
        if body.values.ndim != 2:
            raise InputError(
                f"one motion at a time can be drawn; this has the axes {tuple(motion.values.shape)}"
            )
        if not bool(torch.isfinite(motion.values).all()):
            raise InputError(
                "the motion contains values that are not finite; nothing can be drawn from it"
            )
        return self._stream(face or waiting_face(body), body, _cameras(body), source, loudness)

    def _stream(
        self,
        face: Motion,
        body: Motion,
        eyes: np.ndarray,
        source: np.ndarray | None,
        loudness: np.ndarray | None,
    ) -> Iterator[np.ndarray]:
        with ExitStack() as stack:
            first = self._pose(face.slice(0, 1), body.slice(0, 1))[0]
            stages = [
                (
                    _BodyStage(self._base, self._scene, first),
                    stack.enter_context(ThreadPoolExecutor(1)),
                )
                for _ in range(self._workers)
            ]
            waiting: deque[Future] = deque()
            for start in range(0, body.frames, CHUNK):
                stop = min(start + CHUNK, body.frames)
                for k, posed in enumerate(
                    self._pose(face.slice(start, stop), body.slice(start, stop)), start
                ):
                    stage, thread = stages[k % self._workers]
                    place = (
                        None
                        if source is None
                        else np.atleast_2d(source)[min(k, len(np.atleast_2d(source)) - 1)]
                    )
                    glow = 0.5 if loudness is None else float(loudness[min(k, len(loudness) - 1)])
                    waiting.append(thread.submit(stage.draw_at, posed, eyes[k], place, glow))
                while len(waiting) > CHUNK:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _pose(self, face: Motion, body: Motion) -> list[tuple]:
        with torch.no_grad():
            face, body = (Motion(part.values.float(), part.space) for part in (face, body))
            vertices = self._figure.posed(body, face).vertices.numpy()
            transforms = self._figure.transforms(body, face).numpy()
        names = self._figure.rig.joint_names
        head = np.ascontiguousarray(transforms[:, names.index("head")])
        eyes = np.stack([transforms[:, names.index(f"eye.{side}"), :, :3] for side in "LR"], axis=1)
        return [
            (vertices[k], head[k], (eyes[k] @ self._scene.eye_rest).astype(np.float32))
            for k in range(len(vertices))
        ]


def waiting_face(body: Motion, seed: int = 0) -> Motion:
    """A face for a body that has none: closed lips, and blinks now and then."""
    values = torch.zeros(body.frames, 55)
    closure = blink_closure(seed, 0, body.frames, body.space.fps)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        values[:, ARKIT_SHAPES.index(name)] = closure.float()
    return Motion(values, arkit_space(body.space.fps))


def _cameras(body: Motion) -> Float[np.ndarray, "frames 2"]:
    """Point on the floor that the camera follows in each frame."""
    ground = body["root"][:, [0, 2]].double().numpy()
    return gaussian_filter1d(ground, max(1e-3, LAZY_S * body.space.fps), axis=0, mode="nearest")


def _all_moving(scene: Scene) -> Scene:
    return dataclasses.replace(scene, n_still=0, moving=np.unique(scene.triangles))


class _BodyStage(Stage):
    """A stage whose camera and set change with every frame."""

    def __init__(self, base: Renderer, scene: Scene, first: tuple) -> None:
        super().__init__(base, first, scene)
        height, width = base.height, base.width
        self._lens = 2 * float(np.arctan(0.5 * TALL_M / DISTANCE_M))
        self._map = ShadowMap(
            self._lights[0, :3].astype(np.float64),
            np.zeros(3),
            scene.shadow_triangles,
            len(first[0]),
            scene.n_solid,
            SHADOW_REACH_M,
            SHADOW_BIAS_M,
        )
        self._points = np.zeros((-(-height // 2), -(-width // 2), 3), np.float32)
        self._shade_of_floor = np.ones(self._points.shape[:2], np.float32)
        self._soft = np.ones_like(self._shade_of_floor)

    def _prepare(self, coarse: np.ndarray, head: np.ndarray, eyes: np.ndarray) -> None:
        self._prepare_posed(coarse, head, eyes)

    def draw_at(
        self, posed: tuple, ground: np.ndarray, source: np.ndarray | None, glow: float
    ) -> np.ndarray:
        """One picture with the camera before a point on the floor."""
        self._look_from(ground)
        coarse, head, eyes = posed
        self._map.focus[:] = ground[0], 0.80, ground[1]
        self._place(coarse, head)
        self._paint_set(ground, source, glow)
        return self._draw_placed(eyes)

    def _look_from(self, ground: np.ndarray) -> None:
        height, width = self._backdrop.shape[:2]
        eye = (ground[0] + SIDE_M, HEIGHT_M, ground[1] + DISTANCE_M)
        camera = Camera(eye, (ground[0], 0.46 * TALL_M, ground[1]), self._lens)
        self._camera = camera
        self._world_to_camera = camera.world_to_camera().astype(np.float32)
        self._eye = np.array(eye, np.float32)
        self._focal = np.float32(camera.focal(height) * SUPERSAMPLE)
        self._halves = halves(self._lights, camera)
        self._rays = camera.rays(SUPERSAMPLE * width, SUPERSAMPLE * height).astype(np.float32)

    def _paint_set(self, ground: np.ndarray, source: np.ndarray | None, glow: float) -> None:
        height, width = self._backdrop.shape[:2]
        rays = self._camera.rays(width, height).astype(np.float32)
        floor.floor_points(rays, self._eye, height, width, self._points)
        self._map.falls_on(self._points.reshape(-1, 3), self._shade_of_floor.reshape(-1))
        floor.soften(self._shade_of_floor, self._soft)
        floor.paint(
            rays,
            self._eye,
            ground.astype(np.float32),
            self._soft,
            floor.FLOOR,
            floor.WALL_LOW,
            floor.WALL_HIGH,
            self._backdrop,
        )
        if source is not None:
            column, row, nearness = self._camera.pixels(
                np.asarray(source, np.float64), width, height
            )
            if nearness > 0:
                radius = np.float32(MARKER_M * nearness * self._camera.focal(height))
                floor.ball(
                    self._backdrop,
                    np.float32(column),
                    np.float32(row),
                    radius,
                    *map(np.float32, MARKER_COLOUR),
                    np.float32(glow),
                )
        floor.encode(self._backdrop, self._table, self._still_bytes)


def draw_still(
    motion: Motion, frame: int, width: int, height: int, source: np.ndarray | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """One picture of a motion, from where the camera of its film stands in that frame."""
    renderer = BodyRenderer(width, height, workers=1)
    face, body = split(motion)
    if body is None:
        raise SpaceError(
            "the whole figure moves in 'smplx25', alone or with 'arkit'; this motion is in"
            f" {motion.space.name!r}"
        )
    one = slice(frame, frame + 1)
    face = (face or waiting_face(body)).slice(one.start, one.stop)
    return next(
        renderer._stream(face, body.slice(one.start, one.stop), _cameras(body)[one], source, None)
    )
