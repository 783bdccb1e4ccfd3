"""Sessions of Speech2Lip: sound in, pictures of one person out. The footage gives head, eyes and
background; the mouth is drawn.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from jaxtyping import Float, Int, UInt8
from torch import Tensor, nn

from motet import config as settings
from motet.checkpoint import load_strict, read_checkpoint
from motet.config import JsonValue
from motet.errors import ConfigError
from motet.method import Method
from motet.methods.speech2lip.config import Speech2LipCondition, Speech2LipConfig
from motet.methods.speech2lip.model import Speech2LipModel, folded
from motet.methods.speech2lip.person.dataset import FRAME_SAMPLES, feature_windows, loudness_db
from motet.methods.speech2lip.person.folder import FPS, Person, read_facts
from motet.methods.speech2lip.person.footage_order import shown_frames
from motet.methods.speech2lip.person.mouth_region import Likeness, Mouth, kept_real, laid_in
from motet.methods.speech2lip.person.synthetic_person import StandIn
from motet.types import Audio, Frames, frame_count

SAMPLE_RATE = 16_000
TOGETHER = 8
"""Frames that go through the networks at once."""
SILENT_DB, SPOKEN_DB = -58.0, -46.0
"""Below the first nobody speaks, above the second somebody does; lips fade between rest and
speech."""
HOLD, FADE = 3, 6
"""Frames that lips go on moving after a sound, and over which they then come to rest."""


class Front(Protocol):
    """What the method hears with: 50 features a second, as they become certain."""

    def begin(self, batch: int) -> Any:
        """Before the first sample."""
        ...

    def step(self, state: Any, samples: Float[Tensor, "batch time"]) -> tuple[Tensor, Any]:
        """The features that are now certain."""
        ...

    def finish(self, state: Any) -> Tensor:
        """The rest."""
        ...


class Speaker:
    """A person with their model, ready to draw: everything that does not change from frame to frame
    is made here.
    """

    def __init__(self, person: Likeness, model: Speech2LipModel) -> None:
        self.person, self.model, self.facts = (
            person,
            model.eval().requires_grad_(False),
            person.facts,
        )
        self.mouth = Mouth(person, model.config)
        self.places = model.lip.places()
        self.blend = folded(model.blend).to(memory_format=torch.channels_last)
        self._crops, self._scene = person.crops, person.scene

    @torch.no_grad()
    def pictures(
        self, heard: Float[Tensor, "count out"], shown: Int[Tensor, "count"]
    ) -> UInt8[Tensor, "count height width 3"]:
        """Whole pictures: the footage of the shown frames with mouths that say what was heard."""
        made = [
            self._some(heard[start : start + TOGETHER], shown[start : start + TOGETHER].tolist())
            for start in range(0, len(heard), TOGETHER)
        ]
        width, height = self.facts.scene
        return (
            torch.from_numpy(np.concatenate(made))
            if made
            else torch.zeros(0, height, width, 3, dtype=torch.uint8)
        )

    @torch.no_grad()
    def regions(
        self,
        heard: Float[Tensor, "count out"],
        shown: Sequence[int],
        observed: Float[Tensor, "count 3 h w"],
        tone: Float[Tensor, "count 3"],
    ) -> tuple[Float[Tensor, "count 3 h w"], Float[Tensor, "count 1 h w"]]:
        """The drawn surroundings of the mouth, given the filmed ones and the colour of their skin,
        and how much of each pixel is drawn.
        """
        region = self.mouth.region(shown)
        lips = (
            self.model.lips(self.places, heard, self.mouth.moment(shown), self.mouth.canonical)
            * tone[..., None, None]
        )
        mixed, share = laid_in(lips, self.mouth.mask, region.mesh, observed)
        return (
            kept_real(
                self.blend(mixed.contiguous(memory_format=torch.channels_last)), share, observed
            ),
            share,
        )

    def _some(self, heard: Tensor, shown: list[int]) -> UInt8[np.ndarray, "count height width 3"]:
        crops = [self._crops.frame(frame) for frame in shown]
        filmed = (
            torch.from_numpy(
                np.stack(
                    [self.mouth.cut(crop, frame) for crop, frame in zip(crops, shown, strict=True)]
                )
            )
            .movedim(-1, 1)
            .float()
            / 255
        )
        tone = self.mouth.tone(
            torch.from_numpy(np.stack(crops)).movedim(-1, 1).float() / 255, shown
        )
        drawn, share = self.regions(heard, shown, filmed, tone)
        whole = [self._scene.frame(frame) for frame in shown]
        return np.stack(
            [
                self._back(picture, frame, drawn[k], filmed[k], share[k])
                for k, (picture, frame) in enumerate(zip(whole, shown, strict=True))
            ]
        )

    def _back(
        self,
        picture: UInt8[np.ndarray, "height width 3"],
        frame: int,
        drawn: Tensor,
        filmed: Tensor,
        share: Tensor,
    ) -> UInt8[np.ndarray, "height width 3"]:
        """Put a region into the whole picture. Where little is drawn the difference is added, so
        that the picture's own grain and sharpness stay; where all is drawn nothing of the picture
        stays, or the fine edges of the filmed lips, which the crop has lost, would lie as specks
        over the drawn ones.
        """
        parts = torch.cat([(drawn - filmed) * 255, filmed * 255, share])
        left, top = int(self.mouth.left[frame]), int(self.mouth.top[frame])
        crop, scale = self.facts.crop, self.facts.crop.width / self.facts.size
        height, width = parts.shape[1:]
        if scale != 1 or crop.height != crop.width:
            x0, y0, x1, y1 = (
                round(v)
                for v in (
                    crop.left + left * scale,
                    crop.top + top * scale,
                    crop.left + (left + width) * scale,
                    crop.top + (top + height) * scale,
                )
            )
            parts = nn.functional.interpolate(
                parts[None], (y1 - y0, x1 - x0), mode="bicubic", align_corners=False
            )[0]
        else:
            x0, y0, x1, y1 = (
                crop.left + left,
                crop.top + top,
                crop.left + left + width,
                crop.top + top + height,
            )
        result = picture.copy()
        inside = result[max(0, y0) : y1, max(0, x0) : x1]
        parts = parts[
            :,
            max(0, -y0) : max(0, -y0) + inside.shape[0],
            max(0, -x0) : max(0, -x0) + inside.shape[1],
        ]
        change, crop_pixels, weight = (
            part.movedim(0, -1).numpy() for part in parts.split([3, 3, 1])
        )
        grain = (1 - weight.clip(0, 1)) * (inside - crop_pixels)
        inside[:] = (crop_pixels + grain + change).clip(0, 255).round().astype(np.uint8)
        return result


@dataclasses.dataclass(frozen=True)
class Speech2LipState:
    """A session."""

    condition: Speech2LipCondition
    starts: tuple[int, ...]
    """Footage frame that each item begins with."""
    speaker: Speaker
    front: Any
    features: Float[Tensor, "batch steps channels"]
    """Rows not yet done with; the first is row `first`."""
    first: int
    level: Float[Tensor, "batch frames"]
    """Loudness of all whole frames so far, decibels."""
    waiting: Float[Tensor, "batch time"]
    """Samples of a frame that is not whole."""
    heard: int = 0
    given: int = 0


class Speech2Lip(Method[Speech2LipConfig, Speech2LipCondition, Speech2LipState, Frames]):
    """Pictures of one person from any speech.

    Args:
        speaker: the person that the weights belong to.
        front: what it hears with; None for models whose features only come ready-made.
    """

    def __init__(self, speaker: Speaker, front: Front | None) -> None:
        self.speaker, self.front, self.config = speaker, front, speaker.model.config

    @property
    def fps(self) -> float:
        """Pictures a second."""
        return FPS

    def begin(self, condition: Speech2LipCondition, seeds: Sequence[int]) -> Speech2LipState:
        """Before the first sample. Items with other seeds than 0 begin elsewhere in the footage.

        Raises:
            ConfigError: a start past the footage, or a model that cannot hear.
            AssetError: the person's folder is not one, or has not been trained.
        """
        speaker = (
            self.speaker
            if not condition.person
            else fitted(Path(condition.person).resolve(), _stamp(condition.person))
        )
        front = self.front if speaker is self.speaker else front_end(speaker.model.config)
        if front is None:
            raise ConfigError(
                "this model hears DeepSpeech features, which nothing here can compute; fit the"
                " person again with 'motet fit'"
            )
        if condition.start >= speaker.facts.frames:
            raise ConfigError(
                f"the footage has {speaker.facts.frames} frames; --option start={condition.start}"
                " lies past its end"
            )
        starts = tuple((condition.start + 7919 * seed) % speaker.facts.frames for seed in seeds)
        batch, channels = len(seeds), speaker.model.config.hearing.channels
        empty = torch.zeros(batch, 0)
        return Speech2LipState(
            condition,
            starts,
            speaker,
            front.begin(batch),
            torch.zeros(batch, 0, channels),
            0,
            empty,
            empty,
        )

    def step(self, state: Speech2LipState, audio: Audio) -> tuple[Frames, Speech2LipState]:
        """All pictures whose sound, and what follows it, is there."""
        audio.expect(SAMPLE_RATE, "mono")
        front = self._front(state)
        features, after = front.step(state.front, audio.samples[:, 0])
        state = self._more(state, features, audio.samples[:, 0], after)
        reach = state.speaker.model.config.hearing.window // 2
        ready = max(state.given, (state.first + state.features.shape[1] - reach) // 2 + 1)
        ready = (
            min(ready, state.level.shape[1] - self._ahead(state)) if ready > state.given else ready
        )
        return self._answer(state, max(state.given, ready))

    def finish(self, state: Speech2LipState) -> Frames:
        """The rest, as if silence followed."""
        if not state.heard:
            return self._answer(state, 0)[0]
        wanted = frame_count(state.heard / SAMPLE_RATE, FPS)
        missing = max(0, (wanted + self._ahead(state)) * FRAME_SAMPLES - state.heard)
        rest = self._front(state).finish(state.front)
        state = dataclasses.replace(
            self._more(state, rest, torch.zeros(len(state.starts), missing), None),
            heard=state.heard,
        )
        return self._answer(state, wanted)[0]

    def credits(self, condition: Speech2LipCondition) -> dict[str, JsonValue]:
        """Whose face is shown and who consented."""
        facts = read_facts(Path(condition.person)) if condition.person else self.speaker.facts
        return {"person": facts.name, "consent": facts.consent}

    def _front(self, state: Speech2LipState) -> Front:
        front = (
            self.front if state.speaker is self.speaker else front_end(state.speaker.model.config)
        )
        assert front is not None
        return front

    def _ahead(self, state: Speech2LipState) -> int:
        """Frames of loudness that a frame looks ahead: lips open before the sound."""
        return max(0, state.speaker.model.config.hearing.window // 4 - 1)

    def _more(
        self, state: Speech2LipState, features: Tensor, samples: Tensor, front: Any
    ) -> Speech2LipState:
        waiting = torch.cat([state.waiting, samples], 1)
        level = loudness_db(waiting)
        done = level.shape[1] * FRAME_SAMPLES
        return dataclasses.replace(
            state,
            front=front,
            features=torch.cat([state.features, features], 1),
            level=torch.cat([state.level, level], 1),
            waiting=waiting[:, done:],
            heard=state.heard + samples.shape[1],
        )

    @torch.no_grad()
    def _answer(self, state: Speech2LipState, until: int) -> tuple[Frames, Speech2LipState]:
        """Draw the frames up to `until` and drop the features that no later one needs."""
        numbers = torch.arange(state.given, until)
        size = state.speaker.model.config.hearing.window
        pictures = []
        for item, start in enumerate(state.starts):
            # Rows before the first are zeros, as `feature_windows` reads them; later ones shift by
            # whole frames.
            shift = state.first // 2
            windows = feature_windows(state.features[item], numbers - shift, size)
            heard = (
                state.speaker.model.hearing(windows)
                if len(numbers)
                else windows.new_zeros(0, state.speaker.model.config.hearing.out)
            )
            heard = self._at_rest(
                state, heard, spoken(state.level[item], state.given, until, self._ahead(state))
            )
            shot = next(shot for shot in _shots(state.speaker) if start in shot)
            pictures.append(
                state.speaker.pictures(
                    heard,
                    shown_frames(
                        shot, start, state.given, until - state.given, state.condition.loop
                    ),
                )
            )
        drop = min(max(0, (2 * until - size // 2 - state.first) // 2 * 2), state.features.shape[1])
        state = dataclasses.replace(
            state, features=state.features[:, drop:], first=state.first + drop, given=until
        )
        return Frames(torch.stack(pictures), FPS), state

    def _at_rest(self, state: Speech2LipState, heard: Tensor, share: Tensor) -> Tensor:
        rest = state.speaker.model.rest
        if rest is None:
            return heard
        if not state.condition.quiet_lips:
            share = torch.ones_like(share)
        return rest + (share * state.condition.intensity).unsqueeze(1) * (heard - rest)


def spoken(
    level_db: Float[Tensor, "frames"], first: int, until: int, ahead: int
) -> Float[Tensor, "count"]:
    """How much somebody speaks at frames `first` .. `until - 1`, 0..1: at once when a sound begins,
    fading after it has ended.
    """
    if until <= first:
        return level_db.new_zeros(0)
    loud = ((level_db - SILENT_DB) / (SPOKEN_DB - SILENT_DB)).clamp(0, 1)
    before, reach = HOLD + FADE, until + ahead
    padded = nn.functional.pad(
        loud[max(0, first - before) : reach], (max(0, before - first), max(0, reach - len(loud)))
    )
    fade = (1 - (torch.arange(before, -ahead - 1, -1) - HOLD).clamp(min=0) / (FADE + 1)).clamp(0, 1)
    fade = torch.where(
        torch.arange(before, -ahead - 1, -1) < 0,
        1 + torch.arange(before, -ahead - 1, -1) / (ahead + 1),
        fade,
    )
    return (padded.unfold(0, before + ahead + 1, 1) * fade).amax(1)[: until - first]


def _shots(speaker: Speaker) -> list[range]:
    borders = [0, *speaker.facts.cuts, speaker.facts.frames]
    return [range(start, stop) for start, stop in zip(borders, borders[1:], strict=False)]


def _stamp(folder: str) -> int:
    """Changes when the person's weights do."""
    path = Person(folder).weights
    return path.stat().st_mtime_ns if path.exists() else 0


@functools.lru_cache(maxsize=2)
def fitted(folder: Path, stamp: int) -> Speaker:
    """A fitted person from a folder, read once for each state of its weights.

    Raises:
        AssetError: not a person's folder.
        ConfigError: it has not been trained yet.
        CheckpointError: its weights are damaged.
    """
    person = Person(folder)
    if not stamp:
        raise ConfigError(
            f"{folder} has no trained model yet; go on with the fit that began it: motet fit VIDEO"
            f" -o {folder}"
        )
    checkpoint = read_checkpoint(person.weights)
    model = Speech2LipModel(settings.from_json(Speech2LipConfig, checkpoint.config))
    load_strict(model, checkpoint.tensors, str(person.weights))
    return Speaker(person, model)


@functools.cache
def front_end(config: Speech2LipConfig) -> Front | None:
    """The front end that a configuration names; None when its features only come ready-made."""
    if config.front == "phonetic":
        from motet.encoders.phonetic.batched import load_phonetic

        return load_phonetic()
    if config.front == "bands":
        from motet.encoders.band_energy import BandEncoder

        return BandEncoder(config.hearing.channels)
    return None


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
    person: Likeness = (
        Person(Path(__file__).parents[2] / "weights" / str(footage)) if footage else StandIn(config)
    )
    return Speech2Lip(Speaker(person, model), front_end(config))
