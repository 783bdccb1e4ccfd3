"""The whole model: audio encoder, conditions, denoiser, style encoder and statistics.

Parameters have the authors' names, so that a released checkpoint reads like one of ours.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.checkpoint import load_strict
from motet.diffusion.schedule import make_schedule
from motet.encoders.hubert import Hubert, HubertConfig, pad_boundary
from motet.errors import CheckpointError
from motet.methods.diffposetalk.coefficients import Coefficients
from motet.methods.diffposetalk.config import DiffPoseTalkConfig
from motet.methods.diffposetalk.denoiser import Denoiser
from motet.methods.diffposetalk.style import StyleEncoder


class DiffPoseTalkModel(nn.Module):
    """Audio, person and noise to motion; with the style encoder and the statistics of the
    motion.
    """

    def __init__(self, config: DiffPoseTalkConfig) -> None:
        super().__init__()
        self.config = config
        own, width = config.denoiser, config.denoiser.width
        self.audio_encoder = (
            Hubert(HubertConfig(**dataclasses.asdict(config.trunk)))
            if config.trunk is not None
            else None
        )
        self.audio_feature_map = nn.Linear(config.audio_dim, width)
        self.denoising_net = Denoiser(config)
        # Learned context of the first window, which has no past.
        self.start_audio_feat = nn.Parameter(torch.randn(1, own.context, width))
        self.start_motion_feat = nn.Parameter(torch.randn(1, own.context, config.motion_dim))
        guided = config.diffusion.guided
        self.null_style_feat = (
            nn.Parameter(torch.randn(1, 1, config.style_dim)) if "style" in guided else None
        )
        self.null_audio_feat = nn.Parameter(torch.randn(1, 1, width)) if "audio" in guided else None
        self.style_encoder = (
            StyleEncoder(config.motion_dim, config.style) if config.style is not None else None
        )
        self.coefficients = Coefficients(config)
        self.schedule = make_schedule(config.diffusion.schedule, config.diffusion.steps)

    def encode_audio(
        self,
        samples: Float[Tensor, "batch time"],
        frames: int,
        randomness: torch.Generator | None = None,
    ) -> Float[Tensor, "batch frames width"]:
        """Audio features of a standardised 16 kHz recording, by the model's own audio encoder."""
        assert self.audio_encoder is not None
        steps = 2 * frames  # the audio encoder runs at twice the frame rate
        hidden = self.audio_encoder(
            pad_boundary(samples), steps, round(steps * 50 / self.config.fps), randomness
        )
        return self.map_features(hidden)

    def map_features(
        self, features: Float[Tensor, "batch steps channels"]
    ) -> Float[Tensor, "batch frames width"]:
        """Features at twice the frame rate to one a frame: the mean of each pair, then the map to
        the model's width.
        """
        # (batch, frames, 2, channels) -> mean
        return self.audio_feature_map(features.unflatten(1, (-1, 2)).mean(2))

    def person(
        self,
        shape: Float[Tensor, "batch coefficients"] | None,
        style: Float[Tensor, "batch width"] | None,
        batch: int,
    ) -> Tensor:
        """Normalised shape and style, concatenated; the mean shape and the learned null style where
        there is none.
        """
        parts = []  # (batch, shape), (batch, style)
        if self.config.shape_dim:
            parts.append(
                self.start_motion_feat.new_zeros(batch, self.config.shape_dim)
                if shape is None
                else shape
            )
        if self.config.style_dim:
            parts.append(self.no_style(batch) if style is None else style)
        return torch.cat(parts, -1)

    def no_style(self, batch: int) -> Float[Tensor, "batch width"]:
        """The learned vector that stands for any style (zeros in a model trained without one)."""
        if self.null_style_feat is None:
            return self.start_motion_feat.new_zeros(batch, self.config.style_dim)
        return self.null_style_feat[:, 0].expand(batch, -1)


def load_model(
    config: DiffPoseTalkConfig, tensors: Mapping[str, Tensor] | None
) -> DiffPoseTalkModel:
    """The networks, packed for running, with weights or with random ones.

    Raises:
        CheckpointError: weights that do not fit, or FLAME weights without normalisation
            statistics.
    """
    model = DiffPoseTalkModel(config)
    if tensors is not None:
        load_strict(model, tensors)
        if config.space == "flame" and not float(model.coefficients.known):
            raise CheckpointError(
                "these weights came without statistics, so their motion has no scale; import them"
                " with the stats_train.npz of their data: motet weights import"
                " DENOISER.pt STYLE.pt stats_train.npz -m diffposetalk -o OUT"
            )
    model.denoising_net.pack()
    if model.audio_encoder is not None:
        model.audio_encoder.pack()
    return model


def standardise(samples: Float[Tensor, "batch time"]) -> Float[Tensor, "batch time"]:
    """Zero mean and unit deviation (unbiased) over each whole recording, as released."""
    # 1e-5: digital silence has no deviation to divide by.
    return (samples - samples.mean(-1, keepdim=True)) / (samples.std(-1, keepdim=True) + 1e-5)
