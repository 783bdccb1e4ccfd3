"""The denoising transformer of MOSPA. Motion, audio and source are (batch, frames, numbers);
diffusion steps count from 1, as in `motet.diffusion`.
"""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from motet.body.feature_vector import DIM
from motet.diffusion.schedule import Schedule
from motet.methods.mospa.cached_layers import through_cached
from motet.methods.mospa.condition_embedding import ConditionEmbedding
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.embedded_conditions import EmbeddedConditions
from motet.methods.mospa.frame_patches import crossfade, frames_to_tokens, tokens_to_frames
from motet.methods.mospa.known_frames import KnownFrames
from motet.methods.mospa.noise_schedule import noise_schedule
from motet.methods.mospa.sound_classifier import SoundClassifier
from motet.methods.mospa.source_frame import MOVED, ROOT_ROWS, from_source_axes, in_source_axes
from motet.reaction_families import FAMILY_NAMES


class MospaModel(ConditionEmbedding):
    """Denoiser: from noisy motion, audio, source and genre to clean motion (sample prediction).

    Source: section 4.2 of the paper; details as released (see the method's README).
    """

    def __init__(self, config: MospaConfig) -> None:
        super().__init__(config)
        width, patch = config.width, config.patch
        self.embed_step = nn.Sequential(nn.Linear(width, width), nn.SiLU(), nn.Linear(width, width))
        self.embed_motion = nn.Linear((DIM + MOVED if config.source_axes else DIM) * patch, width)
        if config.known_frames:
            # Zero at first: weights trained without known frames can be trained further with them.
            self.embed_known = nn.Linear(patch, width, bias=False)
            nn.init.zeros_(self.embed_known.weight)
        # A token of a patch also predicts half a patch before and after its own frames.
        written = DIM * patch * (2 if patch > 1 else 1)
        self.output = nn.Linear(width, written)
        if config.source_axes:
            self.output_from_source = nn.Linear(width, written)
        self._register_statistics(config)
        if patch > 1:
            self.register_buffer("blend", crossfade(patch), persistent=False)
        if config.families:
            self.sound_classifier = SoundClassifier(config.audio_dim)
            # A sound of each family that the network was trained with, from its onset on.
            examples = torch.zeros(len(FAMILY_NAMES), config.window, config.audio_dim)
            self.register_buffer("family_examples", examples)
        self.schedule: Schedule = noise_schedule(config)

    def _register_statistics(self, config: MospaConfig) -> None:
        """Statistics of the training set; `stages.measure` fills them."""
        if config.normalise:
            for name, size in (("motion", DIM), ("audio", config.audio_dim)):
                self.register_buffer(f"{name}_mean", torch.zeros(size))
                self.register_buffer(f"{name}_std", torch.ones(size))
        if config.source_axes:
            as_is = torch.zeros(DIM, dtype=torch.bool)
            as_is[ROOT_ROWS] = True
            self.register_buffer("turns_as_is", as_is, persistent=False)
        if config.guessing:
            self.register_buffer("motion_spread", torch.ones(DIM))

    def restored(self, values: Float[Tensor, "*batch dim"]) -> Float[Tensor, "*batch dim"]:
        """Motion in its own units."""
        return values * self.motion_std + self.motion_mean if self.config.normalise else values

    def estimate(
        self,
        noisy: Float[Tensor, "batch frames dim"],
        step: Int[Tensor, " batch"],
        conditions: EmbeddedConditions,
        known: KnownFrames | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """Clean motion, normalised like the noisy one.

        With `guessing` the input is not the noisy motion but its best linear estimate channel by
        channel (Wiener filter): zero for pure noise, which a small network would first have to
        learn to ignore.

        Args:
            step: 1 ... the number of steps; the released program counts from 0.
            known: frames that the network sees clean; with `known_frames`, also which these are.
        """
        # (batch, tokens, width), the motion's tokens only.
        x = self._through_layers(self.tokens(noisy, step, conditions, known), conditions)
        own = self._to_frames(self.output(x))
        if conditions.direction is None:
            return own
        towards = self._to_frames(self.output_from_source(x))
        return own + from_source_axes(towards, conditions.direction) / self.turning_std

    def _through_layers(
        self, x: Float[Tensor, "batch tokens width"], conditions: EmbeddedConditions
    ) -> Float[Tensor, "batch motion_tokens width"]:
        """The motion's tokens after the last layer."""
        motion_tokens = conditions.frames // self.config.patch
        if conditions.layers is not None:
            return through_cached(x, conditions.layers, conditions.known, motion_tokens)
        for layer in self.layers[:-1]:
            x = layer(x)
        return self.layers[-1](x, motion_tokens)

    @property
    def turning_std(self) -> Float[Tensor, " dim"]:
        """Divisor of predictions in the source's axes: channels of rotations have deviations of
        their own, so those are predicted unnormalised.
        """
        return torch.where(self.turns_as_is, self.motion_std, torch.ones_like(self.motion_std))

    def _visible(self, noisy: Tensor, step: Tensor) -> Float[Tensor, "batch frames dim"]:
        """Input of the network: noisy motion, or its Wiener estimate with `guessing`."""
        if not self.config.guessing:
            return noisy
        # x_t = signal * x_0 + deviation * noise; x_0 has the variance `motion_spread`, so
        # E[x_0 | x_t] = signal * spread / (signal^2 * spread + deviation^2) * x_t.
        signal, deviation = self.schedule.at(step, noisy)
        variance = signal.square() * self.motion_spread + deviation.square()
        return signal * self.motion_spread / variance * noisy

    def tokens(
        self,
        noisy: Float[Tensor, "batch frames dim"],
        step: Int[Tensor, " batch"],
        conditions: EmbeddedConditions,
        known: KnownFrames | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """All input tokens of the first layer, with positions."""
        patch, visible = self.config.patch, self._visible(noisy, step)
        if known is not None:
            visible = known.imposed_on(visible)
        if conditions.direction is not None:
            # (batch, frames, dim + moved): also seen in axes that point at the source.
            visible = torch.cat([visible, in_source_axes(visible, conditions.direction)], -1)
        # (batch, frames / patch, width) and (batch, 1, width)
        motion = self.embed_motion(frames_to_tokens(visible, patch))
        step_token = self.embed_step(self.positions[step - 1]).unsqueeze(1)
        if known is not None and self.config.known_frames:
            motion = motion + self.embed_known(known.mask.to(motion).unflatten(1, (-1, patch)))
        if conditions.added is not None:
            x = torch.cat([conditions.tokens, step_token, motion + conditions.added], 1)
            return x + self.positions[: x.shape[1]]
        # The constant tokens have their positions already (`embed_conditions`).
        constant = conditions.tokens.shape[1]
        dynamic = torch.cat([step_token, motion], 1)
        dynamic = dynamic + self.positions[constant : constant + dynamic.shape[1]]
        return torch.cat([conditions.tokens, dynamic], 1)

    def forward(
        self,
        noisy: Float[Tensor, "batch frames dim"],
        step: Int[Tensor, " batch"],
        audio: Float[Tensor, "batch frames columns"],
        source: Float[Tensor, "batch frames coordinates"],
        genre: Int[Tensor, " batch"],
        audible: Float[Tensor, " batch"] | None = None,
        role: Int[Tensor, " batch"] | None = None,
        known: KnownFrames | None = None,
        families: Int[Tensor, "batch frames"] | None = None,
    ) -> Float[Tensor, "batch frames dim"]:
        """`embed_conditions` and `estimate` in one, for training."""
        conditions = self.embed_conditions(
            audio, source, genre, audible, role=role, families=families
        )
        return self.estimate(noisy, step, conditions, known)

    def _to_frames(self, written: Tensor) -> Float[Tensor, "batch frames dim"]:
        """Frames of the output layer's rows."""
        return written if self.config.patch == 1 else tokens_to_frames(written, self.blend)
