"""Buzz of the mains: known within 0.12 s, and never a voice."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import lfilter

from motet.audio.speech_level import BlockMeter
from tests.audio.sounds import RATE, hum, noise, speech

FORMANTS = {
    "a": (700, 1200, 2600), "e": (450, 2000, 2600), "i": (280, 2250, 2900),
    "o": (450, 850, 2500), "u": (300, 750, 2300),
}  # fmt: skip
"""Hz, of an ordinary male voice."""


def measured(samples: torch.Tensor | np.ndarray) -> np.ndarray:
    return BlockMeter().push(np.asarray(samples, np.float64)).buzz


def vowel(formants: tuple[int, ...], hz: float, seconds: float = 0.6) -> np.ndarray:
    """A machine's vowel: pulses without any jitter through resonances of 80 Hz."""
    time = np.arange(int(seconds * RATE)) / RATE
    pulses = np.diff(np.floor(time * hz + 1e-9), prepend=0.0)
    sound = lfilter([1.0], [1.0, -0.95], pulses)
    for centre in formants:
        radius = np.exp(-np.pi * 80 / RATE)
        turn = 2 * radius * np.cos(2 * np.pi * centre / RATE)
        sound = lfilter([1.0], [1.0, -turn, radius**2], sound)
    return 0.1 * sound / sound.std()


@pytest.mark.parametrize("hz", [100.0, 120.0])
@pytest.mark.parametrize("harmonics", [1, 5, 20])
@pytest.mark.parametrize("level_db", [-20.0, -45.0])
def test_buzz_is_known_within_twelve_blocks(hz: float, harmonics: int, level_db: float) -> None:
    quiet = noise(0.0, -80.0, 0.5)
    found = measured(torch.cat([quiet, hum(hz, level_db, harmonics, 1.0)]))
    assert not found[:50].any() and found[62:].all()


@pytest.mark.parametrize("hz", [100.0, 120.0])
@pytest.mark.parametrize("name", FORMANTS)
def test_a_vowel_of_that_pitch_is_no_buzz(name: str, hz: float) -> None:
    assert not measured(vowel(FORMANTS[name], hz)).any()


@pytest.mark.parametrize("hz", [97.0, 110.0, 150.0, 200.0, 440.0])
def test_a_tone_beside_the_mains_is_no_buzz(hz: float) -> None:
    assert not measured(hum(hz, -20.0, 5, 1.0)).any()


def test_speech_and_noise_are_no_buzz() -> None:
    assert not measured(speech(0.0, 12.0)).any()
    assert not measured(noise(1.0, -20.0)).any()


def test_every_chunking_gives_the_same() -> None:
    samples = torch.cat([speech(1.0, 1.5), hum(120.0, -30.0, 5, 0.7)]).double().numpy()
    meter = BlockMeter()
    parts = [meter.push(piece).buzz for piece in np.split(samples, [1, 700, 5003, 5004, 12_000])]
    assert np.array_equal(np.concatenate(parts), measured(samples))
