"""Which feature steps a window of the streaming model sees."""

from __future__ import annotations

import dataclasses

import pytest

from motet.errors import ConfigError
from motet.methods.artalk.config import PRESETS, ArtalkCondition
from motet.methods.artalk.streaming.window_schedule import (
    WindowSchedule,
    WindowSteps,
    with_schedule,
)

CONFIG = PRESETS["default"].streaming
assert CONFIG is not None


def test_the_first_window_has_no_context_before_the_sound() -> None:
    schedule = WindowSchedule(CONFIG, 4, 7)
    steps = schedule.steps(0, 1000)
    assert steps == WindowSteps(-CONFIG.audio_before, 0, 4 * CONFIG.steps_per_frame + 7)


@pytest.mark.parametrize("late", [0, 1, 20])
def test_a_window_sees_no_steps_that_arrived_after_it_was_ready(late: int) -> None:
    schedule = WindowSchedule(CONFIG, 4, 7)
    needed = schedule.needed(12)
    assert schedule.steps(12, needed + late) == schedule.steps(12, needed)


def test_at_the_end_of_the_sound_a_window_sees_what_there_is() -> None:
    schedule = WindowSchedule(CONFIG, 4, 7)
    assert schedule.steps(12, 25).stop == 25
    past_the_end = schedule.steps(40, 25)
    assert past_the_end.first == past_the_end.stop  # nothing


def test_defaults_are_those_of_the_mode() -> None:
    offline = with_schedule(ArtalkCondition(), CONFIG, live=False)
    live = with_schedule(ArtalkCondition(), CONFIG, live=True)
    assert (offline.commit, offline.look_ahead) == (CONFIG.commit, CONFIG.look_ahead)
    assert (live.commit, live.look_ahead) == (CONFIG.stream_commit, CONFIG.stream_look_ahead)


def test_a_look_ahead_past_the_context_is_an_error() -> None:
    condition = dataclasses.replace(ArtalkCondition(), look_ahead=200)
    with pytest.raises(ConfigError, match="look_ahead must lie between 0 and"):
        with_schedule(condition, CONFIG, live=False)
