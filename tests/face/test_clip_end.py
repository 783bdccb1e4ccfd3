"""A mouth that is closed at the start and at the end of a clip."""

from __future__ import annotations

import pytest
import torch

from motet.face.clip_end import closing_frames, closing_ramp
from motet.face.postprocess import finish_motion
from motet.options import Postprocess
from motet.types import ARKIT_SHAPES, Motion, arkit_space

JAW, SMILE = ARKIT_SHAPES.index("jawOpen"), ARKIT_SHAPES.index("mouthSmileLeft")


@pytest.mark.parametrize("fps", [24.0, 25.0, 30.0, 60.0])
@pytest.mark.parametrize("frames", [1, 2, 50])
def test_the_last_frame_is_closed_and_the_rest_untouched(fps: float, frames: int) -> None:
    motion = Motion(torch.full((2, frames, 55), 0.4), arkit_space(fps))
    off = Postprocess(blink=False, close_end=False)
    kept = finish_motion(motion, off, (0, 1), 100, ends=True)
    closed = finish_motion(motion, Postprocess(blink=False), (0, 1), 100, ends=True).values
    assert closed.shape == motion.values.shape
    assert closed[:, -1, JAW].abs().max() < 1e-6
    untouched = max(0, frames - closing_frames(fps))
    assert torch.equal(closed[:, :untouched], kept.values[:, :untouched])
    assert torch.equal(closed[..., SMILE], kept.values[..., SMILE])
    assert (closed[:, 1:, JAW] <= closed[:, :-1, JAW]).all()


def test_only_the_end_of_a_clip_closes() -> None:
    motion = Motion(torch.full((1, 20, 55), 0.4), arkit_space())
    middle = finish_motion(motion, Postprocess(), (0,), 50, ends=False)
    assert (middle.values[..., JAW] == 0.4).all()


@pytest.mark.parametrize("fps", [25.0, 60.0])
def test_a_clip_begins_with_a_closed_mouth_however_it_is_cut(fps: float) -> None:
    motion = Motion(torch.full((1, 20, 55), 0.4), arkit_space(fps))
    whole = finish_motion(motion, Postprocess(blink=False), (0,), 0).values
    jaw = whole[0, :, JAW]
    assert jaw[0] == 0 and (jaw.diff() >= 0).all()
    assert (jaw[closing_frames(fps) :] == 0.4).all()
    parts = [
        finish_motion(motion.slice(start, stop), Postprocess(blink=False), (0,), start).values
        for start, stop in ((0, 2), (2, 3), (3, 20))
    ]
    assert torch.equal(torch.cat(parts, 1), whole)
    off = finish_motion(motion, Postprocess(blink=False, close_end=False), (0,), 0).values
    assert (off[..., JAW] == 0.4).all()


def test_the_ramp_takes_about_an_eighth_of_a_second() -> None:
    ramp = closing_ramp(100, 60.0)
    assert ramp[-1] == 1 and 0.1 < int((ramp > 0).sum()) / 60 < 0.15
    assert (ramp.diff() >= 0).all()
