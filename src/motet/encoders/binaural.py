"""Hand-made features of two ears for MOSPA: 1,136 columns an ear, 30 times a second.

Timbre (MFCC and their change), tones (two chroma), onsets and how they repeat (tempogram), beats,
loudness. Of the space only the difference in level survives here; `motet.audio.spatial.interaural`
measures the rest.
"""

from __future__ import annotations

import functools
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from scipy.fft import dct
from torch import Tensor

from motet.audio.chroma import chroma_of_power, chroma_of_sound
from motet.audio.mel import mel_filterbank
from motet.audio.rhythm import beats, onset_strength, tempogram
from motet.audio.stft import decibels, hann, harmonic_share, power, samples_from_spectra, spectra
from motet.encoders.base import WholeRecordingEncoder
from motet.errors import AudioError, ConfigError
from motet.types import Audio

RATE_HZ, SIZE, HOP = 30720, 2048, 256
"""256 samples of 30,720 Hz are 1/120 s."""
FRAME_RATE, KEPT = 120, 4
"""Frames are made at 120 a second; every fourth is kept."""
MELS, CEPSTRA = 128, 20
LAGS = int(8.9 * RATE_HZ / HOP)  # 1,068 columns of the tempogram
ACTIVE_RMS = 0.01
COLUMNS: dict[str, slice] = {
    "mfcc": slice(0, 20),
    "mfcc_delta": slice(20, 40),
    "chroma_cqt": slice(40, 52),
    "chroma_stft": slice(52, 64),
    "onset": slice(64, 65),
    "tempogram": slice(65, 65 + LAGS),
    "beat": slice(65 + LAGS, 66 + LAGS),
    "rms": slice(66 + LAGS, 67 + LAGS),
    "active": slice(67 + LAGS, 68 + LAGS),
}
"""Columns of each feature of an ear."""
EAR_DIM = 68 + LAGS


def ear_features(
    samples: Float[Tensor, " time"],
    *,
    every: int = KEPT,
    rhythm: bool = True,
    loudest: float = 0.0,
) -> Float[Tensor, "frames columns"]:
    """Features of one ear at 30,720 Hz; frame i is centred on sample i * 256 * every.

    The loudest moment of the sound is the reference of the decibels and the tuning and the beats
    are those of the whole, so the features of a part are not a part of the features.

    Args:
        every: 4 gives 30 frames a second, 1 all 120.
        rhythm: without, the tempogram's columns are left out, which saves little time and much
            room.
        loudest: `loudest_mel` of what sounded before, which may have been louder.

    Raises:
        AudioError: less than three frames of 1/120 s.

    Source: section 4 of the paper and the released program; same numbers as librosa 0.10 and 0.11
    give.
    """
    if len(samples) < 2 * HOP:
        raise AudioError(
            f"{len(samples)} samples are too short to be analysed; at least {2 * HOP} (1/60 s) are"
            " needed"
        )
    samples = samples.float()
    # Symmetric, as the released program's; `_split` says where it is the periodic one.
    window, bank = hann(SIZE, periodic=False), mel_filterbank(SIZE, MELS, RATE_HZ)
    spectrum = spectra(samples, SIZE, HOP, window)
    loud, thinned = power(spectrum), slice(None, None, every)
    mel = loud @ bank.T
    # (frames, CEPSTRA); scipy's orthonormal type II is what librosa.feature.mfcc takes
    cepstra = torch.from_numpy(
        dct(decibels(mel, max(loudest, float(mel.max()))).numpy(), axis=1, norm="ortho")[
            :, :CEPSTRA
        ]
    )
    harmonic, percussive = _split(samples)
    # Onsets are read from the percussive part alone: held tones would smear them.
    strokes = power(spectra(percussive, SIZE, HOP, window)) @ bank.T
    onsets = onset_strength(strokes, SIZE // (2 * HOP))
    frames = len(spectrum)
    beat = torch.zeros(frames)
    beat[torch.from_numpy(beats(onsets, FRAME_RATE))] = 1.0
    # from the spectrum, so that it shares frames with the rest
    rms = _rms(loud)
    # Order and widths are those of COLUMNS, which trained weights depend on.
    columns = [
        cepstra[thinned],
        _slope(cepstra)[thinned],
        _fitted(chroma_of_sound(harmonic, RATE_HZ, HOP), frames)[thinned],
        chroma_of_power(power(spectra(harmonic, SIZE, HOP, window)), RATE_HZ)[thinned],
        torch.from_numpy(onsets).float()[thinned, None],
    ]
    if rhythm:
        columns.append(
            torch.from_numpy(tempogram(onsets, _lag_window(), np.arange(frames)[thinned])).float()
        )
    return torch.cat(
        [
            *columns,
            beat[thinned, None],
            rms[thinned, None],
            (rms > ACTIVE_RMS).float()[thinned, None],
        ],
        1,
    )


def loudest_mel(samples: Float[Tensor, " time"]) -> float:
    """The loudest moment of a sound, which is the reference of its decibels."""
    loud = power(spectra(samples.float(), SIZE, HOP, hann(SIZE, periodic=False)))
    return float((loud @ mel_filterbank(SIZE, MELS, RATE_HZ).T).max())


def binaural_features(audio: Audio, *, rhythm: bool = True) -> Float[Tensor, "frames columns"]:
    """Features of the left ear, then of the right ear, 30 frames a second: 2,272 columns, 136
    without tempograms.

    Raises:
        AudioError: not a single binaural sound at 30,720 Hz, or too short.
    """
    samples = audio.expect(RATE_HZ, "binaural").samples
    if samples.ndim != 2:
        raise AudioError(
            f"one sound is analysed at a time, this is a batch of shape {tuple(samples.shape)}"
        )
    return torch.cat([ear_features(ear, rhythm=rhythm) for ear in samples], 1)


def _split(samples: Float[Tensor, " time"]) -> tuple[Tensor, Tensor]:
    """Harmonic and percussive part. The one analysis with the periodic window: librosa's separation
    does not hand the other on.
    """
    spectrum = spectra(samples, SIZE, HOP, hann(SIZE))
    tones, percussive = (
        samples_from_spectra(spectrum * share, HOP, hann(SIZE), len(samples))
        for share in harmonic_share(spectrum.abs())
    )
    return tones, percussive


@functools.cache
def _lag_window() -> np.ndarray:
    return np.hanning(LAGS)


def _slope(values: Float[Tensor, "frames channels"]) -> Float[Tensor, "frames channels"]:
    """Change a frame: half the difference of the neighbours; at the ends that of the next frame
    in.
    """
    inner = (values[2:] - values[:-2]) / 2
    return torch.cat([inner[:1], inner, inner[-1:]])


def _rms(loud: Float[Tensor, "frames frequencies"]) -> Float[Tensor, " frames"]:
    # A real spectrum stores one side: every bin but the first and the last stands for two.
    weights = torch.ones(loud.shape[1])
    weights[0] = weights[-1] = 0.5
    # Parseval: the power of the frame over its length, twice for the two sides
    return (loud @ weights * (2 / SIZE**2)).sqrt()


def _fitted(
    values: Float[Tensor, "frames channels"], frames: int
) -> Float[Tensor, "frames channels"]:
    """Exactly so many frames: a surplus one is dropped, a missing one repeats the last."""
    return torch.cat([values, values[-1:].expand(max(0, frames - len(values)), -1)])[:frames]


def load_binaural(weights: Path | None, dim: int) -> WholeRecordingEncoder:
    """The features of both ears, as `motet.encoders.base.load_encoder` asks for them.

    Raises:
        ConfigError: weights, which these features have not.
    """
    del dim
    _refuse_weights(weights)

    def features(samples: Float[Tensor, "batch time 2"]) -> Float[Tensor, "batch frames 2272"]:
        # (batch, 2, time)
        ears = samples.transpose(1, 2).contiguous()
        return torch.stack([binaural_features(Audio(item, RATE_HZ, "binaural")) for item in ears])

    return WholeRecordingEncoder(features, RATE_HZ, FRAME_RATE / KEPT, 2 * EAR_DIM, channels=2)


def load_monaural(weights: Path | None, dim: int) -> WholeRecordingEncoder:
    """The features of the mean of both ears without tempograms, as
    `motet.encoders.base.load_encoder` asks for them.

    Raises:
        ConfigError: weights, which these features have not.
    """
    del dim
    _refuse_weights(weights)

    def features(samples: Float[Tensor, "batch time 2"]) -> Float[Tensor, "batch frames 68"]:
        ears = samples.transpose(1, 2).contiguous()
        # 68 columns: without the LAGS of the tempogram
        return torch.stack([ear_features(item.mean(0), rhythm=False) for item in ears])

    return WholeRecordingEncoder(features, RATE_HZ, FRAME_RATE / KEPT, EAR_DIM - LAGS, channels=2)


def _refuse_weights(weights: Path | None) -> None:
    if weights is not None:
        raise ConfigError(f"hand-made features have no weights; leave {weights} out")
