"""Sliding-window diffusion sampling: windows of fixed length, each drawn from noise of its item's
own seed, in the context of the window before.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.diffusion.sample import Noise, seeded_noise
from motet.encoders.base import AudioEncoder, MouthEncoder, Waveform, load_encoder
from motet.encoders.lips import load_lip_encoder
from motet.encoders.phonetic import heads
from motet.encoders.phonetic.encoder import load_phonetic
from motet.encoders.with_mouth import WithMouth
from motet.errors import CheckpointError, ConfigError
from motet.face.head import ContinueHead, ScaleHead
from motet.face.lip_aperture import BlendAperture
from motet.face.lip_closure import STEPS_BEFORE, EnforceClosures
from motet.face.mouth_blend import BlendMouth
from motet.face.mouth_style import NEUTRAL, MouthStyle
from motet.face.operator import Operator, OperatorChain
from motet.face.speech_cues import speech_cues
from motet.methods.diffposetalk.config import DiffPoseTalkCondition, DiffPoseTalkConfig
from motet.methods.diffposetalk.model import DiffPoseTalkModel, standardise
from motet.methods.diffposetalk.style_input import encode_style, read_mouth_style, read_person
from motet.methods.diffposetalk.windows import (
    Past,
    Person,
    Randomness,
    SamplingConfig,
    encode_recording,
    first_past,
    indicator,
    next_past,
    published_frames,
    sample_recording,
    sample_window,
    sampling_config,
)
from motet.nn.device import on_device
from motet.phonetics.phone_source import phone_options
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.types import Motion
from motet.words import has_words

SAMPLE_RATE = 16000
STEPS_PER_FRAME = 2
LOOK_AHEAD_S, HOP_S = 0.3, 0.16
"""Of the stream whose mouth shapes are blended with the model's."""
CONTEXT_BEFORE, CONTEXT_AFTER = STEPS_BEFORE + heads.STEPS_BEFORE, heads.STEPS_AFTER
"""House space: context in features of a window's lip aperture and closure heads."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DiffPoseTalkState(StreamState):
    """A session."""

    person: Person
    sampling: SamplingConfig
    condition: DiffPoseTalkCondition
    mouth_style: MouthStyle
    past: Past
    chain: tuple[Any, ...]
    """States of the post-processing operators."""


class DiffPoseTalk(MotionMethod[DiffPoseTalkConfig, DiffPoseTalkCondition, DiffPoseTalkState]):
    """Diffusion transformer with classifier-free guidance on audio and style.

    Streams in windows with the features of a streaming encoder; a model that carries its own audio
    encoder (HuBERT, wav2vec 2.0) needs the whole recording.

    Args:
        model: weights.
        encoder: the audio encoder the model was trained on; None for a model with its own.
        styles: named style vectors.
    """

    level_looks_ahead = True

    def __init__(
        self,
        model: DiffPoseTalkModel,
        encoder: AudioEncoder[Any] | None,
        styles: Mapping[str, Sequence[float]] | None = None,
    ) -> None:
        self.model = model.eval().requires_grad_(False)
        self.config, self.space = model.config, model.coefficients.space
        self.encoder = encoder or Waveform(SAMPLE_RATE)
        self._stream = self.encoder
        if isinstance(encoder, WithMouth):
            self._stream = encoder.streaming(LOOK_AHEAD_S, HOP_S)
        self.styles = dict(styles or {})
        if encoder is None:
            self.whole_recording = "its audio encoder normalises over the whole recording"
        self._in_house_space = self.config.space == "arkit" and encoder is not None

    @torch.inference_mode()
    def begin(self, condition: DiffPoseTalkCondition, seeds: Sequence[int]) -> DiffPoseTalkState:
        """A session before its first audio.

        Raises:
            ConfigError: steps, style or guidance that this model cannot fulfil.
            AssetError: a style or shape file that cannot be used.
        """
        batch = len(seeds)
        with on_device(self.device):
            person = read_person(condition, self.model, self.styles, batch)
            past = first_past(self.model, batch)
            mouth_style = NEUTRAL
            if self._in_house_space:
                mouth_style = read_mouth_style(condition, self.model)
        return DiffPoseTalkState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(self._encoder(condition), batch),
            person=person,
            sampling=sampling_config(condition, self.model, person),
            condition=condition,
            mouth_style=mouth_style,
            past=past,
            chain=self._chain(condition, mouth_style).begin(batch),
        )

    def encoder_of(self, state: DiffPoseTalkState) -> AudioEncoder[Any]:
        """The encoder of the session's mode."""
        return self._encoder(state.condition)

    def _encoder(self, condition: DiffPoseTalkCondition) -> AudioEncoder[Any]:
        """Its mouth shapes are those of the whole recording, with words or without, or of a
        stream.
        """
        if has_words(condition):
            assert isinstance(self.encoder, WithMouth)
            return self.encoder.with_words(phone_options(condition))
        return self._stream if condition.mode == "stream" else self.encoder

    @torch.inference_mode()
    def style_vector(self, motion: Motion) -> Float[Tensor, " width"]:
        """The style encoder's vector of a clip.

        Raises:
            ConfigError: this model came without a style encoder.
        """
        if self.model.style_encoder is None:
            raise ConfigError("this model has no style encoder; import it together with one")
        return encode_style(self.model, motion.values)[0]

    def window_ready(self, state: DiffPoseTalkState) -> bool:
        """Whether the next window and what its cues look ahead are known."""
        cues = state.condition.opening or state.condition.closures
        # The heads of lip aperture and closures look a little beyond the window.
        ahead = CONTEXT_AFTER if self._in_house_space and cues else 0
        frames = state.frames_generated + self.config.denoiser.window
        known = state.stream.features.stop
        # two feature steps a frame
        return not self.whole_recording and STEPS_PER_FRAME * frames + ahead <= known

    def generate_window(
        self, state: DiffPoseTalkState
    ) -> tuple[Float[Tensor, "batch frames dim"], DiffPoseTalkState]:
        """The next window; the whole recording for a model with its own audio encoder."""
        if self.whole_recording:
            return self.model.coefficients.motion(self._recording(state)), state
        window, model = self.config.denoiser.window, self.model
        start = STEPS_PER_FRAME * state.frames_generated
        # (batch, 2 * window, channels); zeros after the end
        features = state.stream.features.window(start, start + STEPS_PER_FRAME * window)
        features = features[..., : self.config.audio_dim]
        # (batch, window, width)
        audio, noise = model.map_features(features), self._randomness(state)
        number = state.frames_generated // window  # index of this window, which picks its noise
        motion = sample_window(
            model,
            audio,
            state.person,
            state.past,
            state.sampling,
            noise.start(number),
            noise.moves(number),
            indicator(state.batch, window, state.frames_left(window)),
        )
        past = next_past(model, motion, audio)
        return model.coefficients.motion(motion), dataclasses.replace(state, past=past)

    def postprocess(
        self, frames: Tensor, state: DiffPoseTalkState
    ) -> tuple[Tensor, DiffPoseTalkState]:
        """House space: scale and continuity of the head, lip aperture, lip closures."""
        if not self._in_house_space:
            return frames, state
        start = STEPS_PER_FRAME * state.frames_generated
        stop = start + STEPS_PER_FRAME * frames.shape[1]
        # (batch, steps, channels)
        known = state.stream.features.known(start - CONTEXT_BEFORE, stop + CONTEXT_AFTER)
        condition = state.condition
        cues = speech_cues(
            self.encoder_of(state),
            known,
            min(start, CONTEXT_BEFORE),
            frames.shape[1],
            opening=condition.opening > 0,
            closures=condition.closures,
        )
        frames, chain = self._chain(condition, state.mouth_style).step(frames, state.chain, cues)
        return frames, dataclasses.replace(state, chain=chain)

    def first_needed(self, state: DiffPoseTalkState) -> int:
        """First feature of the next window's cues."""
        if self.whole_recording:
            return 0
        return STEPS_PER_FRAME * state.frames_generated - CONTEXT_BEFORE

    def end(self, state: DiffPoseTalkState) -> DiffPoseTalkState:
        """The end of the audio. The rest of the last window is zeros, not encoded silence: the
        indicator marks it as padding.
        """
        state = super().end(state)
        if self.whole_recording or state.frames_total is None:
            return state
        # Cut or padded to exactly two steps a frame.
        features = state.stream.features.resized(STEPS_PER_FRAME * state.frames_total)
        stream = dataclasses.replace(state.stream, features=features)
        return dataclasses.replace(state, stream=stream)

    def _chain(self, condition: DiffPoseTalkCondition, style: MouthStyle) -> OperatorChain:
        if not self._in_house_space:
            return OperatorChain(())
        head = self.space.range("head")
        operators: list[Operator[Any]] = [ScaleHead(head, condition.head), ContinueHead(head)]
        if condition.opening:
            if isinstance(self.encoder, MouthEncoder):
                operators.append(BlendMouth(condition.opening, style))
            else:
                operators.append(BlendAperture(condition.opening))
        if condition.closures:
            operators.append(EnforceClosures())
        return OperatorChain(operators)

    def _recording(self, state: DiffPoseTalkState) -> Float[Tensor, "batch frames dim"]:
        frames, buffer = state.frames_left(state.stream.samples_received), state.stream.features
        samples = buffer.known(0, buffer.stop)
        if samples.shape[1] < 2:  # a deviation needs two samples
            samples = samples.repeat(1, 2)
        # The published program rounds the number of frames down, which also decides what its
        # windows see; where one more is due, the last is held.
        whole = min(frames, max(1, published_frames(samples.shape[1], self.config.fps)))
        # Takes of one recording are encoded once.
        same = bool((samples == samples[:1]).all())
        features = encode_recording(
            self.model,
            standardise(samples[:1] if same else samples),
            whole,
            each_window=state.condition.encode_windows,
        ).expand(state.batch, -1, -1)
        motion = sample_recording(
            self.model,
            features,
            whole,
            state.person,
            state.sampling,
            self._randomness(state),
        )
        return torch.cat([motion, motion[:, -1:].expand(-1, frames - whole, -1)], 1)

    def _randomness(self, state: DiffPoseTalkState) -> Randomness:
        shape, fresh = (self.config.denoiser.window, self.config.motion_dim), state.condition.fresh

        def start(window: int) -> Tensor:
            return seeded_noise(state.seeds, shape, stream=window * 2 if fresh else 0)(0)

        def moves(window: int) -> Noise:
            # Odd streams are fresh noise, even ones start noise: they never share numbers.
            return seeded_noise(state.seeds, shape, stream=window * 2 + 1)

        return Randomness(start, moves)


def build(
    config: DiffPoseTalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> DiffPoseTalk:
    """The method from weights, or with random ones when there are none.

    Args:
        facts: of the checkpoint; `styles` in it are named style vectors.

    Raises:
        CheckpointError: weights that do not fit, or FLAME weights without normalisation
            statistics.
    """
    model = DiffPoseTalkModel(config)
    if tensors is not None:
        load_strict(model, tensors)
        if config.space == "flame" and not float(model.coefficients.known):
            raise CheckpointError(
                "these weights came without statistics, so their motion has no scale; import them"
                " with the stats_train.npz of their data: motet weights import"
                " DENOISER.pt STYLE.pt stats_train.npz -m diffposetalk -o OUT"
            )
    model.denoising_net.pack()
    if model.audio_encoder is not None:
        model.audio_encoder.pack()
    encoder: AudioEncoder[Any] | None = None
    if config.front == "phonetic":
        encoder = WithMouth(load_phonetic(), load_lip_encoder(None, 0))
    elif config.front == "bands":
        encoder = load_encoder(config.front, dim=config.audio_dim)
    return DiffPoseTalk(model, encoder, facts.get("styles"))
