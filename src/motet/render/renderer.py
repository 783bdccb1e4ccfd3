"""Pictures of the house figure, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8

from motet.errors import InputError
from motet.geometry.camera import Camera
from motet.render import pixel_shading as shade
from motet.render import raster, surface
from motet.render import shading as look
from motet.render.posing import Poser
from motet.render.scene import SUPERSAMPLE, Scene, build_scene
from motet.render.shadow import ShadowMap
from motet.rigs.house import HouseRig, ShapedHouse
from motet.types import Motion

CHUNK = 16
"""Frames posed at a time: bounds memory whatever the length of the motion."""


class Renderer:
    """Draws a figure in a fixed camera on a neutral backdrop.

    Args:
        rig: the figure, as a rig (mean person) or shaped.
        width: pixels, at least 16.
        height: pixels, at least 16.
        camera: `head` shows head and shoulders, `body` the whole figure.
        workers: frames drawn at the same time.

    Raises:
        InputError: an impossible size, or a framing that does not exist.
    """

    def __init__(
        self,
        rig: HouseRig | ShapedHouse,
        width: int,
        height: int,
        camera: Literal["head", "body"] = "head",
        workers: int = 2,
    ) -> None:
        if not (16 <= width <= 8192 and 16 <= height <= 8192):
            raise InputError(
                f"a picture of {width}x{height} pixels cannot be drawn; width and height lie"
                " between 16 and 8192"
            )
        if camera not in ("head", "body"):
            raise InputError(f"no framing {camera!r}; known: head, body")
        self._shaped = rig.shaped() if isinstance(rig, HouseRig) else rig
        self.width, self.height, self._workers = width, height, max(1, workers)
        self._scene = build_scene(self._shaped, camera, width, height)
        self._table = look.srgb_table()
        self._poser = Poser(self._shaped)

    def frames(self, motion: Motion) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Pictures of a motion in order, 8-bit sRGB, row 0 at the top. Memory does not grow with
        the length.

        Raises:
            SpaceError: the motion is not in the figure's space.
            InputError: the motion has batch axes, or values that are not finite.
        """
        motion = self._shaped.rig.accept(motion)
        if motion.values.ndim != 2:
            raise InputError(
                f"one motion at a time can be drawn; this has the axes {tuple(motion.values.shape)}"
            )
        if not bool(torch.isfinite(motion.values).all()):
            raise InputError(
                "the motion contains values that are not finite; nothing can be drawn from it"
            )
        return self._stream(motion)

    def _stream(self, motion: Motion) -> Iterator[np.ndarray]:
        neutral = self._pose(Motion(torch.zeros(1, motion.space.dim), motion.space))[0]
        with ExitStack() as stack:
            workers = [
                Worker(Stage(self, neutral), stack.enter_context(ThreadPoolExecutor(1)))
                for _ in range(self._workers)
            ]
            waiting: deque[Future] = deque()
            for start in range(0, motion.frames, CHUNK):
                # The next chunk is handed out before the last one is given away, so that nobody
                # waits for whoever uses the pictures.
                for k, frame in enumerate(self._pose(motion.slice(start, start + CHUNK))):
                    waiting.append(workers[k % self._workers].draw(frame))
                while len(waiting) > CHUNK:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()

    def _pose(self, motion: Motion) -> list[tuple]:
        names = self._shaped.rig.joint_names
        head, eyes = names.index("head"), [names.index(f"eye.{side}") for side in "LR"]
        poses = self._poser.poses(motion)
        return [
            (*pose, pose[1][head], (pose[1][eyes, :, :3] @ self._scene.eye_rest).astype(np.float32))
            for pose in poses
        ]


class Worker:
    """A thread with its own buffers: its frames are drawn one after the other."""

    def __init__(self, stage: Stage, thread: ThreadPoolExecutor) -> None:
        self._stage, self._thread = stage, thread

    def draw(self, frame: tuple) -> Future:
        """Promise of one picture."""
        return self._thread.submit(self._stage.draw, *frame)


def halves(lights: np.ndarray, camera: Camera) -> np.ndarray:
    """Unit direction halfway between each light and the camera."""
    back = camera.world_to_camera()[2, :3]
    halves = lights[:, :3] + back
    return (halves / np.linalg.norm(halves, axis=1, keepdims=True)).astype(np.float32)


class Stage:
    """Buffers of one worker and the steps of one frame."""

    def __init__(self, renderer: Renderer, neutral: tuple, scene: Scene | None = None) -> None:
        scene = scene or renderer._scene
        self._scene, self._table, self._poser = scene, renderer._table, renderer._poser
        self._coarse = renderer._shaped.relaxed_vertices.numpy().copy()
        height, width = renderer.height, renderer.width
        n = scene.n_solid + len(scene.hair_points)
        self._vertices = np.zeros((n, 3), np.float32)
        self._sharp = np.zeros((len(renderer._shaped.vertices), 3), np.float32)
        self._screen = np.zeros((n, 3), np.float32)
        self._packed = np.zeros((n, shade.PACKED), np.float32)
        self._packed[: scene.n_solid, 6:9] = scene.gloss
        self._packed[: scene.n_solid, 9:12] = scene.eye_local
        self._shadow = np.ones(scene.n_solid, np.float32)
        self._directions = np.zeros_like(scene.hair_directions)
        self._depth = raster.DepthBuffer(
            SUPERSAMPLE * height, SUPERSAMPLE * width, len(scene.triangles)
        )
        self._row = shade.room_for_row(width)
        self._lights = look.lights()
        focus = np.array([0.0, scene.head_height, 0.06])
        self._map = ShadowMap(
            self._lights[0, :3].astype(np.float64),
            focus,
            scene.shadow_triangles,
            len(renderer._shaped.vertices),
            scene.n_solid,
        )
        self._backdrop = look.background(width, height)
        self._world_to_camera = scene.camera.world_to_camera().astype(np.float32)
        self._eye = np.array(scene.camera.eye, np.float32)
        self._focal = np.float32(scene.camera.focal(height) * SUPERSAMPLE)
        self._halves = halves(self._lights, scene.camera)
        self._rays = scene.camera.rays(SUPERSAMPLE * width, SUPERSAMPLE * height).astype(np.float32)
        self._still_bytes = np.zeros((height, width, 3), np.uint8)
        self._prepare(*neutral)

    def _prepare(
        self, weights: np.ndarray, transforms: np.ndarray, head: np.ndarray, eyes: np.ndarray
    ) -> None:
        self._poser.pose(weights, transforms, self._coarse)
        self._prepare_posed(self._coarse, head, eyes)

    def _prepare_posed(self, coarse: np.ndarray, head: np.ndarray, eyes: np.ndarray) -> None:
        """Draw once what no motion changes: the backdrop and the body below the neck."""
        scene = self._scene
        self._place(coarse, head)
        still = scene.n_still
        self._depth.draw(self._screen, scene.triangles[:still], scene.two_sided[:still])
        self._still = self._depth.keys.copy()
        # Every pixel: the backdrop as well.
        height, width = self._backdrop.shape[:2]
        self._box = (0, height, 0, width)
        self._shade(eyes, self._box, raster.NOTHING, self._still_bytes)

    def _clear(self, box: tuple[int, int, int, int]) -> None:
        """Take the last frame out of the depth buffer again."""
        top, bottom, left, right = (SUPERSAMPLE * edge for edge in box)
        right += raster.STRIP
        self._depth.keys[top:bottom, left:right] = self._still[top:bottom, left:right]

    def draw(
        self, weights: np.ndarray, transforms: np.ndarray, head: np.ndarray, eyes: np.ndarray
    ) -> np.ndarray:
        """One picture from shape weights, the joints' transforms, the head's among them, and the
        eyes' frames.
        """
        self._poser.pose(weights, transforms, self._coarse)
        self._place(self._coarse, head)
        return self._draw_placed(eyes)

    def _draw_placed(self, eyes: np.ndarray) -> np.ndarray:
        scene = self._scene
        self._clear(self._box)
        self._box = surface.extent(self._screen, scene.moving, *self._backdrop.shape[:2])
        self._depth.draw(self._screen, scene.triangles, scene.two_sided, scene.n_still)
        result = self._still_bytes.copy()
        self._shade(eyes, self._box, scene.n_still, result)
        return result

    def _place(self, coarse: np.ndarray, head: np.ndarray) -> None:
        scene = self._scene
        n, solid = scene.n_surface, scene.n_solid
        refinement = scene.refinement
        surface.sharpen(
            refinement.start,
            refinement.column,
            refinement.weight,
            refinement.used,
            coarse,
            self._sharp,
        )
        surface.refine(
            refinement.start, refinement.column, refinement.weight, self._sharp, self._vertices
        )
        self._vertices[scene.n_refined : solid] = coarse[scene.copied]
        surface.carry(
            head, scene.hair_points, self._vertices[solid:], scene.hair_directions, self._directions
        )
        lit, normals = self._packed[:, 0:3], self._packed[:, 3:6]
        surface.smooth_normals(self._vertices[:n], scene.surface_triangles, normals[:n])
        normals[n:solid] = head[:, :3] @ np.array([0.0, 0.2, 0.98], np.float32)
        self._map.cast(coarse, self._vertices[:solid], normals[:solid], self._shadow)
        surface.light_surface(
            normals[:solid],
            scene.albedo,
            scene.occlusion,
            scene.wrap,
            self._shadow,
            self._lights,
            look.SKY,
            look.GROUND,
            lit[:solid],
        )
        surface.light_hair(
            self._vertices[solid:],
            self._directions,
            scene.hair_albedo,
            scene.hair_shine,
            self._lights,
            look.SKY,
            self._eye,
            lit[solid:],
        )
        height, width = self._backdrop.shape[:2]
        raster.project(
            self._vertices,
            self._world_to_camera,
            self._focal,
            np.float32(width),
            np.float32(height),
            self._screen,
        )
        surface.hide_far_side(
            self._directions,
            self._vertices[solid:],
            self._eye,
            scene.hair_points_per_strand,
            self._screen[solid:],
        )

    def _shade(
        self, eyes: np.ndarray, box: tuple[int, int, int, int], still: int, picture: np.ndarray
    ) -> None:
        scene = self._scene
        shade.shade(
            self._depth.keys, box, still, self._screen, scene.triangles, scene.kind, scene.group, self._packed, eyes, scene.eye_of, self._rays,
            self._lights, self._halves, look.SKY, look.IRIS, self._backdrop, self._table, self._row, picture,
        )  # fmt: skip
