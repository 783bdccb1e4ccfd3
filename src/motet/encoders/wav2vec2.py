"""wav2vec2 in the layer-norm form of XLS-R: waveform to 50 Hz features. Own code, official tensor
names; nothing is fetched.

Written for speed on CPUs: convolutions run on rows of channels (each a plain matrix product over an
unfolded view), attention is fused, and windows are computed together as a batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.nn.activation import gelu_of_product, gelu_over
from motet.nn.attention import attend, split_heads
from motet.nn.packed import SMALLEST, PackedLinear, pack_linears, packing_works

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


class _ConvLayer(nn.Module):
    """Strided convolution, layer norm over channels, GELU, on (batch, time, channels)."""

    def __init__(self, source: int, target: int, kernel: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv1d(source, target, kernel, stride)
        self.layer_norm = nn.LayerNorm(target)
        self.product: PackedLinear | None = None

    def pack(self) -> None:
        # The first convolution has one channel: a product of 10 columns gains nothing by packing.
        """Prepare the convolution for running only, as a product over patches."""
        target, source, kernel = self.conv.weight.shape
        if source >= SMALLEST:
            self.product = PackedLinear(
                self.conv.weight.transpose(1, 2).reshape(target, kernel * source),
                self.conv.bias,
                "float32",
                roundable=False,
            )

    def forward(
        self, x: Float[Tensor, "batch time channels"]
    ) -> Float[Tensor, "batch steps target"]:
        target, source, kernel = self.conv.weight.shape
        steps = (x.shape[1] - kernel) // self.stride + 1
        # The packed product and autograd both need the patches; running plainly goes without
        # copies.
        if self.stride == 2 and self.product is None and not torch.is_grad_enabled():
            return gelu_over(self.layer_norm(self._pairwise(x, steps)))
        # Neighbouring time steps are neighbours in memory, so the patches of a convolution are one
        # overlapping view.
        patches = x.as_strided(
            (x.shape[0], steps, kernel * source), (x.stride(0), x.stride(1) * self.stride, 1)
        )
        if self.product is not None:
            return gelu_over(self.layer_norm(self.product(patches)))
        weight = self.conv.weight.transpose(1, 2).reshape(target, kernel * source)
        return gelu_over(
            self.layer_norm(F.linear(patches.reshape(-1, kernel * source), weight, self.conv.bias))
        ).unflatten(0, (-1, steps))

    def _pairwise(self, x: Tensor, steps: int) -> Float[Tensor, "batch steps target"]:
        """Stride two without copying: two steps side by side are one row of a plain product, the
        # (target, source, 3) to (2 * source, target): the taps 0 and 1 lie side by side in memory
        third tap a second product.
        """
        target, source, kernel = self.conv.weight.shape
        first = self.conv.weight[:, :, :2].permute(2, 1, 0).reshape(2 * source, target)
        out = x.new_empty(len(x), steps, target)
        for item, row in zip(out, x, strict=True):
            torch.addmm(self.conv.bias, row[: 2 * steps].view(steps, 2 * source), first, out=item)
            if kernel == 3:
                item.addmm_(row[2 : 2 * steps + 1 : 2], self.conv.weight[:, :, 2].T)
        return out


class _ConvPosition(nn.Module):
    """Grouped convolution over time that tells neighbours apart; the weight norm of the original is
    folded into the weight.
    """

    def __init__(self, hidden: int, taps: int, groups: int) -> None:
        super().__init__()
        self.conv = nn.Conv1d(hidden, hidden, taps, padding=taps // 2, groups=groups)

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        # even number of taps: padding on both sides gives one step too many
        return F.gelu(self.conv(x.transpose(1, 2))[..., : x.shape[1]]).transpose(1, 2)


class _Attention(nn.Module):
    def __init__(self, hidden: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (
            nn.Linear(hidden, hidden) for _ in range(4)
        )

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        query, key, value = (
            split_heads(part(x), self.heads) for part in (self.q_proj, self.k_proj, self.v_proj)
        )
        return self.out_proj(attend(query, key, value))


class _FeedForward(nn.Module):
    def __init__(self, hidden: int, inner: int) -> None:
        super().__init__()
        self.intermediate_dense, self.output_dense = (
            nn.Linear(hidden, inner),
            nn.Linear(inner, hidden),
        )

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        return self.output_dense(gelu_of_product(self.intermediate_dense, x))


class _Layer(nn.Module):
    def __init__(self, hidden: int, heads: int, inner: int) -> None:
        super().__init__()
        self.layer_norm, self.attention = nn.LayerNorm(hidden), _Attention(hidden, heads)
        self.final_layer_norm, self.feed_forward = nn.LayerNorm(hidden), _FeedForward(hidden, inner)

    def forward(
        self, x: Float[Tensor, "batch steps hidden"]
    ) -> Float[Tensor, "batch steps hidden"]:
        # pre-norm, the form `do_stable_layer_norm` of the published configs
        x = x + self.attention(self.layer_norm(x))
        return x + self.feed_forward(self.final_layer_norm(x))


class _FeatureExtractor(nn.Module):
    def __init__(self, widths: Sequence[int]) -> None:
        super().__init__()
        sources = (1, *widths[:-1])
        self.conv_layers = nn.ModuleList(map(_ConvLayer, sources, widths, KERNELS, STRIDES))


class _FeatureProjection(nn.Module):
    def __init__(self, source: int, hidden: int) -> None:
        super().__init__()
        self.layer_norm, self.projection = nn.LayerNorm(source), nn.Linear(source, hidden)


class _Encoder(nn.Module):
    def __init__(
        self, hidden: int, layers: int, heads: int, inner: int, taps: int, groups: int
    ) -> None:
        super().__init__()
        self.pos_conv_embed = _ConvPosition(hidden, taps, groups)
        self.layers = nn.ModuleList(_Layer(hidden, heads, inner) for _ in range(layers))
        self.layer_norm = nn.LayerNorm(hidden)


class Wav2Vec2(nn.Module):
    """The trunk of wav2vec2 with layer-normed convolutions and pre-norm layers
    (`do_stable_layer_norm`).

    Args:
        hidden, layers, heads, inner: sizes of the transformer.
        conv_widths: channels of the seven convolutions.
        position_taps, position_groups: the convolution that gives positions.

    Source: Baevski et al. 2020; Babu et al. 2022 (XLS-R).
    """

    def __init__(
        self,
        hidden: int,
        layers: int,
        heads: int,
        inner: int,
        conv_widths: Sequence[int],
        position_taps: int = 128,
        position_groups: int = 16,
    ) -> None:
        super().__init__()
        self.masked_spec_embed = nn.Parameter(torch.zeros(hidden))
        self.feature_extractor = _FeatureExtractor(conv_widths)
        self.feature_projection = _FeatureProjection(conv_widths[-1], hidden)
        self.encoder = _Encoder(hidden, layers, heads, inner, position_taps, position_groups)

    def pack(self) -> Wav2Vec2:
        """Prepare large products for running, where this torch can; the network cannot be trained
        or saved any more. Answers itself.
        """
        if packing_works():
            pack_linears(self)
            for layer in self.feature_extractor.conv_layers:
                layer.pack()
        return self

    def front(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps hidden"]:
        """The convolutions and the projection into the transformer."""
        # (batch, time, 1): channels last throughout, see the top of the file
        x = samples.unsqueeze(-1).contiguous()
        for layer in self.feature_extractor.conv_layers:
            x = layer(x)
        projection = self.feature_projection
        return projection.projection(projection.layer_norm(x))

    def forward(self, samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch steps hidden"]:
        """Features of 16 kHz waveforms, one step every 320 samples (199 for 4 s)."""
        x = self.front(samples)
        x = x + self.encoder.pos_conv_embed(x)
        for layer in self.encoder.layers:
            x = layer(x)
        # pre-norm layers leave the sum unnormalised; the base form normalises before them instead
        return self.encoder.layer_norm(x)


def standardise(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """Zero mean and unit deviation (unbiased) a row, as the released ARTalk feeds its windows,
    padding included.
    """
    return (samples - samples.mean(-1, keepdim=True)) / (samples.std(-1, keepdim=True) + 1e-6)


def fold_weight_norm(
    magnitude: Float[Tensor, "1 1 taps"], direction: Float[Tensor, "target source taps"]
) -> Float[Tensor, "target source taps"]:
    """The plain weight of a convolution whose weight norm runs over the taps."""
    # PyTorch's weight norm with dim=2: one magnitude a tap, (1, 1, taps)
    return direction * (magnitude / direction.pow(2).sum((0, 1), keepdim=True).sqrt())
