"""Key motions first, then every frame between them. Phone timing needs the whole recording.

samples -> phones -> key frames --+
features ------------------------ +-> motion at the keys -> every frame -> post-processing
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.encoders.base import AudioEncoder, Waveform, load_encoder
from motet.encoders.lips import load_lip_encoder
from motet.encoders.phonetic.encoder import load_phonetic
from motet.encoders.with_mouth import WithMouth
from motet.errors import ConfigError
from motet.face.mouth_blend import blend_mouth
from motet.face.operator import FaceCues
from motet.face.speech_cues import speech_cues
from motet.methods.kmtalk.config import KMTalkCondition, KMTalkConfig
from motet.methods.kmtalk.key_batch import KeyRule, batch_keys, shifted
from motet.methods.kmtalk.key_edits import KeyEdits
from motet.methods.kmtalk.key_file import read_keys
from motet.methods.kmtalk.key_take import KeyTake, write_take
from motet.methods.kmtalk.key_timing import Keys
from motet.methods.kmtalk.model import KMTalkModel
from motet.methods.kmtalk.postprocess import channel_scale, face_chain, face_cues, mesh_chain
from motet.methods.kmtalk.recording_phones import batch_phones
from motet.methods.kmtalk.spaces import read_template, space_of
from motet.nn.device import CPU, on_device
from motet.phonetics.phone_source import SAMPLE_RATE, WORDS, Phones
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.streaming.window_buffer import WindowBuffer
from motet.types import Audio


@dataclasses.dataclass(frozen=True, kw_only=True)
class KMTalkState(StreamState):
    """A session: everything received so far."""

    condition: KMTalkCondition
    samples: WindowBuffer
    phones: tuple[Phones, ...] = ()
    """Of each item, once the audio has ended."""


class KMTalk(MotionMethod[KMTalkConfig, KMTalkCondition, KMTalkState]):
    """Key-motion regression at phone boundaries, then cross-modal completion of the frames between.

    Args:
        model: weights.
        encoder: the audio encoder the model was trained on; None for a model with its own.
    """

    level_looks_ahead = True

    def __init__(self, model: KMTalkModel, encoder: AudioEncoder[Any] | None) -> None:
        self.model, self.config = model.eval().requires_grad_(False), model.config
        self.encoder = encoder or Waveform(SAMPLE_RATE)
        self.space = space_of(model.config)
        self._in_house_space = self.space.name == "arkit"

    @torch.inference_mode()
    def begin(self, condition: KMTalkCondition, seeds: Sequence[int]) -> KMTalkState:
        """A session before its first audio. Nothing is random: seeds only count the items."""
        return KMTalkState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(self.encoder, len(seeds)),
            condition=condition,
            samples=WindowBuffer.empty(len(seeds)),
        )

    def receive(self, state: KMTalkState, samples: Float[Tensor, "batch time"]) -> KMTalkState:
        """Features and samples; phones are recognised in the samples."""
        state = super().receive(state, samples)
        return dataclasses.replace(state, samples=state.samples.append(samples))

    def window_ready(self, state: KMTalkState) -> bool:
        """Never: the whole recording is needed."""
        return False

    def generate_window(
        self, state: KMTalkState
    ) -> tuple[Float[Tensor, "batch frames dim"], KMTalkState]:
        """All frames, before post-processing, and the phones in the state."""
        condition, frames = state.condition, self._frames(state)
        features = self._features(state, frames)
        with on_device(CPU):
            # Alignment and key times are bookkeeping of small arrays: they stay on the CPU.
            phones = self._phones(state, features.to(CPU))
            edits = self._edits(condition, frames)
        shift = condition.shift / self.space.fps  # frames to seconds
        spans = [shifted(item.spans, shift) for item in phones]  # of each item of the batch
        keys = batch_keys(spans, self._rule(frames, condition), edits)
        values = self._decode(features, keys, edits, condition)
        return values, dataclasses.replace(state, phones=tuple(phones))

    def postprocess(self, frames: Tensor, state: KMTalkState) -> tuple[Tensor, KMTalkState]:
        """The house space's chain; meshes get their template."""
        condition, count = state.condition, frames.shape[1]
        edits = self._edits(condition, count)
        if not self._in_house_space:
            frames = mesh_chain(condition, edits).apply(frames, FaceCues())
            return frames + read_template(condition.template, self.space), state
        samples = state.samples.known(0, state.samples.stop)
        cues = face_cues(
            state.phones, samples, count, self.space.fps, self._acoustic(state, count, state.phones)
        )
        frames = face_chain(condition, self.space, edits).apply(frames, cues)
        return frames, state

    @torch.inference_mode()
    def key_take(self, audio: Audio, condition: KMTalkCondition) -> KeyTake:
        """The key motions of one recording (1 channels time) before completion.

        Raises:
            ConfigError: a baseline without keys has none.
        """
        if self.model.keys is None:
            raise ConfigError("this model is a baseline; it has no key motions")
        _, state = self.step(self.begin(condition, (0,)), audio)  # nothing is random
        state = self.end(state)
        frames = self._frames(state)
        with on_device(self.device):
            features = self._features(state, frames)
            with on_device(CPU):
                phones = self._phones(state, features.to(CPU))[0]
            poses = self._key_poses(features, phones, frames, condition).to(CPU)
        keys = self._rule(frames, condition).of(phones.spans)
        mouth = self._acoustic(state, frames, [phones]).mouth
        if mouth is not None and condition.opening:
            # The lips of a key are those of the take at its frame: (1, keys, channels).
            at_keys = mouth[:, list(keys.frames)]
            poses = blend_mouth(poses.unsqueeze(0), at_keys, condition.opening)[0]
        poses = poses * self._scale(condition)
        poses = poses.clamp(0, 1) if self._in_house_space else poses
        return KeyTake(keys, poses, phones, frames)

    def _key_poses(
        self, features: Tensor, phones: Phones, frames: int, condition: KMTalkCondition
    ) -> Float[Tensor, "keys dim"]:
        keys = batch_keys([phones.spans], self._rule(frames, condition))  # a batch of one
        poses = self.model.key_stage(features, keys).poses
        assert poses is not None
        return self.model.basis.decode(poses)[0]

    def write_keys(self, audio: Audio, condition: KMTalkCondition, path: Path) -> str:
        """Key motions of a recording as a file for editing; returns a summary of their source.

        Raises:
            InputError: the file cannot be written, or a part of the condition cannot be read.
        """
        return write_take(path, self.key_take(audio, condition), self.space)

    def _frames(self, state: KMTalkState) -> int:
        """Frames of the whole recording."""
        return state.frames_left(state.stream.samples_received)

    def _features(self, state: KMTalkState, frames: int) -> Float[Tensor, "batch steps dim"]:
        """Acoustic features of the whole recording, without mouth shapes that follow them."""
        if self.model.trunk is not None:
            return self.model.trunk.features(state.samples.known(0, state.samples.stop), frames)
        features = state.stream.features.known(0, state.stream.features.stop)
        return features[..., : self.config.audio_dim]

    def _acoustic(self, state: KMTalkState, frames: int, phones: Sequence[Phones]) -> FaceCues:
        """The mouth regressed from the sound and its phones, and evidence for closed lips, where
        the encoder has them.
        """
        if not isinstance(self.encoder, WithMouth):
            return FaceCues()
        features = state.stream.features.known(0, state.stream.features.stop)
        # Words of a text are better than phone posteriors, recognised ones are often wrong: only
        # the former are passed on.
        known = [item.spans if item.source in WORDS else () for item in phones]
        features = self.encoder.regressed(known, features)
        return speech_cues(self.encoder, features, 0, frames, opening=True, closures=True)

    def _phones(
        self, state: KMTalkState, features: Float[Tensor, "batch steps dim"]
    ) -> list[Phones]:
        """Phones of each item from its text, its file of times, or recognition."""
        if not self.config.needs_keys:
            return [Phones((), "none", 0.0)] * state.batch
        samples = state.samples.known(0, state.samples.stop)
        phonetic = None if self.config.front_end == "bands" else load_phonetic()
        known = features if self.config.front_end == "phonetic" else None
        return batch_phones(samples, known, state.condition, phonetic)

    def _edits(self, condition: KMTalkCondition, frames: int) -> KeyEdits | None:
        return read_keys(condition.keys, self.space, frames) if condition.keys else None

    def _rule(self, frames: int, condition: KMTalkCondition) -> KeyRule:
        """How key frames follow from phones in this take."""
        config, anchor = self.config, condition.anchor or self.config.anchor
        return KeyRule(frames, self.space.fps, anchor, config.closure_keys)

    def _scale(self, condition: KMTalkCondition) -> Float[Tensor, " dim"]:
        """Factor of each channel of the house space; 1 outside it."""
        if not self._in_house_space:
            return torch.ones(self.space.dim)
        return channel_scale(condition, self.space)

    def _decode(
        self, features: Tensor, keys: Keys, edits: KeyEdits | None, condition: KMTalkCondition
    ) -> Float[Tensor, "batch frames dim"]:
        """Both stages: motion at the keys, then of every frame."""
        model, stage = self.model, self.model.key_stage(features, keys)
        poses = stage.poses
        if poses is not None and edits is not None:
            # The network's poses are those before post-processing, edited ones those after it.
            own = edits.unscaled(self._scale(condition))
            poses = own.replace_in(poses, keys, model.basis)
        every = model.complete(poses, stage.audio, stage.linear, keys, stage.length)
        return model.basis.decode(every)


def build(
    config: KMTalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> KMTalk:
    """The method from weights, or with random ones when there are none.

    Raises:
        CheckpointError: weights that do not fit.
    """
    del facts
    model, encoder = KMTalkModel(config), None
    if tensors is not None:
        load_strict(model, tensors)
    if config.front_end == "phonetic" and config.space == "arkit":
        return KMTalk(model, WithMouth(load_phonetic(), load_lip_encoder(None, 0)))
    if config.trunk is None:
        encoder = load_encoder(config.front_end, dim=config.audio_dim)
    return KMTalk(model, encoder)
