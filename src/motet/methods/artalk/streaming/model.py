"""Networks of the streaming model: autoregressive next-scale prediction of bitwise motion tokens in
short overlapping windows.

A window starts where the emitted motion ends. Each token is conditioned on the audio features of
its own stretch, as far as they are known; a learned vector stands for the rest. Tokens attend to
the last emitted frames as history; audio and style modulate them.

Shapes: a window has `frames` frames and `tokens` tokens (of all scales, coarse first: 1 + 2 + 4 +
...); a token has `bits` bits; `past` counts the frames of history.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.artalk.codec import MotionCodec
from motet.methods.artalk.config import StreamingConfig
from motet.methods.artalk.quantizer import ResidualQuantizer
from motet.methods.artalk.streaming.adaptive_layer import AdaptiveLayer, adaptive_norm
from motet.methods.artalk.streaming.audio_mixer import AudioMixer
from motet.methods.artalk.streaming.bit_decoding import BitDecoder
from motet.methods.artalk.streaming.seam import join_seam
from motet.methods.artalk.streaming.style_encoder import ClipStyleEncoder
from motet.nn.attention import level_mask


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
        # The style is the first token, and part of the modulation of all tokens.
        self.style_entry = nn.Linear(config.style_width, width)
        self.style_steer = nn.Linear(config.style_width, config.audio_width)
        self.null_style = nn.Parameter(torch.zeros(1, config.style_width))
        self.register_buffer("style_bank", torch.zeros(len(config.styles), config.style_width))
        self.feature_entry = nn.Linear(codec.bits, width)
        # History: one token for each emitted frame.
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
            AdaptiveLayer(width, config.heads, config.expansion * width)
            for _ in range(config.depth)
        )
        # Six modulations for each layer, gain and shift of the head's norm.
        self.modulation = nn.Linear(config.audio_width, (6 * config.depth + 2) * width)
        self.head = nn.Linear(width, 2 * codec.bits)  # a score for each value of a bit
        self.register_buffer("levels", self.codec.quantizer.levels(), persistent=False)
        self._initialise()

    def _initialise(self) -> None:
        """Modulations near one (gates at 0.3) whatever the audio, and even odds.

        Gates below 1 keep the layers near the identity, so that training begins stably.
        """
        nn.init.normal_(self.modulation.weight, std=0.02)
        with torch.no_grad():
            parts = self.modulation.bias.zero_().view(-1, self.config.width)
            layers = parts[:-2].view(self.config.depth, 6, -1)
            # Gates, gains of the norms, gain of the head's norm; shifts stay zero.
            layers[:, :2], layers[:, 2:4], parts[-2] = 0.3, 1.0, 1.0
        nn.init.normal_(self.head.weight, std=0.02)

    @property
    def quantizer(self) -> ResidualQuantizer:
        """The codec's quantiser."""
        return self.codec.quantizer

    def style(
        self,
        motion: Float[Tensor, "batch frames dim"],
        mask: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch style"]:
        """Style vector of clips in raw motion."""
        return self.style_encoder(self.codec.normalise(motion), mask)

    def past_total(
        self, motion: Float[Tensor, "batch frames dim"]
    ) -> Float[Tensor, "batch frames bits"]:
        """Summed codes of the last emitted window, encoded anew."""
        return self.quantizer.total(self.quantizer.signs(self.codec.encode(motion))[1])

    def past(
        self,
        motion: Float[Tensor, "batch past dim"],
        total: Float[Tensor, "batch frames bits"],
        fresh: Bool[Tensor, " batch"],
    ) -> Float[Tensor, "depth two batch heads past head"]:
        """Keys and values, for all layers at once, of the last emitted frames.

        Args:
            motion: raw, `history` windows long; zeros before the first frame of a session.
            total: `past_total` of the last of these windows; it is added to the tokens of its
                frames.
            fresh: True for items at the start of a session, which have no past.
        """
        tokens = self.past_entry(self.codec.normalise(motion))  # (batch, past, width)
        older, newest = tokens.tensor_split([-total.shape[1]], dim=1)
        tokens = torch.cat([older, newest + self.code_entry(total)], 1)
        tokens = torch.where(fresh.view(-1, 1, 1), self.no_past, tokens) + self.past_position
        both = self.past_keys_values(self.past_norm(tokens))
        # (batch, past, depth, 2, heads, head) -> (depth, 2, batch, heads, past, head)
        return both.unflatten(-1, (self.config.depth, 2, self.config.heads, -1)).permute(
            2, 3, 0, 4, 1, 5
        )

    def modulations(
        self, audio: Float[Tensor, "batch tokens audio"], style: Float[Tensor, "batch style"]
    ) -> Float[Tensor, "parts batch tokens width"]:
        """Modulations of all layers and tokens in one product: six for each layer
        (`AdaptiveLayer`), then gain and shift of the head's norm.
        """
        parts = self.modulation(F.silu(audio + self.style_steer(style).unsqueeze(1)))
        return parts.unflatten(-1, (-1, self.config.width)).permute(2, 0, 1, 3).contiguous()

    def logits(
        self,
        codes: Float[Tensor, "batch tokens bits"],
        style: Float[Tensor, "batch style"],
        past: Float[Tensor, "depth two batch heads past head"],
        audio: Float[Tensor, "batch tokens audio"],
    ) -> Float[Tensor, "batch tokens bits"]:
        """Log-odds of every bit given the codes of the coarser scales (teacher forcing).

        One pass over all scales, without a cache: used in training, and by tests as the plain form
        that `generate` must equal.
        """
        inputs = self.feature_entry(self.quantizer.next_inputs(codes))
        # (batch, tokens, width): the style stands in the place of the input of the first scale.
        x = torch.cat([self.style_entry(style).unsqueeze(1), inputs], 1) + self.position
        modulations = self.modulations(audio, style)
        # (tokens, past + tokens): all of the history, own and coarser scales.
        mask = F.pad(level_mask(self.levels), (past.shape[4], 0), value=True)
        for index, layer in enumerate(self.layers):
            parts = modulations[6 * index : 6 * index + 6].unbind(0)
            query, key, value = layer.project(x, parts).unbind(0)
            # (batch, heads, past + tokens, head)
            keys = torch.cat([past[index, 0], key], 2)
            values = torch.cat([past[index, 1], value], 2)
            x = layer(x, parts, query, keys, values, mask)
        return self.log_odds(x, modulations[-2], modulations[-1])

    def log_odds(
        self, x: Float[Tensor, "batch tokens width"], gain: Tensor, shift: Tensor
    ) -> Float[Tensor, "batch tokens bits"]:
        """Log-odds that a bit is 1: the difference of its two scores."""
        scores = self.head(adaptive_norm(x, gain, shift)).unflatten(-1, (-1, 2))
        return scores[..., 1] - scores[..., 0]

    def generate(
        self,
        style: Float[Tensor, "lines style"],
        past: Float[Tensor, "depth two lines heads past head"],
        audio: Float[Tensor, "batch tokens audio"],
        decide: BitDecoder,
    ) -> tuple[Float[Tensor, "lines tokens bits"], Float[Tensor, "lines frames bits"]]:
        """Generate a window, scale after scale, with a key-value cache.

        Args:
            style, past: of every line of motion.
            audio: of every item; when there are more lines than items, the lines of an item lie
                `len(audio)` apart.
            decide: turns log-odds of a scale into bits in -1 .. 1.

        Returns:
            The codes of all scales, and their sum at full length.
        """
        lines = past.shape[2]
        # Lines of one item share audio and style, hence the modulations.
        modulations = self.modulations(audio, style[: len(audio)]).repeat(
            1, lines // len(audio), 1, 1
        )
        # Keys and values of each layer, (lines, heads, known, head): history, then scale after
        # scale. They grow by concatenation, which an exported graph can do.
        cache = [both.unbind(0) for both in past.unbind(0)]
        total, ahead, codes = None, self.style_entry(style).unsqueeze(1), []
        for scale in range(len(self.config.codec.patches)):
            own = self.quantizer.scale_of(scale)
            # (lines, patch, width): finer scales attend to history and coarser scales; no mask is
            # needed, because tokens of one scale may all attend to each other.
            x, parts = ahead + self.position[:, own], modulations[:, :, own].unbind(0)
            for index, layer in enumerate(self.layers):
                layer_parts = parts[6 * index : 6 * index + 6]
                # (lines, heads, patch, head); keys and values join the cache.
                query, *fresh = layer.project(x, layer_parts).unbind(0)
                key, value = (
                    torch.cat([earlier, new], 2)
                    for earlier, new in zip(cache[index], fresh, strict=True)
                )
                cache[index] = (key, value)
                x = layer(x, layer_parts, query, key, value, None)
            odds = self.log_odds(x, parts[-2], parts[-1])
            # Codes lie on the unit sphere: every channel is +-1/sqrt(bits).
            codes.append(decide(odds, own) * self.config.codec.bits**-0.5)
            total, pooled = self.quantizer.add_scale(total, scale, codes[-1])
            ahead = self.feature_entry(pooled) if pooled is not None else None
        return torch.cat(codes, 1), total

    def decode(
        self,
        past: Float[Tensor, "batch frames dim"],
        before: Float[Tensor, "batch frames bits"],
        total: Float[Tensor, "batch frames bits"],
        fresh: Bool[Tensor, ""],
    ) -> Float[Tensor, "batch frames dim"]:
        """Raw motion of a window behind the last emitted window, joined to it without a jump.

        Args:
            past: raw motion of the last emitted window.
            before, total: summed codes of that window and of the new one.
            fresh: True for the first window of a session: there is nothing to join.
        """
        frames = self.config.codec.frames
        # The last two frames of the past are decoded too: they show the decoder's error there.
        motion = self.codec.decode(torch.cat([before, total], 1), keep=frames + 2)
        decoded, motion = motion[:, :2], motion[:, 2:]
        # At the start the emitted frames count as decoded without an error, which joins nothing.
        emitted = torch.where(fresh, decoded, past[:, -2:])
        return join_seam(motion, decoded, emitted, self.config.seam_decay_frames)
