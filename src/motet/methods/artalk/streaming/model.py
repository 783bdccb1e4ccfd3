"""Networks of the streaming model: autoregressive next-scale prediction of bitwise motion tokens in
short overlapping windows.

A window starts where the emitted motion ends. Each token is conditioned on the audio features of
its own stretch, as far as they are known; a learned vector stands for the rest. Tokens attend to
the last emitted frames as history; audio and style modulate them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import StreamingConfig
from motet.methods.artalk.quantizer import ResidualQuantizer, area_matrix
from motet.nn.attention import attend, level_mask
from motet.nn.position import sinusoid_table

Decide = Callable[[Tensor, slice], Tensor]
"""From log-odds (batch, tokens, bits) and their slice of all tokens to bits in -1 .. 1."""


class AudioMixer(nn.Module):
    """Convolutions over the features of the window and its context, then pooling to tokens.

    The learned `unheard` vector (a name in the shipped weights) replaces steps before the audio,
    after it, or not yet received.
    """

    shapes_mean: Tensor
    shapes_deviation: Tensor

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        width, shapes = config.audio_width, config.mouth_shapes
        self.before, self.inside = config.audio_before, config.codec.frames * config.steps_per_frame
        self.acoustic = config.audio_dim - shapes
        self.entry_norm = nn.LayerNorm(self.acoustic)
        self.entry = nn.Linear(self.acoustic, width)
        self.unheard = nn.Parameter(torch.zeros(width))
        self.position = nn.Parameter(0.02 * torch.randn(config.audio_steps, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(config.audio_layers))
        self.filters = nn.ModuleList(
            nn.Linear(5 * width, width) for _ in range(config.audio_layers)
        )
        self.shapes_entry: nn.Linear | None = None
        if shapes:
            self.shapes_entry = nn.Linear(shapes, width)
            self.register_buffer("shapes_mean", torch.zeros(shapes))
            self.register_buffer("shapes_deviation", torch.ones(shapes))
        self.frames, self.steps_per_frame = config.codec.frames, config.steps_per_frame
        self.exit = nn.Linear(3 * width, width)
        pool = torch.cat([area_matrix(self.inside, patch) for patch in config.codec.patches])
        self.register_buffer("pool", pool, persistent=False)
        frame = torch.cat(
            [
                area_matrix(self.inside, patch).gt(0).float().argmax(1).float()
                for patch in config.codec.patches
            ]
        )
        last = torch.cat(
            [
                self.inside - 1 - area_matrix(self.inside, patch).flip(1).gt(0).float().argmax(1)
                for patch in config.codec.patches
            ]
        )
        self.register_buffer("ends", torch.stack([frame.long(), last.long()]), persistent=False)

    def forward(
        self, features: Float[Tensor, "batch steps audio"], known: Bool[Tensor, "batch steps"]
    ) -> Float[Tensor, "batch tokens width"]:
        """One vector per token: the mean over its span, and its first and last step, which preserve
        the order in coarse tokens.
        """
        acoustic = self.entry(self.entry_norm(features[..., : self.acoustic]))
        x = torch.where(known.unsqueeze(-1), acoustic, self.unheard) + self.position
        if self.shapes_entry is not None:
            x = x + self._regressed(self.shapes_entry, features[..., self.acoustic :], known)
        for norm, mix in zip(self.norms, self.filters, strict=True):
            # (batch, steps, 5 * width): each step with two neighbours on both sides.
            patches = F.pad(norm(x), (0, 0, 2, 2)).unfold(1, 5, 1).transpose(2, 3).flatten(2)
            x = x + F.gelu(mix(patches))
        # Context steps have been mixed in; tokens span the window's own steps only.
        x = x[:, self.before : self.before + self.inside]
        return self.exit(torch.cat([self.pool @ x, x[:, self.ends[0]], x[:, self.ends[1]]], -1))

    def _regressed(
        self,
        entry: nn.Linear,
        shapes: Float[Tensor, "batch steps shapes"],
        known: Bool[Tensor, "batch steps"],
    ) -> Float[Tensor, "batch steps width"]:
        """The regressed mouth at the window's own frames, zero in its context; frames that are not
        known have the nearest known mouth.
        """
        at = self.before + self.steps_per_frame * torch.arange(self.frames, device=shapes.device)
        begin = known.to(torch.int8).argmax(1, keepdim=True)  # (batch, 1)
        end = begin + known.sum(1, keepdim=True) - 1
        at = torch.minimum(torch.maximum(at, begin), end).clamp(min=0)  # (batch, frames)
        rows = torch.arange(len(shapes), device=shapes.device).unsqueeze(1)
        mouth = (shapes[rows, at] - self.shapes_mean) / self.shapes_deviation
        # Every frame spans its own steps: (batch, frames * steps_per_frame, width).
        x = entry(mouth).repeat_interleave(self.steps_per_frame, dim=1)
        return F.pad(x, (0, 0, self.before, shapes.shape[1] - self.before - self.inside))


class ClipStyleEncoder(nn.Module):
    """A clip of any length to one vector: pre-norm transformer over frames with sinusoid positions,
    masked mean.
    """

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        width = config.style_width
        self.width = width
        self.entry = nn.Linear(config.codec.motion_dim, width)
        layer = nn.TransformerEncoderLayer(
            width,
            config.style_heads,
            2 * width,
            0.0,
            activation="gelu",
            batch_first=True,
            norm_first=True,
        )
        self.transformer = nn.TransformerEncoder(
            layer, config.style_depth, nn.LayerNorm(width), enable_nested_tensor=False
        )

    def forward(
        self,
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch width"]:
        """Mean over the frames where `mask` is True (all when left out) of the encoded, normalised
        motion.
        """
        x = self.entry(motion) + sinusoid_table(motion.shape[1], self.width).to(motion)
        if mask is None:
            return self.transformer(x).mean(1)
        share = mask.to(x.dtype).unsqueeze(-1)
        return (self.transformer(x, src_key_padding_mask=~mask) * share).sum(1) / share.sum(
            1
        ).clamp(min=1)


class StreamLayer(nn.Module):
    """Attention and feed-forward with adaptive norms: scaled, shifted and gated by the audio and
    the style of each token.
    """

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.inner, self.outer = nn.Linear(width, inner), nn.Linear(inner, width)

    def project(
        self, x: Tensor, steer: Sequence[Tensor]
    ) -> Float[Tensor, "three batch heads tokens head"]:
        """Queries, keys and values of tokens."""
        return (
            self.qkv(_steered_norm(x, steer[2], steer[4]))
            .unflatten(-1, (3, self.heads, -1))
            .permute(2, 0, 3, 1, 4)
        )

    def forward(
        self,
        x: Tensor,
        steer: Sequence[Tensor],
        query: Tensor,
        key: Tensor,
        value: Tensor,
        mask: Tensor | None,
    ) -> Tensor:
        """Tokens after this layer, from their own queries and the keys and values they may attend
        to.
        """
        x = torch.addcmul(x, self.out(attend(query, key, value, mask)), steer[0])
        inner = self.outer(
            F.gelu(self.inner(_steered_norm(x, steer[3], steer[5])), approximate="tanh")
        )
        return torch.addcmul(x, inner, steer[1])


def _steered_norm(x: Tensor, gain: Tensor, shift: Tensor) -> Tensor:
    return torch.addcmul(shift, F.layer_norm(x, x.shape[-1:], eps=1e-6), gain)


class StreamingModel(nn.Module):
    """Codec, audio mixer, style encoder and generator."""

    style_bank: Tensor

    def __init__(self, config: StreamingConfig) -> None:
        super().__init__()
        self.config = config
        width, codec = config.width, config.codec
        self.codec = MotionCodec(codec)
        self.audio = AudioMixer(config)
        self.style_encoder = ClipStyleEncoder(config)
        self.style_entry = nn.Linear(config.style_width, width)
        self.style_steer = nn.Linear(config.style_width, config.audio_width)
        self.null_style = nn.Parameter(torch.zeros(1, config.style_width))
        self.register_buffer("style_bank", torch.zeros(len(config.styles), config.style_width))
        self.feature_entry = nn.Linear(codec.bits, width)
        self.code_entry = nn.Linear(codec.bits, width, bias=False)
        self.past_entry = nn.Linear(codec.motion_dim, width)
        self.past_norm = nn.LayerNorm(width)
        self.past_keys_values = nn.Linear(width, 2 * config.depth * width)
        self.past_position = nn.Parameter(
            0.02 * torch.randn(1, config.history * codec.frames, width)
        )
        self.no_past = nn.Parameter(torch.zeros(1, 1, width))
        self.position = nn.Parameter(0.02 * torch.randn(1, codec.tokens, width))
        self.layers = nn.ModuleList(
            StreamLayer(width, config.heads, config.expansion * width) for _ in range(config.depth)
        )
        self.modulation = nn.Linear(config.audio_width, (6 * config.depth + 2) * width)
        self.head = nn.Linear(width, 2 * codec.bits)
        self.register_buffer("levels", self.codec.quantizer.levels(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Modulations near one (gates at 0.3) whatever the audio, and even odds."""
        nn.init.normal_(self.modulation.weight, std=0.02)
        with torch.no_grad():
            parts = self.modulation.bias.zero_().view(-1, self.config.width)
            layers = parts[:-2].view(self.config.depth, 6, -1)
            layers[:, :2], layers[:, 2:4], parts[-2] = 0.3, 1.0, 1.0
        nn.init.normal_(self.head.weight, std=0.02)

    @property
    def quantizer(self) -> ResidualQuantizer:
        """The codec's quantiser."""
        return self.codec.quantizer

    def style(
        self, motion: Float[Tensor, "batch frames dim"], mask: Tensor | None = None
    ) -> Float[Tensor, "batch style"]:
        """Style vector of clips in raw motion."""
        return self.style_encoder(self.codec.normalise(motion), mask)

    def past_total(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames bits"]:
        """Summed codes of the last emitted window, encoded anew."""
        return self.quantizer.total(self.quantizer.signs(self.codec.encode(motion))[1])

    def past(
        self, motion: Tensor, total: Tensor, fresh: Bool[Tensor, " batch"]
    ) -> Float[Tensor, "depth two batch heads past head"]:
        """Keys and values, for all layers at once, of the last emitted frames.

        Args:
            motion: raw, `history` windows long; zeros before the first frame of a session.
            total: `past_total` of the last of these windows; it is added to the tokens of its
                frames.
            fresh: True for items at the start of a session, which have no past.
        """
        tokens = self.past_entry(self.codec.normalise(motion))
        tokens = torch.cat(
            [tokens[:, : -total.shape[1]], tokens[:, -total.shape[1] :] + self.code_entry(total)], 1
        )
        tokens = torch.where(fresh.view(-1, 1, 1), self.no_past, tokens) + self.past_position
        both = self.past_keys_values(self.past_norm(tokens))
        return both.unflatten(-1, (self.config.depth, 2, self.config.heads, -1)).permute(
            2, 3, 0, 4, 1, 5
        )

    def steer(
        self, audio: Float[Tensor, "batch tokens audio"], style: Float[Tensor, "batch style"]
    ) -> Float[Tensor, "parts batch tokens width"]:
        """Six modulations for each layer and two for the head, for all tokens, in one product.

        Order: gates of attention and feed-forward, their gains, their shifts; at the end gain and
        shift of the head.
        """
        parts = self.modulation(F.silu(audio + self.style_steer(style).unsqueeze(1)))
        return parts.unflatten(-1, (-1, self.config.width)).permute(2, 0, 1, 3).contiguous()

    def logits(
        self, codes: Tensor, style: Tensor, past: Tensor, audio: Tensor
    ) -> Float[Tensor, "batch tokens bits"]:
        """Log-odds of every bit given the coarser scales' codes: the plain form, for training and
        as the oracle of `generate`.
        """
        x = (
            torch.cat(
                [
                    self.style_entry(style).unsqueeze(1),
                    self.feature_entry(self.quantizer.next_inputs(codes)),
                ],
                1,
            )
            + self.position
        )
        steer = self.steer(audio, style)
        mask = F.pad(level_mask(self.levels), (past.shape[4], 0), value=True)
        for index, layer in enumerate(self.layers):
            parts = steer[6 * index : 6 * index + 6].unbind(0)
            query, key, value = layer.project(x, parts).unbind(0)
            x = layer(
                x,
                parts,
                query,
                torch.cat([past[index, 0], key], 2),
                torch.cat([past[index, 1], value], 2),
                mask,
            )
        return self.odds(x, steer[-2], steer[-1])

    def odds(self, x: Tensor, gain: Tensor, shift: Tensor) -> Float[Tensor, "batch tokens bits"]:
        """Difference of the two classes' scores."""
        scores = self.head(_steered_norm(x, gain, shift)).unflatten(-1, (-1, 2))
        return scores[..., 1] - scores[..., 0]

    def generate(
        self, style: Tensor, past: Tensor, audio: Tensor, decide: Decide
    ) -> tuple[Float[Tensor, "batch tokens bits"], Float[Tensor, "batch frames bits"]]:
        """Generate a window, scale after scale, with a key-value cache.

        Args:
            style, past: of every line of motion.
            audio: of every item; when there are more lines than items, the lines of an item lie
                `len(audio)` apart.
            decide: from the log-odds and the scale's slice of all tokens to bits in -1 .. 1.

        Returns:
            The codes of all scales, and their sum at full length.
        """
        lines = past.shape[2]
        steer = self.steer(audio, style[: len(audio)]).repeat(1, lines // len(audio), 1, 1)
        # Of each layer (lines, heads, known, head): history first, then scale after scale.
        seen = [both.unbind(0) for both in past.unbind(0)]
        running, ahead = None, self.style_entry(style).unsqueeze(1)
        codes = []
        for scale in range(len(self.config.codec.patches)):
            # Finer scales attend to history and coarser scales; no mask is needed within a scale.
            own = self.quantizer.scale_of(scale)
            x, parts = ahead + self.position[:, own], steer[:, :, own].unbind(0)
            for index, layer in enumerate(self.layers):
                steered = parts[6 * index : 6 * index + 6]
                query, *fresh = layer.project(x, steered).unbind(0)
                key, value = (
                    torch.cat([before, new], 2)
                    for before, new in zip(seen[index], fresh, strict=True)
                )
                seen[index] = (key, value)
                x = layer(x, steered, query, key, value, None)
            codes.append(
                decide(self.odds(x, parts[-2], parts[-1]), own) * self.config.codec.bits**-0.5
            )
            running, pooled = self.quantizer.add_scale(running, scale, codes[-1])
            ahead = self.feature_entry(pooled) if pooled is not None else None
        return torch.cat(codes, 1), running

    def decode(
        self, past: Tensor, before: Tensor, total: Tensor, fresh: Bool[Tensor, ""]
    ) -> Float[Tensor, "batch frames dim"]:
        """Raw motion of a window behind the last emitted window, joined to it without a jump.

        The decoder also decodes the past's last two frames; their error in value and velocity is
        added to the new frames and fades. At the start of a session there is nothing to join.

        Args:
            past: raw motion of the last emitted window.
            before, total: summed codes of that window and of the new one.
            fresh: True at the start of a session.
        """
        frames = self.config.codec.frames
        motion = self.codec.decode(torch.cat([before, total], 1), keep=frames + 2)
        decoded, motion = motion[:, :2], motion[:, 2:]
        # (lines, 2, dim): what the decoder misses of the emitted frames before the seam.
        error = torch.where(fresh, 0.0, past[:, -2:] - decoded)
        value, slope = error[:, 1:], error[:, 1:] - error[:, :1]
        time = torch.arange(1, frames + 1, dtype=motion.dtype).view(1, -1, 1)
        # (1, frames, 1).
        fade = torch.exp(-time / self.config.seam_decay_frames)
        return motion + fade * (value + slope * time * fade)


def known_mask(
    steps: int, first: Int[Tensor, " batch"], last: Int[Tensor, " batch"]
) -> Bool[Tensor, "batch steps"]:
    """True for steps from `first` to before `last`."""
    step = torch.arange(steps, device=first.device)
    return (step >= first.unsqueeze(1)) & (step < last.unsqueeze(1))
