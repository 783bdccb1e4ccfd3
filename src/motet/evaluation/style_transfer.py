"""Style transfer: are takes nearest to the style clip that conditions them?

The same sounds are spoken in the style of every clip. Nearness is the cosine of the model's own
style vectors, less the mean vector of the clips, so that what all have in common does not count.
Motion statistics (`motet.metrics.motion_statistics`) are correlated over the clips: a clip with a
lively head should give takes with a lively head.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import InputError
from motet.metrics.lip_geometry import LipGeometry
from motet.metrics.motion_statistics import STATISTICS, motion_statistics
from motet.types import Motion


@dataclasses.dataclass(frozen=True)
class StyleTransfer:
    """What was found."""

    clips: int
    own_cosine: float
    """Mean cosine of a take to its own style clip."""
    other_cosine: float
    """Mean cosine to the other clips."""
    first_place: float
    """Share of clips that are nearest to their own takes; 1 / clips is chance."""
    median_rank: float
    """Median place of the own clip among all, 1 is best; (clips + 1) / 2 is chance."""
    correlations: Mapping[str, float]
    """Over the clips, for each statistic: correlation of the clip's with its takes'."""

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        return dataclasses.asdict(self) | {"correlations": dict(self.correlations)}


def style_transfer(
    clips: Sequence[Motion],
    speak: Callable[[Motion], Sequence[Motion]],
    embed: Callable[[Motion], Float[Tensor, " width"]],
    lip_geometry: LipGeometry,
) -> StyleTransfer:
    """Score a model on style clips of people it does not know.

    Args:
        speak: takes in the style of a clip, always of the same sounds.
        embed: the style vector of some motion.

    Raises:
        InputError: fewer than three clips.
    """
    if len(clips) < 3:
        raise InputError(f"style transfer is judged among three clips and more, not {len(clips)}")
    takes = [list(speak(clip)) for clip in clips]
    # (clips, width)
    vectors = torch.stack([embed(clip) for clip in clips]).double()
    generated = torch.stack(
        [torch.stack([embed(take) for take in made]).mean(0) for made in takes]
    ).double()
    likeness = torch.nn.functional.cosine_similarity(
        # Centred: all embeddings share a large common part that says nothing about style.
        (generated - generated.mean(0)).unsqueeze(1),
        (vectors - vectors.mean(0)).unsqueeze(0),
        dim=-1,
    )
    own, count = likeness.diagonal(), len(clips)
    ranks = (likeness >= own.unsqueeze(1)).sum(
        1
    )  # of equals the own clip comes last: a deaf model wins nothing
    clip_statistics = torch.stack([motion_statistics(clip, lip_geometry) for clip in clips])
    take_statistics = torch.stack(  # (clips, statistics) of the takes
        [
            torch.stack([motion_statistics(take, lip_geometry) for take in made]).mean(0)
            for made in takes
        ]
    )
    return StyleTransfer(
        clips=count,
        own_cosine=float(own.mean()),
        # all entries but the diagonal
        other_cosine=float((likeness.sum() - own.sum()) / (count * (count - 1))),
        first_place=float((ranks == 1).double().mean()),
        median_rank=float(ranks.double().quantile(0.5)),
        correlations={
            name: _correlation(clip_statistics[:, i], take_statistics[:, i])
            for i, name in enumerate(STATISTICS)
        },
    )


def _correlation(one: Tensor, other: Tensor) -> float:
    one, other = one - one.mean(), other - other.mean()
    return float((one * other).sum() / (one.norm() * other.norm()).clamp(min=1e-12))
