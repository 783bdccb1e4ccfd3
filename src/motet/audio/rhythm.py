"""Onset strength, tempo and beat tracking."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.fft import irfft, next_fast_len, rfft
from torch import Tensor

from motet.audio.stft import decibels

START_BPM, SPREAD_OCTAVES, FASTEST_BPM = 120.0, 1.0, 320.0
"""Prior of the tempo: centre, spread, and upper limit."""
TIGHTNESS = 100.0
"""Weight of the deviation from the tempo in beat tracking."""
TEMPO_S = 8.0
"""Window of the autocorrelation when the tempo is estimated, seconds."""


def onset_strength(mel: Float[Tensor, "frames bins"], shift: int) -> Float[ndarray, " frames"]:
    """Spectral flux: median over mel bands of the rise in decibels from frame to frame.

    Args:
        mel: power in mel bands.
        shift: frames by which the curve is delayed, so that an onset is aligned with the centre of
            its window.
    """
    rises = decibels(mel).diff(dim=0).clamp(min=0)
    # Padded in front: the flux of frame k belongs to the change from k - 1.
    return np.pad(np.median(rises.numpy(), axis=1), (1 + shift, 0))[: len(mel)]


def tempogram(
    onsets: Float[ndarray, " frames"],
    window: Float[ndarray, " lags"],
    frames: Float[ndarray, " chosen"] | None = None,
) -> Float[ndarray, "chosen lags"]:
    """Local autocorrelation of the onset curve about each frame, its largest value 1.

    Args:
        window: weights around a frame; its length is the number of lags.
        frames: frames to compute; all when left out.

    Source: Grosche, Mueller and Kurth 2010, "Cyclic tempogram".
    """
    lags = len(window)
    padded = np.pad(onsets, lags // 2, mode="linear_ramp", end_values=0)
    cut = np.lib.stride_tricks.sliding_window_view(padded, lags)[: len(onsets)]
    cut = (cut if frames is None else cut[frames]) * window
    # Linear correlation by the transform needs room for 2 n - 1 lags.
    points = next_fast_len(2 * lags - 1, real=True)
    spectrum = rfft(cut, points, axis=1, overwrite_x=True)
    power = spectrum.real**2 + spectrum.imag**2
    correlation = irfft(power, points, axis=1, overwrite_x=True)[:, :lags]
    peak = np.abs(correlation).max(axis=1, keepdims=True)
    return correlation / np.where(peak < np.finfo(correlation.dtype).tiny, 1.0, peak)


def tempo(onsets: Float[ndarray, " frames"], frame_rate: float) -> float:
    """Tempo in beats per minute: the strongest lag under a log-normal prior."""
    lags = int(np.floor(TEMPO_S * frame_rate))
    window = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(lags) / lags)
    strength = tempogram(onsets, window).mean(axis=0)
    # lag 0 has no tempo; strength[1:] belongs to lags 1, 2, ...
    bpm = 60.0 * frame_rate / np.arange(1, lags)
    log_prior = -0.5 * (np.log2(bpm / START_BPM) / SPREAD_OCTAVES) ** 2
    score = np.log1p(1e6 * np.maximum(strength[1:], 0)) + log_prior
    score[bpm >= FASTEST_BPM] = -np.inf
    return float(bpm[np.argmax(score)])


def beats(onsets: Float[ndarray, " frames"], frame_rate: float) -> Float[ndarray, "beats"]:
    """Frame indices of the beats by dynamic programming; weak beats at both ends are dropped.

    Source: Ellis 2007, "Beat tracking by dynamic programming".
    """
    if not onsets.any():
        return np.zeros(0, dtype=int)
    period = round(frame_rate * 60.0 / tempo(onsets, frame_rate))
    normalised = onsets / (onsets.std(ddof=1) + np.finfo(onsets.dtype).tiny)
    # a beat is as wide as 1/32 of its period, as in librosa
    kernel = np.exp(-0.5 * (np.arange(-period, period + 1) * 32.0 / period) ** 2)
    score = np.convolve(normalised, kernel)[period : period + len(onsets)]
    link, total = _best_predecessors(score, period)
    peak = np.zeros(len(total), dtype=bool)
    peak[1:-1] = (total[1:-1] > total[:-2]) & (total[1:-1] >= total[2:])
    peak[-1] = total[-1] > total[-2]
    if not peak.any():
        return np.zeros(0, int)
    # The path ends at the last peak that reaches half of the median peak.
    ends = np.flatnonzero(peak & (total >= 0.5 * np.median(total[peak])))
    if not len(ends):
        return ends
    path = [int(ends[-1])]
    while link[path[-1]] >= 0:
        path.append(int(link[path[-1]]))
    return _trimmed(np.array(path[::-1]), score)


def _best_predecessors(score: ndarray, period: int) -> tuple[ndarray, ndarray]:
    """For each frame the best previous beat (-1: none) and the score of the path up to it."""
    link, total = np.full(len(score), -1), score.astype(np.float64).copy()
    # Gaps from half to twice the period; an octave error costs TIGHTNESS * ln(2)^2.
    gaps = np.arange(round(period / 2), 2 * period + 1)
    cost = TIGHTNESS * (np.log(gaps) - np.log(period)) ** 2
    threshold, started = 0.01 * score.max(), False
    for frame in range(len(score)):
        count = min(len(gaps), frame - gaps[0] + 1)
        best = -1
        if count > 0:
            previous = total[frame - gaps[count - 1] : frame - gaps[0] + 1][::-1] - cost[:count]
            choice = int(np.argmax(previous))
            best = frame - int(gaps[choice])
            total[frame] += previous[choice]
        started = started or score[frame] >= threshold
        link[frame] = best if started else -1
    return link, total


def _trimmed(path: ndarray, score: ndarray) -> ndarray:
    """The path without beats before the first and after the last loud onset."""
    smooth = np.convolve(score[path], np.hanning(5))[2 : len(score) + 2]
    loud = np.flatnonzero(score > 0.5 * np.sqrt(np.mean(smooth**2)))
    return path[(path >= loud[0]) & (path <= loud[-1])] if len(loud) else path[:0]
