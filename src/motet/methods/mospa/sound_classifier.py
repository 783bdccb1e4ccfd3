"""What kind of sound an event is, from the acoustic features that the denoiser sees too."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.reaction_families import FAMILY_NAMES, FAMILY_OF, SOUND_NAMES, ReactionFamily

LONGEST = 120
"""Frames after its onset that an event is judged by (4 s); fewer where another one follows."""
SHORTEST = 9
SURE = 0.5
"""Probability from which on a family is a condition; below it the figure turns to the sound."""
INNER, STATISTICS = 48, 4
LOUDNESS = 66
"""Column of the loudness in the features without tempograms."""


@dataclasses.dataclass(frozen=True)
class SoundKind:
    """The most probable family of a sound, and its most probable kind within the family."""

    name: str
    family: ReactionFamily
    probability: float
    """Of the family."""

    @property
    def is_sure(self) -> bool:
        """Whether the family is probable enough to act on."""
        return self.probability >= SURE


class SoundClassifier(nn.Module):
    """Two layers on statistics of the acoustic features over time; zero at first, which calls all
    kinds equally probable.
    """

    def __init__(self, columns: int) -> None:
        super().__init__()
        self.inner = nn.Linear(STATISTICS * columns, INNER)
        self.outer = nn.Linear(INNER, len(SOUND_NAMES))
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)
        self.register_buffer("mean", torch.zeros(STATISTICS * columns))
        self.register_buffer("std", torch.ones(STATISTICS * columns))

    def forward(self, pooled: Float[Tensor, "batch statistics"]) -> Float[Tensor, "batch kinds"]:
        """Logits of each kind of sound."""
        normalised = ((pooled - self.mean) / self.std).clamp(-5, 5)
        return self.outer(torch.relu(self.inner(normalised)))

    @torch.inference_mode()
    def kind(self, features: Float[Tensor, "frames columns"]) -> SoundKind:
        """Kind of a sound from its onset on."""
        pooled = pool(features).unsqueeze(0).to(self.mean.device)
        probabilities = self(pooled).softmax(-1)[0].cpu()
        by_family = torch.zeros(len(FAMILY_NAMES))
        for name, probability in zip(SOUND_NAMES, probabilities, strict=True):
            by_family[FAMILY_NAMES.index(FAMILY_OF[name])] += float(probability)
        family = FAMILY_NAMES[int(by_family.argmax())]
        names = [n for n in SOUND_NAMES if FAMILY_OF[n] == family]
        best = max(names, key=lambda n: float(probabilities[SOUND_NAMES.index(n)]))
        return SoundKind(best, family, float(by_family.max()))


def pool(features: Float[Tensor, "frames columns"]) -> Float[Tensor, " statistics"]:
    """Mean, deviation, mean change and maximum of each column over at most `LONGEST` frames."""
    rows = features[:LONGEST]
    changes = rows.diff(dim=0).abs().mean(0) if len(rows) > 1 else torch.zeros_like(rows[0])
    return torch.cat([rows.mean(0), rows.std(0, correction=0), changes, rows.amax(0)])
