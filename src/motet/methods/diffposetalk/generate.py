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

from motet.encoders.base import AudioEncoder, Waveform
from motet.errors import ConfigError
from motet.face.mouth_style import NEUTRAL, MouthStyle
from motet.face.operator import OperatorChain
from motet.methods.diffposetalk.audio_encoder import audio_encoder, streaming_form, with_words
from motet.methods.diffposetalk.config import DiffPoseTalkCondition, DiffPoseTalkConfig
from motet.methods.diffposetalk.model import DiffPoseTalkModel, load_model
from motet.methods.diffposetalk.postprocess import (
    CONTEXT_AFTER,
    CONTEXT_BEFORE,
    STEPS_PER_FRAME,
    face_chain,
    window_cues,
)
from motet.methods.diffposetalk.recording import SAMPLE_RATE, generate_recording
from motet.methods.diffposetalk.sampling_config import SamplingConfig, sampling_config
from motet.methods.diffposetalk.style_input import encode_style, read_mouth_style, read_person
from motet.methods.diffposetalk.windows import (
    Past,
    Person,
    Randomness,
    first_past,
    indicator,
    next_past,
    sample_window,
    session_noise,
)
from motet.nn.device import on_device
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.types import Motion
from motet.words import has_words


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
        # A model with its own audio encoder gets the samples themselves as features.
        self.encoder = encoder or Waveform(SAMPLE_RATE)
        self._stream = streaming_form(self.encoder)
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
            sampling=sampling_config(condition, self.model, person.style is not None),
            condition=condition,
            mouth_style=mouth_style,
            past=past,
            chain=self._chain(condition, mouth_style).begin(batch),
        )

    def encoder_of(self, state: DiffPoseTalkState) -> AudioEncoder[Any]:
        """The encoder of the session's mode: its mouth shapes are those of the whole recording,
        with words or without, or of a stream.
        """
        return self._encoder(state.condition)

    def _encoder(self, condition: DiffPoseTalkCondition) -> AudioEncoder[Any]:
        if has_words(condition):
            return with_words(self.encoder, condition)
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
        cues = window_cues(
            state.condition,
            self.encoder_of(state),
            state.stream.features,
            state.frames_generated,
            frames.shape[1],
        )
        chain = self._chain(state.condition, state.mouth_style)
        frames, after = chain.step(frames, state.chain, cues)
        return frames, dataclasses.replace(state, chain=after)

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
        return face_chain(condition, self.encoder, style, self.space.range("head"))

    def _recording(self, state: DiffPoseTalkState) -> Float[Tensor, "batch frames dim"]:
        """The model's vectors of all frames, once the recording has ended."""
        buffer = state.stream.features  # of a model with its own audio encoder: samples
        return generate_recording(
            self.model,
            buffer.known(0, buffer.stop),
            state.frames_left(state.stream.samples_received),
            state.person,
            state.sampling,
            self._randomness(state),
            each_window=state.condition.encode_windows,
        )

    def _randomness(self, state: DiffPoseTalkState) -> Randomness:
        shape = (self.config.denoiser.window, self.config.motion_dim)
        return session_noise(state.seeds, shape, fresh=state.condition.fresh)


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
    return DiffPoseTalk(load_model(config, tensors), audio_encoder(config), facts.get("styles"))
