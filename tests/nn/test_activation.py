"""GELU over its input and inside packed products: the numbers of the plain one, and gradients where
they are wanted."""

from __future__ import annotations

import platform

import pytest
import torch
from torch import nn
from torch.nn import functional

from motet.nn.activation import Form, gelu_of_product, gelu_over
from motet.nn.allocator import keep_buffers
from motet.nn.packed import PackedLinear, bfloat16_is_fast, packing_works

HALF = [("bfloat16", 3e-2)] if packing_works() and bfloat16_is_fast() else []


@pytest.mark.parametrize("form", ["none", "tanh"])
def test_gelu_over_its_input_is_gelu(form: Form) -> None:
    x = torch.randn(3, 5, generator=torch.Generator().manual_seed(0))
    expected = functional.gelu(x, approximate=form)
    with torch.no_grad():
        found = gelu_over(x.clone(), form)
    torch.testing.assert_close(found, expected)


def test_with_gradients_the_input_stays() -> None:
    x = torch.randn(4, requires_grad=True)
    kept = x.detach().clone()
    gelu_over(x * 1.0).sum().backward()
    assert torch.equal(x.detach(), kept) and x.grad is not None and bool(x.grad.any())


@pytest.mark.skipif(not packing_works(), reason="this torch has no packed products")
@pytest.mark.parametrize("form", ["none", "tanh"])
@pytest.mark.parametrize("precision,tolerance", [("float32", 1e-5), *HALF])
def test_gelu_inside_a_packed_product_is_gelu_after_it(
    form: Form, precision: str, tolerance: float
) -> None:
    if precision == "bfloat16" and not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        pytest.skip("this processor has no bfloat16 products")
    layer, x = nn.Linear(32, 16), torch.randn(2, 7, 32)
    packed = PackedLinear(
        layer.weight, layer.bias, "float32" if precision == "float32" else "bfloat16"
    )
    with torch.no_grad():
        expected = functional.gelu(layer(x), approximate=form)
        torch.testing.assert_close(
            gelu_of_product(packed, x, form), expected, rtol=tolerance, atol=tolerance
        )
        torch.testing.assert_close(gelu_of_product(layer, x, form), expected)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_buffers_can_be_kept() -> None:
    assert keep_buffers()
