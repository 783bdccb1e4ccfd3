"""Windows of the model of the published training code (generation T): bits drawn with guidance
against no sound, no style and no past.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.encoders.wav2vec2 import Wav2Vec2, standardise
from motet.errors import ConfigError
from motet.methods.artalk.config import ArtalkCondition, TrainingConfig
from motet.methods.artalk.published_method import EncoderPrecisions, PublishedMethod
from motet.methods.artalk.published_v2.model import (
    Conditions,
    TrainingModel,
    guide,
    zero_probability,
)
from motet.methods.artalk.spaces import training_space
from motet.methods.artalk.style import read_style
from motet.nn.packed import Precision
from motet.nn.seeded import uniform_rows
from motet.types import MotionSpace

ENCODER_PREFIX = "audio_encoder."
"""Under it a checkpoint keeps the audio encoder, which the authors keep apart."""


@dataclasses.dataclass(frozen=True)
class TrainingHistory:
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
class SampledWindow:
    """A window with the numbers it was drawn from."""

    motion: Float[Tensor, "batch frames dim"]
    bits: Bool[Tensor, "batch tokens bits"]
    scores: Float[Tensor, "batch tokens bits 2"]
    """After temperature and guidance."""
    zero: Float[Tensor, "batch tokens bits"]
    """Probability of bit 0."""


class TrainingGenerator:
    """Generation T.

    Args:
        model: codec and generator.
        audio_encoder: the frozen encoder that the model was trained with; None when the weights
            came without one.
    """

    def __init__(self, model: TrainingModel, audio_encoder: Wav2Vec2 | None) -> None:
        self.model, self.config = model.eval(), model.config
        self.encoders = EncoderPrecisions(audio_encoder)
        self.frames = model.config.codec.frames
        self.space: MotionSpace = training_space(model.config.codec.motion_dim)

    def encode_audio(
        self, windows: Float[Tensor, "windows time"], precision: Precision = "float32"
    ) -> Float[Tensor, "windows steps audio"]:
        """Features of windows standardised one by one.

        Raises:
            ConfigError: no audio encoder is there.
        """
        return self.encoders.at(precision)(standardise(windows))

    def begin(self, condition: ArtalkCondition, seeds: Sequence[int]) -> TrainingHistory:
        """No past; without a style clip the style is zero motion."""
        style = read_style(condition.style, self.space) if condition.style else None
        history = self.begin_with(
            style, None, condition.guidance_audio, condition.temperature, condition.top_p
        )
        past = history.past.expand(len(seeds), -1, -1)
        return dataclasses.replace(history, past=past, seeds=tuple(seeds))

    def begin_with(
        self,
        style: Tensor | None,
        past: Tensor | None,
        guidance: float = 2.0,
        temperature: float = 1.0,
        top_p: float = 0.97,
    ) -> TrainingHistory:
        """The history before the first window, from raw motion of style (one window) and past.

        Raises:
            ConfigError: a style clip of another length.
        """
        silence = torch.zeros(1, self.frames, self.model.config.codec.motion_dim)
        if style is not None and style.shape[1] != self.frames:
            raise ConfigError(
                f"a style clip must have {self.frames} frames here, this has {style.shape[1]};"
                " cut it"
            )
        code = self.model.clip_code(silence if style is None else style)
        past = silence if past is None else past
        return TrainingHistory(code, past, True, guidance, temperature, top_p)

    def sample(
        self,
        history: TrainingHistory,
        audio: Float[Tensor, "batch steps audio"],
        uniforms: Float[Tensor, "batch tokens bits"],
    ) -> SampledWindow:
        """A window from uniform random numbers: a bit is 1 where its uniform is not below the
        probability of 0.
        """
        zeros: list[Tensor] = []
        guided: list[Tensor] = []

        def choose(scores: Tensor, own: slice) -> Tensor:
            guided.append(guide(scores, history.temperature, history.guidance))
            zeros.append(zero_probability(guided[-1], history.top_p))
            bits = uniforms[:, own] >= zeros[-1]  # (batch, patch, bits)
            # Both branches of guidance go on from the same bits.
            return bits.repeat(2, 1, 1) if history.guidance > 1 else bits

        bits, _ = self.model.generate(self._conditions(history, audio), choose)
        bits = bits[: len(audio)]
        codes = self.model.quantizer.codes_of(bits, audio)
        motion = self.model.codec.decode(self.model.quantizer.total(codes))
        return SampledWindow(motion, bits, torch.cat(guided, 1), torch.cat(zeros, 1))

    def generate_window(
        self, history: TrainingHistory, audio: Float[Tensor, "batch steps audio"]
    ) -> tuple[Float[Tensor, "batch frames dim"], TrainingHistory]:
        """A window by the items' own seeds; drawing depends on seed and window alone."""
        shape = (self.model.config.codec.tokens, self.model.config.codec.bits)
        # Seed and window as one number: windows of one seed do not repeat.
        seeds = [seed * 1_000_003 + history.window for seed in history.seeds]
        motion = self.sample(history, audio, uniform_rows(seeds, shape)).motion
        return motion, self.update_history(history, motion)

    def update_history(
        self, history: TrainingHistory, motion: Float[Tensor, "batch frames dim"]
    ) -> TrainingHistory:
        """The history after a window."""
        return dataclasses.replace(history, past=motion, first=False, window=history.window + 1)

    def _conditions(self, history: TrainingHistory, audio: Tensor) -> Conditions:
        past, style = self.model.clip_code(history.past), history.style.expand(len(audio), -1, -1)
        if history.guidance <= 1:
            return Conditions(style, past, audio)
        nothing = self.model.clip_code(torch.zeros_like(history.past[:1]))
        nothing = nothing.expand(len(audio), -1, -1)
        return Conditions(
            torch.cat([style, nothing]),
            # Conditioned branch first, then the one without style, audio and (in the first window)
            # past.
            torch.cat([past, nothing if history.first else past]),
            torch.cat([audio, torch.zeros_like(audio)]),
        )


def build_training(config: TrainingConfig, tensors: Mapping[str, Tensor] | None) -> PublishedMethod:
    """The method from weights, or with random ones when there are none.

    Raises:
        CheckpointError: the tensors do not fit.
    """
    model, encoder = TrainingModel(config), None
    audio = {
        name.removeprefix(ENCODER_PREFIX): tensor
        for name, tensor in (tensors or {}).items()
        if name.startswith(ENCODER_PREFIX)
    }
    if tensors is not None:
        names = [name for name in tensors if not name.startswith(ENCODER_PREFIX)]
        load_strict(model, {name: tensors[name] for name in names})
    if config.audio is not None and (audio or tensors is None):
        encoder = Wav2Vec2(**dataclasses.asdict(config.audio))
        if audio:
            load_strict(encoder, audio)
        encoder = encoder.eval().requires_grad_(False).pack()
    return PublishedMethod(TrainingGenerator(model.requires_grad_(False), encoder))
