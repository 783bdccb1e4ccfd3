"""Long performances from short utterances: pauses between them, silence, and sounds that are no
speech.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from motet.phonetics.phones import SILENCE, PhoneSpan

RATE_HZ = 16_000
_STEP = 320
"""Samples of one feature step; every piece begins on such a step."""


@dataclasses.dataclass(frozen=True)
class Piece:
    """An utterance with what is needed to perform it."""

    name: str
    sound: Float[ndarray, " time"]
    phones: tuple[PhoneSpan, ...]
    features: Float[ndarray, "steps features"] | None = None


def joined_pieces(pieces: Sequence[Piece], random: np.random.Generator, name: str) -> Piece:
    """Utterances one after the other with pauses of 0.3 to 3 s, a third of them digital silence,
    the others with a noise floor.
    """
    sounds: list[ndarray] = []
    features: list[ndarray] = []
    phones: list[PhoneSpan] = []
    offset = 0
    for number, piece in enumerate(pieces):
        pause_s = (
            random.uniform(0.1, 1.0) if number == 0 else min(3.0, 0.3 + random.exponential(0.6))
        )
        for sound, spans, seen in (
            (_pause(piece.sound, pause_s, random), (), None),
            (_whole_steps(piece.sound), piece.phones, piece.features),
        ):
            start, seconds = offset / RATE_HZ, len(sound) / RATE_HZ
            phones += [PhoneSpan(p.start + start, p.end + start, p.symbol) for p in spans] or [
                PhoneSpan(start, start + seconds, SILENCE)
            ]
            steps = len(sound) // _STEP
            if piece.features is not None:
                rows = (
                    np.zeros(steps, int)
                    if seen is None
                    else np.minimum(np.arange(steps), len(seen) - 1)
                )
                features.append(np.asarray(piece.features, np.float32)[rows])
            sounds.append(sound)
            offset += len(sound)
    return Piece(
        name, np.concatenate(sounds), tuple(phones), np.concatenate(features) if features else None
    )


def in_lengths(
    pieces: Sequence[Piece],
    random: np.random.Generator,
    shortest_s: float = 15.0,
    longest_s: float = 60.0,
) -> Iterator[list[Piece]]:
    """Shuffled utterances in groups whose speech lasts about `shortest_s` to `longest_s`."""
    order = random.permutation(len(pieces))
    group: list[Piece] = []
    goal = random.uniform(shortest_s, longest_s)
    for index in order:
        group.append(pieces[index])
        if sum(len(p.sound) for p in group) / RATE_HZ >= goal:
            yield group
            group, goal = [], random.uniform(shortest_s, longest_s)
    if group:
        yield group


def no_speech(kind: str, seconds: float, random: np.random.Generator) -> Float[ndarray, " time"]:
    """Sound without a voice: `silence`, `white`, `pink`, `hum`, or `knocks`, at -60 to -20 dB."""
    count = int(seconds * RATE_HZ) // _STEP * _STEP
    level = 10 ** (random.uniform(-60, -20) / 20)
    time = np.arange(count) / RATE_HZ
    if kind == "silence":
        return np.zeros(count, np.float32)
    if kind == "hum":
        base = random.choice([50.0, 60.0])
        sound = sum(
            np.sin(2 * np.pi * base * k * time + random.uniform(0, 6)) / k for k in (1, 2, 3, 5)
        )
    elif kind == "knocks":
        sound = np.zeros(count)
        for moment in random.integers(0, max(count - 2000, 1), size=max(1, int(seconds * 0.8))):
            decay = np.exp(-np.arange(len(sound[moment : moment + 2000])) / 250)
            sound[moment : moment + 2000] += random.standard_normal(len(decay)) * decay
    else:
        spectrum = np.fft.rfft(random.standard_normal(count))
        if kind == "pink":
            spectrum /= np.sqrt(np.maximum(np.arange(len(spectrum)), 1))
        sound = np.fft.irfft(spectrum, count)
    return (
        (level * sound / max(float(np.sqrt(np.mean(np.square(sound)))), 1e-9))
        .clip(-1, 1)
        .astype(np.float32)
    )


def _pause(sound: ndarray, seconds: float, random: np.random.Generator) -> ndarray:
    count = max(1, round(seconds * RATE_HZ / _STEP)) * _STEP
    if random.random() < 0.33:
        return np.zeros(count, np.float32)
    blocks = sound[: len(sound) // _STEP * _STEP].reshape(-1, _STEP)
    floor = (
        float(np.quantile(np.sqrt(np.mean(np.square(blocks), axis=1)), 0.03))
        if len(blocks)
        else 0.0
    )
    return (min(floor, 0.003) * random.standard_normal(count)).astype(np.float32)


def _whole_steps(sound: ndarray) -> ndarray:
    return np.pad(sound, (0, -len(sound) % _STEP)).astype(np.float32)
