from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from motet.errors import AudioError, SpaceError
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space, concatenate, frame_count


def test_the_house_order_is_alphabetical_and_complete() -> None:
    assert len(ARKIT_SHAPES) == len(set(ARKIT_SHAPES)) == 52
    assert list(ARKIT_SHAPES) == sorted(ARKIT_SHAPES, key=str.lower)


def test_tracks_are_views_by_name() -> None:
    motion = Motion(torch.zeros(2, 7, 55), arkit_space())
    motion["head"][..., 1] = 0.5
    assert float(motion.values[0, 0, 53]) == 0.5
    assert motion.channel("blendshapes", "jawOpen").shape == (2, 7)
    with pytest.raises(SpaceError, match="did you mean 'jawOpen'"):
        motion.channel("blendshapes", "jawOpne")
    with pytest.raises(SpaceError, match="blendshapes"):
        _ = motion["blendshape"]


def test_wrong_sizes_are_refused() -> None:
    with pytest.raises(SpaceError, match="55"):
        Motion(torch.zeros(7, 54), arkit_space())
    with pytest.raises(SpaceError, match="no conversion"):
        from motet.types import MotionSpace, Track

        Motion(torch.zeros(7, 55), arkit_space()).to(
            MotionSpace("other", (Track("x", (1,), "m"),), 25)
        )


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Audio(torch.zeros(5), 16000), "axes"),
        (lambda: Audio(torch.zeros(1, 5, dtype=torch.int16), 16000), "floating"),
        (lambda: Audio(torch.zeros(1, 5), 0), "positive"),
        (lambda: Audio(torch.zeros(3, 5), 16000, "binaural"), "2 channel"),
        (lambda: Audio(torch.tensor([[float("nan")]]), 16000), "not finite"),
        (lambda: Audio(torch.zeros(1, 5), 8000).expect(16000, "mono"), "resample"),
        (lambda: Audio(torch.zeros(2, 5), 16000, "stereo").expect(16000, "mono"), "to_mono"),
    ],
)
def test_bad_sound_is_named(make, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        make()


@given(
    frames=st.integers(1, 200), fps=st.sampled_from([12.5, 24.0, 25.0, 29.97, 30.0, 60.0, 120.0])
)
def test_resampling_in_time_keeps_length_and_straight_lines(frames: int, fps: float) -> None:
    line = torch.arange(frames, dtype=torch.float32).unsqueeze(1).expand(-1, 55) / 25
    moved = Motion(line, arkit_space(25)).at(fps)
    assert moved.frames == frame_count(frames / 25, fps)
    times = torch.arange(moved.frames) / fps
    assert torch.allclose(moved.values[:, 0], times.clamp(max=(frames - 1) / 25), atol=1e-4)


def test_pieces_join() -> None:
    motion = Motion(torch.rand(10, 55), arkit_space())
    assert torch.equal(concatenate([motion.slice(0, 4), motion.slice(4)]).values, motion.values)
