"""What training reads: clips as aligned arrays in memory, ready to be cut into windows.

Methods see only this; how the arrays came from files, tracking or synthesis is the business of
`motet.data`.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Sequence
from typing import Literal, TypeVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from motet.errors import InputError
from motet.types import MotionSpace

LEAST_SPEAKERS = 10
"""From this number of speakers on whole speakers are held out for validation."""
ItemT = TypeVar("ItemT")


def partition(
    items: Sequence[ItemT], names: Sequence[str], share: float
) -> tuple[list[ItemT], list[ItemT]]:
    """Items that train and items that validate; items of one name stay together.

    Names are taken in the order of their checksum, so that the choice depends on the names alone;
    at least one name is held out and at least one trains.
    """
    # A checksum: the choice must not depend on order, machine or Python's salted hash.
    order = sorted(set(names), key=lambda name: (zlib.crc32(name.encode()), name))
    # At least one name stays for training.
    count = min(len(order) - 1, max(1, round(share * len(order)))) if share else 0
    held = set(order[:count])
    train = [item for item, name in zip(items, names, strict=True) if name not in held]
    return train, [item for item, name in zip(items, names, strict=True) if name in held]


@dataclasses.dataclass(frozen=True)
class TrainingItem:
    """One performance: motion and acoustic features on one clock."""

    motion: Float[Tensor, "frames dim"]
    features: Float[Tensor, "steps channels"]
    """Acoustic features at `feature_rate` of the set; step j covers from j / rate to (j + 1) /
    rate seconds."""
    valid: Bool[Tensor, " dim"]
    """Which motion channels were observed; the others do not enter the loss."""
    speaker: str = ""
    style: str = ""
    """Name of the style, where it has one."""
    phones: tuple[tuple[float, float, str], ...] = ()
    """Start, end (seconds) and symbol of every phone, silence included, where they are known."""
    weight: float = 1.0
    """How often this item is drawn, per frame, relative to the others."""
    recording: str = ""
    """Name of the recording; augmented copies of a recording carry its name."""


@dataclasses.dataclass(frozen=True)
class TrainingSet:
    """Performances in one motion space with features of one audio encoder.

    Raises:
        InputError: no items at all, or sizes that do not fit the space.
    """

    space: MotionSpace
    items: Sequence[TrainingItem]
    feature_rate: float = 50.0
    mean: Float[Tensor, " dim"] | None = None
    std: Float[Tensor, " dim"] | None = None

    def __post_init__(self) -> None:
        if not self.items:
            raise InputError(
                "a training set without a single performance; make one with 'motet data synth'"
            )
        for item in self.items:
            if item.motion.shape[-1] != self.space.dim:
                raise InputError(
                    f"a performance has {item.motion.shape[-1]} numbers a frame, the space"
                    f" {self.space.name!r} has {self.space.dim}"
                )

    def statistics(self) -> tuple[Float[Tensor, " dim"], Float[Tensor, " dim"]]:
        """Mean and deviation of every channel over the frames where it was observed (deviation at
        least 0.01).
        """
        # set by `hold_out`: both parts are scaled alike
        if self.mean is not None and self.std is not None:
            return self.mean, self.std
        total = torch.zeros(self.space.dim, dtype=torch.float64)
        square, count = total.clone(), total.clone()
        for item in self.items:
            motion, valid = item.motion.double(), item.valid.double()
            total += motion.sum(0) * valid
            square += motion.square().sum(0) * valid
            count += len(motion) * valid
        mean = total / count.clamp(min=1)
        # E[x^2] - E[x]^2, which rounding may take below zero
        return (
            mean.float(),
            (square / count.clamp(min=1) - mean.square())
            .clamp(min=0)
            .sqrt()
            .clamp(min=0.01)
            .float(),
        )

    def hold_out(self, share: float) -> tuple[TrainingSet, TrainingSet | None]:
        """Training and validation part, the same ones for the same items; statistics stay those of
        the whole. Whole speakers are held out where there are at least ten, otherwise whole
        recordings.

        Returns:
            None for the second where the share is 0 or there is only one recording.
        """
        speakers = [item.speaker for item in self.items]
        enough = all(speakers) and len(set(speakers)) >= LEAST_SPEAKERS
        names = [
            # Items without a recording's name stand for themselves.
            item.speaker if enough else item.recording or f"#{index}"
            for index, item in enumerate(self.items)
        ]
        mean, std = self.statistics()
        parts = [
            dataclasses.replace(self, items=items, mean=mean, std=std)
            for items in partition(self.items, names, share)
            if items
        ]
        return parts[0], parts[1] if len(parts) > 1 else None

    def draw(
        self, size: int, frames: int, randomness: torch.Generator
    ) -> list[tuple[TrainingItem, int]]:
        """Items with start frames for windows of that length; a long performance is drawn more
        often than a short one.

        Performances shorter than the window start at 0 and are to be padded by the caller.
        """
        weights = torch.tensor(
            [max(1, len(item.motion) - frames + 1) * item.weight for item in self.items],
            dtype=torch.float64,
        )
        # by the number of windows in it, times the item's weight
        chosen = torch.multinomial(weights, size, replacement=True, generator=randomness).tolist()
        starts = torch.rand(size, generator=randomness, dtype=torch.float64).tolist()
        return [
            (self.items[i], int(s * max(1, len(self.items[i].motion) - frames + 1)))
            for i, s in zip(chosen, starts, strict=True)
        ]


@dataclasses.dataclass(frozen=True)
class SpatialItem:
    """One sequence of a whole body reacting to a sound in space, 30 frames a second."""

    name: str
    motion: Float[Tensor, "frames dim"]
    """The 300 numbers of `motet.body.feature_vector`, as recorded."""
    audio: Float[Tensor, "frames columns"]
    """Binaural acoustic features."""
    source: Float[Tensor, "frames 3"]
    """Where the sound is, metres, seen from the pelvis and its axes in each frame."""
    genre: int
    """0, 1 or 2: how strongly the person reacts."""
    label: str = ""
    """What sounds, where it is known."""
    ears: int = 2
    """2: the columns of the left ear are followed by those of the right one."""
    role: int = 0
    """0: the figure listens; 1: it speaks itself."""
    attended: Int[Tensor, " frames"] | None = None
    """2 where the figure attends to the source, 1 before it does, 0 where there is no source; None:
    2 everywhere."""
    events: tuple[int, ...] = ()
    """Frames in which something begins to sound, where they are known."""
    families: Int[Tensor, " frames"] | None = None
    """Family of the reaction to the newest event, as `reaction_families` numbers them; 0 before the
    first. None: known nowhere."""


@dataclasses.dataclass(frozen=True)
class SpatialSet:
    """Sequences of bodies that react to sounds.

    Raises:
        InputError: none at all, or one whose parts differ in length.
    """

    items: Sequence[SpatialItem]

    def __post_init__(self) -> None:
        if not self.items:
            raise InputError(
                "a training set without a single sequence; build one with 'motet data sam'"
            )
        for item in self.items:
            if not len(item.motion) == len(item.audio) == len(item.source):
                raise InputError(
                    f"{item.name}: motion, sound and source have {len(item.motion)},"
                    f" {len(item.audio)} and {len(item.source)} frames"
                )

    def hold_out(self, share: float) -> tuple[SpatialSet, SpatialSet | None]:
        """Training and validation part by sequence, the same ones for the same items.

        Returns:
            None for the second where the share is 0 or there is only one sequence.
        """
        # Excerpts of a sequence, and its three genres, stay together.
        groups = [item.name.partition("@")[0][:-1] for item in self.items]
        train, held = partition(self.items, groups, share)
        return SpatialSet(train), SpatialSet(held) if held else None

    def draw(
        self,
        size: int,
        frames: int,
        randomness: torch.Generator,
        *,
        seen_from: Literal["root", "start"] = "root",
        mirror: bool = True,
        from_start: float = 0.0,
        at_events: float = 0.0,
        before_event: int = 0,
    ) -> dict[str, Tensor]:
        """Windows that begin with the figure at the origin, looking to +Z; about half of them seen
        in a mirror.

        Besides the parts of a window, `event` is the frame of the event that it was drawn for, or
        -1.

        Args:
            frames: length of the windows; sequences that are shorter are not drawn.
            seen_from: `root` leaves the source as it is stored, `start` gives it as seen from the
                pelvis of the window's first frame with upright axes.
            mirror: False leaves all windows as recorded.
            from_start: share of windows that begin where their sequence begins.
            at_events: share of windows that are drawn for an event, of all events alike.
            before_event: frames of such a window before its event, give or take two; fewer where
                the sequence has fewer.

        Raises:
            InputError: every sequence is shorter than a window.
        """
        usable = [item for item in self.items if len(item.motion) >= frames]
        if not usable:
            raise InputError(
                f"no sequence has the {frames} frames of a window; the longest has"
                f" {max(len(item.motion) for item in self.items)}"
            )
        chosen = torch.randint(len(usable), (size,), generator=randomness).tolist()
        starts = torch.rand(size, generator=randomness, dtype=torch.float64).tolist()
        flips = (torch.rand(size, generator=randomness) < 0.5).tolist()
        if from_start:
            first = torch.rand(size, generator=randomness) < from_start
            starts = [
                0.0 if begins else s for begins, s in zip(first.tolist(), starts, strict=True)
            ]
        firsts = [
            int(s * (len(usable[i].motion) - frames + 1))
            for i, s in zip(chosen, starts, strict=True)
        ]
        events = [-1] * size
        if at_events:
            for row, cut in _cuts_at_events(
                usable, size, frames, randomness, at_events, before_event
            ):
                chosen[row], firsts[row], events[row] = cut
        # The draws above happen in any case, so options do not change the other windows.
        rows = [
            spatial_window(usable[i], first, frames, seen_from=seen_from, mirror=mirror and flip)
            for i, first, flip in zip(chosen, firsts, flips, strict=True)
        ]
        drawn = {name: torch.stack([row[name] for row in rows]) for name in rows[0]}
        return {**drawn, "event": torch.tensor(events)}


CUT_JITTER = 2
"""Frames by which the event of a window is earlier or later, as detected onsets are."""


def _cuts_at_events(
    items: Sequence[SpatialItem],
    size: int,
    frames: int,
    randomness: torch.Generator,
    share: float,
    before: int,
) -> Iterator[tuple[int, tuple[int, int, int]]]:
    """(row of the batch, (item, first frame of the window, frame of the event in it)) of those
    windows that are drawn for an event.
    """
    cuts = [
        (index, event)
        for index, item in enumerate(items)
        for event in item.events
        # the window must end inside the sequence, whatever the jitter
        if event - before <= len(item.motion) - frames - CUT_JITTER
    ]
    is_cut = torch.rand(size, generator=randomness) < share
    picks = torch.rand(size, generator=randomness, dtype=torch.float64).tolist()
    shifts = torch.randint(-CUT_JITTER, CUT_JITTER + 1, (size,), generator=randomness).tolist()
    for row in is_cut.nonzero()[:, 0].tolist() if cuts else ():
        index, event = cuts[int(picks[row] * len(cuts))]
        first = max(0, event - before + shifts[row])
        yield row, (index, first, event - first)


def spatial_window(
    item: SpatialItem,
    start: int,
    frames: int,
    *,
    seen_from: Literal["root", "start"] = "root",
    mirror: bool = False,
) -> dict[str, Tensor]:
    """One window of a sequence: motion, audio, source and genre, turned and shifted so that it
    begins at the origin looking to +Z.
    """
    from motet.body.feature_vector import ROOT, mirrored, turned, vector_rotations
    from motet.body.skeleton import heading

    span = slice(start, start + frames)
    motion, source, audio = item.motion[span], item.source[span], item.audio[span]
    first = vector_rotations(motion[0])[0]
    # to the origin in the plane; the height above the ground stays
    shift = motion[0, ROOT] * torch.tensor([-1.0, 0.0, -1.0], dtype=motion.dtype)
    motion = turned(motion, -heading(first), shift)
    if seen_from == "start":
        # The source is stored in the axes of the pelvis: into the world, then seen from the start.
        world = (vector_rotations(motion)[:, 0] @ source.unsqueeze(-1)).squeeze(-1) + motion[
            :, ROOT
        ]
        source = world - motion[0, ROOT]
    if mirror:
        motion, source = (
            mirrored(motion),
            # Left and right: x changes its sign.
            source * torch.tensor([-1.0, 1.0, 1.0], dtype=source.dtype),
        )
        if item.ears == 2:
            # the columns of the two ears change sides
            audio = audio.roll(audio.shape[1] // 2, 1)
    attended = torch.full((frames,), 2) if item.attended is None else item.attended[span].long()
    families = torch.zeros(frames) if item.families is None else item.families[span]
    return {
        "motion": motion,
        "audio": audio,
        "source": source,
        "genre": torch.tensor(item.genre),
        "role": torch.tensor(item.role),
        "attended": attended,
        "families": families.long(),
    }
