"""Sliding-window decoding with the streaming model: generate a window, emit its first `commit`
frames, regenerate the rest.

A window that starts at frame c is generated as soon as the features up to `commit` frames and
`look_ahead` steps after c are known, and sees exactly those; so every chunk size gives the same
frames.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.encoders.base import MouthEncoder, OfflineEncoder, SpeechEncoder
from motet.encoders.lips import LipEncoder
from motet.encoders.lips_with_words import LipEncoderWithWords
from motet.errors import ConfigError, nearest
from motet.face.intensity import MOUTH_SHAPES
from motet.face.lip_aperture import BlendAperture
from motet.face.lip_closure import EnforceClosures
from motet.face.mouth_blend import BlendMouth
from motet.face.mouth_style import NAMED, NEUTRAL, MouthStyle, style_of
from motet.face.operator import Operator, OperatorChain
from motet.face.smoothing import ExponentialSmoothing
from motet.face.speech_cues import speech_cues
from motet.methods.artalk.config import ArtalkCondition, CodecConfig, StreamingConfig
from motet.methods.artalk.streaming.model import Decide, StreamingModel, known_mask
from motet.methods.artalk.style import read_style
from motet.nn.device import CPU
from motet.nn.seeded import uniform_rows
from motet.phonetics.phone_source import phone_options
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.types import ARKIT_SHAPES, Motion, MotionSpace, arkit_space
from motet.words import has_words

SMOOTHING, SMOOTHING_STAGES = 0.56, 7
"""Exponential smoothing of head and brows when bits are sampled. Many fast stages have a smooth
step response, two slow ones do not (velocity jumps of the head at borders were 2.8 times those
inside, now 1.1); head and brows come 0.22 s late."""

STEP_S, NEWEST_S, MOST_AHEAD = 0.02, 0.0325, 50
"""Seconds of a feature step; sound after the newest step that it sees itself; most steps of sound
that a stream's encoder may see ahead."""


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
    """Samples of silence that cover a window's whole context."""

    def __init__(self, model: StreamingModel, encoder: SpeechEncoder[Any]) -> None:
        self.model, self.config = model.eval().requires_grad_(False), model.config
        self.encoder = encoder
        self._streams: dict[tuple[int, int], SpeechEncoder[Any]] = {}
        self.space: MotionSpace = arkit_space()
        self.weights = self.space.range("blendshapes")
        names = (*ARKIT_SHAPES, "x", "y", "z")
        mouth = [name in MOUTH_SHAPES for name in names]
        eyes = [name.startswith(("eyeBlink", "eyeLook")) for name in names]
        self.mouth = torch.tensor(mouth)
        # Lids and eyes do move suddenly.
        self.smoothed = ~(self.mouth | torch.tensor(eyes)).to(CPU)

    @torch.inference_mode()
    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> ArtalkState:
        """A session before its first audio.

        Raises:
            ConfigError: an unknown style, or an option outside its range.
            AssetError: a style clip that cannot be read.
        """
        condition = self.with_defaults(condition)
        codec, batch = self.config.codec, len(seeds)
        lines = 2 * batch if condition.decode == "lively" else batch
        style, mouth_style = self.chosen_style(condition)
        return ArtalkState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(self.stream_encoder(condition), batch),
            condition=condition,
            style=style.expand(lines, -1),
            mouth_style=mouth_style,
            past=torch.zeros(
                lines, self.config.history * codec.frames, codec.motion_dim, device=self.device
            ),
            chain=self._chain(condition, mouth_style).begin(batch),
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
        dial = (condition.commit, condition.look_ahead)
        if dial not in self._streams:
            hop = self.config.steps_per_frame * condition.commit
            self._streams[dial] = self.encoder.streaming(
                STEP_S * condition.look_ahead + NEWEST_S, STEP_S * hop
            )
        return self._streams[dial]

    def window_ready(self, state: ArtalkState) -> bool:
        """Whether all features of the next window's context are known."""
        return self._limit(state) <= state.stream.features.stop

    def generate_window(
        self, state: ArtalkState
    ) -> tuple[Float[Tensor, "batch commit dim"], ArtalkState]:
        """The next `commit` frames."""
        steps, start, first, last = self._audible(state)
        features = torch.zeros(state.batch, self.config.audio_steps, self.config.audio_dim)
        features[:, first - start : last - start] = steps[..., : self.config.audio_dim]
        mask = known_mask(
            features.shape[1], torch.tensor([first - start]), torch.tensor([last - start])
        )
        audio = self.model.audio(features, mask)
        lines = self._generate(state, audio)[:, : state.condition.commit]
        past = torch.cat([state.past, lines], 1)[:, -state.past.shape[1] :]
        state = dataclasses.replace(state, past=past)
        if len(lines) == state.batch:
            return lines, state
        expected, drawn = lines.chunk(2)
        return torch.where(self.mouth, expected, drawn), state

    def postprocess(self, frames: Tensor, state: ArtalkState) -> tuple[Tensor, ArtalkState]:
        """Smoothing of drawn motion, lip aperture, lip closures."""
        steps, start, first, _ = self._audible(state)
        condition = state.condition
        cues = speech_cues(
            self.encoder_of(state),
            steps,
            start + self.config.audio_before - first,
            frames.shape[1],
            opening=condition.opening > 0,
            closures=condition.closures,
        )
        frames, chain = self._chain(condition, state.mouth_style).step(frames, state.chain, cues)
        return frames, dataclasses.replace(state, chain=chain)

    def first_needed(self, state: ArtalkState) -> int:
        """First feature of the next window's context."""
        return self.config.steps_per_frame * state.frames_generated - self.config.audio_before

    def _chain(self, condition: ArtalkCondition, style: MouthStyle) -> OperatorChain:
        operators: list[Operator[Any]] = []
        if condition.decode == "lively":
            smoothing = ExponentialSmoothing(self.smoothed, SMOOTHING, SMOOTHING_STAGES)
            operators.append(smoothing)
        if condition.opening:
            if isinstance(self.encoder, MouthEncoder):
                operators.append(BlendMouth(condition.opening, style))
            else:
                operators.append(BlendAperture(condition.opening))
        if condition.closures:
            operators.append(EnforceClosures())
        return OperatorChain(operators)

    def with_defaults(self, condition: ArtalkCondition) -> ArtalkCondition:
        """The condition with the numbers that stand for "as trained".

        Raises:
            ConfigError: a number outside its range.
        """
        config, live = self.config, self._streams_sound(condition)
        commit = condition.commit or (config.stream_commit if live else config.commit)
        usual = config.stream_look_ahead if live else config.look_ahead
        look = usual if condition.look_ahead < 0 else condition.look_ahead
        frames = config.codec.frames
        if not 1 <= commit <= frames:
            raise ConfigError(f"commit must lie between 1 and {frames} frames, not {commit}")
        most = MOST_AHEAD if live else self.config.audio_steps - self.config.audio_before
        if look > most:
            raise ConfigError(f"look_ahead must lie between 0 and {most} steps, not {look}")
        return dataclasses.replace(condition, commit=commit, look_ahead=look)

    def chosen_style(
        self, condition: ArtalkCondition
    ) -> tuple[Float[Tensor, "1 style"], MouthStyle]:
        """The generator's vector, and what the style does to the regressed mouth."""
        null, names = self.model.null_style, self.config.styles
        if not condition.style:
            return null, NEUTRAL
        if condition.style in names:
            style = self.model.style_bank[names.index(condition.style)].unsqueeze(0)
            mouth = NAMED.get(condition.style, NEUTRAL)
        elif "." in condition.style:
            clip = read_style(condition.style, self.space).to(null)
            style, mouth = self.model.style(clip), style_of(clip[0])
        else:
            raise ConfigError(
                f"no style {condition.style!r} and no file of that name;"
                f" {nearest(condition.style, names)}"
            )
        strength = condition.guidance_style
        return null + strength * (style - null), mouth.scaled(strength)

    def _limit(self, state: ArtalkState) -> int:
        """Position after the last feature of the next window's context."""
        condition, frames = state.condition, state.frames_generated + state.condition.commit
        # A stream's encoder has waited already.
        ahead = 0 if self._streams_sound(condition) else condition.look_ahead
        return self.config.steps_per_frame * frames + ahead

    def _streams_sound(self, condition: ArtalkCondition) -> bool:
        """Whether the session streams an encoder that also works offline."""
        return condition.mode == "stream" and isinstance(self.encoder, OfflineEncoder)

    def _audible(self, state: ArtalkState) -> tuple[Tensor, int, int, int]:
        """The features that the next window sees; where its stretch starts, where they start, where
        they stop.
        """
        config, features = self.config, state.stream.features
        start = config.steps_per_frame * state.frames_generated - config.audio_before
        first = max(start, 0)
        last = max(first, min(self._limit(state), features.stop, start + config.audio_steps))
        return features.known(first, last), start, first, last

    def _generate(
        self, state: ArtalkState, audio: Float[Tensor, "batch tokens audio"]
    ) -> Float[Tensor, "lines frames dim"]:
        model, first = self.model, torch.tensor(state.frames_generated == 0)
        window = state.past[:, -self.config.codec.frames :]
        before = model.past_total(window)
        past = model.past(state.past, before, first.unsqueeze(0))
        decide = decider(state.condition, self.config.codec, self._uniforms(state))
        _, total = model.generate(state.style, past, audio, decide)
        motion = model.decode(window, before, total, first)
        motion[..., self.weights] = motion[..., self.weights].clamp(0, 1)
        return motion

    def _uniforms(self, state: ArtalkState) -> Float[Tensor, "batch tokens bits"]:
        """Uniform numbers of this window, from each item's own seed."""
        shape = (self.config.codec.tokens, self.config.codec.bits)
        seeds = [seed * 1_000_003 + state.frames_generated for seed in state.seeds]
        return uniform_rows(seeds, shape)


def decider(
    condition: ArtalkCondition, codec: CodecConfig, uniforms: Float[Tensor, "batch tokens bits"]
) -> Decide:
    """How log-odds become bits in -1 .. 1.

    Args:
        uniforms: random numbers of the window; decoding that samples nothing does not read them.
    """
    if condition.decode == "expected":
        return lambda odds, own: torch.tanh(odds / 2)
    if condition.decode == "greedy":
        return lambda odds, own: (odds > 0).to(odds.dtype) * 2 - 1

    def draw(odds: Tensor, own: slice) -> Tensor:
        return draw_bits(odds / condition.temperature, uniforms[:, own], condition.top_p)

    if condition.decode == "sample":
        return draw
    finest = codec.tokens - codec.frames

    def expected_and_drawn(odds: Tensor, own: slice) -> Tensor:
        expected, drawn = odds.chunk(2)
        if own.start >= finest:  # drawing the detail of single frames would tremble
            return torch.tanh(odds / 2)
        return torch.cat([torch.tanh(expected / 2), draw(drawn, own)])

    return expected_and_drawn


def draw_bits(
    odds: Float[Tensor, "batch tokens bits"],
    uniforms: Float[Tensor, "batch tokens bits"],
    top_p: float,
) -> Float[Tensor, "batch tokens bits"]:
    """-1 or 1 by uniform random numbers; a class that is not more likely than 1 - top_p is never
    drawn.
    """
    zero = torch.sigmoid(-odds)
    zero = torch.where(zero <= 1 - top_p, 0.0, torch.where(zero >= top_p, 1.0, zero))
    return (uniforms >= zero).to(odds.dtype) * 2 - 1
