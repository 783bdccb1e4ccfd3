"""Fit the performance model to tracked and labelled speech, and report how well it does on clips
kept apart.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from numpy import ndarray

from motet.data.clip import Recording
from motet.errors import InputError
from motet.face.lip_shapes import joined, measure
from motet.phonetics.phones import PHONES, PhoneSpan, frame_labels
from motet.synthesis.performance.acoustics import (
    FEATURE_RATE_HZ,
    PHONE_OFFSETS,
    Acoustics,
    context,
)
from motet.synthesis.performance.perform import PerformanceModel, mouth_weights
from motet.synthesis.performance.prosody import analyse
from motet.synthesis.performance.style import StyleSettings
from recipes.performance_model.acoustics import fit_lips, fit_phones
from recipes.performance_model.fit_dominance import fit_dominance
from recipes.performance_model.rare_phones import with_rare_phones


@dataclasses.dataclass(frozen=True)
class FitOptions:
    """What the fit takes from where, and how much of it."""

    components: int = 192
    """Principal components of the features. With 96 the reader misses detail: on five other GRID
    people 0.80 instead of 0.85."""
    every_sentence: int = 3
    """Every so many tracked training clips shape the dominance functions."""
    dominance_steps: int = 150
    phone_rounds: int = 1200
    restraint: float = 0.1
    """Ridge of the lip regressor. On unseen people (GRID / web / White House): 0.85 / 0.69 / 0.69
    with 0.1, 0.83 / 0.68 / 0.67 with 0.3."""
    seed: int = 0


@dataclasses.dataclass(frozen=True)
class LabelledSpeech:
    """Whisper features of an utterance and its phones."""

    features: ndarray
    phones: tuple[PhoneSpan, ...]


def fit_performance(
    tracked: Sequence[tuple[Recording, LabelledSpeech]],
    labelled: Sequence[LabelledSpeech],
    options: FitOptions | None = None,
) -> PerformanceModel:
    """Fit everything: projection, lip reader and dominance functions on tracked clips, phone reader
    on labelled speech.

    Raises:
        InputError: no tracked or no labelled speech.
    """
    options = options or FitOptions()
    if not tracked or not labelled:
        raise InputError(
            "the fit needs tracked clips and labelled speech; build the speech corpus and give the"
            " folder of GRID s1"
        )
    mean, basis = projection([h.features for h in labelled], options.components)
    rough = Acoustics(mean, basis, np.zeros((1, 4)), np.zeros((1, 1)))
    measures = [measure(r.motion.values[:, :52].double().numpy()) for r, _ in tracked]
    lips = fit_lips(
        [rough.project(h.features) for _, h in tracked],
        measures,
        tracked[0][0].motion.space.fps,
        options.restraint,
    )
    inputs, labels = zip(*_phone_examples(rough, labelled), strict=True)
    phones = fit_phones(
        np.concatenate(inputs), np.concatenate(labels), options.seed, options.phone_rounds
    )
    sentences = [
        (h.phones, joined(r.motion.values[:, :52].numpy()))
        for r, h in tracked[:: options.every_sentence]
    ]
    dominance, seen = fit_dominance(
        sentences, tracked[0][0].motion.space.fps, options.dominance_steps, options.seed
    )
    return PerformanceModel(
        with_rare_phones(dominance, seen),
        Acoustics(mean, basis, lips, phones),
        (0.8, 0.3, 0.8, 0.8),
    )


def projection(
    features: Sequence[ndarray], components: int, every: int = 20
) -> tuple[ndarray, ndarray]:
    """Mean and principal axes over their deviation."""
    sample = np.concatenate([np.asarray(f[::every], np.float64) for f in features])
    mean = sample.mean(axis=0)
    values, axes = np.linalg.eigh(np.cov((sample - mean).T))
    return mean, axes[:, ::-1][:, :components] / np.sqrt(
        np.maximum(values[::-1][:components], 1e-9)
    )


def _phone_examples(
    acoustics: Acoustics, labelled: Sequence[LabelledSpeech]
) -> Iterator[tuple[ndarray, ndarray]]:
    for speech in labelled:
        parts = acoustics.project(speech.features)
        yield (
            context(parts, PHONE_OFFSETS, len(parts), 1.0)[::2].astype(np.float32),
            np.array(frame_labels(speech.phones, len(parts), FEATURE_RATE_HZ))[::2],
        )


@dataclasses.dataclass(frozen=True)
class Agreement:
    """How a synthesised mouth compares with a tracked one."""

    opening: float
    """Correlation of the lip gap at the best lag within the allowed one."""
    width: float
    error: float
    """Mean absolute difference of the gap, mouth widths."""
    amplitude: float
    """Deviation of the synthesised gap over that of the tracked one."""
    closures: float
    """Share of p, b, m at which the synthesised gap goes below 0.02 mouth widths; NaN without
    any."""


def agreement(
    model: PerformanceModel,
    recording: Recording,
    phones: Sequence[PhoneSpan],
    features: ndarray | None,
    max_lag: int = 1,
) -> Agreement:
    """Synthesise the mouth of a tracked recording in the neutral style and compare."""
    if recording.audio is None:
        raise InputError(f"{recording.facts.name!r} has no sound to synthesise from")
    fps = recording.motion.space.fps
    prosody = analyse(recording.audio.samples[0].numpy(), phones, recording.motion.frames, fps)
    made = measure(mouth_weights(model, prosody, phones, StyleSettings(), features, fps))
    truth = measure(recording.motion.values[:, :52].double().numpy())
    gap, seen = np.maximum(made[:, 0], 0.0), np.maximum(truth[:, 0], 0.0)
    lows = [
        gap[int(p.start * fps) : int(p.end * fps) + 2].min(initial=1.0) < 0.02
        for p in phones
        if PHONES[p.symbol].is_closure
    ]
    return Agreement(
        best_correlation(gap, seen, max_lag),
        best_correlation(made[:, 1], truth[:, 1], max_lag),
        float(np.abs(gap - seen).mean()),
        float(gap.std() / max(seen.std(), 1e-9)),
        float(np.mean(lows)) if lows else float("nan"),
    )


def best_correlation(made: ndarray, truth: ndarray, max_lag: int) -> float:
    """Largest correlation over shifts of at most `max_lag` frames."""
    n = len(made)
    return max(
        float(np.corrcoef(made[max(0, k) : n + min(0, k)], truth[max(0, -k) : n - max(0, k)])[0, 1])
        for k in range(-max_lag, max_lag + 1)
    )
