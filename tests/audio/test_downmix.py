from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from motet.audio import to_mono
from motet.audio.downmix import one_channel, speech_mix
from motet.errors import AudioError
from motet.types import SURROUND, Audio, Layout
from tests.audio.sounds import speech, speechlike

RATE = 16_000
SPEECH = speechlike(2 * RATE, RATE)[0]


def noise(seed: int, level: float = 1.0) -> np.ndarray:
    """Steady coloured noise with the RMS level of the speech times `level`."""
    values = lfilter([1.0], [1.0, -0.9], np.random.default_rng(seed).standard_normal(2 * RATE))
    return (values / values.std() * SPEECH.std() * level).astype(np.float32)


def hum(level: float) -> np.ndarray:
    time = np.arange(2 * RATE) / RATE
    wave = sum(np.sin(2 * np.pi * 50 * k * time) / k for k in range(1, 30))
    return (wave / wave.std() * SPEECH.std() * level).astype(np.float32)


def audio(*channels: np.ndarray, layout: Layout = "other") -> Audio:
    samples = torch.from_numpy(np.stack(channels).astype(np.float32))
    return Audio(samples, RATE, "stereo" if len(channels) == 2 else layout)


def decibels_off(mono: Audio, wanted: np.ndarray) -> tuple[float, float]:
    """Correlation with the speech, and the level relative to it."""
    found = mono.samples[0].numpy()
    level = 20 * np.log10(found.std() / wanted.std())
    return float(np.corrcoef(found, wanted)[0, 1]), float(level)


@pytest.mark.parametrize("gain", [1.0, 0.9, 0.6, 0.4])
@pytest.mark.parametrize("floor", [0.0, 0.05])
def test_speech_in_opposite_phase_survives(gain: float, floor: float) -> None:
    sound = audio(SPEECH + noise(1, floor), -gain * SPEECH + noise(2, floor))
    mono = to_mono(sound)
    assert mono.layout == "mono" and mono.samples.shape == (1, 2 * RATE)
    correlation, level = decibels_off(mono, SPEECH)
    assert correlation > 0.99
    assert level == pytest.approx(20 * np.log10((1 + gain) / 2), abs=0.3)
    assert "opposite phase" in speech_mix(sound).note


@pytest.mark.parametrize("right", [1.0, 0.5, 0.3])
def test_ordinary_stereo_stays_the_mean_without_a_note(right: float) -> None:
    sound = audio(SPEECH + noise(1, 0.2), right * np.roll(SPEECH, 8) + noise(2, 0.2))
    assert torch.equal(to_mono(sound).samples, sound.samples.mean(0, keepdim=True))
    assert speech_mix(sound).note == ""


def test_silence_and_short_sounds_have_a_mean() -> None:
    silent = audio(np.zeros(RATE), np.zeros(RATE))
    assert to_mono(silent).samples.abs().max() == 0
    one = Audio(torch.tensor([[0.5], [0.25]]), RATE, "stereo")
    assert to_mono(one).samples.tolist() == [[0.375]]
    assert to_mono(Audio(torch.zeros(3, 0), RATE, "other")).samples.shape == (1, 0)


@pytest.mark.parametrize("other", [0.0, 0.001, 0.1])
def test_one_side_of_stereo_is_taken_at_its_own_level(other: float) -> None:
    sound = audio(noise(1, other), SPEECH)
    assert decibels_off(to_mono(sound), SPEECH)[0] > 0.99
    assert abs(decibels_off(to_mono(sound), SPEECH)[1]) < 0.1
    assert speech_mix(sound).note == "of 2 channels number 2 has the speech"


@pytest.mark.parametrize("layout", sorted(SURROUND))
@pytest.mark.parametrize("level", [0.3, 1.0, 2.0])
def test_the_dialogue_of_a_film_lies_in_the_centre(layout: Layout, level: float) -> None:
    channels = [noise(index, level) for index in range(SURROUND[layout])]
    channels[2] = SPEECH
    sound = audio(*channels, layout=layout)
    assert np.array_equal(to_mono(sound).samples[0].numpy(), SPEECH)
    assert speech_mix(sound).note == f"of {layout} sound the centre channel is taken"


def test_a_silent_centre_leaves_the_front_pair() -> None:
    channels = [np.zeros(2 * RATE) for _ in range(6)]
    channels[0], channels[1], channels[3] = SPEECH, 0.8 * SPEECH, hum(2.0)
    sound = audio(*channels, layout="5.1")
    assert decibels_off(to_mono(sound), 0.9 * SPEECH) == pytest.approx((1.0, 0.0), abs=1e-3)
    assert "centre is silent: the front is taken" in speech_mix(sound).note


@pytest.mark.parametrize("count", [3, 4, 8, 16])
@pytest.mark.parametrize("live", [0, 2])
def test_one_live_microphone_of_many(count: int, live: int) -> None:
    for other in (lambda i: noise(i, 0.3), lambda i: hum(0.5), lambda i: np.zeros(2 * RATE)):
        channels = [other(index) for index in range(count)]
        channels[live] = SPEECH
        assert np.array_equal(to_mono(audio(*channels)).samples[0].numpy(), SPEECH)


def test_of_several_live_microphones_the_mean_is_taken_with_one_phase() -> None:
    sound = audio(SPEECH, -0.8 * SPEECH, noise(1, 0.2), 0.9 * SPEECH)
    assert decibels_off(to_mono(sound), 0.9 * SPEECH) == pytest.approx((1.0, 0.0), abs=1e-3)
    plain = audio(SPEECH, 0.8 * SPEECH, 0.9 * SPEECH)
    assert speech_mix(plain).note == "of 3 channels the mean of 3 is taken"


def test_a_channel_can_be_chosen() -> None:
    sound = audio(SPEECH, noise(1), noise(2))
    assert torch.equal(to_mono(one_channel(sound, 2)).samples, sound.samples[1:2])
    with pytest.raises(AudioError, match="1 to 3"):
        one_channel(sound, 4)
    with pytest.raises(AudioError, match="1 to 3"):
        one_channel(sound, 0)


def test_level_and_batches_change_nothing() -> None:
    sound = audio(SPEECH, -SPEECH)
    quiet = dataclasses.replace(sound, samples=0.003 * sound.samples)
    assert speech_mix(quiet) == speech_mix(sound)
    both = dataclasses.replace(sound, samples=torch.stack([sound.samples, quiet.samples]))
    mono = to_mono(both)
    assert mono.samples.shape == (2, 1, 2 * RATE)
    torch.testing.assert_close(mono.samples[1], 0.003 * mono.samples[0])


def test_a_long_sound_is_judged_by_pieces_of_it() -> None:
    long = np.tile(SPEECH, 200)
    assert speech_mix(audio(long, -long)).weights == (0.5, -0.5)


@pytest.mark.parametrize("music_db", [-10.0, 0.0, 5.0])
@pytest.mark.parametrize("speech_turned", [True, False])
def test_of_speech_and_music_in_opposite_phases_the_speech_is_taken(
    music_db: float, speech_turned: bool
) -> None:
    spoken = speech(0.0, 5.0)
    time = torch.arange(len(spoken)) / 16_000
    chord = sum(torch.sin(2 * torch.pi * hz * time) for hz in (196.0, 247.0, 294.0, 392.0, 494.0))
    beat = 0.6 + 0.4 * torch.exp(-4 * (time % 0.5))
    music = torch.as_tensor(chord) * beat
    music = music * spoken.std() / music.std() * 10 ** (music_db / 20)
    same, turned = (music, spoken) if speech_turned else (spoken, music)
    sound = Audio(torch.stack([same + turned, same - turned]), 16_000, "stereo")
    first, second = speech_mix(sound).weights
    assert first * second == (-0.25 if speech_turned else 0.25)
