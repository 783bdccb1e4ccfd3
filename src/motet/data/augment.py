"""Training speech made harder: other rooms, microphones, noises, levels, vocal tracts and rates,
without new recordings.

All filters of an item (room, microphone, telephone band) are one product in the frequency domain;
everything draws from a seeded generator.
"""

from __future__ import annotations

import dataclasses
import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

RATE_HZ = 16_000
_ROOM_SAMPLES = 8192  # 0.5 s of impulse response
WARPS = tuple(0.82 + 0.03 * i for i in range(13))
"""Stretches of the frequency axis that stand for other vocal tracts."""


def uniform(shape: tuple[int, ...], low: float, high: float, chance: torch.Generator) -> Tensor:
    """Seeded uniform numbers."""
    return torch.rand(shape, generator=chance) * (high - low) + low


def change_rate(samples: Float[Tensor, " time"], length: int) -> Float[Tensor, " time2"]:
    """The sound stretched to another length, pitch and formants with it."""
    # Resampling by interpolation: a faster voice is also a higher one, as on a tape.
    return F.interpolate(samples[None, None], size=length, mode="linear", align_corners=False)[0, 0]


@dataclasses.dataclass(frozen=True)
class Degradation:
    """How bad the sound may become: shares of the items, decibels as (least, most)."""

    babble: float
    """Share with a second voice in the background."""
    babble_db: tuple[float, float]
    """How far that voice lies below."""
    noise: float
    """Share with noise."""
    noise_db: tuple[float, float]
    """How far the noise lies below."""
    level_db: tuple[float, float] = (-40.0, -12.0)
    """Level of the speech."""


HARD = Degradation(0.15, (6, 22), 0.75, (5, 45))
"""The long phase."""
MILD = Degradation(0.05, (12, 25), 0.6, (14, 50))
"""The short last phase: the sound that people mostly bring."""


def degrade(
    samples: Float[Tensor, "batch time"],
    other: Float[Tensor, "batch time"],
    chance: torch.Generator,
    how: Degradation = HARD,
) -> Float[Tensor, "batch time"]:
    """Rooms, microphones, noise, a second voice, level and clipping.

    Args:
        other: further speech, used as babble in the background.
    """
    batch = len(samples)
    babble = _gate(how.babble, batch, chance) * 10 ** (
        -uniform((batch, 1), *how.babble_db, chance) / 20
    )
    # The room is the same for both voices, so they are mixed before the filters.
    speech = _filtered(_normalised(samples) + babble * _normalised(other), chance)
    noise = (
        _noise(samples.shape, chance)
        * 10 ** (-uniform((batch, 1), *how.noise_db, chance) / 20)
        * _gate(how.noise, batch, chance)
    )
    # Clipping comes last, as in a recorder: loud items lose their peaks.
    return ((speech + noise) * 10 ** (uniform((batch, 1), *how.level_db, chance) / 20)).clamp(-1, 1)


def _gate(share: float, batch: int, chance: torch.Generator) -> Float[Tensor, "batch 1"]:
    return (torch.rand((batch, 1), generator=chance) < share).float()


def _normalised(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """Unit loudness over the louder part of each item, so that silence does not count."""
    # (batch, blocks of 50 ms)
    power = samples.unfold(-1, 800, 800).square().mean(-1)
    loud = power.topk(max(1, power.shape[-1] // 3), -1).values.mean(-1, keepdim=True)
    # 1e-3 keeps silent items from becoming noise.
    return samples / (loud.sqrt() + 1e-3)


def _filtered(
    samples: Float[Tensor, "batch time"], chance: torch.Generator
) -> Float[Tensor, "batch time"]:
    batch, time = samples.shape
    # Zero padding to the full length of the convolution, or the room would wrap around.
    size = 2 ** math.ceil(math.log2(time + _ROOM_SAMPLES))
    spectrum = (
        torch.fft.rfft(samples, size)
        * torch.fft.rfft(_rooms(batch, chance), size)
        * _microphones(batch, size // 2 + 1, chance)
    )
    return torch.fft.irfft(spectrum, size)[:, :time]


def _rooms(batch: int, chance: torch.Generator) -> Float[Tensor, "batch time"]:
    """Impulse responses: the direct sound, then decaying noise; half of the items are dry."""
    t = torch.arange(_ROOM_SAMPLES) / RATE_HZ
    # e^-6.9 is -60 dB: the draw is the reverberation time T60, 0.1 to 0.7 s.
    decay = torch.exp(-6.9 * t / uniform((batch, 1), 0.1, 0.7, chance))
    tail = (
        torch.randn((batch, _ROOM_SAMPLES), generator=chance)
        * decay
        # first reflections 1 to 20 ms after the direct sound
        * (t > uniform((batch, 1), 0.001, 0.02, chance))
    )
    tail = (
        tail
        / tail.square().sum(-1, keepdim=True).sqrt()
        * 10 ** (-uniform((batch, 1), 0, 18, chance) / 20)
        * _gate(0.5, batch, chance)
    )
    # the direct sound of unit gain
    tail[:, 0] += 1.0
    return tail


def _microphones(batch: int, bins: int, chance: torch.Generator) -> Float[Tensor, "batch bins"]:
    """Smooth random responses of +-8 dB, some of them with a telephone's or a codec's band."""
    knots = uniform((batch, 1, 10), -8, 8, chance) * _gate(0.7, batch, chance)[:, None]
    warped = torch.sqrt(torch.linspace(0, 1, bins))  # knots lie closer at low frequencies
    position = warped * 9
    low = position.long().clamp(max=8)
    # linear between the knots: (batch, bins)
    share = position - low
    curve = knots[:, 0, low] * (1 - share) + knots[:, 0, low + 1] * share
    hz = torch.linspace(0, RATE_HZ / 2, bins)
    top = torch.where(
        _gate(0.3, batch, chance) > 0, uniform((batch, 1), 3000, 7500, chance), torch.tensor(9000.0)
    )
    bottom = torch.where(
        _gate(0.4, batch, chance) > 0, uniform((batch, 1), 60, 320, chance), torch.tensor(10.0)
    )
    # Slopes of 48 dB an octave above the band and 24 below it.
    curve = (
        curve
        - 48 * torch.log2((hz / top).clamp(min=1.0))
        - 24 * torch.log2((bottom / hz.clamp(min=1.0)).clamp(min=1.0))
    )
    return 10 ** (curve / 20)


def _noise(shape: torch.Size, chance: torch.Generator) -> Float[Tensor, "batch time"]:
    """Noise of unit power whose colour lies between white and brown, its level slowly swaying."""
    batch, time = shape
    spectrum = torch.fft.rfft(torch.randn((batch, time), generator=chance))
    # Below 50 Hz the spectrum stays flat, so that brown noise has no drift.
    hz = torch.arange(spectrum.shape[-1]).clamp(min=time // 320).float()
    sound = torch.fft.irfft(spectrum * hz ** -uniform((batch, 1), 0.0, 1.0, chance), time)
    sway = F.interpolate(
        uniform((batch, 1, 8), 0.3, 1.5, chance), size=time, mode="linear", align_corners=True
    )[:, 0]
    return sound / sound.square().mean(-1, keepdim=True).sqrt() * sway
