"""Where the house figure's lips are for any weights: linear maps, for losses and fits."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor


@cache
def house_lips() -> Callable[
    [Float[Tensor, "batch frames dim"]], Float[Tensor, "batch frames verts 3"]
]:
    """Motion in the house space to displacements of the figure's lip vertices, metres, the head at
    rest.
    """
    from motet.rigs.house import load_house

    rig = load_house()
    deltas = rig.shape_deltas()[:, torch.as_tensor(rig.lips).long()]

    def displacements(
        motion: Float[Tensor, "batch frames dim"],
    ) -> Float[Tensor, "batch frames verts 3"]:
        return torch.einsum("bts,svc->btvc", motion[..., : len(deltas)], deltas.to(motion))

    return displacements


@cache
def house_opening() -> Float[Tensor, " shapes"]:
    """How far each shape at weight 1 parts the lips at the middle of the mouth, metres."""
    from motet.rigs.house import load_house

    rig = load_house()
    upper, lower = rig.inner_lip.tolist()
    deltas = rig.shape_deltas()
    return (deltas[:, upper, 1] - deltas[:, lower, 1]).float()


@cache
def lip_outline() -> Float[np.ndarray, "shapes 4"]:
    """What each shape at weight 1 does to the outline of the figure's lips, in mouth widths.

    Opening between the inner lips, distance of the corners, lift of the upper lip, protrusion of
    the upper lip (the lower one moves back with the jaw).
    """
    from motet.rigs.house import load_house

    rig = load_house()
    upper, lower = rig.inner_lip.tolist()
    left, right = rig.mouth_corner.tolist()
    across = (rig.vertices[left] - rig.vertices[right]).double().numpy()
    width = np.linalg.norm(across)
    deltas = rig.shape_deltas().double().numpy()  # (shapes, vertices, 3)
    measures = (
        deltas[:, upper, 1] - deltas[:, lower, 1],
        (deltas[:, left] - deltas[:, right]) @ (across / width),
        deltas[:, upper, 1],
        deltas[:, upper, 2],
    )
    return np.stack(measures, axis=1) / width
