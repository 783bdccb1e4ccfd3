"""Linear layers quantised to int8: faster on a CPU, with a small error.

Weights are quantised once, with one scale for each output; inputs on the fly, with one scale for
each call. About 1.8 times the speed of float32 on a CPU with AVX2, about 1 to 2 % error in each
product. Motion codes of a model with a quantiser then differ from those in float32.
"""

from __future__ import annotations

import warnings

import torch
from torch import Tensor, nn

from motet.errors import ConfigError


class Int8Linear(nn.Module):
    """A linear layer with int8 weights; it cannot be trained or saved."""

    def __init__(self, exact: nn.Linear) -> None:
        super().__init__()
        weight = exact.weight.detach()
        # One scale for each output (row), so that one large row does not cost the others precision.
        scale = weight.abs().amax(1).clamp(min=1e-8) / 127
        with warnings.catch_warnings():
            # torch announces that these types will move; `round_linears` reports when they have.
            warnings.simplefilter("ignore")
            zero_point = torch.zeros(len(scale), dtype=torch.long)  # symmetric: weights are centred
            quantised = torch.quantize_per_channel(
                weight, scale.double(), zero_point, 0, torch.qint8
            )
            bias = None if exact.bias is None else exact.bias.detach()
            self._packed = torch.ops.quantized.linear_prepack(quantised, bias)

    def forward(self, x: Tensor) -> Tensor:
        """The product, to about 1 %."""
        # Reduced range: without VNNI, two products of full int8 numbers could overflow 16 bits.
        return torch.ops.quantized.linear_dynamic(x, self._packed, True)


def round_linears(module: nn.Module, smallest: int = 256) -> nn.Module:
    """Replace every large linear layer of a module by `Int8Linear`, in place.

    Args:
        smallest: layers with fewer inputs or outputs stay as they are.

    Raises:
        ConfigError: this torch or processor has no int8 products.
    """
    if not hasattr(torch, "quantize_per_channel") or torch.backends.quantized.engine == "none":
        raise ConfigError("this torch has no int8 products for this processor; run in float32")
    for name, child in list(module.named_children()):
        if isinstance(child, nn.Linear) and min(child.weight.shape) >= smallest:
            setattr(module, name, Int8Linear(child))
        else:
            round_linears(child, smallest)
    return module
