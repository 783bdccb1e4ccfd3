"""What kind of sound an event is, from the acoustic features that the denoiser sees too."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.reaction_families import FAMILY_NAMES, SOUND_FAMILIES, SOUND_NAMES, ReactionFamily

LONGEST = 120
"""Frames after its onset that an event is judged by (4 s); fewer where another one follows."""
SHORTEST = 9
SURE = 0.5
"""Probability from which on a family is a condition; below it the figure turns to the sound."""
INNER, STATISTICS = 48, 4
CHROMA, ONSET, LOUDNESS = slice(52, 64), 64, 66
"""Columns of the features without tempograms (`motet.encoders.binaural.ear_features`)."""
TEMPORAL = 6
"""Length of `_temporal_statistics`."""
SILENT, QUIET, TAIL = 0.03, 0.2, 15
"""Shares of the loudest moment: nothing sounds, hardly anything does; frames of silence that belong
to a sound that has ended (0.5 s)."""
PULSE_FRAMES = slice(8, 37)
"""Gaps between beats, frames of 1/30 s: 225 to 50 beats a minute."""
IMPROBABLE = -30.0
"""Logit of a kind that older weights do not know."""
HELD_FRAMES = (6, 15)
"""Tones of music last so long (0.2 and 0.5 s); those of a voice glide."""


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
        inputs = STATISTICS * columns + TEMPORAL
        self.inner = nn.Linear(inputs, INNER)
        self.outer = nn.Linear(INNER, len(SOUND_NAMES))
        nn.init.zeros_(self.outer.weight)
        nn.init.zeros_(self.outer.bias)
        self.register_buffer("mean", torch.zeros(inputs))
        self.register_buffer("std", torch.ones(inputs))

    def forward(self, pooled: Float[Tensor, "batch statistics"]) -> Float[Tensor, "batch kinds"]:
        """Logits of each kind of sound."""
        normalised = ((pooled - self.mean) / self.std).clamp(-5, 5)
        return self.outer(torch.relu(self.inner(normalised)))

    @property
    def is_temporal(self) -> bool:
        """Whether it was fitted with temporal statistics, and so without silence after a sound;
        older weights were not (`widened`).
        """
        return bool(self.inner.weight[:, -TEMPORAL:].any())

    @torch.inference_mode()
    def kind(self, features: Float[Tensor, "frames columns"]) -> SoundKind:
        """Kind of a sound from its onset on."""
        pooled = pool(features, trimmed=self.is_temporal).unsqueeze(0).to(self.mean.device)
        probabilities = self(pooled).softmax(-1)[0].cpu()
        by_family = torch.zeros(len(FAMILY_NAMES))
        for name, probability in zip(SOUND_NAMES, probabilities, strict=True):
            by_family[FAMILY_NAMES.index(SOUND_FAMILIES[name])] += float(probability)
        family = FAMILY_NAMES[int(by_family.argmax())]
        names = [n for n in SOUND_NAMES if SOUND_FAMILIES[n] == family]
        best = max(names, key=lambda n: float(probabilities[SOUND_NAMES.index(n)]))
        return SoundKind(best, family, float(by_family.max()))


def pool(
    features: Float[Tensor, "frames columns"], trimmed: bool = True
) -> Float[Tensor, " statistics"]:
    """Mean, deviation, mean change and maximum of each column over at most `LONGEST` frames, then
    the temporal statistics.

    Args:
        trimmed: leave out silence after the end of the sound.
    """
    rows = features[:LONGEST]
    loud = torch.nonzero(rows[:, LOUDNESS] > SILENT * rows[:, LOUDNESS].max())
    end = int(loud[-1]) + 1 + TAIL if len(loud) and trimmed else len(rows)
    rows = rows[: max(SHORTEST, end)]
    changes = rows.diff(dim=0).abs().mean(0) if len(rows) > 1 else torch.zeros_like(rows[0])
    by_column = [rows.mean(0), rows.std(0, correction=0), changes, rows.amax(0)]
    return torch.cat([*by_column, _temporal_statistics(rows)])


def _temporal_statistics(rows: Float[Tensor, "frames columns"]) -> Float[Tensor, " temporal"]:
    """Strength of a beat, tones held over two gaps, clearness of the tones, share of pauses, and
    share of sudden rises: these separate tunes, voices and noises of any timbre.
    """
    onsets = rows[:, ONSET] - rows[:, ONSET].mean()
    # Autocorrelation of the onsets by gap, as a share of that of none.
    power = onsets.square().sum().clamp(min=1e-9)
    gaps = range(*PULSE_FRAMES.indices(len(rows)))
    repeats = [(onsets[gap:] * onsets[:-gap]).sum() / power for gap in gaps]
    pulse = torch.stack(repeats).amax() if repeats else torch.zeros(())
    chroma = nn.functional.normalize(rows[:, CHROMA], dim=1)  # (frames, 12)
    held = [
        (chroma[gap:] * chroma[:-gap]).sum(1).mean() if len(rows) > gap else torch.ones(())
        for gap in HELD_FRAMES
    ]
    loudness = rows[:, LOUDNESS] / rows[:, LOUDNESS].max().clamp(min=1e-9)
    pauses = (loudness < QUIET).float().mean()
    jumps = (loudness.diff() > QUIET).float().mean() if len(rows) > 1 else torch.zeros(())
    return torch.stack([pulse, *held, chroma.amax(1).mean(), pauses, jumps])


def widened(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of mospa with a classifier of this shape. One that was fitted before it had temporal
    statistics and the last kinds keeps its predictions: it ignores both.
    """
    own = dict(tensors)
    prefix = "sound_classifier."
    weight = own.get(f"{prefix}inner.weight")
    if weight is None or weight.shape[1] % STATISTICS:
        return own
    own[f"{prefix}inner.weight"] = nn.functional.pad(weight, (0, TEMPORAL))
    for name, value in (("mean", 0.0), ("std", 1.0)):
        own[prefix + name] = nn.functional.pad(own[prefix + name], (0, TEMPORAL), value=value)
    outer, bias = own[f"{prefix}outer.weight"], own[f"{prefix}outer.bias"]
    kinds = len(SOUND_NAMES) - len(bias)
    own[f"{prefix}outer.weight"] = nn.functional.pad(outer, (0, 0, 0, kinds))
    own[f"{prefix}outer.bias"] = nn.functional.pad(bias, (0, kinds), value=IMPROBABLE)
    return own
