"""The encoder half of MIMI for ARTalk's MIMI options, from weights the user brings. Own code,
official tensor names.

Source: Défossez et al. 2024 (Moshi), section 3.3. Written here and not taken from a package so that
the numbers do not move with a package's version and nothing is fetched.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.audio.sinc_resample import resample_sinc
from motet.checkpoint import load_strict
from motet.errors import AudioError, ConfigError
from motet.nn.attention import attend, split_heads

RATE_HZ = 24000
Latent = Literal["both", "acoustic", "semantic", "no_proj"]
_PARTS = ("encoder", "encoder_transformer", "downsample", "quantizer")


@dataclasses.dataclass(frozen=True)
class MimiConfig:
    """Sizes; the defaults are the published ones."""

    hidden: int = 512
    filters: int = 64
    ratios: tuple[int, ...] = (4, 5, 6, 8)
    """Strides of the encoder in the order in which they are passed."""
    kernel: int = 7
    last_kernel: int = 3
    residual_kernel: int = 3
    layers: int = 8
    heads: int = 8
    inner: int = 2048
    reach: int = 250
    """Steps that a step may look back, itself included."""
    code_width: int = 256
    code_entries: int = 2048
    quantizers: int = 32
    """Codebooks in all; the first is the semantic one."""


class CausalConv(nn.Module):
    """Convolution that sees the past only; the end is filled up so that every sample counts."""

    def __init__(
        self,
        source: int,
        target: int,
        kernel: int,
        stride: int = 1,
        *,
        bias: bool = True,
        replicate: bool = False,
    ) -> None:
        super().__init__()
        self.conv = nn.Conv1d(source, target, kernel, stride, bias=bias)
        # Left padding of kernel - stride makes a strided convolution causal.
        self.before, self.stride, self.mode = (
            kernel - stride,
            stride,
            "replicate" if replicate else "constant",
        )

    def forward(
        self, x: Float[Tensor, "batch channels time"]
    ) -> Float[Tensor, "batch target steps"]:
        """One output for each stride begun."""
        steps = math.ceil(x.shape[-1] / self.stride)
        return self.conv(F.pad(x, (self.before, steps * self.stride - x.shape[-1]), mode=self.mode))


class ResidualUnit(nn.Module):
    """x + a narrow pair of convolutions."""

    def __init__(self, width: int, kernel: int) -> None:
        super().__init__()
        self.block = nn.Sequential(
            nn.ELU(),
            CausalConv(width, width // 2, kernel),
            nn.ELU(),
            CausalConv(width // 2, width, 1),
        )

    def forward(
        self, x: Float[Tensor, "batch channels time"]
    ) -> Float[Tensor, "batch channels time"]:
        """One unit."""
        return x + self.block(x)


class ConvEncoder(nn.Module):
    """Waveform to 25 Hz."""

    def __init__(self, config: MimiConfig) -> None:
        super().__init__()
        width = config.filters
        layers: list[nn.Module] = [CausalConv(1, width, config.kernel)]
        # Each step down doubles the channels; 4 * 5 * 6 * 8 = 960 samples of 24 kHz are 25 Hz.
        for ratio in config.ratios:
            layers += [
                ResidualUnit(width, config.residual_kernel),
                nn.ELU(),
                CausalConv(width, 2 * width, 2 * ratio, ratio),
            ]
            width *= 2
        self.layers = nn.Sequential(
            *layers, nn.ELU(), CausalConv(width, config.hidden, config.last_kernel)
        )


class _Scale(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        # 0.01 at the start, as published: deep stacks begin near the identity (LayerScale).
        self.scale = nn.Parameter(torch.full((width,), 0.01))


class _Attention(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (
            nn.Linear(width, width, bias=False) for _ in range(4)
        )


class _FeedForward(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = (
            nn.Linear(width, inner, bias=False),
            nn.Linear(inner, width, bias=False),
        )


class TransformerLayer(nn.Module):
    """Pre-norm attention over the past and feed-forward, each scaled a channel."""

    def __init__(self, config: MimiConfig) -> None:
        super().__init__()
        width = config.hidden
        self.heads = config.heads
        self.input_layernorm, self.post_attention_layernorm = (
            nn.LayerNorm(width),
            nn.LayerNorm(width),
        )
        self.self_attn, self.mlp = _Attention(width), _FeedForward(width, config.inner)
        self.self_attn_layer_scale, self.mlp_layer_scale = _Scale(width), _Scale(width)

    def forward(
        self, x: Float[Tensor, "batch steps width"], angles: tuple[Tensor, Tensor], mask: Tensor
    ) -> Float[Tensor, "batch steps width"]:
        """One layer."""
        part, normed = self.self_attn, self.input_layernorm(x)
        query, key, value = (
            split_heads(project(normed), self.heads)
            for project in (part.q_proj, part.k_proj, part.v_proj)
        )
        attended = part.o_proj(
            attend(_rotate_halves(query, angles), _rotate_halves(key, angles), value, mask)
        )
        x = x + self.self_attn_layer_scale.scale * attended
        inner = self.mlp.fc2(F.gelu(self.mlp.fc1(self.post_attention_layernorm(x))))
        return x + self.mlp_layer_scale.scale * inner


def _rotate_halves(x: Tensor, angles: tuple[Tensor, Tensor]) -> Tensor:
    """Rotary positions that pair a channel with the one half a head further on."""
    cosine, sine = angles
    # halves, not interleaved pairs: the published weights are permuted for this form
    first, second = x.chunk(2, -1)
    return torch.cat([first * cosine - second * sine, second * cosine + first * sine], -1)


class _Transformer(nn.Module):
    def __init__(self, config: MimiConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(TransformerLayer(config) for _ in range(config.layers))


class Codebook(nn.Module):
    """Code vectors, kept as running sums and counts."""

    embed_sum: Tensor
    cluster_usage: Tensor

    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self.register_buffer("initialized", torch.ones(1))
        self.register_buffer("cluster_usage", torch.ones(entries))
        self.register_buffer("embed_sum", torch.zeros(entries, width))

    def vectors(self) -> Float[Tensor, "entries width"]:
        """The code vectors."""
        # A code that training never used has no count; the sum of it is zero as well.
        return self.embed_sum / self.cluster_usage.clamp(min=1e-5).unsqueeze(1)


class _Layer(nn.Module):
    def __init__(self, entries: int, width: int) -> None:
        super().__init__()
        self.codebook = Codebook(entries, width)


class ResidualCodes(nn.Module):
    """Codebooks one after the other, each for what the ones before left over, in a narrow space."""

    def __init__(self, config: MimiConfig, books: int) -> None:
        super().__init__()
        self.input_proj = nn.Conv1d(config.hidden, config.code_width, 1, bias=False)
        self.output_proj = nn.Conv1d(config.code_width, config.hidden, 1, bias=False)
        self.layers = nn.ModuleList(
            _Layer(config.code_entries, config.code_width) for _ in range(books)
        )

    def encode(self, x: Float[Tensor, "batch channels steps"]) -> Int[Tensor, "batch books steps"]:
        """Number of the nearest vector, book after book."""
        # (batch, steps, code_width)
        residual, codes = self.input_proj(x).transpose(1, 2), []
        for layer in self.layers:
            vectors = layer.codebook.vectors()
            codes.append(torch.cdist(residual, vectors.expand(len(residual), -1, -1)).argmin(-1))
            # what this codebook left over goes to the next one
            residual = residual - vectors[codes[-1]]
        return torch.stack(codes, 1)

    def decode(
        self, codes: Int[Tensor, "batch books steps"]
    ) -> Float[Tensor, "batch channels steps"]:
        """Sum of the vectors, projected out."""
        # (books, batch, steps, code_width) summed over the books
        summed = torch.stack(
            [layer.codebook.vectors()[codes[:, book]] for book, layer in enumerate(self.layers)]
        ).sum(0)
        return self.output_proj(summed.transpose(1, 2))


class SplitQuantizer(nn.Module):
    """One semantic codebook beside the acoustic ones."""

    def __init__(self, config: MimiConfig) -> None:
        super().__init__()
        self.semantic_residual_vector_quantizer = ResidualCodes(config, 1)
        self.acoustic_residual_vector_quantizer = ResidualCodes(config, config.quantizers - 1)


class Mimi(nn.Module):
    """The encoder with its quantiser."""

    def __init__(self, config: MimiConfig) -> None:
        super().__init__()
        if config.hidden % (2 * config.heads):
            raise ConfigError(
                f"hidden ({config.hidden}) must be a multiple of twice the heads ({config.heads})"
            )
        self.config = config
        self.encoder, self.encoder_transformer = ConvEncoder(config), _Transformer(config)
        # 25 to 12.5 Hz; the first sample is repeated, where the other convolutions see zeros
        self.downsample = CausalConv(config.hidden, config.hidden, 4, 2, bias=False, replicate=True)
        self.quantizer = SplitQuantizer(config)

    def latent(
        self, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch channels fine"], Float[Tensor, "batch channels coarse"]]:
        """Continuous features of 24 kHz sound at 25 Hz, and after the last halving at 12.5 Hz.

        Raises:
            AudioError: no samples.
        """
        if samples.shape[-1] == 0:
            raise AudioError("MIMI needs at least one sample; this sound is empty")
        x = self.encoder.layers(samples.unsqueeze(1)).transpose(1, 2)
        # Rotary angles: position * 10000^(-k / half), one a pair of channels.
        at, half = torch.arange(x.shape[1]), self.config.hidden // self.config.heads // 2
        turned = at.unsqueeze(1) * 10000.0 ** (-torch.arange(half) / half)
        # steps back from query (rows) to key (columns)
        back = at.unsqueeze(1) - at
        for layer in self.encoder_transformer.layers:
            x = layer(x, (turned.cos(), turned.sin()), (back >= 0) & (back < self.config.reach))
        fine = x.transpose(1, 2)
        return fine, self.downsample(fine)

    @torch.no_grad()
    def released_features(
        self, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps channels"], Int[Tensor, "batch books steps"]]:
        """What the released ARTalk's MIMI option reads: 16 kHz sound through all codebooks and
        back, 12.5 Hz; and the codes.
        """
        coarse = self.latent(resample_sinc(samples, 16000, RATE_HZ, torch.float32))[1]
        parts = (
            self.quantizer.semantic_residual_vector_quantizer,
            self.quantizer.acoustic_residual_vector_quantizer,
        )
        codes = [part.encode(coarse) for part in parts]
        # the semantic book and the residual books are two separate sums, added at the end
        decoded = parts[0].decode(codes[0]) + parts[1].decode(codes[1])
        return decoded.transpose(1, 2), torch.cat(codes, 1)

    @torch.no_grad()
    def training_features(
        self, samples: Float[Tensor, "batch time"], latent: Latent = "both"
    ) -> Float[Tensor, "batch steps channels"]:
        """What the training code's MIMI option reads: 16 kHz sound, unquantised, 25 Hz.

        Args:
            latent: `both` sums the projections into and out of the semantic and the acoustic
                codebook space, each step twice in time; `semantic` and `acoustic` take one of them;
                `no_proj` takes the features before the halving of the rate.
        """
        fine, coarse = self.latent(resample_sinc(samples, 16000, RATE_HZ, torch.float32))
        if latent == "no_proj":
            return fine.transpose(1, 2)
        parts = {
            "semantic": self.quantizer.semantic_residual_vector_quantizer,
            "acoustic": self.quantizer.acoustic_residual_vector_quantizer,
        }
        chosen = list(parts.values()) if latent == "both" else [parts[latent]]
        projected = torch.stack([part.output_proj(part.input_proj(coarse)) for part in chosen]).sum(
            0
        )
        # 12.5 to 25 Hz by repetition, as the training code does
        return projected.repeat_interleave(2, dim=-1).transpose(1, 2)


def mimi_from_official(tensors: Mapping[str, Tensor], config: MimiConfig | None = None) -> Mimi:
    """MIMI from the published weights (names as in `transformers`); those of the decoder half are
    left out.

    Raises:
        CheckpointError: a tensor of the encoder half is missing or of another shape.
    """
    model = Mimi(config or MimiConfig())
    load_strict(
        model,
        {name: tensor for name, tensor in tensors.items() if name.split(".")[0] in _PARTS},
        "the MIMI checkpoint",
    )
    return model.eval().requires_grad_(False)
