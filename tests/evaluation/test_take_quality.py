"""Takes whose faults are known: late lips, trembling in silence, a wrong length, weights out of
range."""

from __future__ import annotations

import pytest
import torch

from motet.errors import InputError
from motet.evaluation import take_quality as quality
from motet.evaluation.baselines import loudness_to_jaw
from motet.metrics.lip_geometry import LipGeometry
from motet.phonetics.alignment import Phone
from motet.types import ARKIT_SHAPES, Audio, Clip, Motion, MotionSpace, Track, arkit_space

JAW = ARKIT_SHAPES.index("jawOpen")


def speech(seconds: float = 6.0) -> Audio:
    """Syllables of different loudness with a second of silence in the middle."""
    noise = torch.Generator().manual_seed(0)
    course = torch.nn.functional.interpolate(
        torch.rand(1, 1, round(seconds * 4), generator=noise) ** 2,
        round(seconds * 16000),
        mode="linear",
    )[0, 0]
    course[2 * 16000 : 3 * 16000] = 0.0
    return Audio.mono(0.3 * course * torch.sin(torch.arange(len(course)) * 0.2), 16000)


def take(shift: int = 0, trembling: float = 0.0) -> Clip:
    motion = loudness_to_jaw(speech())
    values = motion.values.roll(shift, 0) * 1.5  # opens as far as people do
    values[:, JAW] += trembling * torch.rand(
        len(values), generator=torch.Generator().manual_seed(1)
    )
    return Clip(speech(), Motion(values, motion.space))


def test_a_sound_take_has_no_remarks(lip_geometry: LipGeometry) -> None:
    scores = quality.evaluate(take(), lip_geometry)
    assert scores["sync_offset"] == 0.0
    assert (scores["length_error"], scores["out_of_range"]) == (0.0, 0.0)
    assert scores["stillness"] < 0.5
    assert quality.remarks(scores) == []
    assert list(scores) == [metric.id for metric in quality.METRICS if metric.id in scores]


@pytest.mark.parametrize("frames", [-5, 4, 6])
def test_lips_that_are_late_or_early_are_found(lip_geometry: LipGeometry, frames: int) -> None:
    scores = quality.evaluate(take(shift=frames), lip_geometry)
    assert scores["sync_offset"] == pytest.approx(frames / 25)
    assert any("sync_offset" in remark for remark in quality.remarks(scores))


def test_an_offset_at_the_end_of_the_search_is_not_given(lip_geometry: LipGeometry) -> None:
    scores = quality.evaluate(take(shift=7), lip_geometry)
    assert scores["sync_correlation"] > 0.3 and "sync_offset" not in scores


def test_trembling_in_silence_is_remarked(lip_geometry: LipGeometry) -> None:
    remarks = quality.remarks(quality.evaluate(take(trembling=0.2), lip_geometry))
    assert any("stillness" in remark for remark in remarks)


def test_length_and_range_are_remarked(lip_geometry: LipGeometry) -> None:
    clip = take()
    assert clip.motion is not None
    wrong = Clip(clip.audio, Motion(clip.motion.values[:-3] * 9.0, arkit_space()))
    text = " ".join(quality.remarks(quality.evaluate(wrong, lip_geometry)))
    assert "length_error is 3" in text
    assert "out_of_range" in text


def test_closures_are_judged_when_the_phones_are_known(lip_geometry: LipGeometry) -> None:
    phones = [Phone("M", 2.4, 2.5), Phone("AA", 1.0, 1.2), Phone("B", 4.0, 4.1)]
    assert quality.evaluate(take(), lip_geometry, phones)["closure_recall"] == 0.5


def test_silence_is_found_and_its_edges_left_out() -> None:
    ((start, end),) = quality.silences(speech(), 150, 25.0)
    assert 2.1 < start < 2.4
    assert 2.6 < end < 2.9


@pytest.mark.parametrize("clip", [
    Clip(None, Motion(torch.zeros(50, 55), arkit_space())),
    Clip(speech(), None),
    Clip(speech(), Motion(torch.zeros(5, 55), arkit_space())),
    Clip(speech(), Motion(torch.zeros(2, 50, 55), arkit_space())),
    Clip(speech(), Motion(torch.full((50, 55), float("nan")), arkit_space())),
])  # fmt: skip
def test_unusable_takes_are_refused(lip_geometry: LipGeometry, clip: Clip) -> None:
    with pytest.raises(InputError):
        quality.evaluate(clip, lip_geometry)


def test_a_body_is_sent_to_the_evaluation_of_bodies(lip_geometry: LipGeometry) -> None:
    body = Motion(torch.zeros(180, 6), MotionSpace("smplx25", (Track("pose", (6,), "rad"),), 30.0))
    with pytest.raises(InputError, match="motet eval METHOD --data"):
        quality.evaluate(Clip(speech(), body), lip_geometry)
