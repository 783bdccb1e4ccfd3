"""`lip_closure.enforce_closures` in torch alone, for graphs that are exported.

The NumPy form skips frames that need nothing; this one computes every frame the same way.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_closure import amount_from_evidence
from motet.face.lip_shapes import RESPONSE, SOLVED, sides
from motet.types import ARKIT_SHAPES

_JAW, _CLOSE = ARKIT_SHAPES.index("jawOpen"), ARKIT_SHAPES.index("mouthClose")
_GAIN = RESPONSE["jawOpen"][0]
_SHARE = [0.0] * len(ARKIT_SHAPES)
for _name in SOLVED:
    for _side in sides(_name):
        _SHARE[ARKIT_SHAPES.index(_side)] = RESPONSE[_name][0] / len(sides(_name))
_PARTING = [max(share, 0.0) * (index != _JAW) for index, share in enumerate(_SHARE)]


def close_by_evidence(
    motion: Float[Tensor, "batch frames dim"], evidence: Float[Tensor, "batch frames"]
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space whose lips close where the evidence asks for it."""
    shapes = len(ARKIT_SHAPES)
    weights, rest = motion[..., :shapes].double(), motion[..., shapes:]
    opens = weights @ torch.tensor(_SHARE, dtype=torch.float64)
    gap = opens.clamp(min=0)  # (batch, frames)
    gap = gap * amount_from_evidence(evidence.double(), gap)
    free = (weights[..., _JAW] - weights[..., _CLOSE]).clamp(min=0)
    step = torch.minimum(gap / _GAIN, free)
    parting = torch.tensor(_PARTING, dtype=torch.float64)
    total = weights @ parting
    share = ((gap - step * _GAIN) / total.clamp(min=1e-9)).clamp(0, 1).unsqueeze(-1)
    closed = torch.where(parting > 0, weights * (1 - share), weights)
    column = torch.arange(shapes) == _CLOSE
    closed = closed + torch.where(column, step.unsqueeze(-1), 0.0)
    return torch.cat([closed.to(motion.dtype), rest], -1)
