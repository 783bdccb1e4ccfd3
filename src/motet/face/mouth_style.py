"""What a speaking style does to the regressed mouth: how far it opens, and its smile, frown and
press.

A mouth regressed from the sound is everybody's. The style of a take scales its opening and moves
its corners; a closed mouth stays closed, for opening is scaled from zero.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor

from motet.face.lip_shapes import RESPONSE, SOLVED, sides
from motet.types import ARKIT_SHAPES

OPENING = ("jawOpen", "mouthClose", "mouthLowerDown", "mouthUpperUp")
"""Shapes that the opening scales."""
USUAL_GAP = 0.234
"""Gap that a mouth of no particular style exceeds in a tenth of its frames, mouth widths."""
USUAL = {"mouthSmile": 0.003, "mouthFrown": 0.003, "mouthPress": 0.005}
"""Its mean corners while it speaks. All four: medians over 202 neutral training performances."""
SPEAKING = 0.03
"""Gap from which a frame counts as speech."""
LEAST, MOST = 0.5, 1.6
"""Opening that a clip may ask for: a longer one is a tracker's slip or a scream."""
_COLUMNS = [[ARKIT_SHAPES.index(side) for side in sides(name)] for name in SOLVED]
_GAP = torch.tensor([RESPONSE[name][0] for name in SOLVED])
_OPENING = torch.tensor([name in OPENING for name in SOLVED])


@dataclasses.dataclass(frozen=True)
class MouthStyle:
    """Differences from a neutral mouth."""

    opening: float = 1.0
    """Factor."""
    smile: float = 0.0
    """Added to the weights, and so on."""
    frown: float = 0.0
    press: float = 0.0

    def scaled(self, strength: float) -> MouthStyle:
        """The style at a strength: 0 is neutral, 1 the style itself."""
        return MouthStyle(
            max(0.0, 1 + strength * (self.opening - 1)),
            strength * self.smile,
            strength * self.frown,
            strength * self.press,
        )

    def apply(self, mouth: Float[Tensor, "*any shapes"]) -> Float[Tensor, "*any shapes"]:
        """Weights of `motet.face.lip_shapes.SOLVED` in this style."""
        added = {"mouthSmile": self.smile, "mouthFrown": self.frown, "mouthPress": self.press}
        shift = torch.tensor([added.get(name, 0.0) for name in SOLVED])
        return (torch.where(_OPENING, self.opening * mouth, mouth) + shift).clamp(0, 1)


NEUTRAL = MouthStyle()
NAMED: Mapping[str, MouthStyle] = {
    "neutral": NEUTRAL,
    "warm": MouthStyle(0.96, smile=0.22),
    "serious": MouthStyle(frown=0.06),
    "energetic": MouthStyle(1.24, smile=0.20),
    "calm": MouthStyle(0.81, smile=0.03),
    "skeptical": MouthStyle(frown=0.03, press=0.07),
    "sad": MouthStyle(0.72, smile=-0.03, frown=0.32),
    "angry": MouthStyle(1.42, frown=0.29, press=0.21),
    "surprised": MouthStyle(1.14, smile=0.04),
    "whispering": MouthStyle(1.12),
    "news": MouthStyle(1.05, smile=0.02),
    "storyteller": MouthStyle(1.08, smile=0.12),
    "timid": MouthStyle(0.69),
}
"""Medians over the training performances of each style, less those of neutral ones."""


def style_of(motion: Float[Tensor, "frames dim"]) -> MouthStyle:
    """The style of a clip of the house space; neutral for one in which nobody speaks."""
    mouth = torch.stack([motion[:, columns].mean(1) for columns in _COLUMNS], 1).cpu()
    gap = mouth @ _GAP
    speaks = gap > SPEAKING
    if not bool(speaks.any()):
        return NEUTRAL
    mean = dict(zip(SOLVED, mouth[speaks].mean(0).tolist(), strict=True))
    opening = float(gap.quantile(0.9)) / USUAL_GAP
    smile, frown, press = (mean[name] - usual for name, usual in USUAL.items())
    return MouthStyle(min(max(opening, LEAST), MOST), smile, frown, press)
