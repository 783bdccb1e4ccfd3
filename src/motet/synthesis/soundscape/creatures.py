"""Animals, people and music."""

from __future__ import annotations

import functools
from importlib import resources

import numpy as np
import soundfile
import soxr

from motet.synthesis.soundscape.machines import Sound
from motet.synthesis.soundscape.tones import (
    RATE,
    VOWELS,
    Samples,
    banded,
    clock,
    decay,
    noise,
    peaked,
    placed,
    slow,
    sweep,
    voiced,
)


def bird(random: np.random.Generator, seconds: float) -> Sound:
    """Chirps in phrases."""
    pieces, starts, moment = [], [], 0.0
    low, span = random.uniform(2200, 4200), random.uniform(600, 2500)
    while moment < seconds - 0.4:
        starts.append(moment)
        for _ in range(int(random.integers(2, 7))):
            time = clock(random.uniform(0.05, 0.16))
            curve = low + span * np.abs(
                np.sin(np.linspace(0, random.uniform(2, 6), len(time)) + random.uniform(0, 3))
            )
            pieces.append((moment, np.sin(sweep(curve)) * np.hanning(len(time))))
            moment += time[-1] + random.uniform(0.02, 0.12)
        moment += random.uniform(0.4, 1.3)
    return placed(len(clock(seconds)), pieces), starts, []


def insect(random: np.random.Generator, seconds: float) -> Sound:
    """A cricket's trills, or a fly."""
    time = clock(seconds)
    if random.random() < 0.5:
        pitch, chirps = random.uniform(3800, 5200), random.uniform(2, 4)
        # on for 55 % of each chirp, and cut into pulses of 28 to 45 Hz
        gate = ((time * chirps) % 1 < 0.55) * (
            0.5 + 0.5 * np.sign(np.sin(2 * np.pi * random.uniform(28, 45) * time))
        )
        return (
            np.sin(2 * np.pi * pitch * time) * np.convolve(gate, np.ones(90) / 90, mode="same"),
            [0.0],
            [],
        )
    phase = sweep(random.uniform(160, 240) * (1 + 0.08 * slow(random, len(time), 4)))
    # wing beats: eight harmonics of 160 to 240 Hz
    return (
        sum(np.sin(k * phase) / k for k in range(1, 9))
        * (0.6 + 0.4 * slow(random, len(time), 1.5)),
        [0.0],
        [],
    )


def _calls(
    random: np.random.Generator,
    seconds: float,
    length: tuple[float, float],
    gap: tuple[float, float],
    pitch: tuple[float, float],
    curve: tuple[float, ...],
    vowels: tuple[str, ...],
    breath: float,
    size: float,
) -> Sound:
    """One voice calling again and again; `curve` is the pitch along a call, relative."""
    base, pieces, starts, moment = random.uniform(*pitch), [], [], 0.0
    while moment < seconds - 0.3:
        time = clock(random.uniform(*length))
        along = np.linspace(0, 1, len(time))
        melody = (
            base
            * np.interp(along, np.linspace(0, 1, len(curve)), curve)
            * random.uniform(0.92, 1.08)
        )
        # attack over 12 % of a call, release over 30 %
        shape = np.clip(along / 0.12, 0, 1) * np.clip((1 - along) / 0.3, 0, 1) ** 0.7
        pieces.append(
            (
                moment,
                voiced(random, melody, str(random.choice(vowels)), breath, size)
                * shape
                * random.uniform(0.7, 1),
            )
        )
        starts.append(moment)
        moment += time[-1] + random.uniform(*gap)
    return placed(len(clock(seconds)), pieces), starts, []


def bark(random: np.random.Generator, seconds: float) -> Sound:
    """A dog."""
    return _calls(
        random,
        seconds,
        (0.10, 0.2),
        (0.15, 0.9),
        (260, 520),
        (0.7, 1.2, 0.6),
        ("a", "o"),
        0.8,
        0.85,
    )


def cat(random: np.random.Generator, seconds: float) -> Sound:
    """Meows."""
    return _calls(
        random,
        seconds,
        (0.5, 1.1),
        (0.6, 1.8),
        (420, 640),
        (0.8, 1.25, 1.15, 0.75),
        ("e", "a"),
        0.08,
        0.6,
    )


def shout(random: np.random.Generator, seconds: float) -> Sound:
    """One person shouting."""
    return _calls(
        random,
        seconds,
        (0.35, 1.1),
        (0.15, 0.7),
        (220, 420),
        (0.8, 1.15, 1.1, 0.85),
        ("a", "e", "ah"),
        0.35,
        random.uniform(0.85, 1.1),
    )


def sing(random: np.random.Generator, seconds: float) -> Sound:
    """A melody on vowels, with vibrato."""
    base, tempo = random.uniform(180, 380), random.uniform(0.35, 0.6)
    scale, pieces, moment, starts = (0, 2, 4, 5, 7, 9, 12), [], 0.0, []
    while moment < seconds - 0.3:
        length = tempo * float(random.choice([1, 1, 2]))
        time = clock(length)
        melody = (
            base
            # semitones of the major scale; vibrato of 5.5 Hz, a fifth of a semitone
            * 2 ** (scale[int(random.integers(7))] / 12)
            * (1 + 0.012 * np.sin(2 * np.pi * 5.5 * time))
        )
        pieces.append(
            (
                moment,
                voiced(random, melody, str(random.choice(list(VOWELS))), 0.03)
                * np.hanning(len(time)) ** 0.3,
            )
        )
        starts.append(moment)
        moment += length
    return placed(len(clock(seconds)), pieces), starts[:1], list(np.arange(0, seconds, tempo))


def laughter(random: np.random.Generator, seconds: float) -> Sound:
    """Ha-ha-ha in bouts."""
    base, pieces, starts, moment = random.uniform(180, 380), [], [], 0.0
    while moment < seconds - 0.5:
        starts.append(moment)
        for k in range(int(random.integers(4, 9))):
            # the voice of a bout falls and gets softer
            time = clock(random.uniform(0.08, 0.12))
            melody = base * (1.25 - 0.05 * k) * np.linspace(1.05, 0.9, len(time))
            pieces.append(
                (
                    moment,
                    (
                        voiced(random, melody, "a", 0.3)
                        + 0.25 * banded(noise(random, len(time)), 800, 4000)
                    )
                    * np.hanning(len(time))
                    * 0.93**k,
                )
            )
            moment += random.uniform(0.17, 0.22)
        moment += random.uniform(0.4, 1.2)
    return placed(len(clock(seconds)), pieces), starts, []


def cough(random: np.random.Generator, seconds: float) -> Sound:
    """Coughs in pairs."""
    pieces, starts, moment = [], [], 0.0
    while moment < seconds - 0.5:
        starts.append(moment)
        for _ in range(int(random.integers(1, 4))):
            time = clock(0.35)
            # a burst of air, then a short rough voice
            burst = banded(noise(random, len(time)), 250, 4500) * decay(time, 0.006, 0.07) * 3
            tone = voiced(random, np.linspace(210, 120, len(time)), "ah", 0.5) * decay(
                time, 0.03, 0.1
            )
            pieces.append((moment, peaked(burst + 1.2 * tone)))
            moment += random.uniform(0.3, 0.5)
        moment += random.uniform(0.8, 2.2)
    return placed(len(clock(seconds)), pieces), starts, []


def crowd_yell(random: np.random.Generator, seconds: float) -> Sound:
    """Many people shouting at once."""
    voices = [shout(random, seconds)[0] * random.uniform(0.3, 1) for _ in range(9)]
    count = len(voices[0])
    roar = banded(noise(random, count), 300, 3000) * (0.6 + 0.4 * slow(random, count, 1))
    return sum(voices) + 1.2 * peaked(roar), [0.0], []


@functools.cache
def _readings() -> tuple[Samples, ...]:
    """The public-domain recordings of reading that ship with the package."""
    folder = resources.files("motet.data") / "librivox"
    result = []
    for entry in sorted(
        (e for e in folder.iterdir() if e.name.endswith(".flac")), key=lambda e: e.name
    ):
        with entry.open("rb") as file:
            samples, rate = soundfile.read(file, dtype="float64")
        result.append(soxr.resample(samples if samples.ndim == 1 else samples.mean(1), rate, RATE))
    return tuple(result)


def speech(random: np.random.Generator, seconds: float) -> Sound:
    """Reading aloud, at another pitch and pace each time."""
    parts, total, count = [], 0, len(clock(seconds))
    factor = random.uniform(0.85, 1.2)
    while total < count:
        piece = _readings()[int(random.integers(len(_readings())))]
        # played faster or slower: pitch and formants go with it
        piece = soxr.resample(piece, RATE * factor, RATE)
        parts += [piece, np.zeros(int(RATE * random.uniform(0.15, 0.5)))]
        total += len(parts[-2]) + len(parts[-1])
    return np.concatenate(parts)[:count], [0.0], []


def drum(random: np.random.Generator, seconds: float) -> Sound:
    """A beat on drums."""
    gap = 60 / random.uniform(88, 132)
    beats = list(np.arange(0, seconds, gap))
    time = clock(0.4)
    # a sine that falls from 155 Hz to 45 Hz
    kick = np.sin(sweep(45 + 110 * np.exp(-time / 0.03))) * decay(time, 0.002, 0.12)
    snare = 0.7 * banded(noise(random, len(time)), 800, 7000) * decay(
        time, 0.001, 0.06
    ) + 0.4 * np.sin(2 * np.pi * 190 * time) * decay(time, 0.001, 0.05)
    hat = 0.25 * banded(noise(random, len(time)), 7000, None) * decay(time, 0.0005, 0.025)
    pieces = [(beat, kick if number % 2 == 0 else 0.6 * snare) for number, beat in enumerate(beats)]
    pieces += [(beat + half * gap, hat) for beat in beats for half in (0, 0.5)]
    return placed(len(clock(seconds)), pieces), beats[:1], beats


def music(random: np.random.Generator, seconds: float) -> Sound:
    """Drums, a bass and chords."""
    drums, _, beats = drum(random, seconds)
    gap = beats[1] - beats[0]
    base = random.uniform(90, 150)
    pieces = []
    for number, beat in enumerate(beats):
        # root, fourth, fifth and sixth: four beats each
        root = base * 2 ** ((0, 5, 7, 9)[(number // 4) % 4] / 12)
        pieces.append((beat, 0.5 * _plucked(root, gap * 0.95)))
        if number % 2 == 1:
            pieces += [
                (beat, 0.22 * _plucked(2 * root * 2 ** (step / 12), gap * 1.6))
                # major triad in semitones
                for step in (0, 4, 7)
            ]
    return 0.8 * drums + placed(len(drums), pieces), beats[:1], beats


def _plucked(pitch_hz: float, seconds: float) -> Samples:
    time = clock(seconds)
    return sum(np.sin(2 * np.pi * k * pitch_hz * time) / k**1.3 for k in range(1, 8)) * decay(
        time, 0.005, 0.35 * seconds
    )


def instrument(random: np.random.Generator, seconds: float) -> Sound:
    """One instrument playing a melody: plucked or blown."""
    gap, base = random.uniform(0.22, 0.45), random.uniform(220, 520)
    blown = random.random() < 0.5
    pieces, beats = [], list(np.arange(0, seconds, gap))
    note = 0
    for beat in beats:
        note = int(np.clip(note + random.integers(-2, 3), -5, 9))
        # pentatonic: no note is wrong
        pitch = base * 2 ** ((0, 2, 4, 7, 9)[note % 5] / 12 + note // 5)
        time = clock(gap * 1.3)
        if blown:
            tone = (
                sum(
                    np.sin(k * sweep(pitch * (1 + 0.006 * np.sin(33 * time)))) / k**2
                    for k in range(1, 6)
                )
                * np.hanning(len(time)) ** 0.5
            )
            tone += 0.05 * banded(noise(random, len(time)), 1500, 6000)
        else:
            tone = _plucked(pitch, gap * 1.8)
        pieces.append((beat, tone))
    return placed(len(clock(seconds)), pieces), beats[:1], beats[::2]
