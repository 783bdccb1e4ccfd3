"""The base network of HuBERT and wav2vec 2.0: padding and training masks."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.encoders.hubert import Hubert, HubertConfig, pad_boundary, span_mask

TINY = HubertConfig(16, 2, 2, 24, (4,) * 7, 8, 2)


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 40), st.integers(0, 80))
def test_padded_sounds_have_one_feature_for_each_whole_unit(units: int, rest: int) -> None:
    samples = torch.randn(1, 320 * units + rest)
    with torch.no_grad():
        steps = Hubert(TINY).eval()(pad_boundary(samples)).shape[1]
    assert steps == units


def test_masks_and_left_out_layers_need_a_source_of_randomness() -> None:
    torch.manual_seed(0)
    trunk = Hubert(
        HubertConfig(16, 2, 2, 24, (4,) * 7, 8, 2, dropout=0.0, layer_drop=0.5, mask_share=0.4)
    ).train()
    samples = torch.randn(1, 6400)
    with torch.no_grad():
        assert torch.equal(trunk(samples), trunk(samples))
        one, two, other = (
            trunk(samples, randomness=torch.Generator().manual_seed(seed)) for seed in (1, 1, 5)
        )
    assert torch.equal(one, two)
    assert not torch.equal(one, other)


@pytest.mark.parametrize(("steps", "wanted"), [(50, True), (5, False)])
def test_span_masks(steps: int, wanted: bool) -> None:
    mask = span_mask(3, steps, 0.05, 10, torch.Generator().manual_seed(0))
    assert mask.shape == (3, steps)
    assert bool(mask.any()) == wanted
    assert not wanted or 10 <= int(mask.sum(1).min()) <= 20
