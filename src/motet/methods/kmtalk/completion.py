"""Second stage: all frames between the keys (cross-modal motion completion, CMC).

Source: Xu et al. 2024, section 3; inner form ours (README).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_timing import Keys, key_timing
from motet.methods.kmtalk.layers import CrossLayer
from motet.nn.position import sinusoid_table


class Completion(nn.Module):
    """All frames from the key motions and the audio (CMC). Before training exactly linear
    interpolation of the keys.

    Args:
        inner: channels of the output basis.
    """

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.entry = nn.Linear(inner, width)
        self.sound = nn.Linear(width, width) if config.audio_guidance else None
        self.at_key = nn.Embedding(2, width)  # whether a frame is a key
        self.timing = nn.Linear(3, width)  # of `key_timing`
        # Stands for the motion of masked frames.
        self.hidden_motion = nn.Parameter(torch.zeros(inner))
        self.layers = nn.ModuleList(
            CrossLayer(config, audio=config.audio_guidance) for _ in range(config.cmc_layers)
        )
        self.head = nn.Linear(width, inner)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        base: Float[Tensor, "batch frames inner"],
        audio: Float[Tensor, "batch frames width"],
        keys: Keys,
        length: Int[Tensor, " batch"],
        masked: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch frames inner"]:
        """Motion of every frame.

        Args:
            base: the keys, interpolated.
            masked: in training, frames whose interpolated motion is hidden from the layers.
        """
        frames = base.shape[1]
        at_key, timing = key_timing(keys, frames, self.config.fps)
        # As in masked autoencoders: some frames between keys are hidden, so that the network has
        # to predict them from the audio.
        visible = base
        if masked is not None:
            visible = torch.where((masked & ~at_key).unsqueeze(-1), self.hidden_motion, base)
        # Positions repeat after `period` frames, so takes may have any length: (frames, width).
        period = sinusoid_table(self.config.period, self.config.width).to(base)
        position = period.repeat(-(-frames // self.config.period), 1)[:frames]
        # (batch, frames, width)
        x = (
            self.entry(visible)
            + self.at_key(at_key.long())
            + self.timing(timing.to(base))
            + position
        )
        if self.sound is not None:
            x = x + self.sound(audio)
        frame_index = torch.arange(frames, device=base.device).expand(len(base), -1)
        valid = frame_index < length.unsqueeze(1)
        # Frames of audio to either side that a frame attends to.
        band = round(self.config.cmc_band_s * self.config.fps)
        for layer in self.layers:
            x = layer(x, audio, frame_index, band, length, valid)
        # The head starts at zero: before training this is linear interpolation.
        return base + self.head(x)
