"""Frame-by-frame drawing of a person: the footage gives head, eyes and background, the mouth is
drawn from windows of acoustic features.

    features -> codes (`frame_codes`) --+
    loudness -> rest in silence --------+-> `Drawer.draw` -> pictures
    frame number -> footage frame ------+
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
from motet.methods.speech2lip.config import (
    PRESETS,
    Speech2LipCondition,
    Speech2LipConfig,
    check_implicit,
)
from motet.methods.speech2lip.exemplar.speaker import ExemplarSpeaker
from motet.methods.speech2lip.exemplar.synthetic import synthetic_speaker
from motet.methods.speech2lip.frame_codes import frame_codes, frames_ready
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import FPS, Person, read_facts
from motet.methods.speech2lip.person.footage_order import first_shown, shown_frames
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.speaker import (
    Drawer,
    Speaker,
    drawer,
    fitted,
    weights_stamp,
)
from motet.methods.speech2lip.speech_activity import FRAMES_BEFORE, LoudnessEncoder
from motet.methods.speech2lip.state import Speech2LipState
from motet.streaming.motion_encoder import MotionOf
from motet.streaming.streaming_method import FeatureStream, StreamingMethod
from motet.types import Frames


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
        # The person shown last with named weights, and their folder.
        self._named, self._shown = named, (Path(), speaker)
        self._loudness = LoudnessEncoder()
        self._motion: MotionOf | None = None

    def drive_with(self, motion: MotionOf) -> None:
        """Set how to load the methods for curves that drive persons with exemplars."""
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
            starts=tuple(
                first_shown(speaker.facts, condition.start, seed, condition.loop) for seed in seeds
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
            shown = drawer(self.config, self._named, Person(folder), self.device)
            self._shown = (folder, shown)
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
        driven = speaker.driven_by(condition.motion)
        return driven, self._motion(condition.motion, {"mode": condition.mode})

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
        needed = state.frames_generated + max(1, speaker.commit) + speaker.look_ahead
        return frames_ready(state) >= needed

    def generate_window(
        self, state: Speech2LipState
    ) -> tuple[UInt8[Tensor, "batch frames height width 3"], Speech2LipState]:
        """All pictures that are ready, or as many as are decided together; at the end of the audio
        those that are left.
        """
        first, speaker = state.frames_generated, state.speaker
        # Frames whose codes can be made; at the end of the audio all that are left.
        known = state.frames_total if state.frames_total is not None else frames_ready(state)
        until = min(known, first + speaker.commit) if speaker.commit else known
        known = min(known, until + speaker.look_ahead)
        items = [self._pictures(state, item, until, known) for item in range(state.batch)]
        drawn = tuple(after for _, after in items)
        # (batch, frames, height, width, 3)
        pictures = torch.stack([picture for picture, _ in items])
        return pictures, dataclasses.replace(state, drawn=drawn)

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

    def _pictures(
        self, state: Speech2LipState, item: int, until: int, known: int
    ) -> tuple[UInt8[Tensor, "frames height width 3"], object]:
        """Pictures `frames_generated` .. `until - 1` of an item.

        Args:
            known: codes are made up to here, for drawing that looks ahead.

        Returns:
            The pictures, and what the next ones need to know of them.
        """
        first, start, speaker = state.frames_generated, state.starts[item], state.speaker
        codes = frame_codes(state, item, known)  # (known - first, out)
        shot = next(shot for shot in speaker.shots if start in shot)
        if state.condition.loop in ("file", "once"):
            shot = speaker.facts.file_of(start)
        shown = shown_frames(shot, start, first, until - first, state.condition.loop)
        return speaker.draw(codes, shown, state.drawn[item])


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
