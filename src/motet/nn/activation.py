"""GELU without a second large buffer: in place, or fused into the packed product before it."""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from motet.nn.packed import PackedLinear

Form = Literal["none", "tanh"]
"""Exact, or the approximation by the hyperbolic tangent."""


def gelu_over(x: Float[Tensor, "*shape"], form: Form = "none") -> Float[Tensor, "*shape"]:
    """GELU of a tensor that nothing else uses; overwrites it unless gradients are recorded.

    Allocating a large buffer costs more than filling it.
    """
    # autograd needs the input of GELU for its backward pass: it must not be overwritten.
    if torch.is_grad_enabled():
        return functional.gelu(x, approximate=form)
    return torch.ops.aten.gelu_(x, approximate=form)


def gelu_of_product(
    layer: nn.Module, x: Float[Tensor, "*batch inputs"], form: Form = "none"
) -> Float[Tensor, "*batch outputs"]:
    """GELU of a linear layer's output."""
    # oneDNN fuses the activation into the product; in bfloat16 the fused form would round twice.
    if isinstance(layer, PackedLinear) and layer.exact:
        return layer(x, form)
    return gelu_over(layer(x), form)
