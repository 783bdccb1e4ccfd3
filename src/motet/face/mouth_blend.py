"""The model's mouth blended with one regressed from the sound, shape by shape.

A linear regressor knows less than a model trained on the same speech and so carries over better to
unseen people; the model knows contacts, timing, stillness and style. Sides keep their difference,
and a mouth that both leave closed keeps the model's own shapes: a regressor is never quite still.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_shapes import RESPONSE, SOLVED, sides
from motet.face.mouth_style import NEUTRAL, MouthStyle
from motet.face.operator import FaceCues, FrameOperator
from motet.types import ARKIT_SHAPES

OPENING_GAIN, WIDTH_GAIN = 1.2, 1.6
"""A regression falls short of the spread of its targets. Shapes that open the mouth are scaled
from the closed mouth: from their mean, half-closed lips would all come out closed, which took 0.02
of the correlation with film. Shapes that change its width are scaled from their mean; they press
or part the lips a little too, which the jaw takes back (mean correlation 0.741 to 0.746)."""
WIDTH_SHAPES = (
    "mouthFunnel", "mouthPucker", "mouthStretch", "mouthDimple", "mouthSmile", "mouthPress",
)  # fmt: skip
CLOSED, OPEN = 0.04, 0.06
"""Larger of both gaps, mouth widths, below which the model's mouth stays as it is, and from which
the blend is full."""
REGRESSED_REST = 0.02
"""So much less counts of the regressed gap: in silence it is not 0, up to 0.055 in a stream."""
_COLUMNS = [[ARKIT_SHAPES.index(side) for side in sides(name)] for name in SOLVED]
_GAP = torch.tensor([RESPONSE[name][0] for name in SOLVED])
_FROM_MEAN = torch.tensor([name in WIDTH_SHAPES for name in SOLVED])
_OPENED = torch.where(_FROM_MEAN, 1.0, OPENING_GAIN)
_GAIN = torch.where(_FROM_MEAN, WIDTH_GAIN, OPENING_GAIN)
_SOLVED_JAW = SOLVED.index("jawOpen")
_JAW, _CLOSE = ARKIT_SHAPES.index("jawOpen"), ARKIT_SHAPES.index("mouthClose")


def widened(
    shapes: Float[Tensor, "*any shapes"], mean: Float[Tensor, " shapes"]
) -> Float[Tensor, "*any shapes"]:
    """Regressed weights of `motet.face.lip_shapes.SOLVED` with the spread of people's, 0..1."""
    origin = mean * _FROM_MEAN
    gap = (origin + _OPENED * (shapes - origin)).clamp(0, 1) @ _GAP  # (*any), mouth widths
    result = (origin + _GAIN * (shapes - origin)).clamp(0, 1)
    jaw = result[..., _SOLVED_JAW] + (gap - result @ _GAP) / _GAP[_SOLVED_JAW]
    result[..., _SOLVED_JAW] = jaw.clamp(0, 1)
    return result


class BlendMouth(FrameOperator):
    """`blend_mouth` with the mouth of the cues in a style; without one nothing is changed."""

    def __init__(self, weight: float, style: MouthStyle = NEUTRAL) -> None:
        self.weight, self.style = weight, style

    def apply(
        self, motion: Float[Tensor, "batch frames dim"], cues: FaceCues
    ) -> Float[Tensor, "batch frames dim"]:
        """The processed frames."""
        if cues.mouth is None:
            return motion
        mouth = cues.mouth if self.style == NEUTRAL else self.style.apply(cues.mouth)
        return blend_mouth(motion, mouth, self.weight)


def blend_mouth(
    motion: Float[Tensor, "batch frames dim"],
    mouth: Float[Tensor, "batch frames shapes"],
    weight: float,
) -> Float[Tensor, "batch frames dim"]:
    """Motion of the house space (shapes first) whose mouth lies between its own and another.

    Args:
        mouth: weights of `motet.face.lip_shapes.SOLVED`.
        weight: 0 leaves the motion as it is, 1 gives the other mouth where it is open.
    """
    own = torch.stack([motion[..., columns].mean(-1) for columns in _COLUMNS], -1)
    gap = torch.maximum(own @ _GAP, mouth @ _GAP - REGRESSED_REST)
    # (batch, frames, 1): full once the mouth is open.
    share = weight * ((gap - CLOSED) / (OPEN - CLOSED)).clamp(0, 1).unsqueeze(-1)
    change = share * (mouth - own)
    result = motion.clone()
    for shape, columns in enumerate(_COLUMNS):
        result[..., columns] = (motion[..., columns] + change[..., shape : shape + 1]).clamp(0, 1)
    result[..., _CLOSE] = torch.minimum(result[..., _CLOSE], result[..., _JAW])
    return result
