"""Log-mel: known values, and the same numbers for every cutting."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.audio.mel import LogMel, mel_filterbank

MEL = LogMel()


def test_a_tone_lies_in_the_band_that_contains_it() -> None:
    tone = 0.5 * torch.sin(2 * math.pi * 1000 * torch.arange(16000) / 16000)
    bank = mel_filterbank(512, 80, 16000, 30.0, 7600.0)
    loudest = int(MEL.whole(tone, 100)[50].argmax())
    assert abs(float(bank[loudest].argmax()) * 16000 / 512 - 1000) < 40


def test_filters_have_unit_area_and_cover_their_range() -> None:
    bank = mel_filterbank(4096, 40, 16000)
    assert torch.allclose(bank.sum(1) * 16000 / 4096, torch.ones(40), atol=0.03)
    assert bool((bank.sum(0)[10:-10] > 0).all())


def test_warping_moves_the_filters() -> None:
    plain, warped = (mel_filterbank(4096, 40, 16000, 30.0, 6000.0, w) for w in (1.0, 1.2))
    ratio = warped.argmax(1)[10:].float() / plain.argmax(1)[10:].float()
    assert torch.allclose(ratio, torch.full_like(ratio, 1.2), atol=0.04)


def test_silence_is_constant_and_finite() -> None:
    frames = MEL.whole(torch.zeros(1600), 10)
    assert frames.shape == (10, 80)
    assert torch.allclose(
        frames, torch.full_like(frames, (math.log(MEL.floor) + MEL.offset) / MEL.scale)
    )


def test_gain_moves_every_loud_band_alike() -> None:
    sound = torch.randn(8000, generator=torch.Generator().manual_seed(0)) * 0.2
    step = MEL.whole(2 * sound, 40) - MEL.whole(sound, 40)
    assert torch.allclose(step, torch.full_like(step, math.log(4) / MEL.scale), atol=2e-3)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 900), min_size=1, max_size=12), st.integers(0, 2**31))
def test_every_cutting_gives_the_same_frames(cuts: list[int], seed: int) -> None:
    sound = torch.randn(sum(cuts), generator=torch.Generator().manual_seed(seed)) * 0.1
    state, parts = MEL.begin(), []
    for piece in sound.split(cuts):
        frames, state = MEL.step(state, piece)
        parts.append(frames)
    found = torch.cat(parts)
    assert torch.allclose(found, MEL.whole(sound, max(1, len(found)))[: len(found)], atol=1e-6)
    assert len(found) == max(0, (len(sound) + MEL.lead - MEL.window) // MEL.hop + 1)


@pytest.mark.parametrize("frames", [1, 7, 50])
def test_whole_pads_the_end_with_silence(frames: int) -> None:
    assert MEL.whole(torch.zeros(100), frames).shape == (frames, 80)
