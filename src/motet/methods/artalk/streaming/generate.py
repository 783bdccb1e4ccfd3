"""Sliding-window decoding with the streaming model: generate a window, emit its first `commit`
frames, regenerate the rest.

    features -> audio mixer ---------+
    last emitted frames -> history --+-> generator, scale after scale -> bits -> codec -> frames
    style clip or name -> style -----+

`WindowSchedule` says which features a window sees.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.base import OfflineEncoder, SpeechEncoder
from motet.encoders.lips import LipEncoder
from motet.encoders.lips_with_words import LipEncoderWithWords
from motet.face.mouth_style import MouthStyle
from motet.face.speech_cues import speech_cues
from motet.methods.artalk.config import ArtalkCondition, StreamingConfig
from motet.methods.artalk.streaming.audio_mixer import known_mask
from motet.methods.artalk.streaming.bit_decoding import bit_decoder
from motet.methods.artalk.streaming.model import StreamingModel
from motet.methods.artalk.streaming.postprocess import face_chain, mouth_channels
from motet.methods.artalk.streaming.style_input import session_style
from motet.methods.artalk.streaming.window_schedule import (
    WindowSchedule,
    WindowSteps,
    with_schedule,
)
from motet.nn.seeded import uniform_rows
from motet.phonetics.phone_source import phone_options
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.types import Motion, MotionSpace, arkit_space
from motet.words import has_words

STEP_S, NEWEST_S = 0.02, 0.0325
"""Seconds of a feature step, and seconds of sound after the newest step that the step itself
covers."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArtalkState(StreamState):
    """A session of the streaming model."""

    condition: ArtalkCondition
    style: Float[Tensor, "lines style"]
    mouth_style: MouthStyle
    past: Float[Tensor, "lines past dim"]
    """The last emitted frames, zeros before the first. When decoding is `lively` there are two
    lines of motion for each item, the expected ones first: the mouth is taken from the expected
    line, everything else from the drawn one."""
    chain: tuple[Any, ...] = ()
    """States of the post-processing operators."""


class ArtalkStreaming(MotionMethod[StreamingConfig, ArtalkCondition, ArtalkState]):
    """Autoregressive next-scale prediction of bitwise motion tokens, in the house space.

    Args:
        model: weights.
        encoder: the audio encoder the model was trained on.
    """

    trailing_silence = 48 * 320
    """Samples after the sound: 48 steps of 20 ms, the context of a window at its last frame (40
    steps of the window and 8 after it)."""

    def __init__(self, model: StreamingModel, encoder: SpeechEncoder[Any]) -> None:
        self.model, self.config = model.eval().requires_grad_(False), model.config
        self.encoder = encoder
        # Streaming forms of the encoder, by (commit, look_ahead).
        self._streams: dict[tuple[int, int], SpeechEncoder[Any]] = {}
        self.space: MotionSpace = arkit_space()
        self.blendshapes = self.space.range("blendshapes")
        self.mouth = mouth_channels()

    @torch.inference_mode()
    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> ArtalkState:
        """A session before its first audio.

        Raises:
            ConfigError: an unknown style, or an option outside its range.
            AssetError: a style clip that cannot be read.
        """
        condition = with_schedule(condition, self.config, self.streams_sound(condition))
        codec, batch = self.config.codec, len(seeds)
        lines = 2 * batch if condition.decode == "lively" else batch
        style, mouth_style = session_style(condition, self.model, self.space)
        return ArtalkState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(self.stream_encoder(condition), batch),
            condition=condition,
            style=style.expand(lines, -1),
            mouth_style=mouth_style,
            past=torch.zeros(
                lines, self.config.history * codec.frames, codec.motion_dim, device=self.device
            ),
            chain=face_chain(condition, self.encoder, mouth_style).begin(batch),
        )

    @torch.inference_mode()
    def style_vector(self, motion: Motion) -> Float[Tensor, " style"]:
        """The style encoder's vector of a clip."""
        return self.model.style(motion.values.unsqueeze(0))[0]

    def encoder_of(self, state: ArtalkState) -> SpeechEncoder[Any]:
        """The encoder of the session's mode."""
        return self.stream_encoder(state.condition)

    def stream_encoder(self, condition: ArtalkCondition) -> SpeechEncoder[Any]:
        """Offline, with words or without, or a stream whose blocks are the frames that are emitted
        together.
        """
        if has_words(condition):
            assert isinstance(self.encoder, LipEncoder)
            return LipEncoderWithWords(self.encoder, phone_options(condition))
        if condition.mode != "stream" or not isinstance(self.encoder, OfflineEncoder):
            return self.encoder
        delay = (condition.commit, condition.look_ahead)
        if delay not in self._streams:
            hop = self.config.steps_per_frame * condition.commit
            self._streams[delay] = self.encoder.streaming(
                STEP_S * condition.look_ahead + NEWEST_S, STEP_S * hop
            )
        return self._streams[delay]

    def window_ready(self, state: ArtalkState) -> bool:
        """Whether all features of the next window's context are known."""
        return self._schedule(state).needed(state.frames_generated) <= state.stream.features.stop

    def generate_window(
        self, state: ArtalkState
    ) -> tuple[Float[Tensor, "batch commit dim"], ArtalkState]:
        """The next `commit` frames."""
        steps, config = self._steps(state), self.config
        known = state.stream.features.known(steps.first, steps.stop)
        # (batch, audio_steps, audio_dim): zeros where nothing is known; the mask says where.
        features = torch.zeros(state.batch, config.audio_steps, config.audio_dim)
        first, stop = steps.first - steps.start, steps.stop - steps.start
        features[:, first:stop] = known[..., : config.audio_dim]
        mask = known_mask(features.shape[1], torch.tensor([first]), torch.tensor([stop]))
        # (lines, commit, dim)
        lines = self._generate(state, self.model.audio(features, mask))[:, : state.condition.commit]
        past = torch.cat([state.past, lines], 1)[:, -state.past.shape[1] :]
        state = dataclasses.replace(state, past=past)
        if len(lines) == state.batch:
            return lines, state
        expected, drawn = lines.chunk(2)
        return torch.where(self.mouth, expected, drawn), state

    def postprocess(self, frames: Tensor, state: ArtalkState) -> tuple[Tensor, ArtalkState]:
        """Smoothing of drawn motion, lip aperture, lip closures."""
        steps, condition = self._steps(state), state.condition
        cues = speech_cues(
            self.encoder_of(state),
            state.stream.features.known(steps.first, steps.stop),
            # Step of the window's first frame among these features.
            steps.start + self.config.audio_before - steps.first,
            frames.shape[1],
            opening=condition.opening > 0,
            closures=condition.closures,
        )
        chain = face_chain(condition, self.encoder, state.mouth_style)
        frames, after = chain.step(frames, state.chain, cues)
        return frames, dataclasses.replace(state, chain=after)

    def first_needed(self, state: ArtalkState) -> int:
        """First feature of the next window's context."""
        return self._schedule(state).start(state.frames_generated)

    def streams_sound(self, condition: ArtalkCondition) -> bool:
        """Whether the session streams an encoder that also works offline."""
        return condition.mode == "stream" and isinstance(self.encoder, OfflineEncoder)

    def _schedule(self, state: ArtalkState) -> WindowSchedule:
        condition = state.condition
        # A stream's encoder has waited for the look-ahead already.
        ahead = 0 if self.streams_sound(condition) else condition.look_ahead
        return WindowSchedule(self.config, condition.commit, ahead)

    def _steps(self, state: ArtalkState) -> WindowSteps:
        """The feature steps that the next window sees."""
        return self._schedule(state).steps(state.frames_generated, state.stream.features.stop)

    def _generate(
        self, state: ArtalkState, audio: Float[Tensor, "batch tokens audio"]
    ) -> Float[Tensor, "lines frames dim"]:
        """A whole window of every line of motion."""
        model, fresh = self.model, torch.tensor(state.frames_generated == 0)
        window = state.past[:, -self.config.codec.frames :]  # (lines, frames, dim)
        before = model.past_total(window)  # (lines, frames, bits)
        past = model.past(state.past, before, fresh.unsqueeze(0))
        decide = bit_decoder(state.condition, self.config.codec, lambda: self._uniforms(state))
        _, total = model.generate(state.style, past, audio, decide)
        motion = model.decode(window, before, total, fresh)
        motion[..., self.blendshapes] = motion[..., self.blendshapes].clamp(0, 1)
        return motion

    def _uniforms(self, state: ArtalkState) -> Float[Tensor, "batch tokens bits"]:
        """Uniform numbers of this window, from each item's own seed."""
        shape = (self.config.codec.tokens, self.config.codec.bits)
        # A large prime: windows of neighbouring seeds never share a stream of numbers.
        seeds = [seed * 1_000_003 + state.frames_generated for seed in state.seeds]
        return uniform_rows(seeds, shape)
