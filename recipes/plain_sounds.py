"""Plain sounds of the kinds that people try first, and what rooms and microphones do to sounds.

The soundscapes have one way of making each kind. Other people's sirens, tunes and bangs are made in
other ways, so the classifier of sounds is also fitted on these, with wide ranges of pitch, tempo,
waveform and level.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.signal import fftconvolve

from motet.synthesis.soundscape.tones import (
    Samples,
    banded,
    clock,
    decay,
    noise,
    placed,
    sweep,
)

Random = np.random.Generator
SEMITONE = 2 ** (1 / 12)
SCALES = ((0, 2, 4, 5, 7, 9, 11), (0, 2, 3, 5, 7, 8, 10), (0, 2, 4, 7, 9))
"""Major, minor, pentatonic: semitones over the key."""


def wave(random: Random, phase: Samples) -> Samples:
    """A tone of a random waveform: sine, soft square, saw or triangle."""
    kind = int(random.integers(0, 4))
    if kind == 0:
        return np.sin(phase)
    if kind == 1:
        return np.tanh(random.uniform(1.5, 6) * np.sin(phase))
    saw = (phase / np.pi) % 2 - 1
    return saw if kind == 2 else 2 * np.abs(saw) - 1


def siren(random: Random, seconds: float) -> Samples:
    """Two tones, a slow wail or a fast yelp."""
    time = clock(seconds)
    low, ratio = random.uniform(300, 1100), random.uniform(1.2, 2.4)
    rate = random.choice([random.uniform(0.08, 0.6), random.uniform(0.6, 1.6), 3.5])
    course = np.sin(2 * np.pi * rate * time + random.uniform(0, 2 * np.pi))
    shape = random.integers(0, 3)
    if shape == 0:
        course = np.sign(course)
    elif shape == 1:
        course = 2 * ((rate * time) % 1) - 1
    return wave(random, sweep(low * ratio ** (0.5 + 0.5 * course)))


def fire_alarm(random: Random, seconds: float) -> Samples:
    """Beeps, or a buzzer that does not stop."""
    time = clock(seconds)
    rate, share = random.uniform(0.8, 6.0), random.uniform(0.4, 0.8)
    gate = ((time * rate) % 1 < share).astype(float) if random.random() < 0.8 else 1.0
    return wave(random, sweep(np.full(len(time), random.uniform(700, 3500)))) * gate


def music(random: Random, seconds: float) -> Samples:
    """Chords, a bass, a melody and drums in a random key and tempo; some parts may be missing."""
    beat = 60 / random.uniform(70, 170)
    key, scale = random.uniform(110, 220), SCALES[int(random.integers(0, len(SCALES)))]
    pieces: list[tuple[float, Samples]] = []
    parts = random.random(4) < (0.8, 0.7, 0.6, 0.7)
    if parts.sum() < 2:
        parts[[0, 3]] = True
    for bar in range(int(seconds / (4 * beat)) + 1):
        root = int(random.choice([0, 3, 4, 5]))
        start = 4 * bar * beat
        if parts[0]:
            for step in (0, 2, 4):
                tone = _note(random, key * 2, scale, root + step, 4 * beat)
                pieces.append((start, 0.3 * tone))
        for count in range(4):
            if parts[1]:
                tone = _note(random, key / 2, scale, root, beat)
                pieces.append((start + count * beat, 0.6 * tone))
            if parts[2]:
                degree = int(random.integers(0, 8))
                tone = _note(random, key * 4, scale, degree, beat * random.choice([0.5, 1]))
                pieces.append((start + count * beat, 0.4 * tone))
            if parts[3]:
                pieces.append((start + count * beat, _drum(random, count % 2 == 1)))
    return placed(len(clock(seconds)), [p for p in pieces if p[0] < seconds])


def drum(random: Random, seconds: float) -> Samples:
    """Drums alone, in a steady tempo."""
    step = 60 / random.uniform(80, 180) / random.choice([1, 2])
    hits = [
        (k * step, random.uniform(0.5, 1) * _drum(random, bool(k % 2)))
        for k in range(int(seconds / step))
        if random.random() < 0.85
    ]
    return placed(len(clock(seconds)), hits)


def instrument(random: Random, seconds: float) -> Samples:
    """A melody of single notes."""
    key, scale = random.uniform(160, 500), SCALES[int(random.integers(0, len(SCALES)))]
    pieces, start = [], 0.0
    while start < seconds:
        length = random.choice([0.2, 0.3, 0.45, 0.6, 0.9])
        pieces.append((start, _note(random, key, scale, int(random.integers(0, 10)), length)))
        start += length
    return placed(len(clock(seconds)), pieces)


def gunshot(random: Random, seconds: float) -> Samples:
    """Short bursts of noise: shots, slammed doors."""
    gap_s = random.uniform(0.5, 2.5) if random.random() < 0.5 else 30.0  # one alone
    return _bursts(random, seconds, 10 ** random.uniform(-1.7, -0.6), gap_s)


def applause(random: Random, seconds: float) -> Samples:
    """One person who claps, or an audience: bursts of a hundredth of a second, hollow hands."""
    time = clock(0.08)
    pieces: list[tuple[float, Samples]] = []
    for _ in range(int(random.choice([1, 1, 2, 5, 40]))):
        fall_s, hollow = random.uniform(0.004, 0.018), random.uniform(700, 1800)
        gap, start = random.uniform(0.18, 0.6), random.uniform(0, 0.15)
        while start < seconds:
            clap = noise(random, len(time)) * decay(time, 0.001, fall_s)
            clap = banded(clap, hollow / 1.6, hollow * random.uniform(1.6, 4.0), order=1)
            pieces.append((start, random.uniform(0.6, 1.0) * clap))
            start += gap * random.uniform(0.9, 1.1)
    first = min(piece[0] for piece in pieces)
    return placed(len(clock(seconds)), [(start - first, clap) for start, clap in pieces])


def footsteps(random: Random, seconds: float) -> Samples:
    """A heel and a sole on a floor, about twice a second."""
    gap, hardness = random.uniform(0.33, 0.75), random.uniform(0.0, 1.0)
    low, high = random.uniform(60, 160), random.uniform(250, 900)
    heel_time, sole_time = clock(0.12), clock(0.16)
    pieces: list[tuple[float, Samples]] = []
    for count in range(int(seconds / gap) + 1):
        start = count * gap + (random.uniform(0, 0.03) if count else 0.0)
        heel = banded(noise(random, len(heel_time)), low, high, order=1)
        heel *= decay(heel_time, 0.002, random.uniform(0.02, 0.06))
        click = banded(noise(random, len(heel_time)), 1500, 6000, order=1)
        sole = banded(noise(random, len(sole_time)), 300, 4000, order=1)
        sole *= decay(sole_time, 0.03, 0.05)
        pieces.append((start, heel + hardness * click * decay(heel_time, 0.001, 0.006)))
        pieces.append((start + random.uniform(0.06, 0.12), random.uniform(0.1, 0.5) * sole))
    return placed(len(clock(seconds)), [piece for piece in pieces if piece[0] < seconds])


def knocking(random: Random, seconds: float) -> Samples:
    """Two to five knocks on wood, and again after a while."""
    time, gap = clock(0.15), random.uniform(0.12, 0.35)
    tones = random.uniform(120, 900, 3)
    fall_s = random.uniform(0.015, 0.05)
    knock = sum(np.sin(2 * np.pi * tone * time + random.uniform(0, 6)) for tone in tones)
    knock = (knock + 0.7 * noise(random, len(time))) * decay(time, 0.001, fall_s)
    pieces: list[tuple[float, Samples]] = []
    start = 0.0
    while start < seconds:
        times = start + gap * np.arange(int(random.integers(2, 6)))
        pieces += [(float(moment), knock) for moment in times if moment < seconds]
        start = float(times[-1]) + random.uniform(0.8, 2.5)
    return placed(len(clock(seconds)), pieces)


def explosion(random: Random, seconds: float) -> Samples:
    """One long dull burst."""
    burst = _bursts(random, seconds, random.uniform(0.3, 1.0), 30.0)
    return banded(burst, None, random.choice([random.uniform(300, 2500), 12_000.0]))


def bark(random: Random, seconds: float) -> Samples:
    """Short hoarse calls in groups."""
    time = clock(random.uniform(0.12, 0.3))
    fall = sweep(np.linspace(random.uniform(400, 900), random.uniform(200, 400), len(time)))
    call = np.tanh(3 * np.sin(fall)) + random.uniform(0.3, 1) * noise(random, len(time))
    call = call * decay(time, 0.01, random.uniform(0.05, 0.12))
    starts = np.cumsum(random.uniform(0.25, 1.0, 24))
    return placed(len(clock(seconds)), [(0.0, call)] + [(s, call) for s in starts if s < seconds])


def engine(random: Random, seconds: float) -> Samples:
    """A low buzz with a drifting speed."""
    time = clock(seconds)
    course = random.uniform(30, 110) * (1 + 0.15 * np.sin(2 * np.pi * time / seconds))
    return wave(random, sweep(course)) + 0.3 * banded(noise(random, len(time)), 60, 900)


def rain(random: Random, seconds: float) -> Samples:
    """Steady noise, white or hissing."""
    return banded(noise(random, len(clock(seconds))), random.uniform(200, 2000), None)


def wind(random: Random, seconds: float) -> Samples:
    """Low noise that swells."""
    time = clock(seconds)
    swell = 0.6 + 0.4 * np.sin(2 * np.pi * random.uniform(0.1, 0.5) * time)
    return banded(noise(random, len(time)), None, random.uniform(200, 700)) * swell


MAKERS: dict[str, Callable[[Random, float], Samples]] = {
    "siren": siren,
    "fire_alarm": fire_alarm,
    "music": music,
    "drum": drum,
    "instrument": instrument,
    "gunshot": gunshot,
    "applause": applause,
    "footsteps": footsteps,
    "knocking": knocking,
    "explosion": explosion,
    "bark": bark,
    "engine": engine,
    "rain": rain,
    "wind": wind,
}
"""By the name of the kind."""


def recorded(random: Random, samples: Samples) -> Samples:
    """A sound through a room and a microphone: reverberation, colour, noise, level."""
    if random.random() < 0.6:
        time = clock(random.uniform(0.1, 0.6))
        tail = noise(random, len(time)) * np.exp(-6.9 * time / time[-1])
        room = np.concatenate([[1.0], random.uniform(0.02, 0.12) * tail])
        samples = fftconvolve(samples, room)[: len(samples)]
    if random.random() < 0.5:
        low, high = random.uniform(30, 250), random.uniform(3_000, 14_000)
        samples = banded(samples, low, high, order=1)
    if random.random() < 0.65:  # files and telephones hold no higher frequencies
        samples = banded(samples, None, random.choice([3_400, 7_600, 7_600, 10_500]), order=8)
    samples = samples / max(float(np.abs(samples).max()), 1e-9)
    hiss = 10 ** random.uniform(-4, -1.7)
    return (samples + hiss * noise(random, len(samples))) * random.uniform(0.03, 0.9)


def _note(
    random: Random, key_hz: float, scale: tuple[int, ...], degree: int, seconds: float
) -> Samples:
    octave, step = divmod(degree, len(scale))
    pitch = key_hz * 2**octave * SEMITONE ** scale[step]
    time = clock(seconds)
    envelope = decay(time, 0.01, random.uniform(0.3, 2.0) * seconds)
    return wave(random, sweep(np.full(len(time), pitch))) * envelope


def _drum(random: Random, is_snare: bool) -> Samples:
    if is_snare:
        time = clock(0.15)
        return banded(noise(random, len(time)), 800, None) * decay(time, 0.002, 0.05)
    time = clock(0.25)
    return 1.5 * np.sin(sweep(50 + 90 * np.exp(-time / 0.03))) * decay(time, 0.002, 0.1)


def _bursts(random: Random, seconds: float, fall_s: float, gap_s: float) -> Samples:
    time = clock(min(seconds, 6 * fall_s))
    envelope = decay(time, 0.001, fall_s)
    if random.random() < 0.4:  # switched on and off instead of dying away
        envelope = (time < 2 * fall_s).astype(float)
    burst = noise(random, len(time)) * envelope
    if random.random() < 0.5:
        burst = banded(burst, random.uniform(40, 600), random.uniform(1500, 12_000), order=1)
    starts = [0.0, *np.cumsum(random.uniform(0.4, 1.6, 12) * gap_s)]
    return placed(len(clock(seconds)), [(s, burst) for s in starts if s < seconds])
