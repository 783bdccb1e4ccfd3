"""Samples of a program's own as audio."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import motet
from motet.audio.arrays import audio_of_array
from motet.errors import ConfigError, InputError


@pytest.mark.parametrize("shape", [(800,), (1, 800), (800, 1)])
def test_shapes_of_one_channel(shape: tuple[int, ...]) -> None:
    samples = np.linspace(-1, 1, 800).reshape(shape)
    audio = audio_of_array(samples, 16_000)
    assert audio.sample_rate == 16_000 and audio.samples.dtype == torch.float32
    assert np.allclose(audio.samples.numpy(), samples.reshape(1, -1))


def test_channels_come_first_and_integers_are_scaled() -> None:
    stereo = np.stack([np.full(500, 16_384), np.full(500, -32_768)], 1).astype(np.int16)
    audio = audio_of_array(stereo, 48_000)
    assert audio.samples.shape == (2, 500)
    assert audio.samples[:, 0].tolist() == [0.5, -1.0]
    assert torch.equal(audio_of_array(torch.from_numpy(stereo), 48_000).samples, audio.samples)


def test_what_is_no_sound_is_refused() -> None:
    for wrong in (np.zeros((2, 3, 4)), np.zeros(0), np.array([np.nan]), np.zeros(9, np.uint8)):
        with pytest.raises(InputError):
            audio_of_array(wrong, 16_000)
    with pytest.raises(ConfigError, match="rate"):
        motet.run(np.zeros(800, np.float32))


def test_a_run_takes_samples() -> None:
    samples = np.random.default_rng(0).normal(size=8_000).astype(np.float32) * 0.05
    audio = motet.Audio(torch.from_numpy(samples)[None], 16_000)
    found, expected = motet.run(samples, rate=16_000), motet.run(audio)
    assert torch.equal(found.motion.values, expected.motion.values)
