"""Linear layers whose weights lie as the processor likes them: packed once, in single precision or
in bfloat16.

oneDNN keeps weights in blocks that fit its inner loop. In single precision the numbers are those of
a plain layer up to the order of their sums, about a fifth faster on the sizes of speech encoders;
bfloat16 halves the memory and, where the processor has its products, doubles the speed again, at
about 0.2 % error in each product.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.errors import ConfigError
from motet.nn.int8 import Int8Linear

Precision = Literal["float32", "bfloat16", "int8"]
SMALLEST = 256
"""Layers with fewer inputs or outputs stay as they are: nothing to win."""


class PackedLinear(nn.Module):
    """A linear layer for running only: no gradients, no state to save.

    Args:
        roundable: eight bits are enough for it where that precision is asked for.
    """

    def __init__(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, "outputs"] | None,
        precision: Literal["float32", "bfloat16"],
        roundable: bool = True,
    ) -> None:
        super().__init__()
        self.roundable = roundable
        self._dtype = getattr(torch, precision)
        self._bias = None if bias is None else bias.detach().to(self._dtype)
        self._packed = torch.ops.mkldnn._reorder_linear_weight(
            weight.detach().to(self._dtype).contiguous()
        )

    def forward(
        self, x: Float[Tensor, "*batch inputs"], gelu: Literal["", "none", "tanh"] = ""
    ) -> Float[Tensor, "*batch outputs"]:
        """The product, in the precision of `x`; with `gelu` its GELU, exact (`none`) or by the
        hyperbolic tangent.
        """
        then = ("gelu", gelu) if gelu else ("none", "")
        return torch.ops.mkldnn._linear_pointwise(
            x.to(self._dtype).contiguous(), self._packed, self._bias, then[0], [], then[1]
        ).to(x.dtype)

    @property
    def exact(self) -> bool:
        """Whether products are in single precision."""
        return self._dtype == torch.float32

    def plain(self) -> nn.Linear:
        """The layer with its weights in the usual order."""
        weight = self._packed.to_dense().float()
        layer = nn.Linear(
            weight.shape[1], weight.shape[0], bias=self._bias is not None, device="meta"
        )
        layer.weight = nn.Parameter(weight, requires_grad=False)
        if self._bias is not None:
            layer.bias = nn.Parameter(self._bias.float(), requires_grad=False)
        return layer


def packing_works() -> bool:
    """Whether this torch has oneDNN's packed products."""
    if not torch.backends.mkldnn.is_available():
        return False
    try:
        layer, x = nn.Linear(2, 3), torch.ones(1, 2)
        with torch.no_grad():
            return bool(
                torch.allclose(
                    PackedLinear(layer.weight, layer.bias, "float32")(x), layer(x), atol=1e-5
                )
            )
    except (AttributeError, RuntimeError):
        return False


def bfloat16_is_fast() -> bool:
    """Whether the processor multiplies bfloat16 itself; elsewhere it would be slower than single
    precision.
    """
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported()) and any(
        getattr(torch.cpu, name, bool)()
        for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    )


def pack_linears(module: nn.Module) -> nn.Module:
    """Put `PackedLinear` in single precision in the place of every large linear layer, weight by
    weight; answers the module itself.

    Where this torch cannot pack, the module stays as it is.
    """
    if not packing_works():
        return module
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and min(child.weight.shape) >= SMALLEST:
                setattr(parent, name, PackedLinear(child.weight, child.bias, "float32"))
    return module


def with_precision(module: nn.Module, precision: Precision) -> nn.Module:
    """A network like `module` with its large linear layers in another precision; everything else is
    shared, `module` stays as it is.

    Raises:
        ConfigError: this torch or processor has no such products.
    """
    if precision == "bfloat16" and not (packing_works() and bfloat16_is_fast()):
        raise ConfigError(
            "this processor has no products in bfloat16; choose precision float32 or int8"
        )
    if precision == "int8" and torch.backends.quantized.engine == "none":
        raise ConfigError(
            "this torch has no eight-bit products for this processor; choose precision float32"
        )
    return module if precision == "float32" else _converted(module, precision)


def _converted(module: nn.Module, precision: Precision) -> nn.Module:
    if isinstance(module, PackedLinear):
        if precision == "int8" and not module.roundable:
            return module
        module = module.plain()
    if isinstance(module, nn.Linear):
        if min(module.weight.shape) < SMALLEST:
            return module
        return (
            Int8Linear(module)
            if precision == "int8"
            else PackedLinear(module.weight, module.bias, "bfloat16")
        )
    twin = copy.copy(module)
    twin._modules = {
        name: child and _converted(child, precision) for name, child in module._modules.items()
    }
    return twin
