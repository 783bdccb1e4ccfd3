"""The user's own FLAME or template: what turns motion in FLAME coefficients or vertices into
surfaces, and by a fitted map into ARKit weights.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array, read_arrays
from motet.config import JsonValue
from motet.errors import AssetError, ConfigError, SpaceError
from motet.geometry.mesh_files import TriangleMesh, read_mesh
from motet.render.shading import linear_from_srgb
from motet.rigs.flame import N_SHAPE, Flame
from motet.rigs.flame_arkit import FlameArkit
from motet.rigs.flame_figure import FlameFigure, ShapedFlame, in_flame
from motet.rigs.template_figure import ShapedTemplate, TemplateFigure, in_vertices
from motet.types import Clip, Motion, MotionSpace

CHUNK = 32
"""Frames posed at a time: bounds memory whatever the length of the motion."""
MESH_FLAGS = (
    "--flame, --flame-map, --identity, --texture and --template are for motion of imported weights"
    " in FLAME coefficients or vertices"
)
ARKIT_ENDINGS = (".csv", ".json")
FIGURES = (".mp4", ".glb", ".usda", ".usdc", ".usdz")
"""Endings of files that show a figure."""
SURFACES = (".obj", ".vertices.npz")
"""Endings whose files hold surfaces only."""
MAP_COMMAND = "motet weights flame-map FLAME.pkl -o flame_map.npz"
Shaped = ShapedFlame | ShapedTemplate


@dataclasses.dataclass(frozen=True)
class UserMesh:
    """The user's files, read."""

    flame: Flame | None = None
    identity: Float[Tensor, " coefficients"] | None = None
    """FLAME shape coefficients; the mean person when left out."""
    colours: Float[np.ndarray, "verts 3"] | None = None
    """Linear light of each vertex, from the user's texture."""
    template: TriangleMesh | None = None
    """Neutral face of a mesh space."""
    arkit: FlameArkit | None = None
    """From FLAME coefficients to ARKit weights."""


def full_ending(path: Path) -> str:
    """The last ending, for archives with the one before: `.vertices.npz`."""
    second = Path(path.stem).suffix.lower()
    ending = path.suffix.lower()
    return second + ending if ending == ".npz" else ending


def uses_mesh(space: MotionSpace) -> bool:
    """Whether motion in this space needs files of the user's to be seen."""
    return in_flame(space) or in_vertices(space)


def check_mesh_files(
    paths: Sequence[Path], space: MotionSpace, mesh: UserMesh | None, *, avatar: bool
) -> None:
    """Make sure that every file can hold motion in a space, and that the user's files act on it.

    Raises:
        ConfigError: files for FLAME or mesh motion, and other motion.
        SpaceError: see `check_mesh`.
    """
    if mesh is not None and not uses_mesh(space):
        raise ConfigError(f"{MESH_FLAGS}, not for motion in {space.name!r}; leave them out")
    for path in paths:
        check_mesh(path, space, mesh, avatar=avatar)


def check_mesh(path: Path, space: MotionSpace, mesh: UserMesh | None, *, avatar: bool) -> None:
    """Make sure that a file can be written from motion in a FLAME or mesh space.

    Raises:
        SpaceError: a file of the user's is missing for it; names the option that gives it.
    """
    ending, mesh = full_ending(path), mesh or UserMesh()
    if in_flame(space):
        _check_flame(ending, space, mesh, avatar)
    elif in_vertices(space):
        if ending in ARKIT_ENDINGS or avatar:
            raise SpaceError(
                f"{path.name} needs ARKit weights, vertices have none; write .mp4, .glb, .obj,"
                " .vertices.npz or .npz"
            )
        if mesh.template is None and ending in (*FIGURES, *SURFACES):
            raise SpaceError(
                f"{path.name} needs the neutral face that vertices in {space.name!r} belong to:"
                " give it as .obj or .ply with --template FILE"
            )
    elif ending in (*SURFACES, ".flame.npz", ".vhap.npz"):
        raise SpaceError(
            f"{path.name} holds FLAME or mesh motion, this is motion in {space.name!r}; write"
            " .npz, .csv, .glb or .mp4, or use imported weights of a FLAME or mesh model"
        )


def _check_flame(ending: str, space: MotionSpace, mesh: UserMesh, avatar: bool) -> None:
    flame = "your FLAME file with --flame FILE"
    fitted = f"--flame-map FILE, made once from your FLAME file by '{MAP_COMMAND}'"
    what = f"motion in {space.name!r} has FLAME coefficients"
    if (ending in ARKIT_ENDINGS or avatar) and mesh.arkit is None:
        target = "an avatar" if avatar else f"a {ending} file"
        raise SpaceError(f"{target} needs ARKit weights, {what}; give {fitted}")
    if ending in FIGURES and not avatar and mesh.flame is None and mesh.arkit is None:
        raise SpaceError(
            f"a {ending} file needs a figure, {what}; give {flame}, or for the house figure"
            f" {fitted}"
        )
    if ending in SURFACES and mesh.flame is None:
        raise SpaceError(f"a {ending} file needs surfaces, {what}; give {flame}")


def in_arkit(clip: Clip, path: Path, mesh: UserMesh | None, *, avatar: bool) -> Clip:
    """A clip as a format needs it: FLAME motion becomes ARKit weights where the file or figure has
    no other form.
    """
    motion = clip.motion
    if motion is None or mesh is None or mesh.arkit is None or not in_flame(motion.space):
        return clip
    ending = full_ending(path)
    drawn = ending in FIGURES and mesh.flame is None
    if avatar or drawn or ending in ARKIT_ENDINGS:
        return dataclasses.replace(clip, motion=mesh.arkit.convert(motion))
    return clip


def shaped_figure(clip: Clip, motion: Motion, mesh: UserMesh | None) -> Shaped | None:
    """The user's figure for a clip's motion; None for motion of the house figure.

    Raises:
        SpaceError: the motion needs a file of the user's that is not there.
        AssetError: the template is of another topology.
    """
    if in_flame(motion.space):
        if mesh is None or mesh.flame is None:
            raise SpaceError("FLAME coefficients need your FLAME file: give it with --flame FILE")
        identity = mesh.identity if mesh.identity is not None else shape_of(clip)
        return FlameFigure(mesh.flame, motion.space).shaped(identity)
    if in_vertices(motion.space):
        if mesh is None or mesh.template is None:
            raise SpaceError("vertices need their neutral face: give it with --template FILE")
        absolute = bool(option_of(clip, "template"))
        return TemplateFigure(mesh.template, motion.space, absolute=absolute).shaped()
    return None


def posed_chunks(shaped: Shaped, motion: Motion) -> Iterator[Float[np.ndarray, "frames verts 3"]]:
    """Surfaces of a motion, a few frames at a time."""
    for start in range(0, motion.frames, CHUNK):
        with torch.no_grad():
            yield shaped.posed(motion.slice(start, start + CHUNK)).vertices.cpu().numpy()


def option_of(clip: Clip, name: str) -> str:
    """An option of the take as a text; empty when it has none."""
    options: JsonValue = clip.provenance.get("options", clip.provenance.get("condition", {}))
    return str(options.get(name, "")) if isinstance(options, dict) else ""


def shape_of(clip: Clip) -> Float[Tensor, " coefficients"] | None:
    """The FLAME identity that a take was generated for (option `shape`), if its file is there."""
    path = option_of(clip, "shape")
    return read_identity(Path(path)) if path and Path(path).is_file() else None


def read_identity(path: Path) -> Float[Tensor, " coefficients"]:
    """FLAME shape coefficients from an `.npz` with `shape` or an `.npy`: one row, or one a frame.

    Raises:
        AssetError: not there, or no such numbers in it.
    """
    if path.suffix.lower() == ".npy":
        values = read_array(path)
    else:
        shape = read_arrays(path, ("shape",)).get("shape")
        if shape is None:
            raise AssetError(f"{path} needs an array `shape` with FLAME coefficients")
        values = shape
    if values.ndim not in (1, 2) or not 0 < values.shape[-1] <= N_SHAPE or values.dtype.kind != "f":
        raise AssetError(
            f"{path} has a shape of the form {values.shape}; FLAME identities are up to {N_SHAPE}"
            " numbers, one row or one a frame"
        )
    return torch.from_numpy(np.asarray(values, np.float32).reshape(-1, values.shape[-1])[0].copy())


def read_template(path: Path) -> TriangleMesh:
    """The neutral face of a mesh space, with its triangles.

    Raises:
        AssetError: not an `.obj` or `.ply`, or without triangles.
    """
    if path.suffix.lower() not in (".obj", ".ply"):
        raise AssetError(f"a template is an .obj or .ply file with triangles, not {path.name}")
    return read_mesh(path)


def read_colours(path: Path, flame: Flame) -> Float[np.ndarray, "verts 3"]:
    """Linear light of each vertex from FLAME's texture space: its mean, sampled at the vertices.

    Raises:
        AssetError: not there, or without `mean`, `vt` and `ft` of this topology.
    """
    arrays, faces = read_arrays(path, ("mean", "vt", "ft")), flame.faces.numpy()
    picture, positions, corners = (arrays.get(name) for name in ("mean", "vt", "ft"))
    if (
        picture is None
        or positions is None
        or corners is None
        or any(array.dtype.kind not in "iuf" for array in (picture, positions, corners))
        or (picture.ndim, picture.shape[-1:], positions.ndim) != (3, (3,), 2)
        or not picture.size
        or positions.shape[-1] != 2
        or not np.isfinite(positions).all()
    ):
        raise AssetError(
            f"{path} needs `mean` (a picture), `vt` and `ft` (texture coordinates): the"
            " FLAME_texture.npz of the texture space"
        )
    if faces.shape != corners.shape or not 0 <= corners.min() <= corners.max() < len(positions):
        raise AssetError(
            f"{path} has texture coordinates of {len(corners)} triangles, the FLAME file"
            f" {len(faces)}; use the texture space that belongs to it"
        )
    corners = corners.astype(np.int64)
    height, width = picture.shape[:2]
    column = np.clip((positions[:, 0] * width).astype(int), 0, width - 1)
    row = np.clip(((1 - positions[:, 1]) * height).astype(int), 0, height - 1)
    # Stored blue first, as its authors' programs write pictures.
    sampled = linear_from_srgb(np.clip(picture[row, column, ::-1], 0, 255))
    total, count = np.zeros((len(flame.template), 3)), np.zeros((len(flame.template), 1))
    np.add.at(total, faces.reshape(-1), sampled[corners.reshape(-1)])
    np.add.at(count, faces.reshape(-1), 1)
    return (total / np.maximum(count, 1)).astype(np.float32)
