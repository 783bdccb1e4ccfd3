"""A mouth over mains hum: shut from the onset on, and free as soon as somebody speaks."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import motet
from motet.audio.hum import HumTracker
from motet.audio.speech_level import measure_blocks
from motet.face.rhythm import BatchRhythm
from motet.types import Audio
from tests.audio.sounds import hum, noise, speech

RATE, FPS = 16_000, 25.0


def tracked(samples: torch.Tensor, rate: int = RATE) -> np.ndarray:
    tracker = HumTracker(rate)
    tracker.push(samples.double().numpy())
    return tracker.at(0, round(len(samples) / rate * FPS), FPS)


@pytest.mark.parametrize(
    "hz,harmonics", [(50.0, 1), (50.0, 8), (60.0, 5), (100.0, 5), (120.0, 5), (100.0, 20)]
)
@pytest.mark.parametrize("before_s", [0.0, 0.483])
def test_hum_is_known_before_its_first_frame_leaves(
    hz: float, harmonics: int, before_s: float
) -> None:
    quiet = noise(0.0, -80.0, 1.0)[: int(before_s * RATE)]
    found = tracked(torch.cat([quiet, hum(hz, -25.0, harmonics)]))
    first = int(before_s * FPS)
    assert found[first + 1 :].all() and not found[: max(0, first - 4)].any()


def test_speech_over_hum_is_not_shut() -> None:
    words = speech(1.0, 5.0)
    found = tracked(torch.cat([torch.zeros(RATE), words]) + hum(50.0, -38.0, 5, 5.0))
    voiced = measure_blocks([words.double().numpy()]).voiced.reshape(-1, 4).all(1)
    assert found[1:20].all() and not found[25:][voiced].any()
    assert not tracked(words).any()


@settings(deadline=None, max_examples=8, derandomize=True)
@given(sizes=st.lists(st.integers(1, 9000), min_size=1, max_size=6))
def test_every_chunking_gives_the_same(sizes: list[int]) -> None:
    samples = torch.cat([torch.zeros(5000), hum(60.0, -30.0, 3, 1.0)]).double().numpy()
    tracker, start, found = HumTracker(RATE), 0, []
    for size in [*sizes, len(samples)]:
        tracker.push(samples[start : start + size])
        start = min(start + size, len(samples))
        ready = int((start / RATE - 0.16) * FPS) if start < len(samples) else 33
        found.append(tracker.at(sum(map(len, found)), max(0, ready - sum(map(len, found))), FPS))
    assert np.array_equal(np.concatenate(found), tracked(torch.from_numpy(samples)))


def test_words_over_a_buzz_move_the_mouth_and_pauses_do_not() -> None:
    words = speech(1.0, 4.0)
    sound = torch.cat([torch.zeros(RATE), words, torch.zeros(RATE)]) + hum(100.0, -40.0, 5, 5.0)
    found = tracked(sound)
    voiced = measure_blocks([words.double().numpy()]).voiced.reshape(-1, 4).all(1)
    assert found[1:20].all() and found[-12:].all() and not found[25:100][voiced].any()


def test_another_rate_is_resampled() -> None:
    time = torch.arange(44_100) / 44_100
    assert tracked(0.1 * torch.sin(2 * torch.pi * 50 * time), 44_100)[1:].all()


@pytest.mark.parametrize("method", ["artalk", "diffposetalk", "kmtalk"])
@pytest.mark.parametrize("before_s", [0.0, 0.6])
@pytest.mark.parametrize("hz", [60.0, 100.0])
def test_no_method_opens_the_mouth_over_hum(method: str, before_s: float, hz: float) -> None:
    quiet = noise(0.0, -80.0, 1.0)[: int(before_s * RATE)]
    sound = torch.cat([quiet, hum(hz, -20.0, 5, 1.2)])
    motion = motet.run(Audio.mono(sound, RATE), method).motion
    assert float(motion.channel("blendshapes", "jawOpen").max()) < 0.03


def test_a_batch_of_nothing_has_a_rhythm() -> None:
    rhythm = BatchRhythm(RATE)
    rhythm.push(torch.zeros(1, 1, 0))
    assert rhythm.at(0, 3, FPS)[0].hum.shape == (3,)


def test_rumble_counts_before_the_first_word_alone() -> None:
    rumble = noise(2.0, -20.0).double().numpy()
    words = speech(0.5, 3.0).double().numpy()
    tracker = HumTracker(RATE)
    tracker.push(np.concatenate([rumble[:RATE], words, rumble[:RATE]]))
    shut = tracker.at(0, 25 + 62 + 25, FPS)
    assert shut[:20].all() and not shut[25:].any()


@pytest.mark.parametrize("exponent", [0.0, 1.0])
@pytest.mark.parametrize("level_db", [-20.0, -30.0])
def test_steady_noise_from_the_first_sample_on_is_a_room(exponent: float, level_db: float) -> None:
    room = noise(exponent, level_db).double().numpy()
    tracker = HumTracker(RATE)
    tracker.push(np.concatenate([room[:RATE], room[:RATE] + 4 * room[RATE : 2 * RATE]]))
    shut = tracker.at(0, 50, FPS)
    assert shut[:20].all() and not shut[25:].any()  # what rises over it is no room


@pytest.mark.parametrize("exponent", [0.0, 1.0])
def test_a_whisper_is_no_room(exponent: float) -> None:
    whisper = noise(exponent, -30.0).double().numpy()
    syllables = 0.55 - 0.45 * np.cos(2 * np.pi * 4 * np.arange(len(whisper)) / RATE)
    tracker = HumTracker(RATE)
    tracker.push(whisper * syllables)
    assert not tracker.at(0, 50, FPS).any()


def test_no_sound_at_all_moves_nothing_before_the_first_word() -> None:
    tracker = HumTracker(16_000)
    tracker.push(np.concatenate([np.zeros(16_000), 0.3 * np.sin(np.arange(16_000) ** 1.2)]))
    shut = tracker.at(0, 50, 25.0)
    assert shut[:20].all() and not shut[26:].any()


@pytest.mark.parametrize("hz", [50.0, 100.0])
def test_no_live_mouth_opens_for_a_hum_after_silence(hz: float) -> None:
    sound = torch.cat([torch.zeros(RATE), hum(hz, -20.0, 8, 1.2)])
    stream, opened = motet.stream("artalk"), []
    for piece in sound.split(320):
        opened += list(stream.push(Audio.mono(piece, RATE)))
    jaw = torch.cat([m.channel("blendshapes", "jawOpen") for m in [*opened, *stream.finish()]])
    assert float(jaw.max()) < 0.05


def test_a_word_after_silence_is_not_late() -> None:
    words = speech(1.0, 3.0)
    silence = torch.zeros(RATE)
    alone, behind = tracked(words), tracked(torch.cat([silence, words]))
    assert not alone.any() and not behind[26:].any()
