"""From acoustic features to the basis in which the networks predict: features paired to frames, the
linear regressor, and motion to the basis and back.

Buffers keep the names of the shipped weights.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_timing import UNKNOWN_PHONE


class OutputBasis(nn.Module):
    """Motion to the basis in which the networks predict, and back.

    Without components every channel is divided by its deviation; with components motion is
    projected on fixed axes.
    """

    def __init__(self, config: KMTalkConfig) -> None:
        super().__init__()
        self.width = config.components or config.motion_dim
        self.register_buffer("mean", torch.zeros(config.motion_dim))
        self.register_buffer("scale", torch.ones(self.width))
        if config.components:
            self.register_buffer("axes", torch.zeros(config.components, config.motion_dim))
        self.fitted = bool(config.components)

    mean: Tensor
    scale: Tensor
    axes: Tensor

    def encode(self, motion: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch inner"]:
        """Deviations from the mean."""
        centred = motion - self.mean  # (*batch, dim)
        return (centred @ self.axes.T if self.fitted else centred) / self.scale

    def decode(self, inner: Float[Tensor, "*batch inner"]) -> Float[Tensor, "*batch dim"]:
        """Motion in its own units."""
        scaled = inner * self.scale
        return self.mean + (scaled @ self.axes if self.fitted else scaled)


class LinearRegressor(nn.Module):
    """Ridge regressor from acoustic features and phones around each frame to motion: fitted in
    closed form (`motet.methods.kmtalk.linear_regressor`), then fixed.
    """

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        self.steps, self.each, self.frames = (
            config.reading_steps,
            config.steps_per_frame,
            config.reads_phones,
        )
        # Feature steps, then one-hot phones.
        inputs = len(self.steps) * config.audio_dim + len(self.frames) * (UNKNOWN_PHONE + 1)
        self.register_buffer("weight", torch.zeros(inputs, inner))
        self.register_buffer("bias", torch.zeros(inner))

    weight: Tensor
    bias: Tensor

    def forward(
        self, features: Float[Tensor, "batch frames audio"], spoken: Int[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames inner"]:
        """In the output basis."""
        return self.context(features, spoken) @ self.weight + self.bias

    def context(
        self, features: Float[Tensor, "batch frames audio"], spoken: Int[Tensor, "batch frames"]
    ) -> Float[Tensor, "batch frames inputs"]:
        """The feature steps around each frame, concatenated, then the phones around it; the ends
        are repeated.
        """
        time = torch.arange(features.shape[1], device=features.device)
        # (batch, frames * each, channels): back to single feature steps.
        steps = features.unflatten(-1, (self.each, -1)).flatten(1, 2)
        parts = [
            steps[:, (time * self.each + offset).clamp(0, steps.shape[1] - 1)]
            for offset in self.steps
        ]
        for offset in self.frames:
            phones = spoken[:, (time + offset).clamp(0, spoken.shape[1] - 1)]
            parts.append(nn.functional.one_hot(phones, UNKNOWN_PHONE + 1).to(features))
        return torch.cat(parts, -1)


def pair_steps(
    features: Float[Tensor, "batch steps channels"], frames: int, steps: int
) -> Float[Tensor, "batch frames audio"]:
    """Features concatenated per frame: frame t gets the steps from `steps * t`; the last is
    repeated where the end is missing.
    """
    needed = frames * steps
    if features.shape[1] < needed:
        last = (
            features[:, -1:]
            if features.shape[1]
            else features.new_zeros(len(features), 1, features.shape[2])
        )
        features = torch.cat([features, last.expand(-1, needed - features.shape[1], -1)], 1)
    # (batch, frames, steps * channels)
    return features[:, :needed].unflatten(1, (frames, steps)).flatten(2)
