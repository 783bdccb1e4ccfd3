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
from motet.methods.speech2lip.config import (
    PRESETS,
    Speech2LipCondition,
    Speech2LipConfig,
    check_implicit,
)
from motet.methods.speech2lip.exemplar.speaker import ExemplarSpeaker
from motet.methods.speech2lip.exemplar.synthetic import synthetic_speaker
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import FPS, Person, PersonFacts, read_facts
from motet.methods.speech2lip.person.footage_order import shown_frames
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.speaker import (
    Drawer,
    Speaker,
    drawer,
    fitted,
    weights_stamp,
)
from motet.methods.speech2lip.speech_activity import (
    FRAMES_BEFORE,
    LoudnessEncoder,
    speech_activity,
)
from motet.nn.device import CPU, on_device
from motet.streaming.motion_encoder import MotionOf
from motet.streaming.streaming_method import FeatureStream, StreamingMethod, StreamState
from motet.types import Frames


@dataclasses.dataclass(frozen=True, kw_only=True)
class Speech2LipState(StreamState):
    """A session."""

    condition: Speech2LipCondition
    starts: tuple[int, ...]
    """Footage frame that each item begins with."""
    speaker: Drawer
    encoder: AudioEncoder[Any]
    loudness: FeatureStream
    """Level of every frame, decibels."""
    drawn: tuple[object, ...]
    """What the last picture of each item was drawn from."""


class Speech2Lip(StreamingMethod[Speech2LipConfig, Speech2LipCondition, Speech2LipState, Frames]):
    """Implicit image model of one person's mouth, driven by windows of acoustic features.

    Args:
        speaker: the person that the weights belong to.
        named: weights that were named; another person's folder is shown with them, not with its
            own.
    """

    sample_rate = 16_000

    def __init__(
        self,
        speaker: Drawer,
        config: Speech2LipConfig,
        needs_person: bool = False,
        named: Mapping[str, Tensor] | None = None,
    ) -> None:
        self.speaker, self.config, self._needs_person = speaker, config, needs_person
        self._named, self._shown = named, (Path(), speaker)
        self._loudness = LoudnessEncoder()
        self._motion: MotionOf | None = None

    def drive_with(self, motion: MotionOf) -> None:
        """Say where the methods for curves come from that persons with exemplars are driven by."""
        self._motion = motion

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
        if self._needs_person and not condition.person:
            raise ConfigError(
                "these weights belong to a person drawn from exemplars; name their folder too:"
                " --person FOLDER"
            )
        if condition.person:
            speaker = self._person(Path(condition.person).resolve())
        frames = speaker.facts.frames
        if condition.start >= frames:
            raise ConfigError(
                f"the footage has {frames} frames; --option start={condition.start} lies past its"
                " end"
            )
        speaker, encoder = self._driven(speaker, condition)
        return Speech2LipState(
            seeds=tuple(seeds),
            stream=FeatureStream.begin(encoder, len(seeds)),
            condition=condition,
            # A large prime spreads the seeds over the footage; seed 0 begins at the start.
            starts=tuple(
                _start(speaker.facts, (condition.start + 7919 * seed) % frames, condition.loop)
                for seed in seeds
            ),
            speaker=speaker,
            encoder=encoder,
            loudness=FeatureStream.begin(self._loudness, len(seeds)),
            drawn=(None,) * len(seeds),
        )

    def _person(self, folder: Path) -> Drawer:
        """The person of a folder, with the weights that were named or their own."""
        if self._named is None:
            return fitted(folder, weights_stamp(str(folder)), self.device)
        if self._shown[0] != folder:
            made = drawer(self.config, self._named, Person(folder), self.device)
            self._shown = (folder, made)
        return self._shown[1]

    def _driven(
        self, speaker: Drawer, condition: Speech2LipCondition
    ) -> tuple[Drawer, AudioEncoder[Any]]:
        """A person and what makes features for them."""
        if isinstance(speaker, Speaker):
            # A live session sets `stream`, which these persons do in any case.
            live = condition.mode == "stream"
            check_implicit(dataclasses.replace(condition, mode="auto") if live else condition)
            return speaker, speaker.encoder
        assert isinstance(speaker, ExemplarSpeaker)
        if self._motion is None:
            raise ConfigError(
                "a person with exemplars is driven by a method for curves; load speech2lip with"
                " motet.load"
            )
        chosen = speaker.driven_by(condition.motion)
        return chosen, self._motion(condition.motion, {"mode": condition.mode})

    def credits(self, condition: Speech2LipCondition) -> dict[str, JsonValue]:
        """Name and consent of the person shown."""
        facts = read_facts(Path(condition.person)) if condition.person else self.speaker.facts
        return {"person": facts.name, "consent": facts.consent}

    def encoder_of(self, state: Speech2LipState) -> AudioEncoder[Any]:
        """The encoder that the person's model was trained on."""
        return state.encoder

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
        speaker = state.speaker
        return self._ready(state) >= state.frames_generated + max(1, speaker.commit) + (
            speaker.look_ahead
        )

    def generate_window(
        self, state: Speech2LipState
    ) -> tuple[UInt8[Tensor, "batch frames height width 3"], Speech2LipState]:
        """All pictures that are ready, or as many as are decided together; at the end of the audio
        those that are left.
        """
        first, speaker = state.frames_generated, state.speaker
        known = state.frames_total if state.frames_total is not None else self._ready(state)
        until = min(known, first + speaker.commit) if speaker.commit else known
        known = min(known, until + speaker.look_ahead)
        items = [self._pictures(state, item, until, known) for item in range(state.batch)]
        drawn = tuple(after for _, after in items)
        return torch.stack([made for made, _ in items]), dataclasses.replace(state, drawn=drawn)

    def postprocess(self, frames: Tensor, state: Speech2LipState) -> tuple[Tensor, Speech2LipState]:
        """Pictures are final; loudness that no later frame needs is dropped."""
        needed = state.frames_generated + frames.shape[1] - FRAMES_BEFORE
        loudness = state.loudness.drop_before(needed)
        return frames, dataclasses.replace(state, loudness=loudness)

    def first_needed(self, state: Speech2LipState) -> int:
        """First feature of the next frame's window."""
        speaker = state.speaker
        return speaker.steps_per_frame * state.frames_generated - speaker.window // 2

    def output(self, pieces: list[Tensor], batch: int) -> Frames:
        """Pictures, (batch, frames, height, width, 3)."""
        if pieces:
            return Frames(torch.cat(pieces, 1), FPS)
        width, height = self.speaker.facts.scene
        return Frames(torch.zeros(batch, 0, height, width, 3, dtype=torch.uint8), FPS)

    def _ahead(self, state: Speech2LipState) -> int:
        """Frames of loudness that a frame looks ahead: lips open before speech."""
        return max(0, state.speaker.window // (2 * state.speaker.steps_per_frame) - 1)

    def _ready(self, state: Speech2LipState) -> int:
        """Frames whose features and loudness are known, and that cannot be the last."""
        speaker = state.speaker
        # The window of a frame reaches half its length beyond it.
        after = speaker.window - speaker.window // 2
        features = (state.stream.features.stop - after) // speaker.steps_per_frame + 1
        ahead = max(self._ahead(state), closing_frames(FPS) if self._closes(state) else 0)
        return min(features, state.loudness.features.stop - ahead)

    def _closes(self, state: Speech2LipState) -> bool:
        """Whether the mouth comes to rest at the end."""
        return state.condition.close_end and state.speaker.rest is not None

    def _pictures(
        self, state: Speech2LipState, item: int, until: int, known: int
    ) -> tuple[UInt8[Tensor, "frames height width 3"], object]:
        """Pictures `frames_generated` .. `until - 1` of an item.

        Args:
            known: codes are made up to here, for drawing that looks ahead.
        """
        first, start, speaker = state.frames_generated, state.starts[item], state.speaker
        codes = self._codes(state, item, known)
        shot = next(shot for shot in speaker.shots if start in shot)
        if state.condition.loop in ("file", "once"):
            shot = speaker.facts.file_of(start)
        shown = shown_frames(shot, start, first, until - first, state.condition.loop)
        return speaker.draw(codes, shown, state.drawn[item])

    def _codes(self, state: Speech2LipState, item: int, until: int) -> Float[Tensor, "frames out"]:
        """Codes of the frames, blended with the code of a mouth at rest in silence."""
        first, speaker = state.frames_generated, state.speaker
        step, size = speaker.steps_per_frame, speaker.window
        start = step * first - size // 2
        stop = step * (until - 1) + size - size // 2
        # (steps, channels), zeros before the audio and after it
        steps = state.stream.features.window(start, stop)[item]
        # (frames, size, channels): one window for each frame
        windows = steps.unfold(0, size, step).transpose(1, 2)
        codes, rest = speaker.codes(windows), speaker.rest
        if rest is None:
            return codes
        with on_device(CPU):
            activity = self._activity(state, item, until)
            if state.frames_total is not None and self._closes(state):
                ramp = closing_ramp(state.frames_total - first, FPS)
                activity = activity * (1 - ramp[: until - first])
        activity = activity.to(codes.device)
        # Intensity scales the distance from rest, in the space of codes.
        return rest + (activity * state.condition.intensity).unsqueeze(1) * (codes - rest)

    def _activity(self, state: Speech2LipState, item: int, until: int) -> Float[Tensor, " frames"]:
        first, levels = state.frames_generated, state.loudness.features
        if not state.condition.quiet_lips:
            return torch.ones(until - first)
        known = levels.known(first - FRAMES_BEFORE, levels.stop)[item]
        offset = max(0, first - FRAMES_BEFORE)  # frame of the first known level
        return speech_activity(known, first - offset, until - offset, self._ahead(state))


def _start(facts: PersonFacts, frame: int, loop: str) -> int:
    """Where a take begins: in a span that can be used, unless a file is shown as it is."""
    return frame if loop in ("file", "once") else facts.usable_from(frame)


def build(
    config: Speech2LipConfig, tensors: Mapping[str, Tensor] | None, facts: Mapping[str, Any]
) -> Speech2Lip:
    """The method from a person's weights, or with random ones for a person drawn in code.

    Args:
        facts: of the checkpoint; `footage` names the shipped person whose pictures belong to the
            weights.
    """
    footage = facts.get("footage")
    if tensors is not None and footage:
        person = Person(Path(__file__).parents[2] / "weights" / str(footage))
        return Speech2Lip(drawer(config, tensors, person, torch.get_default_device()), config)
    if config.exemplar is not None:
        # Exemplars are pictures: weights alone draw nothing, their person's folder must be named.
        shown = config if tensors is None else PRESETS["tiny_exemplar"]
        return Speech2Lip(synthetic_speaker(shown), config, tensors is not None, tensors)
    model = Speech2LipModel(config)
    if tensors is not None:
        load_strict(model, tensors)
    return Speech2Lip(Speaker(SyntheticPerson(config), model), config, named=tensors)
