"""Sessions of the two published generations: windows of four seconds, one after the other, with explicit state."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from motet.checkpoint import load_strict
from motet.encoders.wav2vec2 import standardise
from motet.method import Method
from motet.methods.artalk.config import ArtalkCondition, ArtalkConfig
from motet.methods.artalk.postprocess import CausalSmoother, hold_head, open_jaw_only
from motet.methods.artalk.released import History, ReleasedModel
from motet.methods.artalk.spaces import FPS, SAMPLE_RATE, released_space
from motet.methods.artalk.streaming import StreamingMethod, front_end
from motet.methods.artalk.streaming_model import StreamingModel
from motet.methods.artalk.style import read_style
from motet.types import Audio, Motion, MotionSpace, concatenate, frame_count

M = TypeVar("M", bound=nn.Module)
WINDOWS_AT_ONCE = 4
"""Audio windows that are encoded as one batch when a whole recording is there."""


def released_frame_count(samples: int) -> int:
    """Frames the published inference code gives: ceil(samples / 16000 * 25.0) in double precision, which now and then is one too many."""
    return math.ceil(samples / SAMPLE_RATE * FPS)


def training_frame_count(samples: int) -> int:
    """Frames the published training code gives: one for each 640 samples begun."""
    return -(-samples // 640)


class Engine(Protocol):
    """One generation: how it hears a window, how a session begins, how a window is said."""

    frames: int
    space: MotionSpace

    def hear(self, windows: Float[Tensor, "windows time"]) -> Tensor:
        """Audio features of windows; each is heard alone."""
        ...

    def start(self, condition: ArtalkCondition, seeds: Sequence[int]) -> Any:
        """What a session remembers before its first window."""
        ...

    def say(self, memory: Any, audio: Tensor) -> tuple[Float[Tensor, "batch frames dim"], Any]:
        """Motion of the next window, and what is remembered after it."""
        ...


@dataclasses.dataclass(frozen=True)
class ReleasedMemory:
    """What the released generation carries from window to window."""

    style: Float[Tensor, "batch 1 width"]
    codes: Float[Tensor, "batch tokens bits"]
    """Codes of the last window, encoded anew from its motion."""
    history: History


class ReleasedEngine:
    """Generation R: greedy bits; a window is decoded behind the one before it and encoded anew for the next."""

    def __init__(self, model: ReleasedModel) -> None:
        self.model = model.eval().requires_grad_(False)
        self.frames = model.config.codec.frames
        self.space = released_space(model.config.codec.motion_dim)
        silence = torch.zeros(1, self.frames, model.config.codec.motion_dim)
        self._first_codes = self._code(silence)  # motion zero in raw units, as released; a constant of the weights

    def hear(self, windows: Float[Tensor, "windows time"]) -> Float[Tensor, "windows tokens audio"]:
        """Audio of every token, from windows standardised one by one."""
        return self.model.pool_audio(self.model.audio_encoder(standardise(windows)))

    def start(self, condition: ArtalkCondition, seeds: Sequence[int]) -> ReleasedMemory:
        """The first window's past is the code of zero motion."""
        style = read_style(condition.style, self.space) if condition.style else None
        return self.remember(self.model.style_token(style, 1), len(seeds))

    def remember(self, style: Float[Tensor, "1 1 width"], batch: int = 1) -> ReleasedMemory:
        """Memory at the start of a session with this style token."""
        codes = self._first_codes.expand(batch, -1, -1)
        style = style.expand(batch, -1, -1)
        past = self.model.window_tokens(style, codes).repeat(1, self.model.config.history, 1)
        return ReleasedMemory(style, codes, self.model.history(past))

    def say(self, memory: ReleasedMemory, audio: Tensor) -> tuple[Tensor, ReleasedMemory]:
        """Bits of the window, motion behind the window before, and the new past."""
        model = self.model
        bits, _ = model.generate(memory.style, memory.history, audio)
        codes = torch.cat([memory.codes, model.quantizer.codes_of(bits, memory.codes)])
        before, now = model.quantizer.total(codes).chunk(2)
        motion = model.codec.decode(torch.cat([before, now], 1), keep=self.frames)
        codes = self._code(motion)
        tokens = model.window_tokens(memory.style, codes)
        past = torch.cat([memory.history.tokens[:, tokens.shape[1] :], tokens], 1)
        return motion, ReleasedMemory(memory.style, codes, model.history(past))

    def _code(self, motion: Tensor) -> Tensor:
        return self.model.quantizer.codes_of(self.model.codec.bits(motion), motion)


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


class WindowMethod(Method[WindowState]):
    """Sound in windows of fixed length; answers come a whole window at a time.

    Args:
        engine: the generation.
        frame_rule: `house` answers round(seconds * fps) frames; `official` what the published streaming code answers.
    """

    def __init__(self, engine: Engine, frame_rule: Literal["house", "official"] = "house") -> None:
        self.engine, self.space, self.frame_rule = engine, engine.space, frame_rule
        self.samples = engine.frames * round(SAMPLE_RATE / FPS)

    @torch.inference_mode()
    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> WindowState:
        """A session before its first sound."""
        smoothers = ()
        if condition.smooth:
            empty = torch.zeros(0, self.space.dim)
            smoothers = tuple(CausalSmoother(self.space.range("head"), empty) for _ in seeds)
        return WindowState(condition, self.engine.start(condition, seeds), torch.zeros(len(seeds), 0), smoothers)

    @torch.inference_mode()
    def step(self, state: WindowState, audio: Audio) -> tuple[Motion, WindowState]:
        """Every window that is now complete."""
        audio.expect(SAMPLE_RATE, "mono")
        state = dataclasses.replace(state, waiting=torch.cat([state.waiting, audio.samples[:, 0].float()], 1), heard=state.heard + audio.samples.shape[-1])
        pieces = []
        while state.waiting.shape[1] >= self.samples:
            count = min(state.waiting.shape[1] // self.samples, WINDOWS_AT_ONCE)
            used = count * self.samples
            windows = state.waiting[:, :used].unflatten(1, (count, self.samples))
            motion, memory = self._say(state.memory, windows)
            state = dataclasses.replace(state, memory=memory, waiting=state.waiting[:, used:], given=state.given + motion.shape[1])
            motion, state = self._smooth(motion, state)
            pieces.append(motion)
        return self._answer(torch.cat(pieces, 1) if pieces else torch.zeros(len(state.waiting), 0, self.space.dim), state.condition), state

    @torch.inference_mode()
    def finish(self, state: WindowState) -> Motion:
        """The last window, filled up with silence, cut to the frames of the sound."""
        rest = state.waiting.shape[1]
        missing = self._missing(state, rest)
        motion = torch.zeros(len(state.waiting), 0, self.space.dim)
        if missing and rest:
            window = torch.nn.functional.pad(state.waiting, (0, self.samples - rest)).unsqueeze(1)
            motion = self._say(state.memory, window)[0][:, :missing]
        motion, state = self._smooth(motion, state)
        if state.smoothers:
            motion = torch.cat([motion, torch.stack([smoother.finish() for smoother in state.smoothers])], 1)
        return self._answer(motion, state.condition)

    def _missing(self, state: WindowState, rest: int) -> int:
        if self.frame_rule == "official":
            return released_frame_count(rest)
        return max(0, frame_count(state.heard / SAMPLE_RATE, FPS) - state.given) if state.heard else 0

    def _say(self, memory: Any, windows: Float[Tensor, "batch windows time"]) -> tuple[Tensor, Any]:
        heard = self.engine.hear(windows.flatten(0, 1)).unflatten(0, windows.shape[:2])
        pieces = []
        for window in range(windows.shape[1]):
            motion, memory = self.engine.say(memory, heard[:, window])
            pieces.append(motion)
        return torch.cat(pieces, 1), memory

    def _smooth(self, motion: Tensor, state: WindowState) -> tuple[Tensor, WindowState]:
        if not state.smoothers:
            return motion, state
        pairs = [smoother.push(item) for smoother, item in zip(state.smoothers, motion, strict=True)]
        return torch.stack([pair[0] for pair in pairs]), dataclasses.replace(state, smoothers=tuple(pair[1] for pair in pairs))

    def _answer(self, values: Tensor, condition: ArtalkCondition) -> Motion:
        motion = Motion(values.clone(), self.space)
        if condition.fix_pose:
            motion = hold_head(motion)
        if condition.jaw_only_opens and self.space.track("jaw").size == 3:
            motion = open_jaw_only(motion)
        return motion


def run_official(method: WindowMethod, samples: Float[Tensor, "time"], condition: ArtalkCondition, seed: int = 0) -> Motion:
    """A whole recording as the published command line runs it: its frame count, nothing else differs from `Method.run`."""
    audio = Audio.mono(samples[None], SAMPLE_RATE)
    exact = WindowMethod(method.engine, "official")
    first, state = exact.step(exact.begin(condition, (seed,)), audio)
    return concatenate([first, exact.finish(state)]).slice(0, released_frame_count(samples.shape[-1]))


def build(config: ArtalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]) -> Method[Any]:
    """The method of a configuration from its weights, or with random ones when there are none.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    if config.streaming is not None:
        return StreamingMethod(_loaded(StreamingModel(config.streaming), tensors), front_end(config.streaming))
    assert config.released is not None
    return WindowMethod(ReleasedEngine(_loaded(ReleasedModel(config.released), tensors)))


def _loaded(model: M, tensors: Mapping[str, Tensor] | None) -> M:
    if tensors is not None:
        load_strict(model, tensors)
    return model
