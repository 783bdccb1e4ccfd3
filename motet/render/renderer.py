"""Pictures of the house figure, frame by frame."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Literal

import numpy as np
import torch
from jaxtyping import UInt8

from motet.errors import InputError
from motet.render import look, raster, shade, surface
from motet.render.scene import SUPERSAMPLE, build_scene
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

    def __init__(self, rig: HouseRig | ShapedHouse, width: int, height: int, camera: Literal["head", "body"] = "head", workers: int = 2) -> None:
        if not (16 <= width <= 8192 and 16 <= height <= 8192):
            raise InputError(f"a picture of {width}x{height} pixels cannot be drawn; width and height lie between 16 and 8192")
        if camera not in ("head", "body"):
            raise InputError(f"no framing {camera!r}; known: head, body")
        self._shaped = rig.shaped() if isinstance(rig, HouseRig) else rig
        self.width, self.height, self._workers = width, height, max(1, workers)
        self._scene = build_scene(self._shaped, camera, width, height)
        self._background = look.background(width, height)
        self._table = look.srgb_table()

    def frames(self, motion: Motion) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Pictures of a motion in order, 8-bit sRGB, row 0 at the top. Memory does not grow with the length.

        Raises:
            SpaceError: the motion is not in the figure's space.
            InputError: the motion has batch axes, or values that are not finite.
        """
        motion = self._shaped.rig.accept(motion)
        if motion.values.ndim != 2:
            raise InputError(f"one motion at a time can be drawn; this has the axes {tuple(motion.values.shape)}")
        if not bool(torch.isfinite(motion.values).all()):
            raise InputError("the motion contains values that are not finite; nothing can be drawn from it")
        return self._stream(motion)

    def _stream(self, motion: Motion) -> Iterator[np.ndarray]:
        stages = [_Stage(self) for _ in range(self._workers)]
        with ThreadPoolExecutor(self._workers) as pool:
            pending = None
            for start in range(0, motion.frames, CHUNK):
                posed = self._pose(motion.slice(start, start + CHUNK))
                if pending is not None:
                    yield from pending.result()
                pending = pool.submit(list, self._draw_all(stages, posed)) if self._workers == 1 else _Gather(pool, stages, posed)
            if pending is not None:
                yield from pending.result()

    def _draw_all(self, stages: list[_Stage], posed: list[tuple]) -> Iterator[np.ndarray]:
        return (stages[0].draw(*frame) for frame in posed)

    def _pose(self, motion: Motion) -> list[tuple]:
        with torch.no_grad():
            motion = Motion(motion.values.float(), motion.space)
            vertices = self._shaped.posed(motion).vertices.numpy()
            transforms = self._shaped.joint_transforms(motion).numpy()
        names = self._shaped.rig.joint_names
        head = np.ascontiguousarray(transforms[:, names.index("head")])
        eyes = np.stack([transforms[:, names.index(f"eye.{side}"), :, :3] for side in "LR"], axis=1)
        return [(vertices[k], head[k], (eyes[k] @ self._scene.eye_rest).astype(np.float32)) for k in range(len(vertices))]


class _Gather:
    """Frames of one chunk shared out among workers, each with its own buffers."""

    def __init__(self, pool: ThreadPoolExecutor, stages: list[_Stage], posed: list[tuple]) -> None:
        n = len(stages)
        self._count = len(posed)
        self._parts = [pool.submit(lambda stage, mine: [stage.draw(*frame) for frame in mine], stage, posed[k::n]) for k, stage in enumerate(stages)]

    def result(self) -> list[np.ndarray]:
        """All frames in order."""
        parts = [part.result() for part in self._parts]
        return [parts[k % len(parts)][k // len(parts)] for k in range(self._count)]


class _Stage:
    """Buffers of one worker and the steps of one frame."""

    def __init__(self, renderer: Renderer) -> None:
        scene = renderer._scene
        self._scene, self._background, self._table = scene, renderer._background, renderer._table
        height, width = renderer.height, renderer.width
        n = scene.n_solid + len(scene.hair_points)
        self._vertices = np.zeros((n, 3), np.float32)
        self._normals = np.zeros((n, 3), np.float32)
        self._lit = np.zeros((n, 3), np.float32)
        self._screen = np.zeros((n, 3), np.float32)
        self._shadow = np.ones(scene.n_solid, np.float32)
        self._directions = np.zeros_like(scene.hair_directions)
        self._nearness = np.zeros((SUPERSAMPLE * height, SUPERSAMPLE * width), np.float32)
        self._seen = np.zeros(self._nearness.shape, np.int32)
        self._picture = np.zeros((height, width, 3), np.float32)
        self._lights = look.lights()
        self._world_to_camera = scene.camera.world_to_camera().astype(np.float32)
        self._eye = np.array(scene.camera.eye, np.float32)
        self._focal = np.float32(scene.camera.focal(height) * SUPERSAMPLE)
        pad = n - scene.n_solid
        self._gloss = np.concatenate([scene.gloss, np.zeros((pad, 3), np.float32)])
        self._eye_local = np.concatenate([scene.eye_local, np.zeros((pad, 3), np.float32)])

    def draw(self, coarse: np.ndarray, head: np.ndarray, eyes: np.ndarray) -> np.ndarray:
        """One picture from posed figure vertices, the head's transform and the eyes' frames."""
        scene = self._scene
        solid, thin = scene.n_solid, slice(scene.n_surface, scene.n_solid)
        refinement = scene.refinement
        surface.refine(refinement.start, refinement.column, refinement.weight, coarse, self._vertices)
        self._vertices[thin] = coarse[scene.thin]
        surface.carry(head, scene.hair_points, self._vertices[solid:], scene.hair_directions, self._directions)
        surface.smooth_normals(self._vertices[: scene.n_surface], scene.surface_triangles, self._normals[: scene.n_surface])
        self._normals[thin] = head[:, :3] @ np.array([0.0, 0.2, 0.98], np.float32)
        surface.light_surface(
            self._normals[:solid], scene.albedo, scene.occlusion, scene.wrap, self._shadow, self._lights, look.SKY, look.GROUND, self._lit[:solid]
        )
        surface.light_hair(self._vertices[solid:], self._directions, scene.hair_albedo, scene.hair_shine, self._lights, look.SKY, self._eye, self._lit[solid:])
        return self._rasterise(eyes)

    def _rasterise(self, eyes: np.ndarray) -> np.ndarray:
        scene = self._scene
        height, width = self._nearness.shape
        raster.project(self._vertices, self._world_to_camera, self._focal, np.float32(width / 2), np.float32(height / 2), self._screen)
        self._nearness[:] = 0
        self._seen[:] = raster.NOTHING
        raster.rasterise(self._screen, scene.triangles, scene.two_sided, self._nearness, self._seen)
        shade.shade(
            self._seen, self._screen, scene.triangles, scene.kind, self._vertices, self._normals, self._lit, self._gloss, self._eye_local,
            eyes, scene.eye_of, self._eye, self._lights, look.SKY, look.IRIS, self._background, self._picture,
        )  # fmt: skip
        result = np.empty(self._picture.shape, np.uint8)
        shade.encode(self._picture, self._table, result)
        return result
