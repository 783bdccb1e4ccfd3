"""Loudness in bands every 20 ms: a front end without weights, for tiny models and tests; every step
is heard alone.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float
from torch import Tensor

HOP = 320
"""Samples of a step at 16 kHz."""


@dataclasses.dataclass(frozen=True)
class BandState:
    """Samples of a step that is not complete."""

    waiting: Float[Tensor, "batch time"]


class BandEncoder:
    """Log power in `dim` bands, evenly wide up to 8 kHz, 50 steps a second, no look-ahead and no
    memory.
    """

    rate_hz = 50

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def begin(self, batch: int) -> BandState:
        """Nothing heard yet."""
        return BandState(torch.zeros(batch, 0))

    def step(
        self, state: BandState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], BandState]:
        """Features of the steps that are now complete."""
        waiting = torch.cat([state.waiting, samples], 1)
        steps = waiting.shape[1] // HOP
        return self._features(waiting[:, : steps * HOP]), BandState(waiting[:, steps * HOP :])

    def finish(self, state: BandState) -> Float[Tensor, "batch steps dim"]:
        """The last step, filled up with silence, if a part of one waits."""
        rest = state.waiting.shape[1]
        return self._features(torch.nn.functional.pad(state.waiting, (0, -rest % HOP)))

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Bands tell no phones: no step is a closure."""
        return features.new_zeros(len(features), steps)

    def opening(
        self, features: Float[Tensor, "batch steps dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Louder opens wider, as far as a test needs."""
        at = (first + 2 * torch.arange(frames)).clamp(0, features.shape[1] - 1)
        return (features[:, at].mean(-1) / 4).sigmoid() / 4

    def _features(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps dim"]:
        power = (
            torch.fft.rfft(samples.unflatten(1, (-1, HOP))).abs().square()
            if samples.shape[1]
            else samples.new_zeros(len(samples), 0, HOP // 2 + 1)
        )
        bands = torch.stack(
            [band.mean(-1) for band in power[..., 1:].tensor_split(self.dim, -1)], -1
        )
        return (bands + 1e-4).log() / 4
