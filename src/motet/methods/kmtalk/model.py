"""Networks of KMTalk: audio context, key-motion decoder (LKMA), cross-modal completion (CMC).

Motion inside the networks is in the output basis. Parameters keep the names of the shipped weights
(`listen`, `reading`). Source: Xu et al. 2024, section 3; inner form ours (README).
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from motet.methods.kmtalk.baselines import Baseline, build_baseline
from motet.methods.kmtalk.config import KMTalkConfig
from motet.methods.kmtalk.key_timing import (
    GAP_S,
    UNKNOWN_PHONE,
    Keys,
    at_keys,
    interpolate,
    key_timing,
    sinusoid_at,
)
from motet.methods.kmtalk.layers import CrossLayer, MixLayer
from motet.methods.kmtalk.output_basis import LinearRegressor, OutputBasis
from motet.methods.kmtalk.trunk import Trunk
from motet.nn.position import sinusoid_table
from motet.phonetics.phones import INDEX, SILENCE


class KeyDecoder(nn.Module):
    """Motion at the key frames from the audio around them (LKMA)."""

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        width = config.width
        self.config = config
        self.timing = nn.Linear(3, width)
        self.phone = nn.Embedding(UNKNOWN_PHONE + 1, config.phone_dim) if config.phone_dim else None
        self.phone_map = nn.Linear(2 * config.phone_dim, width) if config.phone_dim else None
        self.layers = nn.ModuleList(
            CrossLayer(config, audio=True) for _ in range(max(config.key_layers, 1))
        )
        self.head = nn.Linear(width, inner)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)

    def forward(
        self,
        audio: Float[Tensor, "batch frames width"],
        keys: Keys,
        length: Int[Tensor, " batch"],
        named: Bool[Tensor, " batch"] | None = None,
    ) -> Float[Tensor, "batch keys inner"]:
        """Motion at the keys.

        Args:
            audio: context of each frame.
            length: frames of each item that are no padding.
            named: False for items whose phone identities are dropped.
        """
        band = round(self.config.key_band_s * self.config.fps)
        if not self.config.key_layers:
            # The paper's ablation: an ordinary decoder over all frames, read off at the keys.
            # (batch, frames)
            every = torch.arange(audio.shape[1], device=audio.device).expand(len(audio), -1)
            x, valid = audio, every < length.unsqueeze(1)
            for layer in self.layers:
                x = layer(x, audio, every, band, length, valid)
            return self.head(at_keys(x, keys.frame_index))
        x = (
            at_keys(audio, keys.frame_index)
            + sinusoid_at(keys.frame_index, audio.shape[-1]).to(audio)
            + self.timing(self._timing(keys).to(audio))
        )
        if self.phone is not None and self.phone_map is not None:
            phones = (
                keys.phones
                if named is None
                else torch.where(named.view(-1, 1, 1), keys.phones, UNKNOWN_PHONE)
            )
            # both phones, (batch, keys, 2 * phone)
            x = x + self.phone_map(self.phone(phones).flatten(2))
        for layer in self.layers:
            x = layer(x, audio, keys.frame_index, band, length, keys.valid)
        return self.head(x)

    def _timing(self, keys: Keys) -> Float[Tensor, "batch keys three"]:
        # (batch, keys - 1): seconds between neighbouring keys.
        gaps = (keys.frame_index.diff(dim=1) / self.config.fps).clamp(max=GAP_S)
        gaps = torch.where(
            keys.valid[:, 1:], gaps, GAP_S
        )  # after the last key as at the end of a shorter batch
        edge = gaps.new_full((len(gaps), 1), GAP_S)  # (batch, 1)
        at_silence = (keys.phones == INDEX[SILENCE]).any(-1).to(gaps.dtype)
        return torch.stack([torch.cat([edge, gaps], 1), torch.cat([gaps, edge], 1), at_silence], -1)


class Completion(nn.Module):
    """All frames from the key motions and the audio (CMC). Before training exactly linear
    interpolation of the keys.
    """

    def __init__(self, config: KMTalkConfig, inner: int) -> None:
        super().__init__()
        self.config, width = config, config.width
        self.entry = nn.Linear(inner, width)
        self.sound = nn.Linear(width, width) if config.audio_guidance else None
        self.at_key = nn.Embedding(2, width)
        self.timing = nn.Linear(3, width)
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
        # As in masked autoencoders: some frames between keys are hidden, so that the audio has to
        # tell them.
        visible = (
            base
            if masked is None
            else torch.where((masked & ~at_key).unsqueeze(-1), self.hidden_motion, base)
        )
        period = sinusoid_table(self.config.period, self.config.width).to(base)  # (period, width)
        position = period.repeat(-(-frames // self.config.period), 1)[:frames]
        x = (
            self.entry(visible)
            + self.at_key(at_key.long())
            + self.timing(timing.to(base))
            + position
        )
        if self.sound is not None:
            x = x + self.sound(audio)
        every = torch.arange(frames, device=base.device).expand(len(base), -1)
        valid = every < length.unsqueeze(1)
        for layer in self.layers:
            x = layer(
                x, audio, every, round(self.config.cmc_band_s * self.config.fps), length, valid
            )
        # The head starts at zero: before training this is linear interpolation.
        return base + self.head(x)


class KMTalkModel(nn.Module):
    """Both stages and their shared parts: the audio context and the output basis."""

    def __init__(self, config: KMTalkConfig) -> None:
        super().__init__()
        self.config = config
        self.basis = OutputBasis(config)
        self.trunk = None if config.trunk is None else Trunk(config)
        audio = config.audio_dim * config.steps_per_frame
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
        # Padding is zeroed before and after each layer: filters would carry it inside.
        valid = (
            torch.arange(features.shape[1], device=features.device) < length.unsqueeze(1)
        ).unsqueeze(-1)
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

    def linear_prediction(
        self, features: Float[Tensor, "batch frames audio"], keys: Keys, named: Tensor | None = None
    ) -> Float[Tensor, "batch frames inner"] | None:
        """Motion that the linear regressor predicts, where there is one."""
        if self.reading is None:
            return None
        unknown = torch.full(features.shape[:2], UNKNOWN_PHONE, device=features.device)
        spoken = unknown if keys.spoken is None else keys.spoken
        return self.reading(
            features, spoken if named is None else torch.where(named.unsqueeze(1), spoken, unknown)
        )

    def key_motion(
        self,
        audio: Tensor,
        linear: Tensor | None,
        keys: Keys,
        length: Tensor,
        named: Tensor | None = None,
    ) -> Float[Tensor, "batch keys inner"] | None:
        """Motion at the keys; none for a baseline without keys."""
        if self.keys is None:
            return None
        # (batch, keys, inner): residual to the linear regressor.
        poses = self.keys(audio, keys, length, named)
        return poses if linear is None else poses + at_keys(linear, keys.frame_index)

    def complete(
        self,
        poses: Tensor | None,
        audio: Tensor,
        linear: Tensor | None,
        keys: Keys,
        length: Tensor,
        masked: Tensor | None = None,
    ) -> Float[Tensor, "batch frames inner"]:
        """All frames from key motions."""
        # (batch, frames, inner): keys, linearly interpolated.
        base = None if poses is None else interpolate(poses, keys, audio.shape[1])
        if isinstance(self.completion, Completion):
            assert base is not None
            return self.completion(base, audio, keys, length, masked)
        at_key = key_timing(keys, audio.shape[1], self.config.fps)[0]
        return self.completion(audio, length, base, at_key) + (0 if linear is None else linear)
