"""Co-speech movement from prosody: beats of hands and head on emphasis, rest in pauses.

Emphasis is where the loudness of the voice peaks; phrases are runs of voice between pauses.
Source: beat gestures align with pitch accents (McNeill 1992; Loehr 2012): the stroke arrives at the
accent or slightly before it.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d
from scipy.signal import find_peaks

from motet.synthesis.reaction.plan import ArmGoal, Plan, drift, held, rise, seconds
from motet.synthesis.reaction.steps import RATE

PAUSE_S, SHORTEST_S = 0.32, 0.5
"""A pause ends a phrase; shorter phrases have no gesture."""
VOICED_DB = -26.0
"""Voice is louder than this against the loudest moment."""
EARLY_S = 0.05
"""A stroke arrives so much before its emphasis."""


@dataclasses.dataclass(frozen=True)
class Prosody:
    """What a voice does, seconds from the beginning of the sound."""

    phrases_s: tuple[tuple[float, float], ...]
    emphasis_s: tuple[float, ...]
    strength: tuple[float, ...]
    """Of each emphasis, 0 to 1."""


def prosody(samples: Float[np.ndarray, " time"], rate: int) -> Prosody:
    """Phrases and emphasis of a recording of one voice."""
    # as many levels a second as the plan has frames
    step = rate // int(RATE)
    count = len(samples) // step
    rms = np.sqrt((samples[: count * step].reshape(count, step) ** 2).mean(1) + 1e-12)
    level = 20 * np.log10(gaussian_filter1d(rms, 0.03 * RATE) + 1e-9)
    voiced = level > level.max() + VOICED_DB
    edges = np.flatnonzero(np.diff(np.concatenate([[0], voiced.astype(np.int8), [0]])))
    runs: list[list[float]] = []
    for start, stop in zip(edges[::2] / RATE, edges[1::2] / RATE, strict=True):
        if runs and start - runs[-1][1] < PAUSE_S:
            runs[-1][1] = stop
        else:
            runs.append([start, stop])
    # 60 ms: syllables, not pitch periods
    slow = gaussian_filter1d(level, 0.06 * RATE)
    # syllables that stand out by 4 dB, 0.28 s apart at least
    peaks, facts = find_peaks(slow, prominence=4.0, distance=int(0.28 * RATE))
    peaks, prominence = peaks[voiced[peaks]], facts["prominences"][voiced[peaks]]
    strength = np.clip(prominence / max(float(np.quantile(prominence, 0.8)), 1e-6), 0, 1)
    return Prosody(
        tuple((a, b) for a, b in runs if b - a > SHORTEST_S),
        tuple((peaks / RATE).tolist()),
        tuple(strength.tolist()),
    )


def speak(
    plan: Plan, voice: Prosody, start_s: float, gain: float, random: np.random.Generator
) -> None:
    """Move like a person who says this, to somebody ahead."""
    time, frames = seconds(plan.frames), plan.frames
    moments = np.array(voice.emphasis_s) + start_s - EARLY_S
    beats = np.zeros(frames)
    for moment, strength in zip(moments, voice.strength, strict=True):
        # a Gaussian of 0.11 s about each emphasis
        beats += strength * np.exp(-(((time - moment) / 0.11) ** 2))
    plan.nod += (0.05 + 0.07 * gain) * beats
    plan.bow += 0.012 * gain * beats
    for curve, size in ((plan.shake, 0.10), (plan.tilt, 0.06), (plan.twist, 0.04)):
        talking = gaussian_filter1d(_inside(voice, time, start_s), 0.3 * RATE)
        curve += size * (0.5 + gain) * drift(random, frames, 1.3)[:, 0] * talking
    for start, stop in voice.phrases_s:
        start, stop = start + start_s, stop + start_s
        if random.random() < 0.55 + 0.4 * gain:
            _gesture(plan, start, stop, beats, gain, random)
        if random.random() < 0.35:
            aside = held(time, start - 0.1, 0.35, start + random.uniform(0.4, 0.9), 0.4)
            plan.shake += random.choice([-1, 1]) * random.uniform(0.12, 0.28) * aside
            plan.nod += random.uniform(-0.08, 0.08) * aside
        if random.random() < 0.4:
            shift = random.uniform(-0.03, 0.03)
            # The weight is shifted at the end of a phrase and comes back five seconds later.
            plan.sway_m[:, 0] += shift * (rise(time, stop, 1.0) - rise(time, stop + 5.0, 1.4))


def _inside(voice: Prosody, time: np.ndarray, start_s: float) -> np.ndarray:
    inside = np.zeros(len(time))
    for start, stop in voice.phrases_s:
        inside[(time >= start + start_s) & (time < stop + start_s)] = 1.0
    return inside


def _gesture(
    plan: Plan,
    start: float,
    stop: float,
    beats: np.ndarray,
    gain: float,
    random: np.random.Generator,
) -> None:
    """One or both hands come up before the phrase, beat on its emphasis and sink in the pause."""
    time = seconds(plan.frames)
    both = random.random() < 0.4
    hands = (0, 1) if both else (int(random.random() < 0.75),)
    height, out = random.uniform(-0.17, -0.06), random.uniform(0.09, 0.17)
    forward, open_palm = random.uniform(0.24, 0.33), random.random() < 0.5
    for side in hands:
        late = random.uniform(0, 0.08)
        # the hand is up before the phrase and sinks into the pause
        weight = held(time, start - 0.25 + late, 0.5, stop - 0.05 + late, 0.75)
        wander = 0.015 * drift(random, plan.frames, 0.9, 3)
        # metres
        stroke = (0.035 + 0.045 * gain) * beats
        position = np.stack(
            [
                out + 0.6 * stroke * (1 if both else 0.6) + wander[:, 0],
                height + 0.35 * (0.035 + 0.045 * gain) - stroke + wander[:, 1],
                forward + 0.3 * stroke + wander[:, 2],
            ],
            1,
        )
        plan.arms[side].append(
            ArmGoal(
                weight * (0.75 + 0.25 * gain),
                "chest",
                position,
                (-0.25, 0.12, 0.96),
                (-0.55, 0.83, 0.0) if open_palm else (-0.85, -0.45, 0.1),
                (0.60, -0.78, -0.15),
            )
        )
