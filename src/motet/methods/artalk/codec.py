"""The motion codec: two transformers around the bitwise quantiser, in the forms of all three
models.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.artalk.config import CodecConfig
from motet.methods.artalk.quantizer import ResidualQuantizer
from motet.nn.attention import attend, split_heads
from motet.nn.position import rotary_angles, rotate_pairs


class CodecLayer(nn.Module):
    """Attention after a layer norm, then a feed-forward part (without a norm of its own in the
    published models).
    """

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.heads = config.heads
        self.scale = (
            # One generation scales by the full width, not by that of a head.
            config.hidden**-0.5
            if config.full_width_scale
            else (config.hidden // config.heads) ** -0.5
        )
        self.norm = nn.LayerNorm(config.hidden)
        self.qkv = nn.Linear(config.hidden, 3 * config.hidden, bias=False)
        self.out = nn.Linear(config.hidden, config.hidden)
        self.inner_norm = nn.LayerNorm(config.hidden) if config.inner_norm else nn.Identity()
        self.inner = nn.Linear(config.hidden, int(1.5 * config.hidden))
        self.outer = nn.Linear(int(1.5 * config.hidden), config.hidden)

    def forward(
        self, x: Tensor, mask: Tensor | None, angles: tuple[Tensor, Tensor] | None, keep: int
    ) -> Float[Tensor, "batch keep hidden"]:
        """The last `keep` tokens after this layer; all of them serve as keys and values."""
        query, key, value = (
            split_heads(part, self.heads) for part in self.qkv(self.norm(x)).chunk(3, dim=-1)
        )
        if angles is not None:
            query, key = rotate_pairs(query, angles), rotate_pairs(key, angles)
        tokens = x.shape[1]
        if keep < tokens:
            # The last layer is asked for the last tokens only; earlier ones stay keys and values.
            x, query, mask = (
                x[:, -keep:],
                query[:, :, -keep:],
                mask[-keep:] if mask is not None else None,
            )
        x = x + self.out(attend(query, key, value, mask, self.scale))
        return x + self.outer(F.gelu(self.inner(self.inner_norm(x)), approximate="tanh"))


class CodecTransformer(nn.Module):
    """Frames in, frames out; each window attends to itself and earlier windows."""

    def __init__(self, config: CodecConfig, source: int, target: int) -> None:
        super().__init__()
        self.frames, self.windows = config.frames, config.windows
        self.entry = nn.Linear(source, config.hidden)
        self.layers = nn.ModuleList(CodecLayer(config) for _ in range(config.depth))
        self.exit = nn.Linear(config.hidden, target)
        # Causal over windows: every frame attends to its own and earlier windows.
        window = torch.arange(config.windows * config.frames) // config.frames
        self.register_buffer("mask", window.unsqueeze(1) >= window, persistent=False)
        self.rotary = config.rotary
        cosine, sine = rotary_angles(
            torch.arange(config.windows * config.frames), config.hidden // config.heads
        )
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)

    def forward(
        self, x: Float[Tensor, "batch frames source"], keep: int | None = None
    ) -> Float[Tensor, "batch keep target"]:
        """Run all layers; with `keep` only that many of the last frames are carried through the
        last layer and out.
        """
        frames = x.shape[1]
        # A lone window needs no mask: all its frames see each other.
        mask = self.mask[:frames, :frames] if frames > self.frames else None
        angles = (self.cosine[:frames], self.sine[:frames]) if self.rotary else None
        x = F.leaky_relu(self.entry(x), 0.2)
        for index, layer in enumerate(self.layers):
            x = layer(
                x,
                mask,
                angles,
                keep if keep is not None and index == len(self.layers) - 1 else frames,
            )
        return self.exit(x)


class MotionCodec(nn.Module):
    """Motion to bits and back.

    With two windows the first half of the positions is the past and the second half the present; a
    single window takes the positions of the past, as in the released model.
    """

    motion_mean: Tensor
    motion_std: Tensor

    def __init__(self, config: CodecConfig) -> None:
        super().__init__()
        self.config, self.frames = config, config.frames
        self.quantizer = ResidualQuantizer(config.patches, config.bits)
        self.encoder = CodecTransformer(config, config.motion_dim, config.bits)
        self.decoder = CodecTransformer(config, config.bits, config.motion_dim)
        # A small output at first: the decoder starts near the mean motion.
        nn.init.xavier_uniform_(self.decoder.exit.weight, gain=0.05)
        nn.init.zeros_(self.decoder.exit.bias)
        self.register_buffer("motion_mean", torch.zeros(config.motion_dim))
        self.register_buffer("motion_std", torch.ones(config.motion_dim))
        if not config.rotary:
            self.encoder_position = nn.Parameter(
                0.02 * torch.randn(1, config.windows * config.frames, config.motion_dim)
            )
            self.decoder_position = nn.Parameter(
                0.02 * torch.randn(1, config.windows * config.frames, config.bits)
            )

    def normalise(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames dim"]:
        """Raw motion in deviations from the mean."""
        return (motion - self.motion_mean) / (self.motion_std + self.config.deviation_floor)

    def restore(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames dim"]:
        """The reverse of `normalise`."""
        return motion * self.motion_std + self.motion_mean

    def encode(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames bits"]:
        """Features of one window, or of past and present window jointly."""
        x = self.normalise(motion)
        if not self.config.rotary:
            x = x + self.encoder_position[:, : x.shape[1]]
        return self.encoder(x)

    def decode(
        self, features: Float[Tensor, "batch frames bits"], keep: int | None = None
    ) -> Float[Tensor, "batch keep dim"]:
        """Raw motion of the last `keep` frames (all when left out) from the summed codes of one or
        two windows.
        """
        if not self.config.rotary:
            features = features + self.decoder_position[:, : features.shape[1]]
        return self.restore(self.decoder(features, keep))

    def bits(self, motion: Float[Tensor, "batch frames dim"]) -> Tensor:
        """Bits of a lone window."""
        return self.quantizer.signs(self.encode(motion))[0]
