"""Sliding-window decoding, once for all methods.

    samples received -> speech level -> acoustic features -> windows -> frames emitted

`step` brings speech to the level that the audio encoder expects, encodes the samples, appends the
features to a buffer and generates windows as long as the next one has all it may look at; `finish`
ends the stream and generates the rest, cut to round(seconds * fps) frames. A method says when its
next window is ready and how it is generated; it must look at nothing beyond that, so every chunking
of the sound gives the same frames.
"""

from __future__ import annotations

import abc
import dataclasses
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor

from motet.audio.speech_level import LevelState, normalise
from motet.encoders.base import AudioEncoder
from motet.method import ConditionT, ConfigT, Method, OutT
from motet.nn.device import CPU, on_device
from motet.streaming.window_buffer import WindowBuffer
from motet.types import Audio, Layout, Motion, MotionSpace, frame_count


@dataclasses.dataclass(frozen=True)
class FeatureStream:
    """Acoustic features of a session as far as they are known."""

    encoder_state: Any
    features: WindowBuffer
    samples_received: int = 0

    @classmethod
    def begin(cls, encoder: AudioEncoder[Any], batch: int) -> FeatureStream:
        """Before the first sample."""
        # No samples, but the features' shape, which the buffer needs.
        nothing, state = encoder.step(
            encoder.begin(batch), torch.zeros(batch, 0, *_channels(encoder))
        )
        return cls(state, WindowBuffer((nothing,)))

    def receive(
        self, encoder: AudioEncoder[Any], samples: Float[Tensor, "batch time *channels"]
    ) -> FeatureStream:
        """With more samples."""
        features, state = encoder.step(self.encoder_state, samples)
        received = self.samples_received + samples.shape[1]
        return FeatureStream(state, self.features.append(features), received)

    def finish(self, encoder: AudioEncoder[Any], silence: int = 0) -> FeatureStream:
        """At the end of the sound, after so many samples of silence."""
        # A sound without a sample has no frames at all.
        if not self.samples_received:
            return self
        batch = self.features.pieces[0].shape[0]
        after = self.receive(encoder, torch.zeros(batch, silence, *_channels(encoder)))
        features = after.features.append(encoder.finish(after.encoder_state))
        return dataclasses.replace(self, features=features)

    def drop_before(self, position: int) -> FeatureStream:
        """Without the features before `position`."""
        return dataclasses.replace(self, features=self.features.drop_before(position))


def _channels(encoder: AudioEncoder[Any]) -> tuple[int, ...]:
    return () if encoder.channels == 1 else (encoder.channels,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class StreamState:
    """What every session holds; methods add their own."""

    seeds: tuple[int, ...]
    """One for each item of the batch."""
    stream: FeatureStream
    level: LevelState | None = None
    """Of the speech so far; None before the first sample."""
    frames_generated: int = 0
    frames_total: int | None = None
    """Frames of the whole sound; None while it goes on."""

    @property
    def batch(self) -> int:
        """Items of the batch."""
        return len(self.seeds)

    def frames_left(self, most: int) -> int:
        """Frames that a window of `most` frames still has to give: fewer at the end of the
        sound.
        """
        if self.frames_total is None:
            return most
        return min(most, self.frames_total - self.frames_generated)


StateT = TypeVar("StateT", bound=StreamState)


class StreamingMethod(Method[ConfigT, ConditionT, StateT, OutT]):
    """A method that decodes sliding windows of acoustic features."""

    encoder: AudioEncoder[Any]
    layout: Layout = "mono"
    device: torch.device = CPU
    """Where its networks are. `generate_window` runs with this default device; audio encoders,
    buffers, cues and post-processing stay on the CPU, where most of their work is quicker."""
    level_looks_ahead: bool = False
    """Hold sound back for 60 ms, so that the onset of mains hum does not sound like that of a word:
    for methods whose delay does not matter."""
    trailing_silence: int = 0
    """Samples of silence that are encoded after the sound, for windows that look ahead."""

    @abc.abstractmethod
    def window_ready(self, state: StateT) -> bool:
        """Whether the next window has all features it may look at; never, for a method that needs
        the whole recording.
        """

    @abc.abstractmethod
    def generate_window(self, state: StateT) -> tuple[Tensor, StateT]:
        """The next frames (batch, frames, ...), and what later windows need to know of them. Frames
        beyond `frames_total` are cut off.
        """

    def postprocess(self, frames: Tensor, state: StateT) -> tuple[Tensor, StateT]:
        """What is done to generated frames; it may hold some back until `flush`."""
        return frames, state

    def flush(self, state: StateT) -> list[Tensor]:
        """The frames that `postprocess` held back."""
        del state
        return []

    def first_needed(self, state: StateT) -> int:
        """Position of the first feature that later windows look at."""
        del state
        return 0

    @property
    def sample_rate(self) -> int:
        """Samples a second that it expects."""
        return self.encoder.sample_rate

    def encoder_of(self, state: StateT) -> AudioEncoder[Any]:
        """The audio encoder of a session."""
        del state
        return self.encoder

    def total_frames(self, samples_received: int) -> int:
        """Frames of a sound: round(seconds * fps), at least one for any sound at all."""
        seconds = samples_received / self.sample_rate
        return frame_count(seconds, self.fps) if samples_received else 0

    def receive(self, state: StateT, samples: Float[Tensor, "batch time *channels"]) -> StateT:
        """The state with more of the sound, at the level that the encoder expects."""
        stream = state.stream.receive(self.encoder_of(state), samples)
        return dataclasses.replace(state, stream=stream)

    def end(self, state: StateT) -> StateT:
        """The state at the end of the sound."""
        if state.level is not None and self.level_looks_ahead:
            # Samples held back for hum are encoded now, at the level they would have had.
            state = self.receive(dataclasses.replace(state, level=None), state.level.rest())
        return dataclasses.replace(
            state,
            stream=state.stream.finish(self.encoder_of(state), self.trailing_silence),
            frames_total=self.total_frames(state.stream.samples_received),
        )

    @abc.abstractmethod
    def output(self, pieces: list[Tensor], batch: int) -> OutT:
        """Emitted frames as motion or pictures."""

    @torch.inference_mode()
    def step(self, state: StateT, audio: Audio) -> tuple[OutT, StateT]:
        """The frames of every window that these samples complete."""
        samples = audio.expect(self.sample_rate, self.layout).samples.float()
        # (batch, time) or (batch, time, channels)
        samples = samples[:, 0] if self.layout == "mono" else samples.transpose(1, 2)
        if self.encoder_of(state).expects_level:
            level = state.level or LevelState.begin(state.batch, looks_ahead=self.level_looks_ahead)
            samples, level = normalise(samples, level)
            state = dataclasses.replace(state, level=level)
        state, pieces = self.receive(state, samples), []
        while self.window_ready(state):
            frames, state = self._next_frames(state)
            pieces.append(frames)
        return self.output(pieces, state.batch), state

    @torch.inference_mode()
    def finish(self, state: StateT) -> OutT:
        """The remaining frames; the last windows see silence after the sound."""
        state, pieces = self.end(state), []
        while state.frames_left(1) > 0:
            frames, state = self._next_frames(state)
            pieces.append(frames)
        return self.output([*pieces, *self.flush(state)], state.batch)

    def _next_frames(self, state: StateT) -> tuple[Tensor, StateT]:
        with on_device(self.device):
            frames, state = self.generate_window(state)
        # The last window may reach beyond the end of the sound.
        frames = frames[:, : state.frames_left(frames.shape[1])].to(CPU)
        emitted, state = self.postprocess(frames, state)
        generated = state.frames_generated + frames.shape[1]
        state = dataclasses.replace(state, frames_generated=generated)
        # Memory stays constant: features that no later window reads are dropped.
        stream = state.stream.drop_before(self.first_needed(state))
        return emitted, dataclasses.replace(state, stream=stream)


class MotionMethod(StreamingMethod[ConfigT, ConditionT, StateT, Motion]):
    """A streaming method whose frames are vectors of its motion space."""

    space: MotionSpace

    def output(self, pieces: list[Tensor], batch: int) -> Motion:
        """The frames one after the other."""
        nothing = torch.zeros(batch, 0, self.space.dim)
        return Motion(torch.cat(pieces, 1).clone() if pieces else nothing, self.space)
