"""Frame-by-frame drawing of a person: the footage gives head, eyes and background, the mouth is
drawn from windows of acoustic features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from motet.checkpoint import load_strict
from motet.config import JsonValue
from motet.encoders.base import AudioEncoder
from motet.errors import ConfigError
from motet.face.clip_end import closing_frames, closing_ramp
from motet.methods.speech2lip.config import Speech2LipCondition, Speech2LipConfig
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import FPS, Person, read_facts
from motet.methods.speech2lip.person.footage_order import shown_frames
from motet.methods.speech2lip.person.mouth_region import Likeness
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.speaker import Speaker, fitted, weights_stamp
from motet.methods.speech2lip.speech_activity import (
    FRAMES_BEFORE,
    LoudnessEncoder,
    speech_activity,
)
from motet.nn.device import CPU, on_device
from motet.streaming.streaming_method import FeatureStream, StreamingMethod, StreamState
from motet.types import Frames

STEPS_PER_FRAME = 2


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speech2LipState(StreamState):
    """A session."""

    condition: Speech2LipCondition
    starts: tuple[int, ...]
    """Footage frame that each item begins with."""
    speaker: Speaker
    loudness: FeatureStream
    """Level of every frame, decibels."""


class Speech2Lip(StreamingMethod[Speech2LipConfig, Speech2LipCondition, Speech2LipState, Frames]):
    """Implicit image model of one person's mouth, driven by windows of acoustic features.

    Args:
        speaker: the person that the weights belong to.
    """

    sample_rate = 16_000

    def __init__(self, speaker: Speaker) -> None:
        self.speaker, self.config = speaker, speaker.model.config
        self._loudness = LoudnessEncoder()

    @property
    def fps(self) -> float:
        """Output frame rate."""
        return FPS

    def begin(self, condition: Speech2LipCondition, seeds: Sequence[int]) -> Speech2LipState:
        """A session before its first audio. Items with other seeds than 0 begin elsewhere in the
        footage.

        Raises:
            ConfigError: a start past the footage, or a model without an audio encoder.
            AssetError: the person's folder is not one, or has not been trained.
        """
        speaker = self.speaker
        if condition.person:
            speaker = fitted(
                Path(condition.person).resolve(), weights_stamp(condition.person), self.device
            )
        frames = speaker.facts.frames
        if condition.start >= frames:
            raise ConfigError(
                f"the footage has {frames} frames; --option start={condition.start} lies past its"
                " end"
            )
        return Speech2LipState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(speaker.encoder, len(seeds)),
            condition=condition,
            # A large prime spreads the seeds over the footage; seed 0 begins at the start.
            starts=tuple((condition.start + 7919 * seed) % frames for seed in seeds),
            speaker=speaker,
            loudness=FeatureStream.begin(self._loudness, len(seeds)),
        )

    def credits(self, condition: Speech2LipCondition) -> dict[str, JsonValue]:
        """Name and consent of the person shown."""
        facts = read_facts(Path(condition.person)) if condition.person else self.speaker.facts
        return {"person": facts.name, "consent": facts.consent}

    def encoder_of(self, state: Speech2LipState) -> AudioEncoder[Any]:
        """The encoder that the person's model was trained on."""
        return state.speaker.encoder

    def receive(
        self, state: Speech2LipState, samples: Float[Tensor, "batch time"]
    ) -> Speech2LipState:
        """Acoustic features, and the loudness of every frame."""
        loudness = state.loudness.receive(self._loudness, samples)
        return dataclasses.replace(super().receive(state, samples), loudness=loudness)

    def end(self, state: Speech2LipState) -> Speech2LipState:
        """The end of the audio; silence follows."""
        loudness = state.loudness.finish(self._loudness)
        return dataclasses.replace(super().end(state), loudness=loudness)

    def window_ready(self, state: Speech2LipState) -> bool:
        """Whether the features around the next frame, and the loudness after it, are known."""
        return self._ready(state) > state.frames_generated

    def generate_window(
        self, state: Speech2LipState
    ) -> tuple[UInt8[Tensor, "batch frames height width 3"], Speech2LipState]:
        """All pictures that are ready; at the end of the audio all that are left."""
        until = state.frames_total if state.frames_total is not None else self._ready(state)
        items = [self._pictures(state, item, until) for item in range(state.batch)]
        return torch.stack(items), state

    def postprocess(self, frames: Tensor, state: Speech2LipState) -> tuple[Tensor, Speech2LipState]:
        """Pictures are final; loudness that no later frame needs is dropped."""
        needed = state.frames_generated + frames.shape[1] - FRAMES_BEFORE
        loudness = state.loudness.drop_before(needed)
        return frames, dataclasses.replace(state, loudness=loudness)

    def first_needed(self, state: Speech2LipState) -> int:
        """First feature of the next frame's window."""
        return STEPS_PER_FRAME * state.frames_generated - self._window(state) // 2

    def output(self, pieces: list[Tensor], batch: int) -> Frames:
        """Pictures, (batch, frames, height, width, 3)."""
        if pieces:
            return Frames(torch.cat(pieces, 1), FPS)
        width, height = self.speaker.facts.scene
        return Frames(torch.zeros(batch, 0, height, width, 3, dtype=torch.uint8), FPS)

    def _window(self, state: Speech2LipState) -> int:
        return state.speaker.model.config.hearing.window

    def _ahead(self, state: Speech2LipState) -> int:
        """Frames of loudness that a frame looks ahead: lips open before speech."""
        return max(0, self._window(state) // 4 - 1)

    def _ready(self, state: Speech2LipState) -> int:
        """Frames whose features and loudness are known, and that cannot be the last."""
        # The window of a frame reaches half its length beyond it.
        features = (state.stream.features.stop - self._window(state) // 2) // STEPS_PER_FRAME + 1
        ahead = max(self._ahead(state), closing_frames(FPS) if self._closes(state) else 0)
        return min(features, state.loudness.features.stop - ahead)

    def _closes(self, state: Speech2LipState) -> bool:
        """Whether the mouth comes to rest at the end."""
        return state.condition.close_end and state.speaker.model.rest is not None

    def _pictures(
        self, state: Speech2LipState, item: int, until: int
    ) -> UInt8[Tensor, "frames height width 3"]:
        """Pictures `frames_generated` .. `until - 1` of an item."""
        first, start, speaker = state.frames_generated, state.starts[item], state.speaker
        codes = self._codes(state, item, until)
        shot = next(shot for shot in speaker.shots if start in shot)
        shown = shown_frames(shot, start, first, until - first, state.condition.loop)
        return speaker.pictures(codes, shown)

    def _codes(self, state: Speech2LipState, item: int, until: int) -> Float[Tensor, "frames out"]:
        """Audio codes of the frames, blended with the code of a mouth at rest in silence."""
        first, size = state.frames_generated, self._window(state)
        start, stop = STEPS_PER_FRAME * first - size // 2, STEPS_PER_FRAME * until + size // 2
        # (steps, channels), zeros before the audio and after it
        steps = state.stream.features.window(start, stop)[item]
        # (frames, size, channels)
        # One window every two steps, that is every frame.
        windows = steps.unfold(0, size, STEPS_PER_FRAME).transpose(1, 2)[: until - first]
        codes = state.speaker.model.hearing(windows)
        rest = state.speaker.model.rest
        if rest is None:
            return codes
        with on_device(CPU):
            activity = self._activity(state, item, until)
            if state.frames_total is not None and self._closes(state):
                activity = activity * (1 - closing_ramp(until - first, FPS))
        activity = activity.to(codes.device)
        # Intensity scales the distance from rest, in the space of audio codes.
        return rest + (activity * state.condition.intensity).unsqueeze(1) * (codes - rest)

    def _activity(self, state: Speech2LipState, item: int, until: int) -> Float[Tensor, "frames"]:
        first, levels = state.frames_generated, state.loudness.features
        if not state.condition.quiet_lips:
            return torch.ones(until - first)
        known = levels.known(first - FRAMES_BEFORE, levels.stop)[item]
        offset = max(0, first - FRAMES_BEFORE)  # frame of the first known level
        return speech_activity(known, first - offset, until - offset, self._ahead(state))


def build(
    config: Speech2LipConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> Speech2Lip:
    """The method from a person's weights, or with random ones for a person drawn in code.

    Args:
        facts: of the checkpoint; `footage` names the shipped person whose pictures belong to the
            weights.
    """
    model = Speech2LipModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    footage = facts.get("footage")
    person: Likeness = SyntheticPerson(config)
    if footage:
        person = Person(Path(__file__).parents[2] / "weights" / str(footage))
    return Speech2Lip(Speaker(person, model))
