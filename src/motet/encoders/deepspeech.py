"""DeepSpeech's input features, and windows of its letter scores for Speech2Lip.

The model itself (DeepSpeech 0.1.0) can no longer be installed; people who have its features
(`audio.npy` of a prepared person, windows of 16 steps of 29 letter scores) read them with
`read_windows`. The rest lets anybody's speech model of that interface be used.

Source: python_speech_features' defaults for the coefficients; VOCA and AD-NeRF for the windows.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.array_files import read_array
from motet.encoders.base import WholeRecordingEncoder
from motet.errors import AssetError, ConfigError

RATE_HZ = 16_000
LETTERS, CONTEXT = 29, 9
"""Scores a step, and coefficient rows on each side of a step."""
_FILTERS, _SIZE, _WINDOW, _STEP, _LIFTER = 26, 512, 400, 160, 22  # 25 ms windows every 10 ms


def cepstra(samples: Float[Tensor, " time"]) -> Float[Tensor, "rows 26"]:
    """26 mel-frequency cepstral coefficients, 100 rows a second; the first is the logarithm of the
    energy.

    Args:
        samples: 16 kHz in units of 16-bit integers (-32768 .. 32767).
    """
    signal = samples.double().numpy()
    # pre-emphasis, a = 0.97
    signal = np.append(signal[:1], signal[1:] - 0.97 * signal[:-1])
    rows = 1 if len(signal) <= _WINDOW else 1 + math.ceil((len(signal) - _WINDOW) / _STEP)
    # The last window is filled up with zeros rather than dropped.
    signal = (
        np.concatenate([signal, np.zeros((rows - 1) * _STEP + _WINDOW - len(signal))])
        if (rows - 1) * _STEP + _WINDOW > len(signal)
        else signal
    )
    # (rows, _WINDOW), rectangular: the package's default window is all ones
    cut = np.lib.stride_tricks.sliding_window_view(signal, _WINDOW)[::_STEP][:rows]
    power = np.abs(np.fft.rfft(cut, _SIZE)) ** 2 / _SIZE
    # The logarithm of silence: the package replaces zeros, and only zeros, by the smallest step.
    tiny = np.finfo(float).eps
    energy = np.where(power.sum(1) == 0, tiny, power.sum(1))
    mel = power @ _filters().T
    levels = np.log(np.where(mel == 0, tiny, mel))
    order = np.arange(_FILTERS)
    # orthonormal cosine transform, type II: (coefficients, filters)
    basis = np.cos(np.pi * np.outer(order, 2 * np.arange(_FILTERS) + 1) / (2 * _FILTERS)) * np.sqrt(
        2 / _FILTERS
    )
    basis[0] /= np.sqrt(2)
    # Sinusoidal lifter, L = 22; it would scale column 0 by 1, which the energy then replaces.
    coefficients = levels @ basis.T * (1 + _LIFTER / 2 * np.sin(np.pi * order / _LIFTER))
    coefficients[:, 0] = np.log(energy)
    return torch.from_numpy(coefficients)


def _filters() -> np.ndarray:
    """Triangles on O'Shaughnessy's mel scale with corners on whole bins."""
    # mel = 2595 log10(1 + f / 700)
    highest = 2595 * math.log10(1 + RATE_HZ / 2 / 700)
    edges = 700 * (10 ** (np.linspace(0, highest, _FILTERS + 2) / 2595) - 1)
    bins = np.floor((_SIZE + 1) * edges / RATE_HZ)
    bank = np.zeros((_FILTERS, _SIZE // 2 + 1))
    for number in range(_FILTERS):
        low, middle, high = bins[number : number + 3]
        for index in range(int(low), int(middle)):
            bank[number, index] = (index - low) / (middle - low)
        for index in range(int(middle), int(high)):
            bank[number, index] = (high - index) / (high - middle)
    return bank


def model_input(samples: Float[Tensor, " time"]) -> Float[Tensor, "steps 494"]:
    """Input of the speech model: 19 neighbouring rows of coefficients, 50 steps a second, over
    the whole recording normalised.
    """
    # every second row: 100 rows a second become 50
    rows = cepstra(samples)[::2]
    padded = torch.cat([rows.new_zeros(CONTEXT, _FILTERS), rows, rows.new_zeros(CONTEXT, _FILTERS)])
    # (steps, 19, 26) to (steps, 494): rows in time order, coefficients fastest
    stacked = padded.unfold(0, 2 * CONTEXT + 1, 1).transpose(1, 2).flatten(1)
    # One mean and deviation over all values together, the biased one, as numpy's std.
    return ((stacked - stacked.mean()) / stacked.std(correction=0)).float()


def at_50_hz(scores: Float[Tensor, "steps 29"], seconds: float) -> Float[Tensor, "steps2 29"]:
    """The model's scores at 50 Hz: as many as the sound has fiftieths of a second, the last one
    repeated, less one (as released).
    """
    count = round(50 * seconds)
    indices = torch.arange(count).clamp(max=len(scores) - 1)
    return scores[indices][: max(0, count - 1)]


def windows(
    features: Float[Tensor, "steps channels"], size: int = 16
) -> Float[Tensor, "frames size channels"]:
    """Windows of 50 Hz features for 25 frames a second: frame i takes the steps 2 i - 8 .. 2 i + 7;
    zeros past the ends.

    There are as many as fit after 8 rows of padding at both ends, so the last half-frame may be
    missing (as released).
    """
    half = size // 2
    padded = torch.cat(
        [
            features.new_zeros(half, features.shape[1]),
            features,
            features.new_zeros(half, features.shape[1]),
        ]
    )
    # two steps of 50 Hz a frame of 25 Hz
    count = max(0, (len(padded) - size) // 2)
    return (
        torch.stack([padded[2 * i : 2 * i + size] for i in range(count)])
        if count
        else features.new_zeros(0, size, features.shape[1])
    )


def deepspeech_windows(
    samples: Float[Tensor, " time"], model: Callable[[Tensor], Tensor]
) -> Float[Tensor, "frames 16 29"]:
    """From sound to windows with a speech model (494 numbers a step in, 29 scores out)."""
    return windows(at_50_hz(model(model_input(samples)), samples.shape[-1] / RATE_HZ))


def read_windows(path: Path) -> Float[Tensor, "frames 16 29"]:
    """Ready windows from a published person's `audio.npy`.

    Raises:
        AssetError: not there, not plain numbers, or of another shape.
    """
    windows = read_array(path)
    if (
        windows.ndim != 3
        or windows.shape[1:] != (16, LETTERS)
        or not np.issubdtype(windows.dtype, np.floating)
    ):
        raise AssetError(
            f"{path} holds {windows.dtype} {windows.shape}, windows of (frames, 16, {LETTERS}) are"
            " needed"
        )
    if not np.isfinite(windows).all():
        raise AssetError(f"{path} contains values that are not finite; make the features again")
    return torch.from_numpy(np.ascontiguousarray(windows)).float()


def deepspeech_encoder(model: Callable[[Tensor], Tensor]) -> WholeRecordingEncoder:
    """Letter scores at 50 Hz of any speech model of DeepSpeech's interface.

    It cannot stream: its input is normalised over the whole recording.

    Args:
        model: (steps, 494) to (steps, 29).
    """

    def features(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps 29"]:
        # full scale of 16-bit samples: `cepstra` takes them in those units
        rows = [at_50_hz(model(model_input(row * 32768)), len(row) / RATE_HZ) for row in samples]
        return torch.stack(rows)

    return WholeRecordingEncoder(features, RATE_HZ, 50.0, LETTERS)


def load_deepspeech(weights: Path | None, dim: int) -> WholeRecordingEncoder:
    """As `motet.encoders.base.load_encoder` asks for it.

    Raises:
        ConfigError: always; the model can no longer be installed.
    """
    del weights, dim
    raise ConfigError(
        "DeepSpeech 0.1.0, whose features this model was trained on, can no longer be installed;"
        " fit the person again with 'motet fit'"
    )
