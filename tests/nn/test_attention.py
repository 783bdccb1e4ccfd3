"""Attention over parts of the keys, put together."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from motet.nn.attention import attend_with_logsumexp, merged


def heads(tokens: int, seed: int) -> torch.Tensor:
    return 2 * torch.randn(2, 3, tokens, 16, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def test_parts_of_the_keys_put_together_are_attention_over_all() -> None:
    query, key, value = heads(7, 0), heads(50, 1), heads(50, 2)
    whole = F.scaled_dot_product_attention(query, key, value)
    parts = [
        attend_with_logsumexp(query, key[:, :, span], value[:, :, span])
        for span in (slice(0, 31), slice(31, 50))
    ]
    torch.testing.assert_close(merged(*parts), whole, atol=1e-6, rtol=1e-5)
    assert float((parts[0][0] - whole).abs().max()) > 0.1


@torch.no_grad()
def test_the_fused_kernel_and_the_plain_form_agree(monkeypatch) -> None:
    given = heads(7, 3), heads(20, 4), heads(20, 5)
    fused = attend_with_logsumexp(*given)
    monkeypatch.setattr(torch.ops.aten, "_scaled_dot_product_flash_attention_for_cpu", None)
    plain = attend_with_logsumexp(*given)
    for one, other in zip(fused, plain, strict=True):
        torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
