from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import ConfigError
from motet.face.blink import blink_closure
from motet.face.postprocess import finish_motion
from motet.options import Postprocess
from motet.types import ARKIT_SHAPES, Motion, arkit_space, concatenate


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 2**40), cut=st.integers(1, 599))
def test_a_stream_is_finished_as_a_whole(seed: int, cut: int) -> None:
    motion = Motion(torch.rand(1, 600, 55) * 0.2, arkit_space())
    whole = finish_motion(motion, Postprocess(), (seed,), 0)
    pieces = [
        finish_motion(motion.slice(0, cut), Postprocess(), (seed,), 0),
        finish_motion(motion.slice(cut), Postprocess(), (seed,), cut),
    ]
    assert torch.equal(concatenate(pieces).values, whole.values)


def test_blinks_come_at_the_rate_of_people_and_differ_with_the_seed() -> None:
    closure = blink_closure(3, 0, 25 * 600, 25)
    starts = int(((closure[1:] > 0.5) & (closure[:-1] <= 0.5)).sum())
    assert 110 <= starts <= 200  # ten minutes
    assert float(closure.max()) <= 1.0
    assert not torch.equal(closure, blink_closure(4, 0, 25 * 600, 25))


@pytest.mark.parametrize("fps", [25.0, 30.0, 60.0])
def test_short_clips_blink_and_no_stretch_is_crowded(fps: float) -> None:
    for seed in range(20):
        shut = blink_closure(seed, 0, round(20 * fps), fps) > 0.5
        starts = (shut[1:] & ~shut[:-1]).nonzero()
        assert float(starts[0]) / fps < 4
        assert 4 <= len(starts) <= 8  # 12 to 24 a minute
        assert 0.04 <= float(shut.sum()) / len(starts) / fps <= 0.13


def test_lids_are_shut_in_a_frame_of_every_blink() -> None:
    closure = blink_closure(1, 0, 25 * 60, 25.0)
    peaks = closure[1:-1][(closure[1:-1] > closure[:-2]) & (closure[1:-1] > closure[2:])]
    assert float(peaks.min()) >= 0.94


def test_blinks_come_with_the_accents_of_each_recording() -> None:
    accents = np.arange(0.13, 20, 0.61)
    ours, others = (blink_closure(5, 0, 500, 25.0, times) for times in (accents, accents + 0.3))
    assert not torch.equal(ours, others)
    peaks = ((ours[1:-1] > ours[:-2]) & (ours[1:-1] >= ours[2:])).nonzero().flatten() + 1
    nearest = [float(np.abs(accents + 0.1 - peak / 25).min()) for peak in peaks.tolist()]
    assert len(nearest) >= 5 and max(nearest) <= 0.02 + 1e-9
    # A stream knows no accent before it has sounded.
    for frame in range(0, 500, 7):
        known = accents[accents <= frame / 25]
        assert float(blink_closure(5, frame, 1, 25.0, known)) == float(ours[frame])


def test_a_methods_own_blinks_are_not_added_to_the_drawn_ones() -> None:
    motion = Motion(torch.zeros(1, 100, 55), arkit_space())
    motion.values[:, 5:100:10, ARKIT_SHAPES.index("eyeBlinkLeft")] = 1.0
    lids = finish_motion(motion, Postprocess(), (3,), 0).channel("blendshapes", "eyeBlinkLeft")
    assert 1 <= int(((lids[0, 1:] > 0.5) & (lids[0, :-1] <= 0.5)).sum()) <= 2


def test_switches_do_what_they_say() -> None:
    motion = Motion(torch.full((1, 500, 55), 0.5), arkit_space())
    calm = finish_motion(motion, Postprocess(intensity=0.5, head=False, blink=False), (0,), 0)
    assert float(calm.channel("blendshapes", "jawOpen").max()) == 0.25
    assert float(calm.channel("blendshapes", "browInnerUp").max()) == 0.5
    assert float(calm["head"].abs().max()) == 0
    assert float(calm.channel("blendshapes", "eyeBlinkLeft").max()) == 0
    with pytest.raises(ConfigError, match="between 0 and 3"):
        Postprocess(intensity=4)
