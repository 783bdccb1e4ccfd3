"""The two published generations as engines: how each hears, begins, and says a window behind what
it remembers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from motet.encoders.wav2vec2 import Wav2Vec2, standardise
from motet.errors import ConfigError
from motet.methods.artalk.config import ArtalkCondition
from motet.methods.artalk.published_v1.model import History, ReleasedModel
from motet.methods.artalk.published_v2.model import (
    Conditions,
    TrainingModel,
    guide,
    zero_probability,
)
from motet.methods.artalk.spaces import released_space, training_space
from motet.methods.artalk.style import read_style
from motet.nn.packed import Precision, with_precision
from motet.types import MotionSpace


class Engine(Protocol):
    """One generation: how it hears a window, how a session begins, how a window is said."""

    frames: int
    space: MotionSpace

    def hear(
        self, windows: Float[Tensor, "windows time"], precision: Precision = "float32"
    ) -> Tensor:
        """Audio features of windows; each is heard alone."""
        ...

    def start(self, condition: ArtalkCondition, seeds: Sequence[int]) -> Any:
        """What a session remembers before its first window."""
        ...

    def say(self, memory: Any, audio: Tensor) -> tuple[Float[Tensor, "batch frames dim"], Any]:
        """Motion of the next window, and what is remembered after it."""
        ...


class Encoders:
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


@dataclasses.dataclass(frozen=True)
class ReleasedMemory:
    """What the released generation carries from window to window."""

    style: Float[Tensor, "batch 1 width"]
    codes: Float[Tensor, "batch tokens bits"]
    """Codes of the last window, encoded anew from its motion."""
    history: History


class ReleasedEngine:
    """Generation R: greedy bits; a window is decoded behind the one before it and encoded anew for
    the next.
    """

    def __init__(self, model: ReleasedModel) -> None:
        self.model = model.eval().requires_grad_(False)
        self.encoders = Encoders(model.audio_encoder)
        self.frames = model.config.codec.frames
        self.space = released_space(model.config.codec.motion_dim)
        silence = torch.zeros(1, self.frames, model.config.codec.motion_dim)
        self._first_codes = self._code(
            silence
        )  # motion zero in raw units, as released; a constant of the weights

    def hear(
        self, windows: Float[Tensor, "windows time"], precision: Precision = "float32"
    ) -> Float[Tensor, "windows tokens parts"]:
        """What the sound does to every token, from windows standardised one by one."""
        return self.model.modulations(
            self.model.pool_audio(self.encoders.at(precision)(standardise(windows)))
        )

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
        bits, _ = self.model.generate(memory.style, memory.history, audio)
        motion = self.decode(memory, bits)
        return motion, self.after(memory, motion)

    def decode(self, memory: ReleasedMemory, bits: Tensor) -> Float[Tensor, "batch frames dim"]:
        """Raw motion of a window, decoded behind the window before it; only its own half is carried
        to the end.
        """
        quantizer = self.model.quantizer
        before, now = quantizer.total(
            torch.cat([memory.codes, quantizer.codes_of(bits, memory.codes)])
        ).chunk(2)
        return self.model.codec.decode(torch.cat([before, now], 1), keep=self.frames)

    def after(
        self, memory: ReleasedMemory, motion: Float[Tensor, "batch frames dim"]
    ) -> ReleasedMemory:
        """Memory after a window: its motion encoded anew, the oldest past dropped."""
        codes = self._code(motion)
        tokens = self.model.window_tokens(memory.style, codes)
        past = torch.cat([memory.history.tokens[:, tokens.shape[1] :], tokens], 1)
        return ReleasedMemory(memory.style, codes, self.model.history(past))

    def _code(self, motion: Tensor) -> Tensor:
        return self.model.quantizer.codes_of(self.model.codec.bits(motion), motion)


@dataclasses.dataclass(frozen=True)
class TrainingMemory:
    """What the training generation carries from window to window."""

    style: Float[Tensor, "1 frames bits"]
    """Summed codes of the style clip."""
    past: Float[Tensor, "batch frames dim"]
    """Raw motion of the window before."""
    first: bool
    """In the first window the unconditioned branch has no past; later both branches see it, as
    published."""
    guidance: float
    temperature: float
    top_p: float
    seeds: tuple[int, ...] = (0,)
    window: int = 0


@dataclasses.dataclass(frozen=True)
class Said:
    """A window with the numbers it was drawn from."""

    motion: Float[Tensor, "batch frames dim"]
    bits: Bool[Tensor, "batch tokens bits"]
    scores: Float[Tensor, "batch tokens bits 2"]
    """After temperature and guidance."""
    zero: Float[Tensor, "batch tokens bits"]
    """Chance of bit 0."""


class TrainingEngine:
    """Generation T: bits drawn with guidance against no sound, no style and no past.

    Args:
        model: codec and generator.
        audio_encoder: the frozen encoder that the model was trained with; None when there is no
            sound to hear.
    """

    def __init__(self, model: TrainingModel, audio_encoder: Wav2Vec2 | None) -> None:
        self.model, self.encoders = model.eval(), Encoders(audio_encoder)
        self.frames = model.config.codec.frames
        self.space: MotionSpace = training_space(model.config.codec.motion_dim)

    def hear(
        self, windows: Float[Tensor, "windows time"], precision: Precision = "float32"
    ) -> Float[Tensor, "windows steps audio"]:
        """Features of windows standardised one by one.

        Raises:
            ConfigError: no audio encoder is there.
        """
        return self.encoders.at(precision)(standardise(windows))

    def start(self, condition: ArtalkCondition, seeds: Sequence[int]) -> TrainingMemory:
        """No past; without a style clip the style is zero motion."""
        style = read_style(condition.style, self.space) if condition.style else None
        memory = self.remember(
            style, None, condition.guidance, condition.temperature, condition.top_p
        )
        return dataclasses.replace(
            memory, past=memory.past.expand(len(seeds), -1, -1), seeds=tuple(seeds)
        )

    def remember(
        self,
        style: Tensor | None,
        past: Tensor | None,
        guidance: float = 2.0,
        temperature: float = 1.0,
        top_p: float = 0.97,
    ) -> TrainingMemory:
        """Memory before the first window, from raw motion of style (a multiple of a window) and
        past.
        """
        silence = torch.zeros(1, self.frames, self.model.config.codec.motion_dim)
        if style is not None and style.shape[1] != self.frames:
            raise ConfigError(
                f"a style clip must have {self.frames} frames here, this has {style.shape[1]};"
                " cut it"
            )
        code = self.model.clip_code(silence if style is None else style)
        return TrainingMemory(
            code, silence if past is None else past, True, guidance, temperature, top_p
        )

    def draw(
        self,
        memory: TrainingMemory,
        audio: Float[Tensor, "batch steps audio"],
        uniforms: Float[Tensor, "batch tokens bits"],
    ) -> Said:
        """A window from given uniforms: a bit is 1 where its uniform is not below the chance of
        0.
        """
        zeros: list[Tensor] = []
        guided: list[Tensor] = []

        def choose(scores: Tensor, own: slice) -> Tensor:
            guided.append(guide(scores, memory.temperature, memory.guidance))
            zeros.append(zero_probability(guided[-1], memory.top_p))
            bits = uniforms[:, own] >= zeros[-1]
            return bits.repeat(2, 1, 1) if memory.guidance > 1 else bits

        bits, _ = self.model.generate(self._conditions(memory, audio), choose)
        bits = bits[: len(audio)]
        codes = self.model.quantizer.codes_of(bits, audio)
        motion = self.model.codec.decode(self.model.quantizer.total(codes))
        return Said(motion, bits, torch.cat(guided, 1), torch.cat(zeros, 1))

    def say(self, memory: TrainingMemory, audio: Tensor) -> tuple[Tensor, TrainingMemory]:
        """A window by the items' own seeds; drawing depends on seed and window alone."""
        shape = (self.model.config.codec.tokens, self.model.config.codec.bits)
        draws = [
            torch.rand(
                shape, generator=torch.Generator().manual_seed(seed * 1_000_003 + memory.window)
            )
            for seed in memory.seeds
        ]
        said = self.draw(memory, audio, torch.stack(draws))
        return said.motion, dataclasses.replace(
            memory, past=said.motion, first=False, window=memory.window + 1
        )

    def _conditions(self, memory: TrainingMemory, audio: Tensor) -> Conditions:
        past, style = self.model.clip_code(memory.past), memory.style.expand(len(audio), -1, -1)
        if memory.guidance <= 1:
            return Conditions(style, past, audio)
        nothing = self.model.clip_code(torch.zeros_like(memory.past[:1])).expand(len(audio), -1, -1)
        return Conditions(
            torch.cat([style, nothing]),
            torch.cat([past, nothing if memory.first else past]),
            torch.cat([audio, torch.zeros_like(audio)]),
        )
