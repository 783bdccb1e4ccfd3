"""Head and shoulders of the house figure as pictures, frame by frame."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import numpy as np
import torch
from jaxtyping import Float, UInt8

from motet.errors import InputError
from motet.geometry.camera import Camera
from motet.render import pixel_shading, raster, shading, surface
from motet.render.posing import Poser
from motet.render.sample_layout import PACKED
from motet.render.scene import FRAMINGS, SUPERSAMPLE, Scene, build_scene
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
        camera: `head` shows head and shoulders, `bust` more of them, `three-quarter` from the side,
            `body` the whole figure.
        workers: frames drawn at the same time.
        backdrop: behind the figure, linear light; a neutral one when left out.

    Raises:
        InputError: an impossible size, or a framing that does not exist.
    """

    def __init__(
        self,
        rig: HouseRig | ShapedHouse,
        width: int,
        height: int,
        camera: str = "head",
        workers: int = 2,
        backdrop: Float[np.ndarray, "height width 3"] | None = None,
    ) -> None:
        if not (16 <= width <= 8192 and 16 <= height <= 8192):
            raise InputError(
                f"a picture of {width}x{height} pixels cannot be drawn; width and height lie"
                " between 16 and 8192"
            )
        if camera not in FRAMINGS:
            raise InputError(f"no framing {camera!r}; known: {', '.join(FRAMINGS)}")
        self._shaped = rig.shaped() if isinstance(rig, HouseRig) else rig
        self.width, self.height, self._workers = width, height, max(1, workers)
        self._scene = build_scene(self._shaped, camera, width, height)
        self._backdrop = shading.background(width, height) if backdrop is None else backdrop
        self._table = shading.srgb_table()
        self._poser = Poser(self._shaped)

    def frames(self, motion: Motion) -> Iterator[UInt8[np.ndarray, "height width 3"]]:
        """Pictures of a motion in order, 8-bit sRGB, row 0 at the top; bounded memory.

        Raises:
            SpaceError: the motion is not in the figure's space.
            InputError: the motion has batch axes, or values that are not finite.
        """
        motion = self._shaped.rig.accept(motion)
        check_drawable(motion)
        # The body below the neck is drawn once, from the neutral pose.
        neutral = self._pose(Motion(torch.zeros(1, motion.space.dim), motion.space))[0]
        stages = [Stage(self, neutral) for _ in range(self._workers)]
        chunks = (motion.slice(k, k + CHUNK) for k in range(0, motion.frames, CHUNK))
        frames = (frame for chunk in chunks for frame in self._pose(chunk))
        return draw_in_order([stage.draw for stage in stages], frames)

    def _pose(self, motion: Motion) -> list[tuple]:
        """Arguments of `Stage.draw` for each frame."""
        names = self._shaped.rig.joint_names
        head, eyes = names.index("head"), [names.index(f"eye.{side}") for side in "LR"]
        frames = []
        for weights, transforms in self._poser.poses(motion):
            # (eyes, 3, 3): eyeball axes in the world
            eye_frames = (transforms[eyes, :, :3] @ self._scene.eye_rest).astype(np.float32)
            frames.append((weights, transforms, transforms[head], eye_frames))
        return frames


def check_drawable(motion: Motion) -> None:
    """Raise an InputError for a batch of motions or values that are not finite."""
    if motion.values.ndim != 2:
        raise InputError(
            f"one motion at a time can be drawn; this has the axes {tuple(motion.values.shape)}"
        )
    if not bool(torch.isfinite(motion.values).all()):
        raise InputError(
            "the motion contains values that are not finite; nothing can be drawn from it"
        )


def draw_in_order(
    draw: Sequence[Callable[..., np.ndarray]], frames: Iterable[tuple]
) -> Iterator[np.ndarray]:
    """Pictures in the order of the frames, drawn by several workers.

    Args:
        draw: one function for each worker, with buffers of its own; each runs on its own thread.
        frames: arguments of `draw`. They are taken ahead of the pictures, so that the workers do
            not wait for the consumer of the pictures.
    """
    with ExitStack() as stack:
        threads = [stack.enter_context(ThreadPoolExecutor(1)) for _ in draw]
        pending: deque[Future] = deque()
        for index, frame in enumerate(frames):
            # Fixed assignment: a worker's buffers belong to its own thread.
            worker = index % len(draw)
            pending.append(threads[worker].submit(draw[worker], *frame))
            # Drawing may run ahead by a chunk; memory stays bounded.
            if len(pending) > CHUNK:
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()


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
        n, n_coarse = scene.n_solid + len(scene.hair_points), len(renderer._shaped.vertices)
        self._vertices = np.zeros((n, 3), np.float32)
        self._sharp = np.zeros((n_coarse, 3), np.float32)
        self._screen = np.zeros((n, 3), np.float32)
        self._packed = np.zeros((n, PACKED), np.float32)
        # Columns: light 0-2, normal 3-5, gloss 6-8, place 9-11, cover 12.
        self._packed[: scene.n_solid, 6:9] = scene.gloss
        self._packed[: scene.n_solid, 9:12] = scene.local
        self._packed[: scene.n_solid, 12] = scene.cover
        self._hair_tangents = np.zeros_like(scene.surface_hair_tangents)
        self._shadow = np.ones(scene.n_solid, np.float32)
        self._occlusion = scene.occlusion.copy()
        self._directions = np.zeros_like(scene.hair_directions)
        size = SUPERSAMPLE * height, SUPERSAMPLE * width
        self._depth = raster.DepthBuffer(*size, len(scene.triangles))
        self._row = pixel_shading.row_buffers(width)
        self._lights = shading.lights()
        self._map = self._shadow_map(n_coarse)
        self._backdrop = renderer._backdrop.copy()  # bodies paint their floor into it
        self._set_camera(scene.camera)
        self._still_bytes = np.zeros((height, width, 3), np.uint8)
        self._prepare(*neutral)

    def _shadow_map(self, n_casters: int) -> ShadowMap:
        scene, direction = self._scene, self._lights[0, :3].astype(np.float64)
        focus = np.array([0.0, scene.head_height, 0.06])
        return ShadowMap(direction, focus, scene.shadow_triangles, n_casters, scene.n_solid)

    def _set_camera(self, camera: Camera) -> None:
        height, width = self._backdrop.shape[:2]
        self._camera = camera
        self._world_to_camera = camera.world_to_camera().astype(np.float32)
        self._eye = np.array(camera.eye, np.float32)
        self._focal = np.float32(camera.focal(height) * SUPERSAMPLE)
        self._halves = halves(self._lights, camera)
        self._rays = camera.rays(SUPERSAMPLE * width, SUPERSAMPLE * height).astype(np.float32)

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
        # All pixels, the backdrop included.
        height, width = self._backdrop.shape[:2]
        self._box = (0, height, 0, width)
        self._shade(eyes, self._box, raster.NOTHING, self._still_bytes)

    def _clear(self, box: tuple[int, int, int, int]) -> None:
        """Restore the depth buffer where the last frame was drawn."""
        top, bottom, left, right = (SUPERSAMPLE * edge for edge in box)
        # The rasteriser writes whole strips, up to one strip beyond the box.
        right += raster.STRIP
        self._depth.keys[top:bottom, left:right] = self._still[top:bottom, left:right]

    def draw(
        self, weights: np.ndarray, transforms: np.ndarray, head: np.ndarray, eyes: np.ndarray
    ) -> np.ndarray:
        """One picture.

        Args:
            weights: of the shapes.
            transforms: joints 3 4.
            head: the transform of the head among them.
            eyes: 2 3 3, rotation of each eye's own axes.
        """
        self._poser.pose(weights, transforms, self._coarse)
        self._place(self._coarse, head)
        return self._draw_placed(eyes)

    def _draw_placed(self, eyes: np.ndarray) -> np.ndarray:
        scene = self._scene
        self._clear(self._box)
        self._box = surface.extent(self._screen, scene.moving, *self._backdrop.shape[:2])
        self._depth.draw(self._screen, scene.triangles, scene.two_sided, scene.n_still)
        picture = self._still_bytes.copy()
        self._shade(eyes, self._box, scene.n_still, picture)
        return picture

    def _place(self, coarse: np.ndarray, head: np.ndarray) -> None:
        """Everything up to the screen: refined vertices, hair, light, projection."""
        self._refine(coarse, head)
        self._light(coarse, head)
        height, width = self._backdrop.shape[:2]
        centre = np.float32(width), np.float32(height)  # of the supersampled picture
        solid = self._scene.n_solid
        raster.project(self._vertices, self._world_to_camera, self._focal, *centre, self._screen)
        surface.hide_far_side(
            self._directions,
            self._vertices[solid:],
            self._eye,
            self._scene.hair_points_per_strand,
            self._screen[solid:],
        )

    def _refine(self, coarse: np.ndarray, head: np.ndarray) -> None:
        scene, solid, fine = self._scene, self._scene.n_solid, self._vertices
        matrix = scene.refinement
        sparse = matrix.start, matrix.column, matrix.weight
        surface.sharpen(*sparse, matrix.used, coarse, self._sharp)
        surface.refine(*sparse, self._sharp, fine)
        fine[scene.n_refined : solid] = coarse[scene.copied]
        hair = scene.hair_points, fine[solid:], scene.hair_directions, self._directions
        surface.carry(head, *hair)

    def _light(self, coarse: np.ndarray, head: np.ndarray) -> None:
        scene, solid = self._scene, self._scene.n_solid
        n = scene.n_surface
        lit, normals = self._packed[:, 0:3], self._packed[:, 3:6]
        surface.smooth_normals(self._vertices[:n], scene.surface_triangles, normals[:n])
        # Brows and lashes are ribbons: they take the light of the face's front.
        normals[n:solid] = head[:, :3] @ np.array([0.0, 0.2, 0.98], np.float32)
        self._open_mouth(coarse)
        self._map.cast(coarse, self._vertices[:solid], normals[:solid], self._shadow)
        surface.light_surface(
            normals[:solid],
            scene.albedo,
            self._occlusion,
            scene.wrap,
            self._shadow,
            self._lights,
            shading.SKY,
            shading.GROUND,
            lit[:solid],
        )
        surface.turn(head, scene.surface_hair_tangents, self._hair_tangents)
        surface.light_hair_surface(
            scene.surface_hair, self._vertices, self._hair_tangents, normals, scene.albedo,
            self._occlusion, self._shadow, self._lights, shading.SKY, self._eye, self._packed,
        )  # fmt: skip
        surface.light_hair(
            self._vertices[solid:],
            self._directions,
            scene.hair_albedo,
            scene.hair_shine,
            self._lights,
            shading.SKY,
            self._eye,
            lit[solid:],
        )

    def _open_mouth(self, coarse: np.ndarray) -> None:
        """Light inside the mouth for the opening of the lips."""
        scene = self._scene
        upper, lower = coarse[scene.inner_lip]
        share = min(1.0, float(np.linalg.norm(upper - lower)) / shading.FULLY_LIT_M)
        light = scene.inside_least + share * (1 - scene.inside_least)
        self._occlusion[scene.inside] = scene.occlusion[scene.inside] * light

    def _shade(
        self, eyes: np.ndarray, box: tuple[int, int, int, int], still: int, picture: np.ndarray
    ) -> None:
        scene = self._scene
        pixel_shading.shade(
            self._depth.keys, box, still, self._screen, scene.triangles, scene.kind, scene.group,
            self._packed, eyes, scene.eye_of, self._rays, self._lights, self._halves, shading.SKY,
            scene.iris, scene.strands, scene.pores, scene.fineness, scene.hair_ratio,
            self._backdrop, self._table, self._row, picture,
        )  # fmt: skip
