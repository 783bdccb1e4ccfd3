"""Where each item of a batch stands, and what its next window is conditioned on.

A window ends where something new begins to sound, and the next one begins with what the figure did
until then. Events come at other moments in each sound, so the items of a batch advance separately.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from motet.methods.mospa.sound_classifier import SoundKind
from motet.methods.mospa.sound_events import SoundEvent
from motet.methods.mospa.source_position import position_at
from motet.reaction_families import UNKNOWN_FAMILY, family_number

MARGIN = 4
"""Frames around a window's border in which an event belongs to what follows the border."""
REACTION = 5
"""Frames after an event that nobody reacts in yet (0.17 s); a window ends after them."""
ATTEND = family_number("attend")
HELD = 32
"""Frames before an event whose sound is repeated in place of what a window must not know yet."""


@dataclasses.dataclass(frozen=True)
class ItemProgress:
    """One item of a batch."""

    pending: Float[Tensor, "frames dim"]
    """Generated, but not emitted yet: another item is not as far."""
    generated: int = 0
    """Frames generated so far, those included."""
    windows: int = 0
    past: Float[Tensor, "known dim"] | None = None
    """The last generated frames, before they were placed in the world; the next window begins with
    them."""
    attended: Float[np.ndarray, "3"] | None = None
    """Position of the source of the newest event, metres; None before the first."""
    before: Float[np.ndarray, "3"] | None = None
    """The one that was attended to during `past`."""
    loudest: float = 0.0
    """Loudest moment so far: reference of the audio features."""
    family: int = UNKNOWN_FAMILY
    """Number of the reaction to the newest event."""
    family_before: int = UNKNOWN_FAMILY
    """The one during `past`."""
    event_frame: int = 0
    """Absolute frame of the newest event."""
    events: tuple[SoundEvent, ...] = ()
    """All so far, seconds from the start of the sound."""

    @property
    def known(self) -> int:
        """Frames of the past that the next window begins with."""
        return 0 if self.past is None else len(self.past)

    @property
    def first_frame(self) -> int:
        """Absolute number of the next window's first frame."""
        return self.generated - self.known


def at_start(batch: int, dim: int) -> tuple[ItemProgress, ...]:
    """Items of which nothing is generated yet."""
    return (ItemProgress(torch.zeros(0, dim)),) * batch


def next_groups(items: Sequence[ItemProgress]) -> list[list[int]]:
    """Items that need a window before anything can be emitted; those that are equally far go
    through the network together.
    """
    groups: dict[tuple[int, int, int], list[int]] = {}
    for index, item in enumerate(items):
        if not len(item.pending):
            groups.setdefault((item.generated, item.known, item.windows), []).append(index)
    return list(groups.values())


@dataclasses.dataclass(frozen=True)
class WindowPlan:
    """How far a window goes, and which source each of its frames attends to."""

    stop: int
    """Frames of the window that are emitted: up to the reaction to the next event."""
    rows: Float[np.ndarray, "frames 3"]
    """Position of the attended source, metres; NaN where there is none."""
    attended: Float[np.ndarray, "3"] | None
    """After the window."""
    event: int | None = None
    """Frame of the event that the window ends at."""
    families: Int[np.ndarray, " frames"] | None = None
    """Number of the reaction in each frame; None where none is given."""
    family: int = UNKNOWN_FAMILY
    """After the window."""
    found: tuple[SoundEvent, ...] = ()
    """Events that this window newly attends to."""
    goes_on: SoundKind | None = None
    """Kind of what was attended to before the window, judged by what the window has of it."""

    @property
    def before(self) -> Float[np.ndarray, "3"] | None:
        """What the window's last emitted frames attend to."""
        row = self.rows[self.stop - 1]
        return None if np.isnan(row).any() else row

    @property
    def family_before(self) -> int:
        """The reaction in the window's last emitted frames."""
        return UNKNOWN_FAMILY if self.families is None else int(self.families[self.stop - 1])


def plan_window(
    events: Sequence[SoundEvent],
    item: ItemProgress,
    frames: int,
    stop: int,
    fps: float,
    position: Callable[[SoundEvent], Float[np.ndarray, "3"]] | None = None,
) -> WindowPlan:
    """The plan of an item's next window.

    Args:
        events: in the window's sound, seconds from its start.
        frames: length of a window.
        stop: frames of it that are emitted if nothing happens.
        position: where an event is; at an assumed distance where this is left out.
    """
    rows = np.full((frames, 3), np.nan)
    families = np.full(frames, UNKNOWN_FAMILY)
    border = max(item.known, 1)
    if item.before is not None:
        rows[:border], families[:border] = item.before, item.family_before
    if item.attended is not None:
        since = max(0, item.known - REACTION)
        rows[since:], families[since:] = item.attended, item.family
    attended, family = item.attended, item.family
    found: tuple[SoundEvent, ...] = ()
    for event in events:
        frame = round(event.seconds * fps)
        place = position_at(event.azimuth_deg) if position is None else position(event)
        # A given source that jumps goes on with what it does, unless it clearly changes.
        number = UNKNOWN_FAMILY if position is None else family
        if event.kind is not None:
            # Whoever cannot tell what it is turns to it.
            number = family_number(event.kind.family) if event.kind.is_sure else number or ATTEND
        if border + MARGIN < frame + REACTION < stop:
            return WindowPlan(
                frame + REACTION, rows, place, frame, families, number, (*found, event)
            )
        if abs(frame + REACTION - border) <= MARGIN:
            rows[frame:], families[frame:] = place, number
            attended, family, found = place, number, (*found, event)
    return WindowPlan(stop, rows, attended, None, families, family, found)


def held_before(
    features: Float[Tensor, "frames columns"], stop: int
) -> Float[Tensor, "frames columns"]:
    """Audio features in which what sounded before `stop` goes on, back and forth."""
    if stop >= len(features):
        return features
    span = torch.arange(max(0, stop - HELD), max(1, stop - 2))
    there_and_back = torch.cat([span.flip(0), span])
    order = there_and_back.repeat(len(features) // len(there_and_back) + 1)
    return torch.cat([features[:stop], features[order[: len(features) - stop]]])
