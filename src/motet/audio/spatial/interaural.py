"""Where a sound comes from, heard with two ears: by how much it reaches one ear earlier and louder
than the other.

A head that keeps still cannot tell front from back; the front is assumed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float

from motet.audio.stft import hann, spectra
from motet.errors import AudioError
from motet.types import Audio

KNOWN_DEG = np.array([0.0, 30.0, 60.0, 90.0])
DELAY_S = np.array([0.0, 256e-6, 512e-6, 723e-6])
"""How much earlier the nearer ear hears a source at those azimuths (MIT KEMAR, horizontal
plane)."""
LEVEL_DB = np.array([0.0, 8.4, 13.9, 14.5])
"""How much louder; beyond 60 degrees it hardly grows."""
LONGEST_S = 0.9e-3
BAND_HZ = (200.0, 6000.0)
WINDOW_S, SILENCE_DB = 0.046, 40.0
FIRST_S, ONSET_DB = 0.5, 25.0
SURE = 0.3
"""Height of the peak from which on the delay alone is believed."""


@dataclasses.dataclass(frozen=True)
class Direction:
    """An estimate."""

    azimuth_deg: float
    """Counter-clockwise seen from above: +90 is left; between -90 and 90."""
    delay_s: float
    """How much earlier the left ear hears it."""
    level_db: float
    """How much louder the left ear hears it."""
    certainty: float
    """0 for a sound without any common course in both ears (or silence), towards 1 for a single
    source in the open."""


def first_heard(audio: Audio, seconds: float = FIRST_S) -> Audio:
    """The beginning of what can be heard: from the first moment within 25 dB of the loudest one.

    Later on the head may have turned to the sound; listeners, too, go by the first wave
    (precedence; Wallach et al. 1949).
    """
    step = max(1, round(0.01 * audio.sample_rate))
    loud = audio.samples.abs().amax(0)
    whole = loud[: len(loud) // step * step].unflatten(0, (-1, step)).square().mean(1)
    if not len(whole) or not float(whole.max()) > 0:
        return audio
    start = int((whole > whole.max() * 10 ** (-ONSET_DB / 10)).to(torch.uint8).argmax()) * step
    return audio.slice(start, min(start + round(seconds * audio.sample_rate), len(loud)))


def direction_of(audio: Audio) -> Direction:
    """Direction of the sound as a whole; louder moments count more.

    The delay is that of the highest peak of the cross-correlation of whitened spectra (GCC-PHAT)
    within 0.9 ms. Where its peak is low the level counts too, half as much, and it counts alone
    where there is no delay at all (amplitude-panned stereo).

    Raises:
        AudioError: not two channels.

    Source: Knapp and Carter 1976.
    """
    if audio.samples.ndim != 2 or audio.samples.shape[0] != 2:
        raise AudioError(
            "a direction is heard with two ears; this sound has the shape"
            f" {tuple(audio.samples.shape)}"
        )
    rate = audio.sample_rate
    size = 2 ** int(np.ceil(np.log2(WINDOW_S * rate)))
    left, right = (
        spectra(ear.float(), size, size // 2, hann(size)).numpy() for ear in audio.samples
    )
    hz = np.arange(left.shape[1]) * rate / size
    band = (hz >= BAND_HZ[0]) & (hz <= min(BAND_HZ[1], rate / 2))
    energy = (np.abs(left[:, band]) ** 2 + np.abs(right[:, band]) ** 2).sum(1)
    if not energy.max() > 1e-12:
        return Direction(0.0, 0.0, 0.0, 0.0)
    loud = energy > energy.max() * 10 ** (-SILENCE_DB / 10)
    left, right, weight = left[loud], right[loud], np.sqrt(energy[loud])
    delay, certainty = _delay(left, right, np.where(band, 1.0, 0.0), weight, rate, size)
    level = 10 * np.log10(
        ((np.abs(left[:, band]) ** 2).sum() + 1e-12) / ((np.abs(right[:, band]) ** 2).sum() + 1e-12)
    )
    by_delay = np.sign(delay) * np.interp(abs(delay), DELAY_S, KNOWN_DEG)
    by_level = np.sign(level) * np.interp(abs(level), LEVEL_DB, KNOWN_DEG)
    panned = abs(delay) < 2.0 / rate and abs(level) > 3.0
    azimuth = (
        by_level if panned else by_delay if certainty > SURE else (2 * by_delay + by_level) / 3
    )
    return Direction(float(azimuth), float(delay), float(level), float(certainty))


def _delay(
    left: np.ndarray,
    right: np.ndarray,
    band: np.ndarray,
    weight: np.ndarray,
    rate: int,
    size: int,
    finer: int = 8,
) -> tuple[float, float]:
    """Seconds by which the left ear leads, and the height of the peak (1: all frequencies
    agree).
    """
    cross = left * np.conj(right)
    white = cross / np.maximum(np.abs(cross), 1e-12) * band
    mean = (white * weight[:, None]).sum(0) / weight.sum()
    lags = np.fft.irfft(mean, size * finer) * size * finer / (2 * band.sum())
    reach = int(LONGEST_S * rate * finer)
    around = np.concatenate([lags[-reach:], lags[: reach + 1]])
    best = int(np.argmax(around))
    return -(best - reach) / (rate * finer), float(np.clip(around[best], 0, 1))


def as_two_ears(audio: Audio) -> Audio:
    """Any sound as two ears hear it, its layout kept where it is known: ambisonics decoded, stereo
    taken as it is, one channel given to both ears alike (a source straight ahead). Four channels of
    unknown layout are taken for first-order ambisonics (ACN/SN3D).

    Raises:
        AudioError: another number of channels.
    """
    channels = audio.samples.shape[-2]
    if audio.layout == "binaural":
        return audio
    if channels == 2:
        return Audio(audio.samples, audio.sample_rate, "binaural")
    if channels == 1:
        return Audio(
            audio.samples.expand(*audio.samples.shape[:-2], 2, -1), audio.sample_rate, "binaural"
        )
    if channels != 4:
        raise AudioError(
            f"{channels} channels cannot be given to two ears; 1, 2 (ears or stereo) or 4"
            " (first-order ambisonics) can"
        )
    return _decoded(audio)


def _decoded(audio: Audio) -> Audio:
    from motet.audio.spatial.ambisonics import binaural_from_ambisonics

    flat = audio.samples.reshape(-1, 4, audio.samples.shape[-1])
    items = [
        binaural_from_ambisonics(Audio(item, audio.sample_rate, "foa")).samples for item in flat
    ]
    return Audio(
        torch.stack(items).reshape(*audio.samples.shape[:-2], 2, -1), audio.sample_rate, "binaural"
    )


def swapped(audio: Audio) -> Audio:
    """The ears exchanged."""
    samples: Float[torch.Tensor, "*batch 2 time"] = audio.samples.flip(-2)
    return Audio(samples, audio.sample_rate, audio.layout)
