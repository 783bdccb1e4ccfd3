"""Scores of voices are put together by pitch and language."""

from __future__ import annotations

import numpy as np
import pytest

from motet.synthesis.performance.prosody import RATE_HZ
from recipes.voice_bias import UtteranceScore, choose, median_pitch_hz, summary


@pytest.mark.parametrize("pitch", [80.0, 150.0, 310.0])
def test_the_pitch_of_a_tone_with_overtones(pitch: float) -> None:
    time = np.arange(RATE_HZ) / RATE_HZ
    tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in range(1, 6))
    noise = 0.001 * np.random.default_rng(0).standard_normal(RATE_HZ)
    found = median_pitch_hz(np.concatenate([noise, tone + noise]))
    assert abs(found / pitch - 1) < 0.02


def test_groups_count_voices_and_not_utterances() -> None:
    rows = [
        UtteranceScore("low", "en", False, 100.0, 0.6, 4, 4),
        UtteranceScore("low", "en", False, 110.0, 0.8, 4, 2),
        UtteranceScore("deep", "en", True, 90.0, 0.9, 2, 2),
        UtteranceScore("high", "fr", False, 250.0, 0.5, 0, 0),
    ]
    found = summary(rows)
    low = found["pitch"]["under 140 Hz"]
    assert (low["voices"], low["utterances"], low["opening_r"]) == (2, 3, 0.8)
    assert low["closures"] == 10 and low["closed"] == 0.8
    assert low["standard_error"] == 0.1
    assert "over 200 Hz" not in found["pitch"]
    assert found["language"]["fr"]["closed"] is None
    assert found["voices"]["held out"]["voices"] == 1


def test_single_voices_of_middle_length_are_chosen() -> None:
    def facts(index: int, seconds: float, *voices: str) -> dict[str, object]:
        return {
            "index": index,
            "samples": int(seconds * 24_000),
            "rate": 24_000,
            "voices": dict.fromkeys(voices, 1.0),
            "speaker": voices[0],
            "language": "en",
        }

    utterances = [
        facts(0, 1.0, "a"), facts(1, 3.0, "a"), facts(2, 3.0, "a", "b"), facts(3, 9.0, "a"),
        facts(4, 3.5, "a"), facts(5, 3.5, "a"), facts(6, 3.0, "b"),
    ]  # fmt: skip
    assert [chosen["index"] for chosen in choose(utterances, 2)] == [1, 4, 6]
