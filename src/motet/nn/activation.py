"""GELU where its input is nobody else's: written over it when no gradient needs the input, inside
the product where weights are packed.
"""

from __future__ import annotations

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from motet.nn.packed import PackedLinear

Form = Literal["none", "tanh"]
"""Exact, or by the hyperbolic tangent."""


def gelu_over(x: Float[Tensor, "*shape"], form: Form = "none") -> Float[Tensor, "*shape"]:
    """GELU of a fresh tensor, which is overwritten unless gradients are wanted: large buffers cost
    more to get than to fill.
    """
    if torch.is_grad_enabled():
        return functional.gelu(x, approximate=form)
    return torch.ops.aten.gelu_(x, approximate=form)


def gelu_of_product(
    layer: nn.Module, x: Float[Tensor, "*batch inputs"], form: Form = "none"
) -> Float[Tensor, "*batch outputs"]:
    """GELU of what a linear layer answers."""
    if isinstance(layer, PackedLinear) and layer.exact:
        return layer(x, form)
    return gelu_over(layer(x), form)
