"""The denoiser: a transformer decoder, split into what depends on the diffusion step and what does
not.

Parameters have the authors' names, so that a released checkpoint reads like one of ours.
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from motet.methods.diffposetalk.config import DiffPoseTalkConfig
from motet.methods.diffposetalk.decoder_layer import AudioMemory, DecoderAttention, PackedLayer
from motet.methods.diffposetalk.style import LONGEST
from motet.nn.packed import SMALLEST, packing_works
from motet.nn.position import sinusoid_table


@dataclasses.dataclass(frozen=True)
class WindowCache:
    """Everything of a window that does not depend on the diffusion step, computed once."""

    person: Float[Tensor, "batch 1 width"]
    past: Float[Tensor, "batch context width"]
    frames: Float[Tensor, "batch window width"]
    """Bias, position and indicator of the generated frames."""
    memories: tuple[AudioMemory, ...]
    """Of each layer."""


def alignment_mask(window: int, context: int, width: int) -> Bool[Tensor, "tokens frames"]:
    """True where a token may not attend: token 0 (the person) attends to all features, frame i to
    those nearer than `width`.
    """
    frames = torch.arange(window + context)  # (frames)
    far = (frames.unsqueeze(1) - frames).abs() >= width  # (frames, frames)
    return torch.cat([torch.zeros(1, window + context, dtype=torch.bool), far])


class Denoiser(nn.Module):
    """Transformer decoder: tokens are the person, the past frames and the noisy frames; the audio
    is the memory.
    """

    def __init__(self, config: DiffPoseTalkConfig) -> None:
        super().__init__()
        own = config.denoiser
        # Tokens: the person, the context frames, the frames of the window.
        width, tokens = own.width, 1 + own.context + own.window
        self.settings, self.motion_dim = own, config.motion_dim
        if own.learned_positions:
            self.PE = nn.Parameter(torch.randn(1, tokens, width))
        else:
            self.register_buffer("positions", sinusoid_table(LONGEST, width), persistent=False)
        self.register_buffer(
            "times", sinusoid_table(config.diffusion.steps + 1, width), persistent=False
        )
        self.diff_step_map = nn.Sequential(
            nn.Linear(width, width), nn.GELU(), nn.Linear(width, width)
        )
        self.person_proj = nn.Linear(config.shape_dim + config.style_dim, width)
        self.feature_proj = nn.Linear(config.motion_dim + own.indicator, width)
        layer = nn.TransformerDecoderLayer(
            width,
            own.heads,
            own.expansion * width,
            own.dropout,
            activation="gelu",
            batch_first=True,
        )
        self.transformer = nn.TransformerDecoder(layer, own.layers)
        self.motion_dec = nn.Sequential(
            nn.Linear(width, width // 2), nn.GELU(), nn.Linear(width // 2, config.motion_dim)
        )
        mask = None
        if own.mask_width > 0:
            mask = alignment_mask(own.window, own.context, own.mask_width)
        self.register_buffer("visible", None if mask is None else ~mask, persistent=False)
        self._packed: list[PackedLayer] | None = None

    def pack(self) -> None:
        """Prepare the products of `step` for running, where this torch can. Weights changed
        afterwards are not noticed.
        """
        if packing_works() and self.settings.width >= SMALLEST:
            self._packed = [PackedLayer(layer) for layer in self._layers()]

    def forward(
        self,
        motion: Float[Tensor, "batch window dim"],
        audio: Float[Tensor, "batch window width"],
        person: Float[Tensor, "batch features"],
        past_motion: Float[Tensor, "batch context dim"],
        past_audio: Float[Tensor, "batch context width"],
        step: Int[Tensor, " batch"],
        indicator: Float[Tensor, "batch window"] | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """Prediction for the past frames and the window (training: one diffusion step).

        Args:
            motion: noisy frames of the window.
            audio, past_audio: features in the denoiser's width, one a frame.
            person: normalised shape and style, concatenated.
            step: timestep of each item.
            indicator: 1 for real frames, 0 for padding; None: all are real.
        """
        cache = self.prepare(audio, person, past_motion, past_audio, indicator)
        return self.step(
            motion, self.time_vectors(step), cache, keep=motion.shape[1] + past_motion.shape[1]
        )

    def prepare(
        self,
        audio: Tensor,
        person: Tensor,
        past_motion: Tensor,
        past_audio: Tensor,
        indicator: Tensor | None = None,
    ) -> WindowCache:
        """Compute once a window what every diffusion step needs. Arguments as of `forward`."""
        own, dim = self.settings, self.motion_dim
        token = self.person_proj(person).unsqueeze(1)  # (batch, 1, width)
        # The feature map is linear: motion and indicator columns are applied apart, so that the
        # indicator's part is computed once a window. As released, the past has the indicator 0.
        # (batch, context, width)
        past = F.linear(past_motion, self.feature_proj.weight[:, :dim], self.feature_proj.bias)
        # (batch, window, width)
        frames = self.feature_proj.bias.expand(len(audio), audio.shape[1], -1)
        if own.indicator:
            real = torch.ones_like(audio[..., 0]) if indicator is None else indicator
            frames = frames + real.unsqueeze(-1) * self.feature_proj.weight[:, dim]
        tokens = torch.cat([token, past, frames], 1)  # (batch, 1 + context + window, width)
        # As released, the sinusoid table is read at the row of the sequence's length, the same for
        # all tokens.
        tokens = tokens + (
            self.PE if own.learned_positions else self.positions[tokens.shape[1]].to(tokens)
        )
        memory_audio = torch.cat([past_audio, audio], 1)  # (batch, context + window, width)
        attention = self._attention()
        memories = tuple(attention.memory(layer, memory_audio) for layer in self._layers())
        return WindowCache(
            tokens[:, :1], tokens[:, 1 : 1 + own.context], tokens[:, 1 + own.context :], memories
        )

    def time_vectors(self, step: Int[Tensor, " steps"]) -> Float[Tensor, "steps width"]:
        """Timestep embedding, added to the person's token."""
        return self.diff_step_map(self.times.to(step.device)[step].to(self.feature_proj.weight))

    def step(
        self,
        motion: Float[Tensor, "batch window dim"],
        time: Float[Tensor, "steps width"],
        cache: WindowCache,
        keep: int,
    ) -> Float[Tensor, "branches_batch keep dim"]:
        """Predict the last `keep` frames, clean or their noise (`DiffusionConfig.target`).

        Args:
            motion: noisy frames; repeated for all branches when `cache` holds several times as many
                items.
            time: timestep embedding of each item of `cache`, or one for all.
        """
        # Guidance evaluates several conditions on the same noisy motion.
        branches = len(cache.frames) // len(motion)
        # (branches * batch, window, width)
        entry = F.linear(motion, self.feature_proj.weight[:, : self.motion_dim]).repeat(
            branches, 1, 1
        )
        # (branches * batch, 1 + context + window, width)
        x = torch.cat([cache.person + time.unsqueeze(1), cache.past, cache.frames + entry], 1)
        layers, attention = self._layers(), self._attention()
        for index, (layer, memory) in enumerate(zip(layers, cache.memories, strict=True)):
            # Only the last layer may drop tokens: earlier ones are keys and values for it.
            token_count = keep if index == len(layers) - 1 else x.shape[1]
            if self._packed is None:
                x = attention.run(layer, x, memory, token_count)
            else:
                x = attention.run_packed(self._packed[index], layer, x, memory, token_count)
        return self.motion_dec(x)

    def _layers(self) -> list[nn.TransformerDecoderLayer]:
        return list(self.transformer.layers)  # type: ignore[arg-type]

    def _attention(self) -> DecoderAttention:
        # Made anew each time: the mask moves with the module to another device.
        return DecoderAttention(self.settings, self.visible)
