from __future__ import annotations

import pytest

from motet.acting import EmotionKey, emotion_keys, gaze_target
from motet.errors import ConfigError


def test_keys_are_read_in_order_of_time() -> None:
    keys = emotion_keys("anger=0.8@3, joy=0.6 ,Happy=1@1.5")
    assert keys == (
        EmotionKey("joy", 0.6, 0.0),
        EmotionKey("joy", 1.0, 1.5),
        EmotionKey("anger", 0.8, 3.0),
    )
    assert emotion_keys("") == ()


def test_neutral_ends_all_others() -> None:
    keys = emotion_keys("joy=1,sad=0.5@2,neutral=1@4")
    assert {(key.emotion, key.weight) for key in keys if key.time_s == 4} == {
        ("joy", 0.0),
        ("sadness", 0.0),
    }


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("joyful=1", "joyful"),
        ("joy", "NAME=WEIGHT"),
        ("joy=2", "between 0 and 1"),
        ("joy=0.5@-1", "negative"),
        ("joy=x", "no number"),
        ("neutral=0.5", "1 for neutral"),
    ],
)
def test_what_is_no_direction_is_refused(text: str, names: str) -> None:
    with pytest.raises(ConfigError, match=names):
        emotion_keys(text)


def test_targets_of_the_gaze() -> None:
    assert gaze_target("camera") == (0.0, 0.0)
    assert gaze_target("-20,5") == (-20.0, 5.0)
    assert gaze_target("free") is None
    for text in ("up", "10", "90,0", "0,inf"):
        with pytest.raises(ConfigError):
            gaze_target(text)
