"""Fit the map from FLAME coefficients to ARKit weights on a user's FLAME.

The house figure has the 52 ARKit shapes. FLAME's head is aligned with its head: eyes on eyes, then
closest points with similar normals, by a similarity and FLAME's own identity coefficients. Each
vertex of the face then takes over the displacements of the house figure's nearest points.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.spatial import cKDTree
from torch import Tensor

from motet.errors import AssetError
from motet.rigs.flame import Flame
from motet.rigs.flame_arkit import FlameArkit, features
from motet.rigs.flame_figure import JOINTS
from motet.rigs.house import HouseRig, load_house
from motet.types import ARKIT_SHAPES

ROUNDS = 12
N_IDENTITY = 100
"""FLAME identity coefficients that are fitted."""
PRIOR_M = 2e-3
"""An identity coefficient of 1 counts like this distance at every vertex."""
NORMAL_M = 0.015
"""Opposite normals count like twice this distance between points: an upper lip never matches a
lower one."""
NEAR_M, FAR_M = 0.004, 0.015
"""Matches count fully below the first distance and not at all beyond the second."""
NEIGHBOURS = 4
MOVES_M = 1e-4
"""The face is where some shape moves the surface further than this."""
RIDGE_MM2 = 1e-3
"""Added to D'D: a full weight counts like 0.03 mm at every vertex of the face."""
LEFT_OUT = tuple(name for name in ARKIT_SHAPES if name.startswith(("eyeLook", "tongue")))
"""Shapes that FLAME's face has not: its eyeballs turn by joints, and it has no tongue."""


@dataclasses.dataclass(frozen=True)
class Overlay:
    """FLAME's neutral head over the house figure's."""

    verts: Int[np.ndarray, " face_verts"]
    """Vertices of the face: those with a match."""
    weight: Float[np.ndarray, " face_verts"]
    """How much each counts, 0..1."""
    deltas: Float[np.ndarray, "shapes face_verts 3"]
    """ARKit shapes on these vertices, in FLAME's axes and unit."""
    identity: Float[Tensor, " coefficients"]
    """FLAME's identity that resembles the house figure."""
    distance_mm: float
    """Mean distance of the matches."""


def fit_flame_arkit(flame: Flame) -> tuple[FlameArkit, Overlay]:
    """The map of a FLAME model, and the overlay that it was taken from.

    Raises:
        AssetError: the model is no upright head with two eyes, or cannot be aligned with the house
            figure's.
    """
    overlay = overlay_of(flame, load_house())
    moved = torch.from_numpy(overlay.deltas).float() * 1000  # millimetres
    moved[[ARKIT_SHAPES.index(name) for name in LEFT_OUT]] = 0
    weight = torch.from_numpy(overlay.weight).float()
    share = (weight / weight.sum()).sqrt()[:, None]  # (face_verts, 1): means over the face
    shapes = (moved * share).flatten(1)  # D', (shapes, face_verts * 3)
    table = displacement_table(flame, overlay) * 1000 * share[..., None]
    linear = table.flatten(0, 1)  # A, (face_verts * 3, features)
    gram = shapes @ shapes.T + RIDGE_MM2 * torch.eye(len(ARKIT_SHAPES))
    fitted, sample = FlameArkit(gram, shapes @ linear, 0.0, 0.0), typical_features()
    target = sample @ linear.T
    error = fitted.weights(sample) @ shapes - target
    residual_mm, motion_mm = (
        float(rows.square().sum(-1).mean().sqrt()) for rows in (error, target)
    )
    return dataclasses.replace(fitted, residual_mm=residual_mm, motion_mm=motion_mm), overlay


def typical_features(frames: int = 200) -> Float[Tensor, "frames features"]:
    """Motion of the size of speech: falling expression coefficients and an opening jaw."""
    noise = torch.Generator().manual_seed(0)
    scale = 1 / (1 + torch.arange(100) / 10)
    expression = 0.7 * scale * torch.randn(frames, 100, generator=noise)
    jaw = torch.zeros(frames, 3)
    jaw[:, 0] = 0.25 * torch.rand(frames, generator=noise)
    return features(expression, jaw)


def displacement_table(flame: Flame, overlay: Overlay) -> Float[Tensor, "face_verts 3 features"]:
    """Displacement of the face's vertices by each feature, metres."""
    probes = torch.eye(100)
    rest = _posed(flame, overlay, torch.zeros(1, 100), torch.zeros(1, 3))
    moved = _posed(flame, overlay, probes, torch.zeros(100, 3)) - rest  # (100, face_verts, 3)
    turns = torch.tensor([[-0.1, 0, 0], [0.1, 0, 0], [0.25, 0, 0], [0.4, 0, 0],
                          [0, -0.1, 0], [0, 0.1, 0], [0, 0, -0.1], [0, 0, 0.1]])  # fmt: skip
    opened = _posed(flame, overlay, torch.zeros(len(turns), 100), turns) - rest
    known = features(torch.zeros(len(turns), 100), turns)[:, 100:]  # (turns, 4)
    jaw = torch.linalg.lstsq(known, opened.flatten(1)).solution.unflatten(1, rest.shape[1:])
    return torch.cat([moved, jaw]).permute(1, 2, 0)


def _posed(
    flame: Flame, overlay: Overlay, expression: Tensor, jaw: Tensor
) -> Float[Tensor, "frames face_verts 3"]:
    pose = torch.zeros(len(expression), len(JOINTS), 3)
    pose[:, JOINTS.index("jaw")] = jaw
    shape = overlay.identity.expand(len(expression), -1)
    return flame.vertices(expression, pose, shape)[:, overlay.verts]


def overlay_of(flame: Flame, house: HouseRig) -> Overlay:
    """FLAME's neutral head over the house figure's.

    Raises:
        AssetError: see `fit_flame_arkit`.
    """
    shaped = house.shaped()
    part = house.part("skin")
    target = shaped.vertices[part.vertices].double().numpy()
    triangles = part.faces.numpy() - part.vertices.start
    normals = _normals(target, triangles)
    eyes = shaped.joints[[house.joint_names.index(f"eye.{side}") for side in "LR"]].double().numpy()
    tree = cKDTree(np.concatenate([target, NORMAL_M * normals], 1))
    usable = ~_eyeballs(flame)
    directions = flame.directions[..., :N_IDENTITY].double().numpy()
    template, faces = flame.template.double().numpy(), flame.faces.numpy()
    identity = np.zeros(N_IDENTITY)
    scale, turn, shift = _eyes_on_eyes(flame, eyes)
    for _ in range(ROUNDS):
        surface = template + directions @ identity
        placed = scale * surface @ turn.T + shift
        distance, match = tree.query(
            np.concatenate([placed, NORMAL_M * _normals(placed, faces)], 1)
        )
        weight = _confidence(distance) * usable
        if (weight > 0).sum() < 100:
            raise AssetError(
                "the FLAME file cannot be aligned with the house figure: fewer than 100 vertices of"
                " its face come near; is it a whole head, upright, in metres?"
            )
        scale, turn, shift = _similarity(surface, target[match], weight)
        # Identity last: what the similarity leaves, in FLAME's axes.
        rest = ((target[match] - shift) @ turn) / scale - template
        identity = _identity(directions, rest, normals[match] @ turn, weight)
    return _overlay((tree, house, part.vertices), flame, (scale, turn, shift), identity, usable)


def _overlay(
    matched: tuple[cKDTree, HouseRig, slice],
    flame: Flame,
    similarity: tuple[float, np.ndarray, np.ndarray],
    identity: Float[np.ndarray, " coefficients"],
    usable: Bool[np.ndarray, " verts"],
) -> Overlay:
    """ARKit shapes of the nearest points of the house figure on FLAME's vertices."""
    (tree, house, part), (scale, turn, shift) = matched, similarity
    directions = flame.directions[..., :N_IDENTITY].double().numpy()
    surface = flame.template.double().numpy() + directions @ identity
    placed = scale * surface @ turn.T + shift
    normals = _normals(placed, flame.faces.numpy())
    distance, match = tree.query(np.concatenate([placed, NORMAL_M * normals], 1), NEIGHBOURS)
    weight = _confidence(distance[:, 0]) * usable
    deltas = house.shape_deltas(eyeballs=False)[:, part].double().numpy()
    moves = np.linalg.norm(deltas, axis=2).max(0) > MOVES_M
    verts = np.flatnonzero((weight > 0) & moves[match[:, 0]])
    share = 1 / (distance[verts] + 1e-5)
    share /= share.sum(1, keepdims=True)
    # s: shape, v: vertex, n: neighbour, c: coordinate
    taken = np.einsum("svnc,vn->svc", deltas[:, match[verts]], share)
    return Overlay(
        verts,
        weight[verts],
        taken @ turn / scale,
        torch.from_numpy(identity).float(),
        float(1000 * np.average(distance[verts, 0], weights=weight[verts])),
    )


def _eyeballs(flame: Flame) -> Bool[np.ndarray, " verts"]:
    """Vertices that turn with an eye."""
    return flame.weights[:, 3:].sum(1).numpy() > 0.5


def _eyes_on_eyes(
    flame: Flame, eyes: Float[np.ndarray, "2 3"]
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation and translation that lay FLAME's eyes (left, right) on the figure's."""
    own = (flame.regressor @ flame.template).double().numpy()[3:]
    arm = own[0] - own[1]
    length = np.linalg.norm(arm)
    if length < 1e-4 or arm[0] < 0.9 * length:
        raise AssetError(
            "the FLAME file is no upright head: its left eye does not lie on +X of its right one"
        )
    scale = float(np.linalg.norm(eyes[0] - eyes[1]) / length)
    return scale, np.eye(3), eyes.mean(0) - scale * own.mean(0)


def _confidence(distance: Float[np.ndarray, " verts"]) -> Float[np.ndarray, " verts"]:
    """1 for near matches, falling to 0 for far ones."""
    return np.clip((FAR_M - distance) / (FAR_M - NEAR_M), 0, 1)


def _similarity(
    source: Float[np.ndarray, "verts 3"],
    target: Float[np.ndarray, "verts 3"],
    weight: Float[np.ndarray, " verts"],
) -> tuple[float, np.ndarray, np.ndarray]:
    """Scale, rotation, translation of least squares from source to target.

    Source: Umeyama 1991.
    """
    share = weight[:, None] / weight.sum()
    middle, goal = (share * source).sum(0), (share * target).sum(0)
    left, size, right = np.linalg.svd((share * (target - goal)).T @ (source - middle))
    mirror = np.diag([1.0, 1.0, np.sign(np.linalg.det(left @ right))])
    turn = left @ mirror @ right
    spread = (share * (source - middle) ** 2).sum()
    scale = float((size * np.diag(mirror)).sum() / spread)
    return scale, turn, goal - scale * turn @ middle


def _identity(
    directions: Float[np.ndarray, "verts 3 coefficients"],
    rest: Float[np.ndarray, "verts 3"],
    normals: Float[np.ndarray, "verts 3"],
    weight: Float[np.ndarray, " verts"],
) -> Float[np.ndarray, " coefficients"]:
    """Identity coefficients whose surface goes through the matches; along it points may slide."""
    along = np.einsum("vck,vc->vk", directions, normals)
    gap = np.einsum("vc,vc->v", rest, normals)
    # a tenth of the weight on the points themselves keeps what slides in place
    flat = directions.reshape(-1, directions.shape[2])  # (verts * 3, coefficients)
    share = np.repeat(0.1 * weight, 3)[:, None]
    normal = (along * weight[:, None]).T @ along + (flat * share).T @ flat
    goal = (along * weight[:, None]).T @ gap + (flat * share).T @ rest.reshape(-1)
    prior = weight.sum() * PRIOR_M**2 * np.eye(flat.shape[1])
    return np.linalg.solve(normal + prior, goal)


def _normals(vertices: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Unit vertex normals, triangles weighted by area."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    flat = np.cross(b - a, c - a)
    total = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(total, faces[:, corner], flat)
    return total / np.maximum(np.linalg.norm(total, axis=1, keepdims=True), 1e-12)
