"""Sounds of a General MIDI soundfont: bands, orchestras, solos, drums, rings, applause, shots.

    pip install tinysoundfont

and a soundfont, for example Debian's fluidr3mono-gm-soundfont (FluidR3, MIT).

Waveforms of `plain_sounds` are no instruments: a classifier that was fitted on them took one of
twenty recorded pieces of music for music. Everything that is played here is composed at random; the
instruments of a soundfont are recorded.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tinysoundfont

from motet.synthesis.soundscape.tones import RATE, Samples, peaked
from recipes.plain_sounds import SCALES, Random

DRUMS = 9
"""Channel of the drum kit."""
KICK, SNARE, HAT, OPEN_HAT, CLAP, CRASH, TOMS = 36, 38, 42, 46, 39, 49, (41, 45, 48)
CHORDS = (*range(0, 8), *range(16, 32), *range(48, 56), *range(88, 96))
"""Programs that play chords: pianos, organs, guitars, strings, voices, pads."""
BASSES = tuple(range(32, 40))
LEADS = (*range(0, 12), *range(21, 32), *range(40, 44), *range(56, 88), *range(104, 112))
ORCHESTRA = (6, 40, 41, 42, 48, 49, 56, 57, 60, 61, 68, 70, 71, 73)
"""Harpsichord, strings, brass, woodwind."""
CHIMES = (9, 11, 12, 14, 98, 112)
"""Glockenspiel, vibraphone, marimba, tubular bells, crystal, tinkle bell."""
PROGRESSIONS = ((0, 4, 5, 3), (0, 3, 4, 4), (5, 3, 0, 4), (0, 5, 3, 4), (0, 0, 3, 4), (1, 4, 0, 0))
"""Degrees of the scale under four bars."""


@dataclasses.dataclass(frozen=True)
class Note:
    """One note of a channel."""

    start_s: float
    stop_s: float
    channel: int
    key: int
    velocity: int


class Player:
    """Plays notes with the instruments of a soundfont."""

    def __init__(self, soundfont: Path) -> None:
        self._synth = tinysoundfont.Synth(samplerate=RATE)
        self._font = self._synth.sfload(str(soundfont))

    def play(self, notes: list[Note], programs: dict[int, int], seconds: float) -> Samples:
        """The mean of both channels, at most 1.

        Args:
            programs: instrument of each channel; of the drums, the kit.
        """
        self._synth.sounds_off()
        for channel, program in programs.items():
            is_kit = channel == DRUMS
            bank = 128 if is_kit else 0
            self._synth.program_select(channel, self._font, bank, program, is_kit)
        moments = [(n.start_s, 1, n) for n in notes] + [(n.stop_s, 0, n) for n in notes]
        pieces, now = [], 0
        for moment, begins, note in sorted(moments, key=lambda m: (m[0], m[1])):
            pieces.append(self._render(round(min(moment, seconds) * RATE) - now))
            now = max(now, round(min(moment, seconds) * RATE))
            if begins:
                self._synth.noteon(note.channel, note.key, note.velocity)
            else:
                self._synth.noteoff(note.channel, note.key)
        pieces.append(self._render(round(seconds * RATE) - now))
        return peaked(np.concatenate(pieces))

    def _render(self, count: int) -> Samples:
        if count <= 0:
            return np.zeros(0)
        stereo = np.frombuffer(bytes(self._synth.generate(count)), np.float32)
        return stereo.reshape(-1, 2).mean(1).astype(np.float64)


def band(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """Drums, bass, chords and a melody, some parts missing now and then."""
    beat = 60 / random.uniform(66, 172)
    scale, key = SCALES[int(random.integers(2))], int(random.integers(40, 52))
    parts = random.random(4) < (0.85, 0.85, 0.8, 0.7)
    if parts.sum() < 2:
        parts[:2] = True
    chords = PROGRESSIONS[int(random.integers(len(PROGRESSIONS)))]
    notes: list[Note] = []
    for bar in range(int(seconds / (4 * beat)) + 1):
        start, degree = 4 * bar * beat, chords[bar % 4]
        if parts[0]:
            notes += _groove(random, start, beat, is_first=bar == 0)
        if parts[1]:
            notes += _bass(random, start, beat, key - 12 + scale[degree])
        if parts[2]:
            notes += _chord(random, start, beat, [_pitch(key + 12, scale, degree + k)
                                                  for k in (0, 2, 4)])  # fmt: skip
        if parts[3]:
            notes += _melody(random, start, beat, key + 24, scale, channel=2)
    kit = int(random.choice([0, 0, 8, 16, 24, 25, 40]))
    return notes, {0: _one(random, BASSES), 1: _one(random, CHORDS), 2: _one(random, LEADS),
                   DRUMS: kit}  # fmt: skip


def orchestra(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """Three or four voices in counterpoint without drums, as of Bach, or one piano with both
    hands.
    """
    beat = 60 / random.uniform(60, 130)
    scale, key = SCALES[int(random.integers(2))], int(random.integers(48, 56))
    voices, notes = int(random.integers(3, 5)), []
    is_piano = random.random() < 0.3
    for voice in range(voices):
        for bar in range(int(seconds / (4 * beat)) + 1):
            low = key + 12 * (voice - 1)
            notes += _melody(random, 4 * bar * beat, beat, low, scale, channel=voice, rests=0.1)
    programs = {v: 0 if is_piano else _one(random, ORCHESTRA) for v in range(voices)}
    return notes, programs


def solo(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """One instrument, one note at a time."""
    beat, scale = 60 / random.uniform(60, 140), SCALES[int(random.integers(3))]
    key, notes = int(random.integers(52, 72)), []
    for bar in range(int(seconds / (4 * beat)) + 1):
        notes += _melody(random, 4 * bar * beat, beat, key, scale, channel=0, rests=0.05)
    return notes, {0: _one(random, LEADS)}


def drums(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """A drum kit alone."""
    beat, notes = 60 / random.uniform(70, 170), []
    for bar in range(int(seconds / (4 * beat)) + 1):
        notes += _groove(random, 4 * bar * beat, beat, is_first=bar == 0)
    return notes, {DRUMS: int(random.choice([0, 8, 16, 24, 25]))}


def phone(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """Rings of two seconds with pauses, the telephone of the soundfont or a ring tone."""
    ring, gap, notes, start = random.uniform(0.8, 2.0), random.uniform(0.7, 2.5), [], 0.0
    is_bell, key = random.random() < 0.4, int(random.integers(60, 84))
    tune = [key + int(k) for k in random.choice([0, 4, 7, 12, 2, 9], 4)]
    step = random.uniform(0.06, 0.2)
    while start < seconds:
        if is_bell:
            notes.append(Note(start, start + ring, 0, int(random.integers(55, 75)), 100))
        for count in range(0 if is_bell else int(ring / step)):
            moment = start + count * step
            notes.append(Note(moment, moment + 0.9 * step, 0, tune[count % 4], 100))
        start += ring + gap
    return notes, {0: 124 if is_bell else _one(random, (9, 11, 80, 81, 98, 14))}


def chime(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """One to four notes of a message, a door bell, a lift."""
    step, key, notes = random.uniform(0.08, 0.6), int(random.integers(60, 90)), []
    for count in range(int(random.integers(1, 5))):
        pitch = key + int(random.choice([-5, -4, 0, 3, 4, 7, 12]))
        notes.append(Note(count * step, min(seconds, count * step + 1.0), 0, pitch, 100))
    return notes, {0: _one(random, (*CHIMES, 0, 4, 13, 80))}


def applause(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """An audience, or one or a few people who clap."""
    if random.random() < 0.35:
        key = int(random.integers(54, 70))
        return [Note(0.0, seconds, 0, key + k, 110) for k in (0, 5)], {0: 126}
    people, notes = int(random.integers(1, 6)), []
    for _ in range(people):
        gap = random.uniform(0.18, 0.55)
        moments = np.arange(random.uniform(0, 0.1), seconds, gap)
        for moment in moments + random.normal(0, 0.02, len(moments)):
            start = max(0.0, float(moment))
            notes.append(Note(start, start + 0.1, DRUMS, CLAP, int(random.integers(60, 120))))
    return notes, {DRUMS: int(random.choice([0, 8, 25]))}


def gunshot(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """Shots of the soundfont, one or several."""
    count = int(random.choice([1, 1, 2, 4]))
    starts = np.concatenate([[0.0], np.cumsum(random.uniform(0.3, 1.2, count - 1))])
    key = int(random.integers(45, 70))
    return [Note(float(s), min(seconds, float(s) + 1.0), 0, key, 120) for s in starts], {0: 127}


def bird(random: Random, seconds: float) -> tuple[list[Note], dict[int, int]]:
    """Tweets of the soundfont."""
    starts = np.cumsum(random.uniform(0.2, 1.0, 20))
    notes = [Note(float(s - starts[0]), float(s - starts[0]) + 0.6, 0,
                  int(random.integers(60, 90)), 100) for s in starts if s < seconds]  # fmt: skip
    return notes, {0: 123}


Composer = Callable[[Random, float], tuple[list[Note], dict[int, int]]]
COMPOSERS: tuple[tuple[str, Composer, int], ...] = (
    ("music", band, 90),
    ("music", orchestra, 60),
    ("instrument", solo, 40),
    ("drum", drums, 40),
    ("phone", phone, 30),
    ("chime", chime, 40),
    ("applause", applause, 40),
    ("gunshot", gunshot, 16),
    ("bird", bird, 12),
)
"""Kind of sound, what composes it, and how many examples the classifier is fitted on."""


def _pitch(key: int, scale: tuple[int, ...], degree: int) -> int:
    octave, step = divmod(degree, len(scale))
    return key + 12 * octave + scale[step]


def _one(random: Random, programs: tuple[int, ...]) -> int:
    return int(programs[int(random.integers(len(programs)))])


def _groove(random: Random, start: float, beat: float, *, is_first: bool) -> list[Note]:
    """One bar of drums; a cymbal at the beginning, a fill now and then."""
    hits = [(0.0, KICK), (1.0, SNARE), (2.0, KICK), (3.0, SNARE)]
    hits += [(half / 2, HAT) for half in range(8)]
    if random.random() < 0.5:
        hits.append((float(random.choice([1.5, 2.5, 3.5])), KICK))
    if random.random() < 0.3:
        hits += [(1.0, CLAP), (3.0, CLAP), (3.5, OPEN_HAT)]
    if random.random() < 0.2:
        hits += [(3.0 + k / 4, TOMS[int(random.integers(3))]) for k in range(4)]
    if is_first and random.random() < 0.4:
        hits.append((0.0, CRASH))
    return [
        Note(start + at * beat, start + at * beat + 0.1, DRUMS, key, int(random.integers(70, 120)))
        for at, key in hits
        if random.random() < 0.94
    ]


def _bass(random: Random, start: float, beat: float, key: int) -> list[Note]:
    steps = 8 if random.random() < 0.5 else 4
    length = 4 * beat / steps
    return [
        Note(start + k * length, start + (k + 0.9) * length, 0, key + 12 * int(k % 4 == 3), 100)
        for k in range(steps)
    ]


def _chord(random: Random, start: float, beat: float, keys: list[int]) -> list[Note]:
    """Held over a bar, struck on the beats, or broken."""
    way = int(random.integers(3))
    if way == 0:
        return [Note(start, start + 3.9 * beat, 1, key, 80) for key in keys]
    if way == 1:
        return [
            Note(start + k * beat, start + (k + 0.8) * beat, 1, key, 80)
            for k in range(4)
            for key in keys
        ]
    return [
        Note(start + k * beat / 2, start + (k + 1) * beat / 2, 1, keys[k % 3], 80) for k in range(8)
    ]


def _melody(
    random: Random,
    start: float,
    beat: float,
    key: int,
    scale: tuple[int, ...],
    *,
    channel: int,
    rests: float = 0.2,
) -> list[Note]:
    """One bar of a melody that goes up and down by small steps."""
    notes, moment, degree = [], 0.0, int(random.integers(0, 8))
    while moment < 4.0:
        length = float(random.choice([0.25, 0.5, 0.5, 1.0, 1.0, 2.0]))
        if random.random() > rests:
            pitch, stop = (
                _pitch(key, scale, degree),
                start + min(4.0, moment + 0.95 * length) * beat,
            )
            velocity = int(random.integers(70, 115))
            notes.append(Note(start + moment * beat, stop, channel, pitch, velocity))
        degree = int(np.clip(degree + random.integers(-2, 3), -2, 10))
        moment += length
    return notes
