"""The order of the footage: no jump, no sharp turn, never out of the shot, and the same for every
stretch."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.methods.speech2lip.person.footage_order import EASING, shown_frames


@pytest.mark.parametrize("length", [2, 3, 10, 75, 1500])
def test_frames_stay_in_the_shot_and_never_jump(length: int) -> None:
    shot = range(40, 40 + length)
    shown = shown_frames(shot, 40 + length // 3, 0, 4 * length + 100)
    assert int(shown.min()) >= shot.start
    assert int(shown.max()) < shot.stop
    assert int(shown.diff().abs().max()) <= 1
    assert int(shown[0]) == 40 + length // 3
    if length > 2 * EASING:
        assert {int(shown.min()), int(shown.max())} == {shot.start, shot.stop - 1}


def test_the_footage_slows_down_before_it_turns() -> None:
    shown = shown_frames(range(100), 50, 0, 400).double()
    smooth = torch.nn.functional.avg_pool1d(shown[None, None], 9, 1)[0, 0]
    # A corner without rounding would change the speed by 2 frames a frame within one frame.
    assert float(smooth.diff(n=2).abs().max()) < 0.35


@settings(max_examples=30, deadline=None, derandomize=True)
@given(
    length=st.integers(2, 200),
    start=st.floats(0, 1),
    first=st.integers(0, 5000),
    count=st.integers(1, 60),
)
def test_any_stretch_equals_the_same_frames_of_the_whole(
    length: int, start: float, first: int, count: int
) -> None:
    begin = min(length - 1, int(start * length))
    whole = shown_frames(range(length), begin, 0, first + count)
    assert torch.equal(shown_frames(range(length), begin, first, count), whole[first:])


def test_a_take_begins_frame_by_frame() -> None:
    assert shown_frames(range(100), 0, 0, 90).tolist() == list(range(90))


def test_holding_shows_one_frame() -> None:
    assert shown_frames(range(5, 9), 7, 3, 4, "hold").tolist() == [7, 7, 7, 7]
