"""Guidance: the forms agree where they must and differ where they are said to."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.diffusion.guidance import MODES, branches, dynamic_threshold, guide
from motet.errors import ConfigError


def test_branches_of_two_conditions() -> None:
    assert branches("incremental", 2) == [(False, False), (True, False), (True, True)]
    assert branches("independent", 2) == [(False, False), (True, False), (False, True)]
    with pytest.raises(ConfigError, match="incremental"):
        branches("both", 2)


@pytest.mark.parametrize("mode", MODES)
def test_scale_one_of_one_condition_is_that_condition(mode: str) -> None:
    answers = torch.randn(2, 3, 4, 5)
    assert torch.allclose(guide(mode, answers, [1.0]), answers[1], atol=1e-6)


def test_scales_of_one_incrementally_give_the_full_condition() -> None:
    answers = torch.randn(3, 3, 4)
    assert torch.allclose(guide("incremental", answers, [1.0, 1.0]), answers[2], atol=1e-6)


def test_the_published_form_differs_from_the_textbook_by_its_running_reference() -> None:
    r0, r1, r2 = answers = torch.randn(3, 2, 4)
    first = r0 + 2 * (r1 - r0)
    assert torch.allclose(
        guide("independent_published", answers, [2.0, 3.0]), first + 3 * (r2 - first), atol=1e-5
    )
    assert torch.allclose(
        guide("independent", answers, [2.0, 3.0]), r0 + 2 * (r1 - r0) + 3 * (r2 - r0), atol=1e-5
    )


@settings(max_examples=20, deadline=None)
@given(st.floats(0.5, 1.0), st.integers(0, 100))
def test_threshold_keeps_each_item_within_its_own_limit(ratio: float, seed: int) -> None:
    x = 3 * torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(seed))
    together = dynamic_threshold(x, ratio, 1.0, 4.0)
    assert float(together.abs().max()) <= 4.0 + 1e-6
    assert torch.equal(together[2:3], dynamic_threshold(x[2:3], ratio, 1.0, 4.0))
    inside = x.abs() <= 1.0
    assert torch.equal(together[inside], x[inside])
