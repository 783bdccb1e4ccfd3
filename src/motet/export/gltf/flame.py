"""The user's FLAME head as an animated glTF: expression and corrective shapes, and five joints.

Exact, not baked: morph targets are FLAME's own expression directions (`expression00`, ...) and pose
correctives (`corrective00`, ...), whose weights are the entries of R - I. FLAME's joints depend on
the expression, so they translate a little from frame to frame.
"""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.export.curves import quaternions_from_axis_angle
from motet.export.gltf.parts import FigureParts, Material, Performance, Surface, vertex_normals
from motet.geometry.rotation import matrix_from_axis_angle
from motet.rigs.flame import N_SHAPE, PARENTS
from motet.rigs.flame_figure import JOINTS, ShapedFlame, flame_parameters
from motet.types import Motion

N_INFLUENCES = 4
"""Joints of a vertex in glTF: the strongest ones."""
STILL_M = 1e-7
"""Displacements below this are left out of a morph target."""


def flame_parts(
    shaped: ShapedFlame, motion: Motion, colours: Float[np.ndarray, "verts 3"] | None
) -> FigureParts:
    """The neutral head of one person with its shapes."""
    flame, rest = shaped.flame, shaped.rest
    faces = flame.faces.numpy()
    index, weight = _influences(flame.weights.numpy())
    directions = flame.directions[..., N_SHAPE : N_SHAPE + motion.space.track("expression").size]
    shapes = {
        f"{name}{number:02d}": _sparse(table[..., number])
        for name, table in (("expression", directions), ("corrective", flame.correctives))
        for number in range(table.shape[-1])
    }
    # linear light of a plain clay, so that viewers show form
    plain = np.full((len(rest), 3), 0.4) if colours is None else colours
    surface = Surface(
        "head",
        rest.numpy(),
        vertex_normals(rest.numpy(), faces),
        index,
        weight,
        {Material("skin", two_sided=True): faces},
        plain,
        shapes=shapes,
    )
    joints = (flame.regressor @ rest).numpy()
    still = np.tile([0.0, 0.0, 0.0, 1.0], (len(JOINTS), 1))
    return FigureParts(
        shaped.rig.name, shaped.rig.licence, (surface,), JOINTS, tuple(PARENTS), joints, still
    )


def flame_performance(shaped: ShapedFlame, motion: Motion) -> Performance:
    """Weights, rotations and translations of a motion."""
    parameters, flame = flame_parameters(motion), shaped.flame
    expression = parameters.expression.numpy()
    rotation = matrix_from_axis_angle(parameters.pose)  # (frames, joints, 3, 3)
    correctives = (rotation[:, 1:] - torch.eye(3)).flatten(1).numpy()
    weights = {f"expression{n:02d}": expression[:, n] for n in range(expression.shape[1])}
    weights |= {f"corrective{n:02d}": correctives[:, n] for n in range(correctives.shape[1])}
    turns = {
        name: quaternions_from_axis_angle(parameters.pose[:, joint].double().numpy())
        for joint, name in enumerate(JOINTS)
    }
    positions = _joints(shaped, parameters.expression)
    offsets = _local_translations(positions, rotation, (flame.regressor @ shaped.rest)[None])
    translations = {name: offsets[:, joint].numpy() for joint, name in enumerate(JOINTS)}
    return Performance(motion.space.fps, weights, turns, translations)


def _joints(
    shaped: ShapedFlame, expression: Float[Tensor, "frames numbers"]
) -> Float[Tensor, "frames joints 3"]:
    """Joint positions of every frame before it is posed."""
    flame = shaped.flame
    directions = flame.directions[..., N_SHAPE : N_SHAPE + expression.shape[-1]]
    # j: joint, v: vertex, c: coordinate, e: expression coefficient
    moved = torch.einsum("jv,vce->jce", flame.regressor, directions)
    return flame.regressor @ shaped.rest + torch.einsum("jce,fe->fjc", moved, expression)


def _local_translations(
    positions: Float[Tensor, "frames joints 3"],
    rotation: Float[Tensor, "frames joints 3 3"],
    bind: Float[Tensor, "1 joints 3"],
) -> Float[Tensor, "frames joints 3"]:
    """Translation of each joint against its parent.

    FLAME moves a vertex by R (v - J) + J' with the joint J of the frame; glTF by R (v - B) + T with
    the joint B of the bind pose. Both agree for T = J' + R (B - J).
    """
    world_turn: list[Tensor] = []
    own: list[Tensor] = []  # J' of each joint
    placed: list[Tensor] = []  # T of each joint
    local = []
    for joint, parent in enumerate(PARENTS):
        if parent < 0:
            turn, at = rotation[:, joint], positions[:, joint]
        else:
            turn = world_turn[parent] @ rotation[:, joint]
            arm = (positions[:, joint] - positions[:, parent]).unsqueeze(-1)
            at = own[parent] + (world_turn[parent] @ arm).squeeze(-1)
        shift = (bind[:, joint] - positions[:, joint]).unsqueeze(-1)
        translation = at + (turn @ shift).squeeze(-1)
        if parent < 0:
            local.append(translation)
        else:
            back = world_turn[parent].mT @ (translation - placed[parent]).unsqueeze(-1)
            local.append(back.squeeze(-1))
        world_turn.append(turn)
        own.append(at)
        placed.append(translation)
    return torch.stack(local, 1)


def _influences(weights: Float[np.ndarray, "verts joints"]) -> tuple[np.ndarray, np.ndarray]:
    """The strongest joints of each vertex, and their weights in parts of 255."""
    index = np.argsort(-weights, axis=1, kind="stable")[:, :N_INFLUENCES]
    chosen = np.take_along_axis(weights, index, 1)
    parts = np.floor(255 * chosen / chosen.sum(1, keepdims=True)).astype(np.int64)
    parts[:, 0] += 255 - parts.sum(1)  # rows sum to 255
    return index, parts.astype(np.uint8)


def _sparse(moved: Float[Tensor, "verts 3"]) -> tuple[np.ndarray, np.ndarray]:
    values = moved.numpy()
    rows = np.flatnonzero(np.abs(values).max(1) > STILL_M)
    return rows, values[rows]
