"""Silence: found by level, damp_silence in, and speech beside it untouched."""

from __future__ import annotations

import torch

from motet.face.silence import EDGE_S, damp_silence, silent_frames

FPS = 25.0


def spoken_between_silences() -> torch.Tensor:
    """A second of nothing, a second of noise, a second of faint noise."""
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    return torch.cat([torch.zeros(16_000), 0.1 * noise, 1e-4 * noise])


def test_silence_is_told_by_level() -> None:
    silent = silent_frames(spoken_between_silences(), 75)
    assert silent[:25].all() and not silent[25:50].any() and silent[50:].all()
    assert silent_frames(torch.zeros(16_000), 25).all()
    assert not silent_frames(0.01 * torch.ones(16_000), 25).any()


def test_the_mouth_rests_in_silence_and_speaks_as_before() -> None:
    values = torch.rand(75, 4, generator=torch.Generator().manual_seed(1))
    still = damp_silence(values, silent_frames(spoken_between_silences(), 75), [0, 2], FPS)
    edge = round(EDGE_S * FPS)
    assert torch.equal(still[:, [1, 3]], values[:, [1, 3]])
    assert torch.equal(still[25 - edge : 50 + edge, [0, 2]], values[25 - edge : 50 + edge, [0, 2]])
    assert float(still[: 25 - 2 * edge - 1, 0].diff().abs().max()) < 1e-6
    assert float(still[50 + 2 * edge + 1 :, 2].diff().abs().max()) < 1e-6


def test_short_silences_belong_to_speech() -> None:
    silent = torch.zeros(50, dtype=torch.bool)
    silent[20:26] = True
    values = torch.rand(50, 2)
    assert torch.equal(damp_silence(values, silent, [0, 1], FPS), values)
