"""Positions and attention bricks."""

from __future__ import annotations

import torch

from motet.nn.attention import KeyValueCache, attend, level_mask, split_heads
from motet.nn.position import rotary_angles, rotate_pairs, sinusoid_table


def test_rotary_products_depend_on_the_distance_alone() -> None:
    query, key = torch.randn(8), torch.randn(8)

    def product(at: float, other: float) -> torch.Tensor:
        return (
            rotate_pairs(query[None], rotary_angles(torch.tensor([at]), 8))[0]
            @ rotate_pairs(key[None], rotary_angles(torch.tensor([other]), 8))[0]
        )

    torch.testing.assert_close(product(3, 5), product(13, 15), rtol=1e-4, atol=1e-5)
    assert (product(3, 5) - product(3, 9)).abs() > 1e-4


def test_sinusoids_start_at_zero_and_one() -> None:
    table = sinusoid_table(4, 6)
    torch.testing.assert_close(table[0], torch.tensor([0.0, 1, 0, 1, 0, 1]))
    torch.testing.assert_close(table[1, 0], torch.tensor(1.0).sin())


def test_a_growing_cache_equals_a_mask() -> None:
    noise = torch.Generator().manual_seed(0)
    query, key, value = (split_heads(torch.randn(2, 6, 8, generator=noise), 2) for _ in range(3))
    levels = torch.tensor([0, 1, 1, 2, 2, 2])
    whole = attend(query, key, value, level_mask(levels))
    cache, parts = KeyValueCache(2, 2, 6, 4, key), []
    for start, stop in ((0, 1), (1, 3), (3, 6)):
        keys, values = cache.append(key[:, :, start:stop], value[:, :, start:stop])
        parts.append(attend(query[:, :, start:stop], keys, values))
    torch.testing.assert_close(torch.cat(parts, 1), whole)
