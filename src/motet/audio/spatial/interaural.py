"""Lateral direction of a binaural sound from interaural time and level differences.

Both differences are the same in front and behind; the front is assumed.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Bool, Complex, Float

from motet.audio.stft import hann, spectra
from motet.errors import AudioError
from motet.types import Audio

KNOWN_DEG = np.array([0.0, 30.0, 60.0, 90.0])
DELAY_S = np.array([0.0, 256e-6, 512e-6, 723e-6])
"""Interaural time difference at those azimuths (MIT KEMAR, horizontal plane)."""
LEVEL_DB = np.array([0.0, 8.4, 13.9, 14.5])
"""Interaural level difference; beyond 60 degrees it hardly grows."""
LONGEST_S = 0.9e-3
"""Largest interaural delay that is searched."""
UPSAMPLING = 8
"""Steps of the delay within one sample."""
BAND_HZ = (200.0, 6000.0)
WINDOW_S, SILENCE_DB = 0.046, 40.0
FIRST_S, ONSET_DB = 0.5, 25.0
RELIABLE_PEAK = 0.3
"""Height of the correlation peak above which the delay alone decides."""


@dataclasses.dataclass(frozen=True)
class Direction:
    """Estimated direction."""

    azimuth_deg: float
    """Counter-clockwise seen from above: +90 is left; between -90 and 90."""
    delay_s: float
    """Time by which the left ear leads."""
    level_db: float
    """Level of the left ear above the right."""
    certainty: float
    """Height of the correlation peak: 0 for uncorrelated ears or silence, near 1 for a single
    source in the open."""


def first_audible(audio: Audio, seconds: float = FIRST_S) -> Audio:
    """The first audible part: from the first moment within 25 dB of the loudest one.

    Later the head may have turned to the sound. People, too, localise by the first wave (precedence
    effect; Wallach et al. 1949).
    """
    step = max(1, round(0.01 * audio.sample_rate))
    peak = audio.samples.abs().amax(0)
    # mean squares of whole 10 ms blocks, of the louder ear
    energy = peak[: len(peak) // step * step].unflatten(0, (-1, step)).square().mean(1)
    if not len(energy) or not float(energy.max()) > 0:
        return audio
    audible = energy > energy.max() * 10 ** (-ONSET_DB / 10)
    start = int(audible.to(torch.uint8).argmax()) * step
    return audio.slice(start, min(start + round(seconds * audio.sample_rate), len(peak)))


def estimate_direction(audio: Audio) -> Direction:
    """Direction of the whole sound; louder moments weigh more.

    The delay is the highest peak of the cross-correlation of whitened spectra (GCC-PHAT) within
    0.9 ms. Where that peak is low the level difference counts half as much as the delay; without
    any delay (amplitude-panned stereo) the level difference decides alone.

    Raises:
        AudioError: not two channels.

    Source: Knapp and Carter 1976.
    """
    if audio.samples.ndim != 2 or audio.samples.shape[0] != 2:
        raise AudioError(
            "a direction needs one sound of two channels; this has the shape"
            f" {tuple(audio.samples.shape)}"
        )
    rate = audio.sample_rate
    size = 2 ** int(np.ceil(np.log2(WINDOW_S * rate)))
    ears = [spectra(ear.float(), size, size // 2, hann(size)).numpy() for ear in audio.samples]
    hz = np.arange(size // 2 + 1) * rate / size
    band = (hz >= BAND_HZ[0]) & (hz <= min(BAND_HZ[1], rate / 2))
    energies = [(np.abs(ear[:, band]) ** 2).sum(1) for ear in ears]  # (frames,) each
    energy = energies[0] + energies[1]
    if not energy.max() > 1e-12:
        return Direction(0.0, 0.0, 0.0, 0.0)
    loud = energy > energy.max() * 10 ** (-SILENCE_DB / 10)
    left, right = (ear[loud] for ear in ears)
    # Frames count by amplitude, not by power, so that one loud moment does not decide alone.
    delay, peak = _delay(left, right, band, np.sqrt(energy[loud]), rate)
    left_energy, right_energy = (part[loud].sum() + 1e-12 for part in energies)
    level = 10 * np.log10(left_energy / right_energy)
    by_delay = np.sign(delay) * np.interp(abs(delay), DELAY_S, KNOWN_DEG)
    by_level = np.sign(level) * np.interp(abs(level), LEVEL_DB, KNOWN_DEG)
    azimuth = by_delay if peak > RELIABLE_PEAK else (2 * by_delay + by_level) / 3
    if abs(delay) < 2.0 / rate and abs(level) > 3.0:  # panned
        azimuth = by_level
    return Direction(float(azimuth), float(delay), float(level), float(peak))


def _delay(
    left: Complex[np.ndarray, "frames frequencies"],
    right: Complex[np.ndarray, "frames frequencies"],
    band: Bool[np.ndarray, " frequencies"],
    weight: Float[np.ndarray, " frames"],
    rate: int,
) -> tuple[float, float]:
    """Seconds by which the left ear leads, and the height of the peak (1: all bins agree)."""
    cross = left * np.conj(right)
    whitened = cross / np.maximum(np.abs(cross), 1e-12) * band
    mean = (whitened * weight[:, None]).sum(0) / weight.sum()
    # Zero-padding the spectrum interpolates the correlation.
    points = 2 * (left.shape[1] - 1) * UPSAMPLING
    # normalised: 1 where the phases of all bins agree
    correlation = np.fft.irfft(mean, points) * points / (2 * band.sum())
    reach = int(LONGEST_S * rate * UPSAMPLING)
    # lags from -reach to +reach
    lags = np.concatenate([correlation[-reach:], correlation[: reach + 1]])
    best = int(np.argmax(lags))
    return -(best - reach) / (rate * UPSAMPLING), float(np.clip(lags[best], 0, 1))


def as_binaural(audio: Audio) -> Audio:
    """Any sound as two channels of a binaural signal.

    Stereo is taken as it is, one channel goes to both ears (a source straight ahead), four channels
    are decoded as first-order ambisonics (ACN/SN3D).

    Raises:
        AudioError: another number of channels.
    """
    channels = audio.samples.shape[-2]
    if audio.layout == "binaural":
        return audio
    if channels == 2:
        return Audio(audio.samples, audio.sample_rate, "binaural")
    if channels == 1:
        both = audio.samples.expand(*audio.samples.shape[:-2], 2, -1)
        return Audio(both, audio.sample_rate, "binaural")
    if channels != 4:
        raise AudioError(
            f"{channels} channels cannot be rendered for two ears; give 1, 2 (ears or stereo) or 4"
            " (first-order ambisonics)"
        )
    return _decoded(audio)


def _decoded(audio: Audio) -> Audio:
    from motet.audio.spatial.ambisonics import binaural_from_ambisonics

    flat = audio.samples.reshape(-1, 4, audio.samples.shape[-1])
    sounds = (Audio(item, audio.sample_rate, "foa") for item in flat)
    items = torch.stack([binaural_from_ambisonics(sound).samples for sound in sounds])
    samples = items.reshape(*audio.samples.shape[:-2], 2, -1)
    return Audio(samples, audio.sample_rate, "binaural")


def swapped(audio: Audio) -> Audio:
    """The same sound with left and right exchanged."""
    samples: Float[torch.Tensor, "*batch 2 time"] = audio.samples.flip(-2)
    return Audio(samples, audio.sample_rate, audio.layout)
