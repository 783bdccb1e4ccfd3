"""Operators on face motion: a stream equals the whole take, and each does what it says."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.face.head import ContinueHead, HoldHead, ScaleHead, SmoothHead
from motet.face.intensity import MOUTH_CHANNELS, ClampWeights, ScaleChannels, ScaleMouth
from motet.face.lip_aperture import BlendAperture
from motet.face.lip_closure import CloseAtPhones, EnforceClosures
from motet.face.operator import NO_CUES, FaceCues, Operator, OperatorChain
from motet.face.silence import DampSilence
from motet.face.smoothing import ExponentialSmoothing
from motet.methods.artalk.postprocess import SavitzkyGolay

HEAD, DIM = slice(52, 55), 55
STREAMING: dict[str, Callable[[], Operator]] = {
    "hold": lambda: HoldHead(HEAD),
    "mouth": lambda: ScaleMouth(0.5),
    "channels": lambda: ScaleChannels(torch.linspace(0, 2, DIM)),
    "clamp": ClampWeights,
    "aperture": lambda: BlendAperture(0.5),
    "closures": EnforceClosures,
    "phones": CloseAtPhones,
    "smooth": lambda: ExponentialSmoothing(torch.arange(DIM) > 40, 0.5, 3),
    "savgol": lambda: SavitzkyGolay(HEAD, DIM),
    "chain": lambda: OperatorChain(
        [
            EnforceClosures(),
            ExponentialSmoothing(torch.arange(DIM) > 40, 0.5, 3),
            SavitzkyGolay(HEAD, DIM),
            HoldHead(HEAD),
        ]
    ),
}
"""Operators whose result must not depend on how the frames come."""


def motion(frames: int, seed: int = 0) -> torch.Tensor:
    random = torch.Generator().manual_seed(seed)
    return 0.3 + 0.1 * torch.randn(2, frames, DIM, generator=random)


def cues(frames: int) -> FaceCues:
    random = torch.Generator().manual_seed(1)
    aperture, evidence, amount = torch.rand(3, 2, frames, generator=random)
    return FaceCues(aperture=aperture / 4, closure_evidence=evidence, closure_amount=amount)


def part(whole: FaceCues, start: int, stop: int) -> FaceCues:
    names = ("aperture", "closure_evidence", "closure_amount")
    return FaceCues(start, **{name: getattr(whole, name)[:, start:stop] for name in names})


@pytest.mark.parametrize("name", STREAMING)
@settings(deadline=None, max_examples=6, derandomize=True)
@given(sizes=st.lists(st.integers(0, 14), min_size=1, max_size=5))
def test_every_chunking_gives_the_same_frames(name: str, sizes: list[int]) -> None:
    operator, frames = STREAMING[name](), 12 + sum(sizes)
    whole, state = OperatorChain([operator]).apply(motion(frames), cues(frames)), operator.begin(2)
    pieces, start = [], 0
    for size in (12, *sizes):
        piece = motion(frames)[:, start : start + size]
        ready, state = operator.step(piece, state, part(cues(frames), start, start + size))
        pieces.append(ready)
        start += size
    streamed = torch.cat([*pieces, *operator.finish(state)], 1)
    assert streamed.shape == whole.shape == (2, frames, DIM)
    torch.testing.assert_close(streamed, whole, rtol=1e-6, atol=1e-6)


def test_without_cues_the_lips_are_left_alone() -> None:
    whole = motion(9)
    for operator in (BlendAperture(), EnforceClosures(), CloseAtPhones(), DampSilence([0], 25.0)):
        assert operator.apply(whole, NO_CUES) is whole


def test_a_head_continues_where_it_was_and_as_it_moved() -> None:
    random = torch.Generator().manual_seed(2)
    before = 0.1 * torch.randn(1, 40, DIM, generator=random).cumsum(1)
    after = 0.1 * torch.randn(1, 40, DIM, generator=random).cumsum(1)
    operator = ContinueHead(HEAD)
    first, state = operator.step(before, operator.begin(1), NO_CUES)
    second, _ = operator.step(after, state, NO_CUES)
    velocity = before[:, -1, HEAD] - before[:, -2, HEAD]
    assert torch.equal(first, before)
    torch.testing.assert_close(second[:, 0, HEAD], before[:, -1, HEAD] + velocity)
    torch.testing.assert_close(second[:, 1, HEAD] - second[:, 0, HEAD], velocity)
    torch.testing.assert_close(second[:, -5:], after[:, -5:], atol=5e-3, rtol=0)
    assert torch.equal(second[..., :52], after[..., :52])


def test_a_head_is_scaled_around_the_mean_of_its_first_step() -> None:
    operator, whole = ScaleHead(HEAD, 2.0), motion(30)
    first, state = operator.step(whole[:, :20], operator.begin(2), NO_CUES)
    second, _ = operator.step(whole[:, 20:], state, NO_CUES)
    mean = whole[:, :20, HEAD].mean(1, keepdim=True)
    wanted = mean + 2 * (whole[..., HEAD] - mean)
    torch.testing.assert_close(torch.cat([first, second], 1)[..., HEAD], wanted)


def test_smoothing_calms_the_head_and_keeps_its_course() -> None:
    whole = motion(200)
    whole[..., HEAD] += torch.linspace(0, 3, 200).view(1, -1, 1)
    smooth = SmoothHead(HEAD, 6).apply(whole, NO_CUES)
    assert (
        smooth.diff(dim=1)[..., HEAD].abs().mean() < 0.3 * whole.diff(dim=1)[..., HEAD].abs().mean()
    )
    assert (smooth - whole)[:, 30:-30, HEAD].mean().abs() < 0.02
    assert torch.equal(smooth[..., :52], whole[..., :52])


def test_intensity_moves_the_mouth_only_and_stays_in_range() -> None:
    whole = motion(5)
    stronger = ScaleMouth(4.0).apply(whole, NO_CUES)
    others = [channel for channel in range(DIM) if channel not in MOUTH_CHANNELS]
    assert torch.equal(stronger[..., others], whole[..., others])
    assert float(stronger[..., MOUTH_CHANNELS].max()) == 1.0
