"""Log energy in bands every 20 ms: an audio encoder without weights, for tiny models and tests."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import ConfigError

HOP = 320
"""Samples of a feature at 16 kHz."""


@dataclasses.dataclass(frozen=True)
class BandState:
    """Samples of a feature that is not complete."""

    samples: Float[Tensor, "batch time"]


class BandEncoder:
    """Log power in `dim` bands, evenly wide up to 8 kHz, 50 features a second, no look-ahead and no
    memory.
    """

    sample_rate, channels, frame_rate, look_ahead_s = 16_000, 1, 50.0, 0.0
    expects_level = True

    def __init__(self, dim: int) -> None:
        self.dim = dim

    def begin(self, batch: int) -> BandState:
        """State before the first sample."""
        return BandState(torch.zeros(batch, 0))

    def step(
        self, state: BandState, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], BandState]:
        """The features that these samples complete."""
        samples = torch.cat([state.samples, samples], 1)
        # Only whole features; the rest waits for more samples, so that chunking does not matter.
        whole = samples.shape[1] // HOP * HOP
        return self._features(samples[:, :whole]), BandState(samples[:, whole:])

    def finish(self, state: BandState) -> Float[Tensor, "batch steps dim"]:
        """The last feature, its samples filled up with silence, if a part of one is there."""
        rest = state.samples.shape[1]
        return self._features(torch.nn.functional.pad(state.samples, (0, -rest % HOP)))

    def closures(
        self, features: Float[Tensor, "batch known dim"], first: int, steps: int
    ) -> Float[Tensor, "batch steps"]:
        """Bands tell no phones: no feature is a closure."""
        return features.new_zeros(len(features), steps)

    def aperture(
        self, features: Float[Tensor, "batch known dim"], first: int, frames: int
    ) -> Float[Tensor, "batch frames"]:
        """Louder opens wider, as far as a test needs."""
        index = (first + 2 * torch.arange(frames)).clamp(0, features.shape[1] - 1)
        # Divided by 4: mean log energies of speech land on the sigmoid's slope. A gap of a quarter
        # of the mouth's width is as wide as speech opens.
        return (features[:, index].mean(-1) / 4).sigmoid() / 4

    def _features(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps dim"]:
        # (batch, steps, HOP / 2 + 1); the empty input is spelt out because rfft refuses it
        power = (
            torch.fft.rfft(samples.unflatten(1, (-1, HOP))).abs().square()
            if samples.shape[1]
            else samples.new_zeros(len(samples), 0, HOP // 2 + 1)
        )
        bands = torch.stack(
            # Without bin 0: an offset of the recording is no sound.
            [band.mean(-1) for band in power[..., 1:].tensor_split(self.dim, -1)],
            -1,
        )
        return (bands + 1e-4).log() / 4


def load_band_energy(weights: Path | None, dim: int) -> BandEncoder:
    """As `motet.encoders.base.load_encoder` asks for it.

    Raises:
        ConfigError: weights, which it has not, or no number of bands.
    """
    if weights is not None or dim < 1:
        raise ConfigError(
            f"the audio encoder 'bands' has no weights and needs a number of bands, not {dim};"
            " give dim"
        )
    return BandEncoder(dim)
