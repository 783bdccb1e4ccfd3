"""Networks of KMTalk: audio context, key-motion decoder (LKMA), cross-modal completion (CMC).

    audio context --+--> key decoder -> motion at the keys
                    |                          |
                    +--------------------> completion ----> motion of every frame

A linear regressor, where there is one, predicts motion from the features alone; the key decoder
predicts a residual to it. Motion inside the networks is in the output basis (`inner` channels).
Parameters keep the names of the shipped weights (`listen`, `reading`).

Source: Xu et al. 2024, section 3; inner form ours (README).
"""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.methods.kmtalk.baselines import Baseline, build_baseline
from motet.methods.kmtalk.completion import Completion
from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_decoder import KeyDecoder
from motet.methods.kmtalk.key_timing import UNKNOWN_PHONE, Keys, at_keys, interpolate, key_timing
from motet.methods.kmtalk.layers import MixLayer
from motet.methods.kmtalk.output_basis import LinearRegressor, OutputBasis, pair_steps
from motet.methods.kmtalk.trunk import Trunk


@dataclasses.dataclass(frozen=True)
class KeyStage:
    """Results of the first stage that the second one needs."""

    poses: Float[Tensor, "batch keys inner"] | None
    """Motion at the keys; None for a baseline without keys."""
    audio: Float[Tensor, "batch frames width"]
    linear: Float[Tensor, "batch frames inner"] | None
    """Prediction of the linear regressor."""
    length: Int[Tensor, " batch"]
    """Frames of each item."""


class KMTalkModel(nn.Module):
    """Both stages and their shared parts: the audio context and the output basis."""

    def __init__(self, config: KMTalkConfig) -> None:
        super().__init__()
        self.config = config
        self.basis = OutputBasis(config)
        self.trunk = None if config.trunk is None else Trunk(config)
        audio = config.audio_dim * config.steps_per_frame  # all feature steps of a frame
        self.reading = LinearRegressor(config, self.basis.width) if config.reading_steps else None
        self.listen = nn.Linear(audio, config.width)
        self.mix = nn.ModuleList(MixLayer(config) for _ in range(config.mix_layers))
        self.keys = KeyDecoder(config, self.basis.width) if config.needs_keys else None
        self.completion: Completion | Baseline
        self.completion = (
            Completion(config, self.basis.width)
            if config.completion == "cmc"
            else build_baseline(config, self.basis.width)
        )

    def audio_context(
        self, features: Float[Tensor, "batch frames audio"], length: Int[Tensor, " batch"]
    ) -> Float[Tensor, "batch frames width"]:
        """Audio context of each frame, shared by both stages."""
        # (batch, frames, 1). Padding is zeroed before and after each layer: filters would carry it
        # inside.
        frame_index = torch.arange(features.shape[1], device=features.device)
        valid = (frame_index < length.unsqueeze(1)).unsqueeze(-1)
        x = self.listen(features) * valid
        for layer in self.mix:
            x = layer(x) * valid
        return x

    def forward(
        self,
        features: Float[Tensor, "batch frames audio"],
        keys: Keys,
        length: Int[Tensor, " batch"],
    ) -> tuple[Float[Tensor, "batch keys inner"] | None, Float[Tensor, "batch frames inner"]]:
        """Key motions and the motion of every frame, in the output basis."""
        audio = self.audio_context(features, length)
        linear = self.linear_prediction(features, keys)
        poses = self.key_motion(audio, linear, keys, length)
        return poses, self.complete(poses, audio, linear, keys, length)

    def key_stage(self, features: Float[Tensor, "batch steps channels"], keys: Keys) -> KeyStage:
        """Run the first stage on recordings of one length.

        Args:
            features: single feature steps; `forward` takes those of a frame together.
        """
        frames = int(keys.frame_index.max()) + 1  # the last frame is always a key
        length = torch.full((len(features),), frames)
        # (batch, frames, steps * channels)
        paired = pair_steps(features, frames, self.config.steps_per_frame)
        audio, linear = self.audio_context(paired, length), self.linear_prediction(paired, keys)
        return KeyStage(self.key_motion(audio, linear, keys, length), audio, linear, length)

    def linear_prediction(
        self, features: Float[Tensor, "batch frames audio"], keys: Keys, named: Tensor | None = None
    ) -> Float[Tensor, "batch frames inner"] | None:
        """Motion that the linear regressor predicts, where there is one.

        Args:
            named: False for items whose phone identities are dropped (training).
        """
        if self.reading is None:
            return None
        # (batch, frames)
        unknown = torch.full(features.shape[:2], UNKNOWN_PHONE, device=features.device)
        spoken = unknown if keys.spoken is None else keys.spoken
        if named is not None:
            spoken = torch.where(named.unsqueeze(1), spoken, unknown)
        return self.reading(features, spoken)

    def key_motion(
        self,
        audio: Float[Tensor, "batch frames width"],
        linear: Float[Tensor, "batch frames inner"] | None,
        keys: Keys,
        length: Int[Tensor, " batch"],
        named: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch keys inner"] | None:
        """First stage: motion at the keys; none for a baseline without keys.

        Args:
            audio: of `audio_context`.
            linear: of `linear_prediction`.
        """
        if self.keys is None:
            return None
        # (batch, keys, inner), a residual where there is a linear regressor.
        poses = self.keys(audio, keys, length, named)
        return poses if linear is None else poses + at_keys(linear, keys.frame_index)

    def complete(
        self,
        poses: Float[Tensor, "batch keys inner"] | None,
        audio: Float[Tensor, "batch frames width"],
        linear: Float[Tensor, "batch frames inner"] | None,
        keys: Keys,
        length: Int[Tensor, " batch"],
        masked: Bool[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch frames inner"]:
        """Second stage: all frames from key motions."""
        # (batch, frames, inner): keys, linearly interpolated.
        base = None if poses is None else interpolate(poses, keys, audio.shape[1])
        if isinstance(self.completion, Completion):
            assert base is not None
            return self.completion(base, audio, keys, length, masked)
        # A baseline predicts a residual to the linear regressor, at all frames.
        at_key = key_timing(keys, audio.shape[1], self.config.fps)[0]
        return self.completion(audio, length, base, at_key) + (0 if linear is None else linear)
