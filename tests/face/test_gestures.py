"""Gestures: people's statistics, the sound's rhythm, and the same for every cutting."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.face.gestures import Gestures, brow_course, head_course
from motet.face.operator import FaceCues
from motet.face.rhythm import BatchRhythm, RhythmTracker
from motet.types import arkit_space

RATE, FPS = 16_000, 25.0


def speech(seconds: float, seed: int = 0) -> torch.Tensor:
    """Noise with the loudness of speech: syllables of uneven strength, and pauses."""
    random = np.random.default_rng(seed)
    level = np.zeros(int(seconds * RATE))
    now = 0.3
    while now < seconds - 0.5:
        if random.uniform() < 0.12:
            now += random.uniform(0.35, 0.8)
        length, strength = random.uniform(0.11, 0.22), random.choice([0.06, 0.1, 0.4])
        rows = slice(int(now * RATE), int((now + length) * RATE))
        level[rows] = strength * np.hanning(len(level[rows]) + 2)[1:-1]
        now += length + random.uniform(0.0, 0.06)
    noise = random.normal(size=len(level))
    return torch.from_numpy(level * noise + 1e-4 * noise).float()[None]


def tracked(sound: torch.Tensor, cuts: tuple[int, ...] = ()) -> RhythmTracker:
    tracker = RhythmTracker(RATE)
    for piece in torch.tensor_split(sound, cuts, dim=-1):
        tracker.push(piece)
    return tracker


def course(sound: torch.Tensor, seed: int) -> np.ndarray:
    frames = int(sound.shape[-1] / RATE * FPS)
    return head_course(seed, np.arange(frames) / FPS, tracked(sound).at(0, frames, FPS))


def test_heads_move_as_peoples_do() -> None:
    sound = speech(120)
    heads = [course(sound, seed) for seed in range(4)]
    pitch, yaw, roll = np.mean([head.std(0) for head in heads], 0)
    assert 2.4 <= yaw <= 5.6
    assert 2.1 <= pitch <= 4.9
    assert 1.3 <= roll <= 3.1
    speed = [np.percentile(np.linalg.norm(np.diff(h, axis=0), axis=1) * FPS, 95) for h in heads]
    assert 30 <= np.mean(speed) <= 70
    power = sum((np.abs(np.fft.rfft(h - h.mean(0), axis=0)) ** 2).sum(1) for h in heads)
    quick = np.fft.rfftfreq(len(heads[0]), 1 / FPS) > 1
    assert power[quick].sum() / power.sum() >= 0.12


def test_nods_fit_the_sound_and_no_other() -> None:
    """Loudness leads the head's speed; with another sound nothing is left of that."""
    sounds = [speech(60, seed) for seed in (1, 2)]
    loudness = [tracked(s).at(0, 1500, FPS).loudness for s in sounds]
    speeds = [np.abs(np.gradient(course(s, 3)[:1500, 0])) for s in sounds]

    def fit(of: int, to: int) -> float:
        # Largest correlation with a lag of 0 to 0.4 s.
        return max(
            float(np.corrcoef(loudness[to][: 1500 - lag], speeds[of][lag:])[0, 1])
            for lag in range(11)
        )

    own, other = np.mean([fit(0, 0), fit(1, 1)]), np.mean([fit(0, 1), fit(1, 0)])
    assert own > 0.3
    assert other < 0.12


def test_takes_differ_in_gesture_not_only_in_phase() -> None:
    sound = speech(40)
    first, second = course(sound, 0)[:, 0], course(sound, 1)[:, 0]
    lags = [
        abs(np.corrcoef(first[50:-50], np.roll(second, lag)[50:-50])[0, 1])
        for lag in range(-50, 51)
    ]
    assert max(lags) < 0.6


@pytest.mark.parametrize("cuts", [(1,), (333, 16_000, 16_001), (40_000,)])
def test_every_cutting_gives_the_same(cuts: tuple[int, ...]) -> None:
    sound, space = speech(12), arkit_space()
    operator = Gestures(space.range("head"), (5,), FPS)
    motion = torch.zeros(1, 300, space.dim)
    whole = operator.apply(motion, FaceCues(0, rhythm=(tracked(sound).at(0, 300, FPS),)))
    tracker, done = RhythmTracker(RATE), 0
    pieces = []
    for piece in torch.tensor_split(sound, cuts, dim=-1):
        tracker.push(piece)
        known = len(tracker._loudness) / 100
        ready = min(300, int(known * FPS))
        cues = FaceCues(done, rhythm=(tracker.at(done, ready - done, FPS),))
        if ready > done:
            pieces.append(operator.apply(motion[:, done:ready], cues))
        done = max(done, ready)
    assert torch.equal(torch.cat(pieces, 1), whole[:, :done])
    assert done >= 299


def test_silence_neither_nods_nor_raises_brows() -> None:
    silence = torch.zeros(1, RATE * 20)
    rhythm = tracked(silence).at(0, 500, FPS)
    assert not len(rhythm.accents)
    assert brow_course(0, np.arange(500) / FPS, rhythm).max() == 0
    assert head_course(0, np.arange(500) / FPS, rhythm).std() > 0.3  # but it lives


def test_a_stretch_hours_later_needs_no_sound_before_it() -> None:
    frames = 50
    start = int(3 * 3600 * FPS)
    tracker = RhythmTracker(RATE)
    course = head_course(1, (start + np.arange(frames)) / FPS, tracker.at(start, frames, FPS))
    assert np.isfinite(course).all()
    assert np.abs(course).max() < 12


def test_each_item_of_a_batch_follows_its_own_sound() -> None:
    sounds, space = torch.stack([speech(6, 1), speech(6, 2)]), arkit_space()
    operator = Gestures(space.range("head"), (5, 5), FPS)
    both = BatchRhythm(RATE)
    both.push(sounds)
    motion = torch.zeros(2, 150, space.dim)
    batch = operator.apply(motion, FaceCues(0, rhythm=both.at(0, 150, FPS)))
    for item in range(2):
        one = Gestures(space.range("head"), (5,), FPS)
        cues = FaceCues(0, rhythm=(tracked(sounds[item]).at(0, 150, FPS),))
        assert torch.equal(one.apply(motion[:1], cues)[0], batch[item])
    assert not torch.equal(batch[0], batch[1])
