"""Linear layers with weights prepacked by oneDNN, in float32 or bfloat16.

oneDNN keeps weights in blocks that fit its inner loop. In float32 the results equal those of a
plain layer up to the order of the sums, about a fifth faster at the sizes of speech encoders.
bfloat16 halves the memory and, on processors with bfloat16 products, doubles the speed again, at
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
"""Layers with fewer inputs or outputs stay as they are: packing gains nothing there."""


class PackedLinear(nn.Module):
    """A linear layer for inference only: no gradients, no state dict.

    Args:
        roundable: whether int8 is accurate enough for this layer.
    """

    def __init__(
        self,
        weight: Float[Tensor, "outputs inputs"],
        bias: Float[Tensor, " outputs"] | None,
        precision: Literal["float32", "bfloat16"],
        roundable: bool = True,
    ) -> None:
        super().__init__()
        self.roundable = roundable
        self._dtype = getattr(torch, precision)
        self._bias = None if bias is None else bias.detach().to(self._dtype)
        # The blocked layout depends on the processor: it is made here and never saved.
        plain = weight.detach().to(self._dtype).contiguous()
        self._packed = torch.ops.mkldnn._reorder_linear_weight(plain)

    def forward(
        self, x: Float[Tensor, "*batch inputs"], gelu: Literal["", "none", "tanh"] = ""
    ) -> Float[Tensor, "*batch outputs"]:
        """The product in the dtype of `x`, with a fused GELU if asked for.

        Args:
            gelu: "" for none, `none` for the exact GELU, `tanh` for its approximation.
        """
        inputs = x.to(self._dtype).contiguous()  # (*batch, inputs)
        operation = "gelu" if gelu else "none"
        product = torch.ops.mkldnn._linear_pointwise(
            inputs, self._packed, self._bias, operation, [], gelu
        )
        return product.to(x.dtype)

    @property
    def exact(self) -> bool:
        """Whether products are in float32."""
        return self._dtype == torch.float32

    def plain(self) -> nn.Linear:
        """The same layer as `nn.Linear`."""
        weight = self._packed.to_dense().float()
        outputs, inputs = weight.shape
        # On `meta` no memory is spent on initial values that are replaced at once.
        layer = nn.Linear(inputs, outputs, bias=self._bias is not None, device="meta")
        layer.weight = nn.Parameter(weight, requires_grad=False)
        if self._bias is not None:
            layer.bias = nn.Parameter(self._bias.float(), requires_grad=False)
        return layer


def packing_works() -> bool:
    """Whether this torch has oneDNN's packed products, and the default device is the CPU."""
    if not torch.backends.mkldnn.is_available() or torch.get_default_device().type != "cpu":
        return False
    try:
        # Tried out, not looked up: builds of torch differ in what their oneDNN operators accept.
        layer, x = nn.Linear(2, 3), torch.ones(1, 2)
        with torch.no_grad():
            packed = PackedLinear(layer.weight, layer.bias, "float32")
            return bool(torch.allclose(packed(x), layer(x), atol=1e-5))
    except (AttributeError, RuntimeError):
        return False


def bfloat16_is_fast() -> bool:
    """Whether the processor has bfloat16 products; without them bfloat16 is slower than float32."""
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    checks = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    # `bool()` is False: the answer where this torch lacks the check.
    return any(getattr(torch.cpu, check, bool)() for check in checks)


def pack_linears(module: nn.Module) -> nn.Module:
    """Replace every large linear layer of a module by `PackedLinear` in float32, in place.

    Where this torch cannot pack, the module stays as it is.
    """
    if not packing_works():
        return module
    # Lists, because replacing a child changes what is being walked over.
    for parent in list(module.modules()):
        for name, child in list(parent.named_children()):
            if isinstance(child, nn.Linear) and min(child.weight.shape) >= SMALLEST:
                setattr(parent, name, PackedLinear(child.weight, child.bias, "float32"))
    return module


def with_precision(module: nn.Module, precision: Precision) -> nn.Module:
    """A copy of a network with its large linear layers in another precision.

    All other parameters are shared with `module`, which stays as it is.

    Raises:
        ConfigError: this torch or processor has no such products.
    """
    if precision == "bfloat16" and not (packing_works() and bfloat16_is_fast()):
        raise ConfigError(
            "this processor has no products in bfloat16; choose precision float32 or int8"
        )
    if precision == "int8" and torch.backends.quantized.engine == "none":
        raise ConfigError(
            "this torch has no int8 products for this processor; choose precision float32"
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
        if precision == "int8":
            return Int8Linear(module)
        return PackedLinear(module.weight, module.bias, "bfloat16")
    converted = copy.copy(module)  # shallow: parameters and buffers stay shared
    converted._modules = {
        name: child and _converted(child, precision) for name, child in module._modules.items()
    }
    return converted
