"""Where the house figure's lips are for any weights: a linear map, for losses in millimetres."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

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
def house_opening() -> Float[Tensor, "shapes"]:
    """How far each shape at weight 1 parts the lips at the middle of the mouth, metres."""
    from motet.rigs.house import load_house

    rig = load_house()
    upper, lower = rig.inner_lip.tolist()
    deltas = rig.shape_deltas()
    return (deltas[:, upper, 1] - deltas[:, lower, 1]).float()
