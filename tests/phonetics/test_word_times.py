"""Words of any text get times: aligned, or spread over what is voiced."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.audio import read_audio
from motet.errors import InputError
from motet.phonetics.spoken_form import spoken_form
from motet.phonetics.word_times import joined, word_times, written_words
from motet.types import Audio

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.flac"


@pytest.mark.parametrize(
    ("text", "spoken"),
    [
        ("I have 42 pods", "I have forty two pods"),
        ("1,250,003 people", "one million two hundred fifty thousand three people"),
        ("in 1987 and 1905", "in nineteen eighty seven and nineteen oh five"),
        ("3.5 % of $20", "three point five percent of twenty dollars"),
        ("the 21st and 12th", "the twenty first and twelfth"),
        ("b2b", "b two b"),
        ("1234567890123", "one two three four five six seven eight nine zero one two three"),
    ],
)  # fmt: skip
def test_numbers_are_written_out(text: str, spoken: str) -> None:
    assert spoken_form(text).split() == spoken.split()


def pulses() -> Audio:
    """Noise from 1 to 2 s and from 3 to 4 s, then silence to 5 s."""
    time = np.arange(5 * 16_000) / 16_000
    on = ((time >= 1) & (time < 2)) | ((time >= 3) & (time < 4))
    noise = np.random.default_rng(0).normal(size=len(time)) * on * 0.2
    return Audio.mono(torch.from_numpy(noise.astype(np.float32)), 16_000)


@pytest.mark.parametrize("text", ["Добрый день, мой друг", "今日はいい天気ですね"])
def test_other_scripts_are_spread_over_the_voiced_time(
    text: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        words = word_times(pulses(), text)
    assert joined([word.text for word in words]) == text
    assert words[0].start_s == pytest.approx(1.0, abs=0.03)
    assert words[-1].end_s == pytest.approx(4.0, abs=0.03)
    assert all(a.end_s <= b.start_s + 1e-6 for a, b in zip(words, words[1:], strict=False))
    assert "spread" in caplog.text


def test_ordinary_text_keeps_its_spelling() -> None:
    text = "I have 42 Kubernetes pods at motet.ai, don't you?"
    words = word_times(read_audio(DEMO), text)
    assert [word.text for word in words] == text.split() == written_words(text)
    starts = [word.start_s for word in words]
    assert starts == sorted(starts) and words[-1].end_s <= 7.2


def test_far_too_much_text_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        word_times(pulses(), "a text that is much too long " * 20)
    assert "letters for each second" in caplog.text


def test_no_words_are_refused() -> None:
    with pytest.raises(InputError, match="no words"):
        word_times(pulses(), "?!")
