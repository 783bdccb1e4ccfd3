"""The front end without weights, and the own MIMI, in pieces and at their doors."""

from __future__ import annotations

import pytest
import torch

from motet.encoders.band_energy import BandEncoder
from motet.encoders.mimi import Mimi, MimiConfig, mimi_from_official
from motet.errors import AudioError, CheckpointError

SMALL = MimiConfig(16, 2, layers=1, heads=2, inner=24, code_width=6, code_entries=8, quantizers=4)


def test_bands_are_the_same_for_every_cutting() -> None:
    encoder, samples = BandEncoder(5), 0.1 * torch.randn(2, 1000)
    first, state = encoder.step(encoder.begin(2), samples)
    whole = torch.cat([first, encoder.finish(state)], 1)
    state, parts = encoder.begin(2), []
    for start in range(0, 1000, 130):
        part, state = encoder.step(state, samples[:, start : start + 130])
        parts.append(part)
    assert torch.equal(torch.cat([*parts, encoder.finish(state)], 1), whole)
    assert whole.shape == (2, 4, 5)


def test_mimi_hears_the_past_only() -> None:
    torch.manual_seed(0)
    mimi = Mimi(SMALL).eval()
    samples = torch.randn(1, 24000)
    other = samples.clone()
    other[:, 12000:] = 0
    fine, again = mimi.latent(samples)[0], mimi.latent(other)[0]
    assert fine.shape == (1, 16, 25)
    torch.testing.assert_close(fine[..., :12], again[..., :12])
    assert not torch.allclose(fine[..., 13:], again[..., 13:])


def test_mimi_doors() -> None:
    with pytest.raises(AudioError, match="empty"):
        Mimi(SMALL).latent(torch.zeros(1, 0))
    with pytest.raises(CheckpointError, match="lacks"):
        mimi_from_official({}, SMALL)
