"""Window-by-window decoding with the two published generations: four seconds of audio at a time,
each window behind the history of those before it.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any, Generic, Literal, Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.encoders.base import Waveform
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.errors import ConfigError
from motet.face.head import HoldHead
from motet.face.operator import NO_CUES, Operator, OperatorChain
from motet.methods.artalk.config import ArtalkCondition, ReleasedConfig, TrainingConfig
from motet.methods.artalk.postprocess import OpenJawOnly, SavitzkyGolay
from motet.methods.artalk.spaces import FPS, SAMPLE_RATE
from motet.nn.device import on_device
from motet.nn.packed import Precision, with_precision
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.types import Audio, Motion, MotionSpace, concatenate

WINDOWS_AT_ONCE = 4
"""Audio windows that are encoded as one batch when a whole recording is there."""
History = TypeVar("History")


class EncoderPrecisions:
    """One audio encoder in several precisions, each made when it is first asked for.

    Args:
        exact: in single precision; None when the weights came without one.
    """

    def __init__(self, exact: Wav2Vec2 | None) -> None:
        self._exact = exact
        self._made: dict[str, nn.Module] = {}

    def at(self, precision: Precision) -> nn.Module:
        """The encoder in this precision.

        Raises:
            ConfigError: there is no encoder, or the processor has no such products.
        """
        if self._exact is None:
            raise ConfigError(
                "these weights hold no audio encoder; import them together with one (XLS-R 300M in"
                " the authors' recipe)"
            )
        if precision not in self._made:
            self._made[precision] = with_precision(self._exact, precision)
        return self._made[precision]


class WindowGenerator(Protocol[History]):
    """One published generation: from windows of audio to windows of motion."""

    config: ReleasedConfig | TrainingConfig
    frames: int
    """Frames of a window."""
    space: MotionSpace

    def encode_audio(
        self, windows: Float[Tensor, "windows time"], precision: Precision = "float32"
    ) -> Tensor:
        """Audio features of windows; each is encoded alone."""
        ...

    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> History:
        """The history before the first window."""
        ...

    def generate_window(
        self, history: History, audio: Tensor
    ) -> tuple[Float[Tensor, "batch frames dim"], History]:
        """Motion of the next window, and the history after it."""
        ...


@dataclasses.dataclass(frozen=True, kw_only=True)
class PublishedState(StreamState, Generic[History]):
    """A session of `PublishedMethod`."""

    condition: ArtalkCondition
    history: History
    chain: tuple[Any, ...]
    """States of the post-processing operators."""


class PublishedMethod(
    MotionMethod[ReleasedConfig | TrainingConfig, ArtalkCondition, PublishedState[Any]]
):
    """Samples in windows of fixed length; frames come a whole window at a time.

    Args:
        generator: the generation.
        frame_rule: `house` gives round(seconds * fps) frames; `official` what the published
            streaming code gives.
    """

    def __init__(
        self, generator: WindowGenerator[Any], frame_rule: Literal["house", "official"] = "house"
    ) -> None:
        self.generator, self.space, self.frame_rule = generator, generator.space, frame_rule
        self.config, self.encoder = generator.config, Waveform(SAMPLE_RATE)
        self.window_samples = generator.frames * round(SAMPLE_RATE / FPS)

    @torch.inference_mode()
    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> PublishedState[Any]:
        """A session before its first audio.

        Raises:
            AssetError: a style clip that cannot be used.
        """
        with on_device(self.device):
            history = self.generator.begin(condition, seeds)
        return PublishedState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(self.encoder, len(seeds)),
            condition=condition,
            history=history,
            chain=self._chain(condition).begin(len(seeds)),
        )

    def window_ready(self, state: PublishedState[Any]) -> bool:
        """Whether the next window is complete."""
        return self.first_needed(state) + self.window_samples <= state.stream.features.stop

    def generate_window(
        self, state: PublishedState[Any]
    ) -> tuple[Float[Tensor, "batch frames dim"], PublishedState[Any]]:
        """The next windows, several when their samples are there; a last one ends in silence."""
        start, size = self.first_needed(state), self.window_samples
        complete = (state.stream.features.stop - start) // size
        count = min(max(complete, 1), WINDOWS_AT_ONCE)
        samples = state.stream.features.window(start, start + count * size)
        windows = samples.unflatten(1, (count, size)).flatten(0, 1)  # (batch * count, time)
        audio = self.generator.encode_audio(windows, state.condition.precision)
        history, pieces = state.history, []
        for window in audio.unflatten(0, (-1, count)).unbind(1):
            motion, history = self.generator.generate_window(history, window)
            pieces.append(motion)
        return torch.cat(pieces, 1), dataclasses.replace(state, history=history)

    def postprocess(
        self, frames: Tensor, state: PublishedState[Any]
    ) -> tuple[Tensor, PublishedState[Any]]:
        """What the published command line does: smoothing, a still head, a jaw that only opens."""
        frames, chain = self._chain(state.condition).step(frames, state.chain, NO_CUES)
        return frames, dataclasses.replace(state, chain=chain)

    def flush(self, state: PublishedState[Any]) -> list[Tensor]:
        """The frames that smoothing held back."""
        return self._chain(state.condition).finish(state.chain)

    def first_needed(self, state: PublishedState[Any]) -> int:
        """First sample of the next window."""
        return state.frames_generated // self.generator.frames * self.window_samples

    def total_frames(self, samples_received: int) -> int:
        """Frames of a recording by the frame rule."""
        if self.frame_rule == "house":
            return super().total_frames(samples_received)
        windows, rest = divmod(samples_received, self.window_samples)
        return windows * self.generator.frames + released_frame_count(rest)

    def _chain(self, condition: ArtalkCondition) -> OperatorChain:
        operators: list[Operator[Any]] = []
        if condition.smooth:
            operators.append(SavitzkyGolay(self.space.range("head"), self.space.dim))
        if condition.fix_pose:
            operators.append(HoldHead(self.space.range("head")))
        if condition.jaw_only_opens and self.space.track("jaw").size == 3:
            operators.append(OpenJawOnly(self.space.range("jaw")))
        return OperatorChain(operators)


def released_frame_count(samples: int) -> int:
    """Frames the published inference code gives: ceil(samples / 16000 * 25.0) in double precision,
    which now and then is one too many.
    """
    return math.ceil(samples / SAMPLE_RATE * FPS)


def training_frame_count(samples: int) -> int:
    """Frames the published training code gives: one for each 640 samples begun."""
    return -(-samples // 640)


def run_official(
    method: PublishedMethod,
    samples: Float[Tensor, " time"],
    condition: ArtalkCondition,
    seed: int = 0,
) -> Motion:
    """A whole recording as the published command line runs it: its frame count, nothing else
    differs from `Method.run`.
    """
    exact = PublishedMethod(method.generator, "official")
    first, state = exact.step(
        exact.begin(condition, (seed,)), Audio.mono(samples[None], SAMPLE_RATE)
    )
    motion = concatenate([first, exact.finish(state)])
    return motion.slice(0, released_frame_count(samples.shape[-1]))
