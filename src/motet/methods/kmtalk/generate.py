"""Key motions first, then every frame between them. Phone timing needs the whole recording."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.encoders.base import AudioEncoder, Waveform, load_encoder
from motet.encoders.phonetic.encoder import PhoneticEncoder, load_phonetic
from motet.errors import ConfigError
from motet.face.head import SmoothHead
from motet.face.intensity import MOUTH_CHANNELS, ClampWeights, ScaleChannels
from motet.face.lip_closure import CloseAtPhones, amount_from_timing
from motet.face.operator import FaceCues, Operator, OperatorChain
from motet.face.silence import DampSilence, silent_frames
from motet.methods.kmtalk.config import KMTalkCondition, KMTalkConfig
from motet.methods.kmtalk.key_file import EditedKeys, KeyEdits, read_keys, write_keys
from motet.methods.kmtalk.key_timing import Keys, pad_keys
from motet.methods.kmtalk.keys import KeyFrames, closures, key_frames, spoken_frames
from motet.methods.kmtalk.model import KMTalkModel, pair_steps
from motet.methods.kmtalk.spaces import read_template, space_of
from motet.nn.device import CPU, on_device
from motet.phonetics.phone_source import (
    SAMPLE_RATE,
    PhoneOptions,
    PhonePosterior,
    Phones,
    find_phones,
    same_audio,
)
from motet.phonetics.phones import PhoneSpan
from motet.streaming.streaming_method import FeatureStream, MotionMethod, StreamState
from motet.streaming.window_buffer import WindowBuffer
from motet.types import Audio

HEAD_SMOOTHING_FRAMES = 6
"""House space: deviation of the filter over the head's course, a quarter of a second. The
regressor predicts the head from each frame's audio alone, which jitters (13 degrees a second at a
range of 2)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class KMTalkState(StreamState):
    """A session: everything received so far."""

    condition: KMTalkCondition
    samples: WindowBuffer
    phones: tuple[Phones, ...] = ()
    """Of each item, once the audio has ended."""


@dataclasses.dataclass(frozen=True)
class KeyTake:
    """Key motions of one recording, as they are written, edited and read back."""

    keys: KeyFrames
    poses: Float[Tensor, "keys dim"]
    phones: Phones
    frames: int


class KMTalk(MotionMethod[KMTalkConfig, KMTalkCondition, KMTalkState]):
    """Key-motion regression at phone boundaries, then cross-modal completion of the frames between.

    Args:
        model: weights.
        encoder: the audio encoder the model was trained on; None for a model with its own.
    """

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
        """All frames, before post-processing."""
        condition, frames = state.condition, self._frames(state)
        features = self._features(state, frames)
        with on_device(CPU):
            # Alignment and key times are bookkeeping of small arrays: they stay on the CPU.
            phones = self._phones(state, features.to(CPU))
            edits = self._edits(condition, frames)
        shift = condition.shift / self.space.fps
        spans = [_shifted(item.spans, shift) for item in phones]  # of each item of the batch
        keys = self._keys(spans, frames, condition, edits)
        values = self._decode(features, keys, edits, condition)
        return values, dataclasses.replace(state, phones=tuple(phones))

    def postprocess(self, frames: Tensor, state: KMTalkState) -> tuple[Tensor, KMTalkState]:
        """The house space's chain; meshes get their template."""
        condition, count = state.condition, frames.shape[1]
        chain = self._chain(condition, self._edits(condition, count))
        frames = chain.apply(frames, self._cues(state, count))
        if not self._in_house_space:
            frames = frames + read_template(condition.template, self.space)
        return frames, state

    @torch.inference_mode()
    def key_take(self, audio: Audio, condition: KMTalkCondition) -> KeyTake:
        """The key motions of one recording (1 channels time) before completion.

        Raises:
            ConfigError: a baseline without keys has none.
        """
        if self.model.keys is None:
            raise ConfigError("this model is a baseline; it has no key motions")
        _, state = self.step(self.begin(condition, (0,)), audio)
        state = self.end(state)
        frames = self._frames(state)
        with on_device(self.device):
            features = self._features(state, frames)
            with on_device(CPU):
                phones = self._phones(state, features.to(CPU))[0]
            poses = self._key_poses(features, phones, frames, condition).to(CPU)
        poses = poses * self._scale(condition)
        poses = poses.clamp(0, 1) if self._in_house_space else poses
        return KeyTake(self._key_frames(phones.spans, frames, condition), poses, phones, frames)

    def _key_poses(
        self, features: Tensor, phones: Phones, frames: int, condition: KMTalkCondition
    ) -> Float[Tensor, "keys dim"]:
        # a batch of one
        keys, length = self._keys([phones.spans], frames, condition, None), torch.tensor([frames])
        # (batch, frames, steps * channels)
        paired = pair_steps(features, frames, self.config.steps_per_frame)
        poses = self.model.key_motion(
            self.model.audio_context(paired, length),
            self.model.linear_prediction(paired, keys),
            keys,
            length,
        )
        assert poses is not None
        return self.model.basis.decode(poses)[0]

    def write_keys(self, audio: Audio, condition: KMTalkCondition, path: Path) -> str:
        """Key motions of a recording as a file for editing; returns a summary of their source.

        Raises:
            InputError: the file cannot be written, or a part of the condition cannot be read.
        """
        take = self.key_take(audio, condition)
        phones = take.phones
        facts = {
            "source": phones.source,
            "confidence": round(phones.confidence, 3),
            "notes": list(phones.notes),
        }
        write_keys(path, take.keys, take.poses, self.space, take.frames, facts)
        share = 100 * len(take.keys.frames) / take.frames
        notes = "".join(f"\n  {note}" for note in phones.notes)
        return (
            f"{len(take.keys.frames)} keys ({share:.0f} % of {take.frames} frames) from"
            f" {phones.source}, confidence {phones.confidence:.2f}{notes}"
        )

    def _frames(self, state: KMTalkState) -> int:
        return state.frames_left(state.stream.samples_received)

    def _features(self, state: KMTalkState, frames: int) -> Float[Tensor, "batch steps dim"]:
        if self.model.trunk is not None:
            return self.model.trunk.features(state.samples.known(0, state.samples.stop), frames)
        return state.stream.features.known(0, state.stream.features.stop)

    def _phones(
        self, state: KMTalkState, features: Float[Tensor, "batch steps dim"]
    ) -> list[Phones]:
        samples = state.samples.known(0, state.samples.stop)
        if not self.config.needs_keys:
            return [Phones((), "none", 0.0)] * state.batch
        # Takes of one recording are one batch: its phones are recognised once.
        rows = [samples[0]] if same_audio(samples) else list(samples)
        condition = state.condition
        options = PhoneOptions(condition.text, condition.timing, condition.recogniser)
        phones = [
            find_phones(row.clone(), options, self._posterior(row, features[index]))
            for index, row in enumerate(rows)
        ]
        return phones * state.batch if len(rows) == 1 else phones

    def _posterior(self, samples: Tensor, features: Tensor) -> PhonePosterior | None:
        """The phonetic encoder's posterior of a recording; none with the encoder of the tests."""
        if self.config.front_end == "bands":
            return None
        phonetic = self._phonetic
        if self.encoder is not phonetic:
            features = phonetic.features(Audio.mono(samples, SAMPLE_RATE))
        return PhonePosterior(phonetic.phones(features).numpy(), phonetic.phone_names)

    @cached_property
    def _phonetic(self) -> PhoneticEncoder:
        return load_phonetic()

    def _edits(self, condition: KMTalkCondition, frames: int) -> KeyEdits | None:
        return read_keys(condition.keys, self.space, frames) if condition.keys else None

    def _key_frames(
        self, spans: Sequence[PhoneSpan], frames: int, condition: KMTalkCondition
    ) -> KeyFrames:
        return key_frames(
            spans,
            frames,
            self.space.fps,
            condition.anchor or self.config.anchor,
            closures=self.config.closure_keys,
        )

    def _keys(
        self,
        spans: Sequence[Sequence[PhoneSpan]],
        frames: int,
        condition: KMTalkCondition,
        edits: KeyEdits | None,
    ) -> Keys:
        rows = [self._key_frames(row, frames, condition) for row in spans]
        rows = [edits.joined(row) for row in rows] if edits is not None else rows
        spoken = [spoken_frames(row, frames, self.space.fps) for row in spans]
        return pad_keys(
            [list(row.frames) for row in rows], [list(row.phones) for row in rows], spoken
        )

    def _decode(
        self, features: Tensor, keys: Keys, edits: KeyEdits | None, condition: KMTalkCondition
    ) -> Float[Tensor, "batch frames dim"]:
        """Both stages: motion at the keys, then of every frame."""
        model, frames = self.model, int(keys.frame_index.max()) + 1
        length = torch.full((len(features),), frames)
        paired = pair_steps(features, frames, self.config.steps_per_frame)
        audio = model.audio_context(paired, length)
        linear = model.linear_prediction(paired, keys)
        poses = model.key_motion(audio, linear, keys, length)
        if poses is not None and edits is not None:
            # Edited poses are on the scale of the take, the network's before `_chain`.
            scale = self._scale(condition)
            given = edits.poses.to(scale.device)
            # A channel that is scaled to 0 cannot be reached by its network value.
            unscaled = torch.where(scale > 0, given / scale, given)
            edits = dataclasses.replace(edits, poses=unscaled)
            poses = edits.placed(poses, keys, model.basis)
        return model.basis.decode(model.complete(poses, audio, linear, keys, length))

    def _scale(self, condition: KMTalkCondition) -> Float[Tensor, "dim"]:
        """Factor of each channel of the house space; 1 outside it."""
        scale = torch.ones(self.space.dim)
        if self._in_house_space:
            scale[MOUTH_CHANNELS] = condition.amplitude
            scale[self.space.range("head")] = condition.head
        return scale

    def _chain(self, condition: KMTalkCondition, edits: KeyEdits | None) -> OperatorChain:
        """Silence is damped before closures, so that a closure at its border survives. A take
        with edited keys is not post-processed further.
        """
        operators: list[Operator[Any]] = []
        head = self.space.range("head") if self._in_house_space else None
        if head is not None:
            operators.append(SmoothHead(head, HEAD_SMOOTHING_FRAMES))
            operators.append(ScaleChannels(self._scale(condition)))
        if edits is not None and condition.clamp:
            operators.append(EditedKeys(edits, head, HEAD_SMOOTHING_FRAMES))
        if head is not None:
            operators.append(ClampWeights())
        if head is not None and edits is None:
            operators.append(DampSilence(MOUTH_CHANNELS, self.space.fps))
            if condition.seal:
                operators.append(CloseAtPhones())
        return OperatorChain(operators)

    def _cues(self, state: KMTalkState, frames: int) -> FaceCues:
        """Cues of the whole recording: silent frames, and closures at p, b and m."""
        if not self._in_house_space:
            return FaceCues()
        fps, samples = self.space.fps, state.samples.known(0, state.samples.stop)
        closed = [amount_from_timing(frames, fps, closures(item.spans)) for item in state.phones]
        silent = [silent_frames(row, frames) for row in samples]  # (frames) each
        return FaceCues(closure_amount=torch.stack(closed), silent=torch.stack(silent))


def _shifted(spans: Sequence[PhoneSpan], seconds: float) -> Sequence[PhoneSpan]:
    if not seconds:
        return spans
    return [
        PhoneSpan(max(0.0, span.start + seconds), max(0.0, span.end + seconds), span.symbol)
        for span in spans
    ]


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
    if config.trunk is None:
        encoder = load_encoder(config.front_end, dim=config.audio_dim)
    return KMTalk(model, encoder)
