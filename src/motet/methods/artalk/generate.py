"""Sessions of the two published generations: windows of four seconds, one after the other, with
explicit state.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.checkpoint import load_strict
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.method import Method
from motet.methods.artalk.config import (
    ArtalkCondition,
    ArtalkConfig,
    ReleasedConfig,
    TrainingConfig,
)
from motet.methods.artalk.postprocess import CausalSmoother, hold_head, open_jaw_only
from motet.methods.artalk.published_engines import Engine, ReleasedEngine, TrainingEngine
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.published_v2.model import TrainingModel
from motet.methods.artalk.spaces import FPS, SAMPLE_RATE
from motet.methods.artalk.streaming.generate import StreamingMethod, front_end
from motet.methods.artalk.streaming.model import StreamingModel
from motet.nn.allocator import keep_buffers
from motet.nn.packed import pack_linears
from motet.types import Audio, Motion, concatenate, frame_count

M = TypeVar("M", bound=nn.Module)
WINDOWS_AT_ONCE = 4
"""Audio windows that are encoded as one batch when a whole recording is there."""


def released_frame_count(samples: int) -> int:
    """Frames the published inference code gives: ceil(samples / 16000 * 25.0) in double precision,
    which now and then is one too many.
    """
    return math.ceil(samples / SAMPLE_RATE * FPS)


def training_frame_count(samples: int) -> int:
    """Frames the published training code gives: one for each 640 samples begun."""
    return -(-samples // 640)


@dataclasses.dataclass(frozen=True)
class WindowState:
    """A session of `WindowMethod`."""

    condition: ArtalkCondition
    memory: Any
    waiting: Float[Tensor, "batch time"]
    """Samples of a window that is not complete."""
    smoothers: tuple[CausalSmoother, ...]
    """One an item when smoothing is wanted."""
    heard: int = 0
    given: int = 0
    """Frames said so far (before smoothing holds some back)."""


class WindowMethod(Method[ReleasedConfig | TrainingConfig, ArtalkCondition, WindowState, Motion]):
    """Sound in windows of fixed length; answers come a whole window at a time.

    Args:
        engine: the generation.
        frame_rule: `house` answers round(seconds * fps) frames; `official` what the published
            streaming code answers.
    """

    def __init__(self, engine: Engine, frame_rule: Literal["house", "official"] = "house") -> None:
        self.engine, self.space, self.frame_rule = engine, engine.space, frame_rule
        self.config = engine.model.config
        self.samples = engine.frames * round(SAMPLE_RATE / FPS)

    @torch.inference_mode()
    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> WindowState:
        """A session before its first sound."""
        smoothers = ()
        if condition.smooth:
            empty = torch.zeros(0, self.space.dim)
            smoothers = tuple(CausalSmoother(self.space.range("head"), empty) for _ in seeds)
        return WindowState(
            condition, self.engine.start(condition, seeds), torch.zeros(len(seeds), 0), smoothers
        )

    @torch.inference_mode()
    def step(self, state: WindowState, audio: Audio) -> tuple[Motion, WindowState]:
        """Every window that is now complete."""
        audio.expect(SAMPLE_RATE, "mono")
        state = dataclasses.replace(
            state,
            waiting=torch.cat([state.waiting, audio.samples[:, 0].float()], 1),
            heard=state.heard + audio.samples.shape[-1],
        )
        pieces = []
        while state.waiting.shape[1] >= self.samples:
            count = min(state.waiting.shape[1] // self.samples, WINDOWS_AT_ONCE)
            used = count * self.samples
            windows = state.waiting[:, :used].unflatten(1, (count, self.samples))
            motion, memory = self._say(state, windows)
            state = dataclasses.replace(
                state,
                memory=memory,
                waiting=state.waiting[:, used:],
                given=state.given + motion.shape[1],
            )
            motion, state = self._smooth(motion, state)
            pieces.append(motion)
        return (
            self._answer(
                (
                    torch.cat(pieces, 1)
                    if pieces
                    else torch.zeros(len(state.waiting), 0, self.space.dim)
                ),
                state.condition,
            ),
            state,
        )

    @torch.inference_mode()
    def finish(self, state: WindowState) -> Motion:
        """The last window, filled up with silence, cut to the frames of the sound."""
        rest = state.waiting.shape[1]
        missing = self._missing(state, rest)
        motion = torch.zeros(len(state.waiting), 0, self.space.dim)
        if missing and rest:
            window = torch.nn.functional.pad(state.waiting, (0, self.samples - rest)).unsqueeze(1)
            motion = self._say(state, window)[0][:, :missing]
        motion, state = self._smooth(motion, state)
        if state.smoothers:
            motion = torch.cat(
                [motion, torch.stack([smoother.finish() for smoother in state.smoothers])], 1
            )
        return self._answer(motion, state.condition)

    def _missing(self, state: WindowState, rest: int) -> int:
        if self.frame_rule == "official":
            return released_frame_count(rest)
        return (
            max(0, frame_count(state.heard / SAMPLE_RATE, FPS) - state.given) if state.heard else 0
        )

    def _say(
        self, state: WindowState, windows: Float[Tensor, "batch windows time"]
    ) -> tuple[Tensor, Any]:
        heard = self.engine.hear(windows.flatten(0, 1), state.condition.precision).unflatten(
            0, windows.shape[:2]
        )
        memory, pieces = state.memory, []
        for window in range(windows.shape[1]):
            motion, memory = self.engine.say(memory, heard[:, window])
            pieces.append(motion)
        return torch.cat(pieces, 1), memory

    def _smooth(self, motion: Tensor, state: WindowState) -> tuple[Tensor, WindowState]:
        if not state.smoothers:
            return motion, state
        pairs = [
            smoother.push(item) for smoother, item in zip(state.smoothers, motion, strict=True)
        ]
        return torch.stack([pair[0] for pair in pairs]), dataclasses.replace(
            state, smoothers=tuple(pair[1] for pair in pairs)
        )

    def _answer(self, values: Tensor, condition: ArtalkCondition) -> Motion:
        motion = Motion(values.clone(), self.space)
        if condition.fix_pose:
            motion = hold_head(motion)
        if condition.jaw_only_opens and self.space.track("jaw").size == 3:
            motion = open_jaw_only(motion)
        return motion


def run_official(
    method: WindowMethod, samples: Float[Tensor, "time"], condition: ArtalkCondition, seed: int = 0
) -> Motion:
    """A whole recording as the published command line runs it: its frame count, nothing else
    differs from `Method.run`.
    """
    audio = Audio.mono(samples[None], SAMPLE_RATE)
    exact = WindowMethod(method.engine, "official")
    first, state = exact.step(exact.begin(condition, (seed,)), audio)
    return concatenate([first, exact.finish(state)]).slice(
        0, released_frame_count(samples.shape[-1])
    )


def build(
    config: ArtalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> StreamingMethod | WindowMethod:
    """The method of a configuration from its weights, or with random ones when there are none.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    if config.streaming is not None:
        return StreamingMethod(
            _loaded(StreamingModel(config.streaming), tensors), front_end(config.streaming)
        )
    if config.training is not None:
        return WindowMethod(_training_engine(config.training, tensors))
    assert config.released is not None
    return WindowMethod(ReleasedEngine(packed(_loaded(ReleasedModel(config.released), tensors))))


def packed(model: ReleasedModel) -> ReleasedModel:
    """The model with its large products prepared for running: it can no longer be trained or saved.
    The process keeps freed buffers from here on.
    """
    keep_buffers()
    model.audio_encoder.pack()
    pack_linears(model.codec)
    pack_linears(model.layers)
    return model


def _training_engine(
    config: TrainingConfig, tensors: Mapping[str, Tensor] | None
) -> TrainingEngine:
    """Generator weights and, under `audio_encoder.`, those of the encoder, which the authors keep
    apart.
    """
    prefix = "audio_encoder."
    heard = {
        name.removeprefix(prefix): t
        for name, t in (tensors or {}).items()
        if name.startswith(prefix)
    }
    encoder = None
    if config.audio is not None and (heard or tensors is None):
        encoder = (
            _loaded(Wav2Vec2(**dataclasses.asdict(config.audio)), heard or None)
            .eval()
            .requires_grad_(False)
            .pack()
        )
    own = (
        None
        if tensors is None
        else {name: t for name, t in tensors.items() if not name.startswith(prefix)}
    )
    return TrainingEngine(_loaded(TrainingModel(config), own).requires_grad_(False), encoder)


def _loaded(model: M, tensors: Mapping[str, Tensor] | None) -> M:
    if tensors is not None:
        load_strict(model, tensors)
    return model
