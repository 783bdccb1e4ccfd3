"""What one window is generated from: its sound, its axes, its events, its source."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Container, Sequence

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from motet.body.feature_vector import ROOT, encode_body, turned, vector_rotations
from motet.body.skeleton import STANDING_HEIGHT_M, heading
from motet.body.source_path import SourcePath
from motet.encoders.binaural import RATE_HZ, ear_features, loudest_mel
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import MospaConfig
from motet.methods.mospa.item_progress import ItemProgress, WindowPlan, held_before, plan_window
from motet.methods.mospa.sound_classifier import LOUDNESS, SHORTEST, SoundClassifier, SoundKind
from motet.methods.mospa.sound_events import Attention, SoundEvent, find_events, smooth_switches
from motet.methods.mospa.source_position import estimated_position, position_at
from motet.methods.mospa.windows import SourceView, world_view
from motet.reaction_families import FAMILY_NAMES, UNKNOWN_FAMILY, family_number
from motet.types import Audio


@dataclasses.dataclass(frozen=True)
class WindowTask:
    """A window of those items of a batch that are equally far."""

    indices: tuple[int, ...]
    """Items of the batch."""
    seeds: tuple[int, ...]
    number: int
    """Windows before it."""
    first_frame: int
    known: Float[Tensor, "batch known dim"] | None
    """First frames that are given, in the axes of the start."""
    is_first: bool
    """Nothing was emitted yet; the known frame, if any, is the start pose."""
    samples: Float[Tensor, "batch time 2"]
    plans: tuple[WindowPlan, ...]
    loudest: tuple[float, ...]

    @property
    def known_frames(self) -> int:
        """Number of frames that are given."""
        return 0 if self.known is None else self.known.shape[1]

    def families(self) -> Int[Tensor, "batch frames"]:
        """Number of the reaction in each frame."""
        rows = [plan.families for plan in self.plans if plan.families is not None]
        return torch.from_numpy(np.stack(rows)).long()

    def axes(self) -> tuple[Float[Tensor, "batch 3"], Float[Tensor, " batch"]]:
        """Shift of the world and angle of the window's axes in it."""
        if self.is_first or self.known is None:
            return torch.zeros(len(self.seeds), 3), torch.zeros(len(self.seeds))
        first = self.known[:, 0]
        shift = first[:, ROOT] * torch.tensor([-1.0, 0.0, -1.0])
        return shift, heading(vector_rotations(first)[:, 0])


@dataclasses.dataclass(frozen=True)
class Planner:
    """How events of a window are found and planned for, whatever the item.

    Published models see one source a window and go on to its end; so does whoever attends to no
    sound.
    """

    config: MospaConfig
    stop: int
    """Frames of a window that are emitted if nothing happens."""
    fps: float
    path: SourcePath | None
    classifier: SoundClassifier | None
    attends: bool
    reaction: int = UNKNOWN_FAMILY
    """Number of the family that the user has set for every sound."""

    def plan(
        self, item: ItemProgress, ears: Audio, features: Float[Tensor, "frames columns"]
    ) -> WindowPlan:
        """The plan of an item's next window.

        Args:
            features: of the window, which sounds are classified by.
        """
        frames = self.config.window
        if not (self.config.guessing and self.attends):
            return plan_window((), item, frames, self.stop, self.fps)
        follows = self.path is not None and self.config.events and not self.path.local
        first_s = item.first_frame / self.fps

        def position(moment: float) -> np.ndarray:
            assert self.path is not None
            return self.path.at(np.array([first_s + moment]))[0].double().numpy()

        def bearing(moment: float) -> float:
            x, _, z = position(moment)
            return float(np.degrees(np.arctan2(x, z)))

        def kind_of(start: float, stop: float) -> SoundKind | None:
            return self._kind(features, round(start * self.fps), round(stop * self.fps))

        events = find_events(
            ears,
            _attention(item, self.fps),
            continues=item.first_frame > 0,
            bearing=bearing if follows else None,
            kind_of=kind_of,
        )
        goes_on = self._judged_again(item, features, events)
        if goes_on is not None:
            item = dataclasses.replace(item, family=family_number(goes_on.family))
        place = (lambda event: position(event.seconds)) if follows else None
        plan = plan_window(events, item, frames, self.stop, self.fps, place)
        plan = dataclasses.replace(plan, goes_on=goes_on)
        return plan if not self.reaction else _set_reaction(plan, self.reaction)

    def _kind(
        self, features: Float[Tensor, "frames columns"], start: int, stop: int
    ) -> SoundKind | None:
        rows = features[start:stop]
        if self.classifier is None or len(rows) < SHORTEST:
            return None
        return self.classifier.kind(rows)

    def _judged_again(
        self,
        item: ItemProgress,
        features: Float[Tensor, "frames columns"],
        events: Sequence[SoundEvent],
    ) -> SoundKind | None:
        """The kind of what goes on, by what this window has of it: the window before may have ended
        right after its onset, and sounds change. None where that is not sure.
        """
        if item.attended is None:
            return None
        start = max(0, item.event_frame - item.first_frame)
        stop = round(events[0].seconds * self.fps) if events else len(features)
        kind = self._kind(features, start, stop) if stop - start >= AGAIN else None
        return kind if kind is not None and kind.is_sure else None


REPLACED = tuple(map(family_number, ("attend", "greet", "avoid", "cover", "flee")))
"""Families of which the network sees an example instead of the sound, as it was trained with few
sounds of each. A dance needs the beats of the sound itself; wind and rain it knows."""
AGAIN = 30
"""Frames of a sound that goes on by which its kind is judged again."""


def _attention(item: ItemProgress, fps: float) -> Attention:
    if item.attended is None:
        return Attention()
    azimuth = float(np.degrees(np.arctan2(item.attended[0], item.attended[2])))
    name = FAMILY_NAMES[item.family - 1] if item.family else ""
    return Attention(azimuth, name, (item.event_frame - item.first_frame) / fps)


def _set_reaction(plan: WindowPlan, number: int) -> WindowPlan:
    """The same with the family that the user has set wherever something is attended to."""
    assert plan.families is not None
    families = np.where(np.isnan(plan.rows).any(1), UNKNOWN_FAMILY, number)
    family = number if plan.attended is not None else UNKNOWN_FAMILY
    return dataclasses.replace(plan, families=families, family=family)


def advanced_item(
    item: ItemProgress,
    plan: WindowPlan,
    new: Float[Tensor, "frames dim"],
    past: Float[Tensor, "known dim"] | None,
    loudest: float,
    fps: float,
) -> ItemProgress:
    """An item after a window.

    Args:
        new: frames of the window that were not emitted before, in the world.
        past: frames that the next window begins with.
    """
    events, event_frame = item.events, item.event_frame
    if events and plan.goes_on is not None:
        events = (*events[:-1], dataclasses.replace(events[-1], kind=plan.goes_on))
    for event in plan.found:
        event_frame = item.first_frame + round(event.seconds * fps)
        seconds = item.first_frame / fps + event.seconds
        events = (*events, dataclasses.replace(event, seconds=seconds))
    return ItemProgress(
        torch.cat([item.pending, new]),
        item.generated + len(new),
        item.windows + 1,
        past,
        plan.attended,
        plan.before,
        loudest,
        plan.family,
        plan.family_before,
        event_frame,
        events,
    )


def audio_features(
    samples: Float[Tensor, "batch time 2"], items: Sequence[ItemProgress], frames: int
) -> tuple[Float[Tensor, "batch frames columns"], tuple[float, ...]]:
    """Features of the mean of both ears, and the loudest moment of each item so far."""
    rows, loudest = [], []
    for ears, item in zip(samples, items, strict=True):
        mono = ears.mean(1)
        loudest.append(max(item.loudest, loudest_mel(mono)))
        rows.append(ear_features(mono, rhythm=False, loudest=loudest[-1])[:frames])
    return torch.stack(rows), tuple(loudest)


def seen_features(
    features: Float[Tensor, "batch frames columns"],
    items: Sequence[ItemProgress],
    plans: Sequence[WindowPlan],
    examples: Float[Tensor, "families frames columns"] | None,
    replaced: Container[int],
) -> Float[Tensor, "batch frames columns"]:
    """The features that the network sees.

    What begins to sound where the window ends is not known yet, as nobody moves before the sound.
    Where a reaction is given whose kind of sound the network may not recognise, it sees an example
    of that kind in its place.

    Args:
        examples: a sound of each family from its onset on; None where there are none.
        replaced: numbers of the families in whose place their example is seen.
    """
    rows = []
    for own, item, plan in zip(features, items, plans, strict=True):
        if examples is not None and plan.families is not None:
            own = _with_examples(own, item, plan, examples, replaced)
        rows.append(own if plan.event is None else held_before(own, plan.event))
    return torch.stack(rows)


def _with_examples(
    features: Float[Tensor, "frames columns"],
    item: ItemProgress,
    plan: WindowPlan,
    examples: Float[Tensor, "families frames columns"],
    replaced: Container[int],
) -> Float[Tensor, "frames columns"]:
    """An item's features with examples over those stretches whose family is replaced; an example
    that is shorter than its stretch is played there and back.
    """
    assert plan.families is not None
    result = features.clone()
    loud = features[:, LOUDNESS] > QUIET * features[:, LOUDNESS].max()
    edges = [0, *(np.flatnonzero(np.diff(plan.families)) + 1), len(features)]
    for start, stop in itertools.pairwise(edges):
        number = int(plan.families[start])
        if number not in replaced:
            continue
        # A stretch that began in an earlier window goes on where its example was.
        began = 0 if start else max(0, item.first_frame - item.event_frame)
        example = examples[number - 1]
        order = torch.arange(began, began + stop - start) % (2 * len(example) - 2)
        order = torch.where(order < len(example), order, 2 * len(example) - 2 - order)
        # In pauses of a second and longer the figure hears the pause.
        sounds = loud[start:stop].float().view(1, 1, -1)
        sounds = F.max_pool1d(sounds, PAUSE, 1, PAUSE // 2)[0, 0, : stop - start] > 0
        result[start:stop][sounds] = example[order][sounds]
    return result


QUIET, PAUSE = 0.03, 31
"""Share of the loudest moment under which nothing sounds; frames up to
which a gap is no pause."""


JUMP_FRAMES = 5
"""Frames before a jump of a given source at which it is still where it was."""


def world_source(
    task: WindowTask, config: MospaConfig, path: SourcePath | None, fps: float, *, attends: bool
) -> Float[Tensor, "batch frames 3"]:
    """Positions of the source in the axes of the start, or rows of an oracle; NaN where there is
    none.
    """
    frames = config.window
    if path is not None:
        rows = path.at((task.first_frame + np.arange(frames)) / fps)
        given = rows.expand(len(task.seeds), -1, -1).clone()
        for own, plan in zip(given, task.plans, strict=True):
            if plan.event is not None:  # a jump is not known before it happens
                own[plan.event :] = own[max(0, plan.event - JUMP_FRAMES)]
        return given
    if config.events and not attends:
        return torch.full((len(task.seeds), frames, 3), torch.nan)
    sources = np.stack([plan.rows for plan in task.plans])
    if not config.events:
        for rows, plan, ears in zip(sources, task.plans, as_ears(task.samples), strict=True):
            # One source for the whole window: that of its newest event, or the first audible.
            seen = rows[~np.isnan(rows).any(1)]
            if len(seen):
                rows[:] = seen[-1]
            else:
                rows[:] = estimated_position(ears) if plan.event is None else position_at(0.0)
    return torch.from_numpy(sources).float()


def waiting(
    vector: Float[Tensor, "batch frames dim"], task: WindowTask
) -> Float[Tensor, "batch frames dim"]:
    """Windows in which items that no sound has reached yet keep their last known pose: what a
    network makes of silence is no reaction.
    """
    assert task.known is not None
    is_silent = torch.tensor([bool(np.isnan(plan.rows[: plan.stop]).all()) for plan in task.plans])
    still = task.known[:, -1:].expand_as(vector)
    held = torch.cat([task.known, still[:, task.known_frames :]], 1)
    return torch.where(is_silent.view(-1, 1, 1), held, vector)


def source_view(
    task: WindowTask,
    world: Float[Tensor, "batch frames 3"],
    config: MospaConfig,
    mode: str,
    *,
    local: bool,
) -> tuple[SourceView, bool]:
    """Source-position encoding of a window.

    Args:
        local: the rows are seen from the true pelvis (`oracle`).
    """
    if local:
        rows = F.normalize(world, dim=-1) if config.source.unit else world
        return (lambda estimate: rows), False
    shift, angle = task.axes()
    up = torch.stack([torch.zeros_like(angle), -angle, torch.zeros_like(angle)], -1)
    own = _turn(world + shift.unsqueeze(1), up)
    if task.known is None:
        first = standing_vector(len(task.seeds))
    else:
        first = turned(task.known[:, :1], -angle, shift)[:, 0]
    if config.events:
        # Positions from the pelvis at the window's start; zeros where there is no source.
        seen = smooth_switches(torch.nan_to_num(own - first[:, None, ROOT]))
        seen = F.normalize(seen, dim=-1) if config.source.unit else seen
        return (lambda estimate: seen), False
    mode = "selfconsistent" if mode == "default" else mode
    return world_view(own, first, config.source, mode)


def standing_vector(batch: int) -> Float[Tensor, "batch dim"]:
    """The house skeleton at rest at the origin: where a published model sees the source from before
    its first window.
    """
    root = torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]).expand(batch, 1, 3)
    return encode_body(root, torch.eye(3).expand(batch, 1, 25, 3, 3))[:, 0]


def _turn(
    places: Float[Tensor, "batch frames 3"], axis_angle: Float[Tensor, "batch 3"]
) -> Float[Tensor, "batch frames 3"]:
    return places @ matrix_from_axis_angle(axis_angle).transpose(-1, -2)


def as_ears(samples: Float[Tensor, "batch time 2"]) -> list[Audio]:
    """Samples of a batch as binaural sounds."""
    return [Audio(item, RATE_HZ, "binaural") for item in samples.transpose(1, 2).contiguous()]
