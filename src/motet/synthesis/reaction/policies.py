"""Which sound calls for which reaction, and what that reaction is: one primary, one alternative."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np

from motet.reaction_families import FAMILY_OF
from motet.synthesis.reaction import gestures
from motet.synthesis.reaction.plan import Plan, held, rise, seconds, still_plan
from motet.synthesis.reaction.stimulus import IGNORES, Cue, look, nearer_angle, on_floor, turn, walk

ALTERNATIVE = 0.3
NEAREST_M = 1.0
"""Nobody walks closer to a source than this."""
ROOM_M = 3.2
"""Nobody walks further from where they stood than this."""


@dataclasses.dataclass(frozen=True)
class Reaction:
    """A plan, and what it set out to do: the truth that evaluations compare with."""

    plan: Plan
    policy: str
    """`family` or `family/alternative`, or `ignore`."""
    start_s: float
    """When the body begins to move for the sound."""
    travel_deg: float | None
    """Direction over the floor in which the body goes, degrees to the left of +Z; None when it
    stays."""
    looks: bool
    """Whether the gaze goes to the source."""
    covers_ears: bool


def react(sound: str, cue: Cue, frames: int) -> Reaction:
    """The reaction of one person to one sound; drawn from the cue's randomness."""
    plan = still_plan(frames, cue.source)
    start = cue.onset_s + cue.latency()
    if cue.genre == 0 and cue.random.random() < IGNORES:
        look(plan, start, 0.1, start + cue.random.uniform(0.8, 2.0))
        return Reaction(plan, "ignore", start, None, True, False)
    family = FAMILY_OF[sound]
    other = bool(cue.random.random() < ALTERNATIVE)
    travel, looks, covers = _POLICIES[family](plan, cue, start, other)
    return Reaction(
        plan,
        family + ("/alternative" if other else ""),
        start,
        None if travel is None else float(np.degrees(travel)),
        looks,
        covers,
    )


_Outcome = tuple[float | None, bool, bool]
_Policy = Callable[[Plan, Cue, float, bool], _Outcome]


def _approach(plan: Plan, cue: Cue, start: float, share: float = 1.0) -> float | None:
    # not nearer than NEAREST_M to the source, not farther than ROOM_M from here
    way = min(share * (cue.distance - NEAREST_M), ROOM_M)
    if way < 0.15:
        return None
    walk(plan, start, way * on_floor(cue.azimuth), (0.75 + 0.35 * cue.gain) * cue.pace)
    return cue.azimuth


def _face(plan: Plan, cue: Cue, start: float, share: float = 1.0) -> float:
    """Look first, then turn the feet if the source is not about in front."""
    look(plan, start, cue.gain)
    # The eyes lead the feet by 0.28 s.
    late = start + 0.28 / cue.pace
    return turn(plan, late, share * cue.azimuth, cue.pace) if abs(cue.azimuth) > 0.35 else late


def _attend(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Turn to it and go there; or stand, look and listen with the head to one side."""
    done = _face(plan, cue, start, 1.0 if not other else 0.75)
    if not other:
        return _approach(plan, cue, done - 0.25 - 0.2 * cue.gain, 0.6 + 0.4 * cue.gain), True, False
    time = seconds(plan.frames)
    plan.tilt += (
        cue.random.choice([-1, 1])
        * (0.08 + 0.14 * cue.gain)
        * held(time, done, 0.7, done + cue.random.uniform(2, 5), 0.9)
    )
    plan.bow += 0.10 * cue.gain * rise(time, done, 1.2)
    return None, True, False


def _greet(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Turn to face it; nod, wave or clap."""
    done = _face(plan, cue, start)
    # done before the recording ends
    stop = min(
        plan.frames / 120 - 0.9, done + cue.random.uniform(2.5, 4.5) * (0.6 + 0.5 * cue.gain)
    )
    if other:
        return _approach(plan, cue, done, 0.7), True, False
    choice = cue.random.choice(["nod", "wave", "clap"])
    if choice == "nod":
        gestures.nods(
            plan,
            np.arange(done + 0.2, plan.frames / 120 - 1, cue.random.uniform(1.5, 2.6)),
            cue.gain,
        )
    elif choice == "wave":
        gestures.wave(plan, done - 0.2, stop, int(cue.random.random() < 0.75), cue.gain, cue.random)
    else:
        beats = (
            np.array(cue.beats_s)
            if cue.beats_s
            else np.arange(done + 0.5, stop, 0.36 - 0.08 * cue.gain)
        )
        gestures.clap(plan, done, stop, beats, cue.gain)
    return None, True, False


def _dance(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Face it and dance, stepping from side to side; or clap with the beat."""
    done = _face(plan, cue, start)
    beats = np.array(cue.beats_s)
    stop = plan.frames / 120 - 0.4
    gestures.groove(plan, done - 0.3, stop, beats, cue.gain * (0.6 if other else 1.0), cue.random)
    if other:
        gestures.clap(plan, done, stop - 0.3, beats[::2] if len(beats) > 24 else beats, cue.gain)
    elif cue.gain > 0.5:
        side = on_floor(cue.azimuth + np.pi / 2) * (0.16 + 0.14 * cue.gain)
        first = int(np.searchsorted(beats, done + 0.4))
        # whole pairs of beats, so that the first step falls on the strong one
        first += first % 2
        for count, number in enumerate(range(first, len(beats) - 2, 2)):
            # The weight arrives with the beat: the step begins before it.
            _glide(plan, beats[number] - 0.30, side * (1 if count % 2 == 0 else -1))
    return None, True, False


def _glide(plan: Plan, start_s: float, way: np.ndarray) -> None:
    position = plan.path.position + rise(seconds(plan.frames), start_s, 0.55)[:, None] * way
    plan.path = dataclasses.replace(plan.path, position=position, hurry=np.full(plan.frames, 1.25))


def _avoid(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Look, then step out of its way; or draw back facing it."""
    look(plan, start, cue.gain)
    done = turn(plan, start + 0.25, 0.35 * cue.azimuth, cue.pace)
    # to the side away from the source
    side = 1.0 if nearer_angle(cue.azimuth) < 0 else -1.0
    travel = nearer_angle(cue.azimuth + (np.pi if other else side * np.pi / 2))
    walk(
        plan,
        done - 0.35,
        (0.5 + 0.8 * cue.gain) * on_floor(travel),
        (0.6 + 0.3 * cue.gain) * cue.pace,
    )
    if cue.gain > 0.6 and cue.random.random() < 0.5:
        gestures.startle(plan, start, 0.45 * cue.gain)
    return travel, True, False


def _cover(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Hands over the ears and away from it; or hands over the ears, bowed, where one stands."""
    end = plan.frames / 120
    time = seconds(plan.frames)
    stop = end + 1 if cue.random.random() < 0.6 else end - cue.random.uniform(0.8, 2.0)
    if cue.gain > 0.5 or cue.random.random() < 0.5:
        gestures.cover_ears(plan, start, stop, cue.random, quick=0.7 + 0.5 * cue.gain)
        covers = True
    else:
        # A dull person puts up one hand, on the side of the sound.
        gestures.cover_ears(plan, start, stop, cue.random, (0 if cue.azimuth > 0 else 1,), 0.7)
        covers = False
    plan.bow += (0.10 + 0.22 * cue.gain) * held(time, start, 0.8, stop, 0.9)
    plan.shrug += 0.15 * cue.gain * held(time, start, 0.6, stop, 0.9)
    plan.nod += 0.12 * cue.gain * held(time, start, 0.7, stop, 0.9)
    if other:
        plan.crouch_m += 0.12 * cue.gain * held(time, start + 0.2, 0.9, stop, 1.0)
        gestures.head_shake(plan, start + 1.2, 3, 0.5 * cue.gain)
        return None, False, covers
    away = nearer_angle(cue.azimuth + np.pi)
    done = turn(plan, start + 0.35, away, cue.pace)
    walk(
        plan,
        max(start + 0.5, done - 0.55),
        min(ROOM_M, 1.0 + 1.8 * cue.gain) * on_floor(away),
        (0.7 + 0.4 * cue.gain) * cue.pace,
    )
    return away, False, covers


def _flee(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Start at every bang, then run directly away; or crouch down under one's arms."""
    for event in cue.events_s[:6]:
        gestures.startle(
            plan,
            # the first bang startles fully, later ones half
            event + 0.5 * (start - cue.onset_s),
            cue.gain * (1.0 if event == cue.events_s[0] else 0.5),
        )
    calm = start + cue.random.uniform(2.6, 4.2)
    if other:
        gestures.squat(plan, start + 0.1, calm, 0.5 + 0.5 * cue.gain, 0.8 + 0.4 * cue.gain)
        gestures.guard(plan, start + 0.1, calm, min(1.0, 0.55 + 0.45 * cue.gain))
        look(plan, calm + 0.4, cue.gain)
        return None, False, False
    away = nearer_angle(cue.azimuth + np.pi)
    done = turn(plan, start + 0.25, away, 1.45 * cue.pace)
    arrived = walk(
        plan,
        max(start + 0.35, done - 0.6),
        min(ROOM_M, 1.2 + 2.2 * cue.gain) * on_floor(away),
        (0.9 + 1.2 * cue.gain) * cue.pace,
    )
    time = seconds(plan.frames)
    plan.bow += 0.16 * cue.gain * held(time, start, 0.4, arrived, 0.7)
    look(plan, arrived + 0.2, 0.6 * cue.gain, arrived + 3.0)
    return away, False, False


def _endure(plan: Plan, cue: Cue, start: float, other: bool) -> _Outcome:
    """Arms round oneself against wind or rain, or a hand held up against it."""
    end = plan.frames / 120
    time = seconds(plan.frames)
    if other:
        gestures.shield(
            plan, start, end + 1, int(cue.azimuth < 0), overhead=bool(cue.random.random() < 0.5)
        )
        plan.bow += 0.14 * cue.gain * rise(time, start, 1.0)
        plan.nod += 0.18 * cue.gain * rise(time, start, 1.0)
    else:
        gestures.hug(plan, start, end + 1, cue.random, min(1.0, 0.5 + 0.6 * cue.gain))
        gestures.shiver(plan, start + 0.8, end, cue.random, cue.gain)
        plan.nod += 0.14 * cue.gain * rise(time, start, 1.0)
        plan.crouch_m += 0.03 * cue.gain * rise(time, start, 1.2)
    return None, False, False


_POLICIES: dict[str, _Policy] = {
    "attend": _attend, "greet": _greet, "dance": _dance, "avoid": _avoid, "cover": _cover,
    "flee": _flee, "endure": _endure,
}  # fmt: skip
