"""Sessions of KMTalk: the whole sound is heard first, for the keys need it; the answer comes at the
end.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from motet.checkpoint import load_strict
from motet.errors import ConfigError
from motet.face.postprocess import MOUTH_SHAPES
from motet.face.silence import rested, silences
from motet.method import Method
from motet.methods.kmtalk.config import KMTalkCondition, KMTalkConfig
from motet.methods.kmtalk.key_file import KeyEdits, read_keys, write_keys
from motet.methods.kmtalk.keys import KeyFrames, closures, key_frames, spoken_frames
from motet.methods.kmtalk.lip_closure import closed_lips
from motet.methods.kmtalk.model import Keys, KMTalkModel, pad_keys, pair_steps
from motet.methods.kmtalk.phone_source import RATE_HZ, Acquired, Heard, acquire, unchanged
from motet.methods.kmtalk.spaces import read_template, space_of
from motet.phonetics.phones import PhoneSpan
from motet.types import Audio, Motion, frame_count


class FrontEnd(Protocol):
    """What hears: sound in any pieces to features at a fixed rate, the same for every cutting."""

    dim: int

    def begin(self, batch: int) -> Any:
        """State of a new session."""
        ...

    def step(
        self, state: Any, samples: Float[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch steps dim"], Any]:
        """The features that are now certain."""
        ...

    def finish(self, state: Any) -> Float[Tensor, "batch steps dim"]:
        """The rest, as if silence followed."""
        ...


HEAD_CALM_FRAMES = 6
"""House space: deviation of the filter over the head's course, a quarter of a second."""


@dataclasses.dataclass(frozen=True)
class KMTalkState:
    """A session: everything heard so far."""

    condition: KMTalkCondition
    batch: int
    front: Any
    """State of the front end; None for a trunk, which hears whole recordings."""
    features: tuple[Float[Tensor, "batch steps dim"], ...] = ()
    sound: tuple[Float[Tensor, "batch time"], ...] = ()
    heard: int = 0


@dataclasses.dataclass(frozen=True)
class KeyTake:
    """Key motions of one recording, as they can be written, edited and given back."""

    keys: KeyFrames
    poses: Float[Tensor, "keys dim"]
    acquired: Acquired
    frames: int


class KMTalk(Method[KMTalkConfig, KMTalkCondition, KMTalkState, Motion]):
    """Key motions first, then everything between them.

    Args:
        model: weights.
        front: the front end the model was trained on; None for a model with its own trunk.
    """

    def __init__(self, model: KMTalkModel, front: FrontEnd | None) -> None:
        self.model, self.front, self.config = (
            model.eval().requires_grad_(False),
            front,
            model.config,
        )
        if front is not None and front.dim != model.config.audio_dim:
            raise ConfigError(
                f"the front end gives {front.dim} channels, the model was trained on"
                f" {model.config.audio_dim}"
            )
        self.space = space_of(model.config)

    @torch.inference_mode()
    def begin(self, condition: KMTalkCondition, seeds: Sequence[int]) -> KMTalkState:
        """A session before its first sound. Nothing is random: seeds only count the items.

        Raises:
            ConfigError: a shift of keys that no longer are keys.
        """
        return KMTalkState(
            condition, len(seeds), None if self.front is None else self.front.begin(len(seeds))
        )

    @torch.inference_mode()
    def step(self, state: KMTalkState, audio: Audio) -> tuple[Motion, KMTalkState]:
        """Listen; the answer comes in `finish`, for the timing of the phones needs the whole
        utterance.
        """
        audio.expect(RATE_HZ, "mono")
        samples, features, front = audio.samples[:, 0].float(), state.features, state.front
        if samples.shape[1] and self.front is not None:
            found, front = self.front.step(state.front, samples)
            features = (*features, found) if found.shape[1] else features
        sound = (*state.sound, samples) if samples.shape[1] else state.sound
        after = dataclasses.replace(
            state, front=front, features=features, sound=sound, heard=state.heard + samples.shape[1]
        )
        return Motion(torch.zeros(state.batch, 0, self.space.dim), self.space), after

    @torch.inference_mode()
    def finish(self, state: KMTalkState) -> Motion:
        """Everything: round(seconds * fps) frames."""
        if not state.heard:
            return Motion(torch.zeros(state.batch, 0, self.space.dim), self.space)
        frames, condition = frame_count(state.heard / RATE_HZ, self.space.fps), state.condition
        sound, features = torch.cat(state.sound, 1), self._features(state, frames)
        takes = self._acquired(sound, features, condition)
        edits = read_keys(condition.keys, self.space, frames) if condition.keys else None
        keys = self._keys(
            [_shifted(take.spans, condition.shift / self.space.fps) for take in takes],
            frames,
            condition,
            edits,
        )
        values = self._motion(features, keys, edits, condition)
        return Motion(self._finished(values, takes, sound, condition), self.space)

    @torch.inference_mode()
    def key_take(self, audio: Audio, condition: KMTalkCondition) -> KeyTake:
        """The key motions of one recording (1 channels time) before completion.

        Raises:
            ConfigError: a host without keys has none.
        """
        if self.model.keys is None:
            raise ConfigError("this model is a host without the key scheme; it has no key motions")
        _, state = self.step(self.begin(condition, (0,)), audio)
        frames = frame_count(state.heard / RATE_HZ, self.space.fps)
        features = self._features(state, frames)
        take = self._acquired(torch.cat(state.sound, 1), features, condition)[0]
        keys, length = self._keys([take.spans], frames, condition, None), torch.tensor([frames])
        heard = pair_steps(features, frames, self.config.steps_per_frame)
        said = self.model.say_keys(
            self.model.hear(heard, length), self.model.read(heard, keys), keys, length
        )
        assert said is not None
        poses = self.model.basis.decode(said)[0] * self._scale(condition)
        found = self._key_frames(take.spans, frames, condition)
        return KeyTake(
            found, poses.clamp(0, 1) if self.space.name == "arkit" else poses, take, frames
        )

    def write_keys(self, audio: Audio, condition: KMTalkCondition, path: Path) -> str:
        """Key motions of a recording as a file for editing; answers how they were found.

        Raises:
            InputError: the file cannot be written, or a part of the condition cannot be read.
        """
        take = self.key_take(audio, condition)
        found = take.acquired
        facts = {
            "source": found.source,
            "confidence": round(found.confidence, 3),
            "notes": list(found.notes),
        }
        write_keys(path, take.keys, take.poses, self.space, take.frames, facts)
        share = 100 * len(take.keys.frames) / take.frames
        notes = "".join(f"\n  {note}" for note in found.notes)
        return (
            f"{len(take.keys.frames)} keys ({share:.0f} % of {take.frames} frames) from"
            f" {found.source}, confidence {found.confidence:.2f}{notes}"
        )

    def _features(self, state: KMTalkState, frames: int) -> Float[Tensor, "batch steps dim"]:
        if self.front is not None:
            return torch.cat([*state.features, self.front.finish(state.front)], 1)
        assert self.model.trunk is not None
        return self.model.trunk.features(torch.cat(state.sound, 1), frames)

    def _acquired(
        self, sound: Tensor, features: Tensor, condition: KMTalkCondition
    ) -> list[Acquired]:
        if not self.config.needs_keys:
            return [Acquired((), "none", 0.0)] * len(sound)
        rows = [sound[0]] if unchanged(sound) else list(sound)
        found = [
            acquire(row.clone(), condition, self._heard(row, features[index]))
            for index, row in enumerate(rows)
        ]
        return found * len(sound) if len(rows) == 1 else found

    def _heard(self, sound: Tensor, features: Tensor) -> Heard | None:
        """The phonetic encoder's view of a sound; none for the front end of the tests."""
        if self.config.front_end == "bands":
            return None
        own = self.front if self.config.front_end == "phonetic" else None
        if own is None:
            features = self._listener.features(Audio.mono(sound, RATE_HZ))
        listener = self._listener
        return Heard(listener.phones(features).numpy(), listener.phone_names)

    @cached_property
    def _mouth(self) -> list[int]:
        return [self.space.index("blendshapes", name) for name in MOUTH_SHAPES]

    @cached_property
    def _listener(self) -> Any:
        from motet.encoders.phonetic.batched import load_phonetic

        return load_phonetic()

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
        found = [self._key_frames(row, frames, condition) for row in spans]
        rows = [edits.joined(row) if edits is not None else row for row in found]
        spoken = [spoken_frames(row, frames, self.space.fps) for row in spans]
        return pad_keys(
            [list(row.frames) for row in rows], [list(row.phones) for row in rows], spoken
        )

    def _motion(
        self, features: Tensor, keys: Keys, edits: KeyEdits | None, condition: KMTalkCondition
    ) -> Float[Tensor, "batch frames dim"]:
        model, frames = self.model, int(keys.places.max()) + 1
        length = torch.full((len(features),), frames)
        heard = pair_steps(features, frames, self.config.steps_per_frame)
        audio, read = model.hear(heard, length), model.read(heard, keys)
        said = model.say_keys(audio, read, keys, length)
        if said is not None and edits is not None:
            scale = self._scale(condition)
            as_said = torch.where(scale > 0, edits.poses / scale, edits.poses)
            said = dataclasses.replace(edits, poses=as_said).placed(said, keys, model.basis)
        inner = model.complete(said, audio, read, keys, length)
        values = self._calm(model.basis.decode(inner)) * self._scale(condition)
        if edits is None or not condition.clamp:
            return values
        return edits.clamped(
            edits.approached(values, self.space.range("head"), HEAD_CALM_FRAMES)
            if self.space.name == "arkit"
            else values
        )

    def _scale(self, condition: KMTalkCondition) -> Float[Tensor, "dim"]:
        """How much more each number of a frame moves than the network says; 1 outside the house
        space.
        """
        scale = torch.ones(self.space.dim)
        if self.space.name == "arkit":
            scale[self._mouth], scale[self.space.range("head")] = (
                condition.amplitude,
                condition.head,
            )
        return scale

    def _calm(self, values: Float[Tensor, "batch frames dim"]) -> Float[Tensor, "batch frames dim"]:
        """The head's course without its trembling: what a map from each moment's sound says of it
        jumps from frame to frame (13 degrees a second at a range of 2). Whole recordings are at
        hand, so the filter delays nothing.
        """
        if self.space.name != "arkit" or values.shape[1] < 2:
            return values
        reach = min(4 * HEAD_CALM_FRAMES, values.shape[1] - 1)
        shape = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / HEAD_CALM_FRAMES) ** 2)
        head = self.space.range("head")
        course = torch.nn.functional.pad(
            values[..., head].transpose(1, 2), (reach, reach), mode="replicate"
        )
        calm = course.unfold(2, 2 * reach + 1, 1) @ (shape / shape.sum()).to(values)
        return torch.cat(
            [values[..., : head.start], calm.transpose(1, 2), values[..., head.stop :]], -1
        )

    def _finished(
        self, values: Tensor, takes: Sequence[Acquired], sound: Tensor, condition: KMTalkCondition
    ) -> Float[Tensor, "batch frames dim"]:
        if self.space.name != "arkit":
            return values + read_template(condition.template, self.space)
        weights = self.space.range("blendshapes")
        values = values.clone()
        values[..., weights] = values[..., weights].clamp(0, 1)
        if not condition.keys:
            values = torch.stack(
                [
                    rested(row, silences(heard, len(row)), self._mouth, self.space.fps)
                    for row, heard in zip(values, sound, strict=True)
                ]
            )
        if condition.seal and not condition.keys:
            values = torch.stack(
                [
                    closed_lips(row, closures(take.spans), self.space)
                    for row, take in zip(values, takes, strict=True)
                ]
            )
        return values


def _shifted(spans: Sequence[PhoneSpan], seconds: float) -> Sequence[PhoneSpan]:
    return (
        spans
        if not seconds
        else [
            PhoneSpan(max(0.0, span.start + seconds), max(0.0, span.end + seconds), span.symbol)
            for span in spans
        ]
    )


def build(
    config: KMTalkConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> KMTalk:
    """The method from weights, or with random ones when there are none.

    Raises:
        CheckpointError: weights that do not fit.
    """
    del facts
    model = KMTalkModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return KMTalk(model, front_end(config))


def front_end(config: KMTalkConfig) -> FrontEnd | None:
    """The front end that a configuration names, with its shipped weights; None for a model that
    brings its own trunk.
    """
    if config.front_end == "wav2vec2":
        return None
    if config.front_end == "bands":
        from motet.encoders.band_energy import BandEncoder

        return BandEncoder(config.audio_dim)
    from motet.encoders.phonetic.batched import load_phonetic

    return load_phonetic()
