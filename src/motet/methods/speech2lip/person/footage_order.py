"""Which frame of the footage is shown when speech goes on longer than the footage: forwards and
backwards inside one shot.

At a turn the footage slows down to a stand and sets off again, as a head does that changes its
mind: time runs along a triangle whose corners are rounded over half a second, so there is no jerk
to see.
"""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from motet.methods.speech2lip.person.folder import PersonFacts

EASING = 12
"""Frames on each side of a turn over which the footage slows down and sets off again."""


SEED_STEP = 7919
"""Frames between the starts of neighbouring seeds: a large prime spreads them over any footage."""


def first_shown(facts: PersonFacts, start: int, seed: int, loop: str) -> int:
    """Footage frame that a take begins with; seed 0 begins at `start`.

    Loops inside a shot begin in a span that can be used; a file is shown as it is.
    """
    frame = (start + SEED_STEP * seed) % facts.frames
    return frame if loop in ("file", "once") else facts.usable_from(frame)


def shown_frames(
    shot: range, start: int, first: int, count: int, loop: str = "pingpong"
) -> Int[Tensor, " count"]:
    """Footage frames for the frames `first` .. `first + count - 1` of a take that begins with
    footage frame `start`.

    Depends on nothing but the frame's number, so any stretch of a take can be had without the ones
    before it.

    Args:
        loop: `pingpong`, or `file` for the same over a whole file; `hold` for standing still at the
            start; `once` for the footage frame by frame up to its end, where it stands still.
    """
    if loop == "once":
        return torch.arange(start + first, start + first + count).clamp(max=shot.stop - 1)
    if loop == "hold" or len(shot) < 2:
        return torch.full((count,), min(max(start, shot.start), shot.stop - 1))
    length = len(shot) - 1
    easing = min(EASING, length / 2)
    begin = start - shot.start
    since = torch.arange(first, first + count, dtype=torch.float64)
    position = _position(since + _time_of(begin, length, easing), length, easing)
    # A take sets off at full speed wherever it begins: up to the first turn, frame by frame.
    position = torch.where(since + begin <= length - easing / 2, since + begin, position)
    return shot.start + (position + 0.5).floor().long().clamp(0, length)


def _period(length: float, easing: float) -> float:
    """Frames from one turn to the next: a rounded corner covers a quarter of its duration twice
    less ground than a straight one.
    """
    return length + easing


def _position(time: Tensor, length: float, easing: float) -> Tensor:
    """Position on the shot in frames, 0 .. length, at a time counted from a turn at 0."""
    period = _period(length, easing)
    phase = torch.remainder(time, 2 * period)
    along = torch.where(phase > period, 2 * period - phase, phase)
    # From a standing start: s = t^2 / (2 easing) for t < easing, then at full speed, and the same
    # mirrored at the end.
    rising = along.square() / (2 * easing)
    falling = length - (period - along).square() / (2 * easing)
    steady = along - easing / 2
    return torch.where(
        along < easing, rising, torch.where(along > period - easing, falling, steady)
    )


def _time_of(position: float, length: float, easing: float) -> float:
    """The time at which a position is passed on the way up (as if the way up had begun at full
    speed).
    """
    if position <= length - easing / 2:
        return position + easing / 2
    return _period(length, easing) - (2 * easing * max(0.0, length - position)) ** 0.5
