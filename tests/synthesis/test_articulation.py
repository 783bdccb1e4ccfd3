"""Width, protrusion and upper lip: distinct vowels, people's ranges, teeth at hissing sounds."""

from __future__ import annotations

import itertools

import numpy as np

from motet.face.lip_shapes import SOLVED, joined, measure
from motet.phonetics.phones import PhoneSpan
from motet.synthesis.performance.articulation import articulation
from motet.synthesis.performance.model import load_model
from motet.synthesis.performance.perform import mouth_weights
from motet.synthesis.performance.prosody import analyse
from motet.synthesis.performance.style import StyleSettings

MODEL, FPS = load_model(), 25.0


def held(symbol: str) -> np.ndarray:
    """Mouth shapes (of SOLVED) and the four lip measures in the middle of a phone of 0.3 s."""
    phones = [
        PhoneSpan(0.0, 0.5, "sil"),
        PhoneSpan(0.5, 0.8, symbol),
        PhoneSpan(0.8, 1.5, "sil"),
    ]
    time = np.arange(24_000) / 16_000
    sound = (0.2 * np.sin(2 * np.pi * 140 * time) * ((time > 0.5) & (time < 0.8))).astype("float32")
    prosody = analyse(sound, phones, 38, FPS)
    weights = mouth_weights(MODEL, prosody, phones, StyleSettings())
    return np.concatenate([joined(weights)[16], measure(weights)[16]])


def shape(values: np.ndarray, name: str) -> float:
    return float(values[SOLVED.index(name)])


def test_the_five_vowels_are_five_mouths():
    vowels = {symbol: held(symbol) for symbol in "aiueo"}
    for one, other in itertools.combinations(vowels, 2):
        away = np.abs(vowels[one] - vowels[other])
        assert away.max() > 0.08, (one, other)
    width = {symbol: values[-3] for symbol, values in vowels.items()}
    assert width["i"] > width["e"] > width["a"] > width["o"] and width["a"] > width["u"]
    assert width["i"] - width["u"] > 0.2
    assert shape(vowels["u"], "mouthPucker") > 0.4 > shape(vowels["a"], "mouthPucker")
    gap = {symbol: values[-4] for symbol, values in vowels.items()}
    assert gap["a"] > 1.3 * gap["i"] and gap["a"] > 1.3 * gap["u"]


def test_the_upper_lip_clears_the_teeth():
    for symbol in ("s", "ʃ", "æ", "e", "f"):
        assert shape(held(symbol), "mouthUpperUp") > 0.15, symbol
    assert shape(held("u"), "mouthUpperUp") < 0.08


def test_a_narrow_glide_shows_between_wide_vowels():
    phones = [PhoneSpan(0, 0.2, "i"), PhoneSpan(0.2, 0.28, "w"), PhoneSpan(0.28, 0.5, "i")]
    width = articulation(phones, np.array([0.05, 0.24, 0.45]))[:, 0]
    assert width[0] > 0.4 and width[2] > 0.4 and width[1] < 0
    assert not articulation([], np.arange(5.0)).any()


def test_far_phones_change_nothing():
    phones = [PhoneSpan(k * 0.1, (k + 1) * 0.1, "iauo"[k % 4]) for k in range(300)]
    times = np.arange(650) / FPS
    late = [p for p in phones if p.end > 14]
    whole, part = articulation(phones, times), articulation(late, times)
    assert np.allclose(whole[500:600], part[500:600], atol=1e-4)
