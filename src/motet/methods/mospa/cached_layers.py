"""Layers for inference: many diffusion steps in which most tokens are the same every time.

The arithmetic is that of `Layer`, in another order where nothing but rounding changes:

- in the first layer the constant tokens' queries, keys and values, and their attention to each
  other, are computed once; a step adds their attention to the motion (attention over parts of the
  keys is merged by the sums of its weights),
- in the last layer only the motion's rows are computed,
- weights lie as the processor likes them (`PackedLinear`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from motet.nn.attention import attend, attend_with_logsumexp, join_heads, merged, split_heads
from motet.nn.packed import SMALLEST, PackedLinear, packing_works

Product = Callable[[Tensor], Tensor]


@dataclasses.dataclass(frozen=True)
class Known:
    """The constant tokens in the first layer, heads apart."""

    query: Float[Tensor, "batch heads constant head"]
    key: Float[Tensor, "batch heads constant head"]
    value: Float[Tensor, "batch heads constant head"]
    attended: Float[Tensor, "batch heads constant head"]
    """Their attention to each other."""
    weight: Float[Tensor, "batch heads constant"]
    """Logarithm of the sum of its weights."""


class CachedLayer:
    """One layer, for inference on the CPU.

    Args:
        layer: with `heads`, `projection`, `out`, `inner`, `outer` and two norms.
        last: only `last_rows` is called; otherwise everything else.
    """

    def __init__(self, layer: nn.Module, last: bool) -> None:
        width = layer.out.weight.shape[0]
        weight, bias = layer.projection.weight, layer.projection.bias
        self.heads, self._norms = layer.heads, (layer.norm_attention, layer.norm_inner)
        self._query = _product(weight[:width], bias[:width]) if last else None
        self._projection = (
            _product(weight[width:], bias[width:]) if last else _product(weight, bias)
        )
        self._out, self._inner, self._outer = (
            _product(part.weight, part.bias) for part in (layer.out, layer.inner, layer.outer)
        )

    def __call__(
        self, x: Float[Tensor, "batch tokens width"]
    ) -> Float[Tensor, "batch tokens width"]:
        """All tokens after this layer."""
        return self._after_attention(x, attend(*self._heads_of(self._projection(x), 3)))

    def last_rows(
        self, x: Float[Tensor, "batch tokens width"], keep: int
    ) -> Float[Tensor, "batch kept width"]:
        """Only the last tokens after this layer."""
        last = x[:, -keep:]
        (query,), (key, value) = (
            self._heads_of(self._query(last), 1),
            self._heads_of(self._projection(x), 2),
        )
        return self._after_attention(last, attend(query, key, value))

    def known(self, tokens: Float[Tensor, "batch constant width"]) -> Known:
        """What can be computed of constant first tokens."""
        query, key, value = self._heads_of(self._projection(tokens), 3)
        return Known(query, key, value, *attend_with_logsumexp(query, key, value))

    def after_known(
        self, x: Float[Tensor, "batch tokens width"], known: Known
    ) -> Float[Tensor, "batch tokens width"]:
        """All tokens after this layer, the first of which are those of `known`."""
        query, key, value = self._heads_of(self._projection(x[:, known.key.shape[2] :]), 3)
        constant = merged(
            (known.attended, known.weight), attend_with_logsumexp(known.query, key, value)
        )
        moving = attend(query, torch.cat([known.key, key], 2), torch.cat([known.value, value], 2))
        return self._after_attention(x, torch.cat([join_heads(constant), moving], 1))

    def _heads_of(self, projected: Tensor, parts: int) -> list[Tensor]:
        return [split_heads(part, self.heads) for part in projected.chunk(parts, -1)]

    def _after_attention(self, x: Tensor, attended: Tensor) -> Tensor:
        x = self._norms[0](self._out(attended).add_(x))
        return self._norms[1](self._outer(F.gelu(self._inner(x))).add_(x))


def cached_layers(layers: nn.ModuleList) -> tuple[CachedLayer, ...]:
    """All layers for inference, with their weights as they are now."""
    return tuple(
        CachedLayer(layer, number == len(layers) - 1) for number, layer in enumerate(layers)
    )


def through_cached(
    x: Float[Tensor, "batch tokens width"],
    layers: tuple[CachedLayer, ...],
    known: Known | None,
    motion_tokens: int,
) -> Float[Tensor, "batch motion_tokens width"]:
    """The last tokens after all layers; `known` are the constant ones in the first of several."""
    for index, layer in enumerate(layers[:-1]):
        x = layer(x) if index or known is None else layer.after_known(x, known)
    return layers[-1].last_rows(x, motion_tokens)


def _product(weight: Float[Tensor, "outputs inputs"], bias: Float[Tensor, " outputs"]) -> Product:
    if (
        weight.device.type == "cpu"
        and weight.dtype == torch.float32
        and min(weight.shape) >= SMALLEST
        and packing_works()
    ):
        return PackedLinear(weight, bias, "float32")
    return lambda x: F.linear(x, weight, bias)
