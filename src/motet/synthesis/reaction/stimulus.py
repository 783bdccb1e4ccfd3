"""What a reaction responds to: which sound, when, from where, and what kind of person hears it."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from motet.synthesis.reaction.plan import Plan, held, rise, seconds
from motet.synthesis.reaction.steps import RATE, Path

LATENCY_S, GAIN, PACE = (0.9, 0.5, 0.25), (0.35, 0.7, 1.0), (0.8, 1.0, 1.2)
"""By genre: dull, neutral, sensitive. Design choices, not measurements."""
IGNORES = 0.4
"""Chance that a dull person does next to nothing."""


@dataclasses.dataclass(frozen=True)
class Cue:
    """One sound at one position for one person."""

    onset_s: float
    events_s: tuple[float, ...]
    """Bangs, barks, rings: what stands out, from the onset on."""
    beats_s: tuple[float, ...]
    """Beats of music; empty for anything else."""
    source: Float[np.ndarray, "3"]
    """Metres in the world; the person stands at the origin and faces +Z."""
    genre: int
    """0 dull, 1 neutral, 2 sensitive."""
    random: np.random.Generator

    @property
    def gain(self) -> float:
        """How strongly this person reacts."""
        return GAIN[self.genre]

    @property
    def pace(self) -> float:
        """How fast."""
        return PACE[self.genre]

    @property
    def azimuth(self) -> float:
        """Direction of the source at the beginning, radians to the left."""
        return float(np.arctan2(self.source[0], self.source[2]))

    @property
    def distance(self) -> float:
        """Metres over the floor."""
        return float(np.hypot(self.source[0], self.source[2]))

    def latency(self) -> float:
        """Time from hearing to moving, drawn anew."""
        return LATENCY_S[self.genre] * self.random.uniform(0.8, 1.2)


def look(plan: Plan, start_s: float, gain: float, stop_s: float = 1e3) -> None:
    """Head and eyes go to the source, quickly when the person is alert."""
    time = seconds(plan.frames)
    plan.looks[:] = np.maximum(
        plan.looks, (0.55 + 0.45 * gain) * held(time, start_s, 0.75 - 0.35 * gain, stop_s, 0.8)
    )


def turn(plan: Plan, start_s: float, angle: float, pace: float) -> float:
    """The body turns on the spot; returns when it is done."""
    # 0.45 s to begin and end, 2.1 rad a second between
    length = 0.45 + abs(angle) / (2.1 * pace)
    plan.path = Path(
        plan.path.position,
        plan.path.heading + angle * rise(seconds(plan.frames), start_s, length),
        plan.path.hurry,
    )
    return start_s + length


def walk(plan: Plan, start_s: float, way: Float[np.ndarray, "2"], speed: float) -> float:
    """The body walks straight along a path on the floor; returns the time of arrival.

    Starting and stopping take half a second each, of a run longer.
    """
    distance = float(np.hypot(*way))
    if distance < 0.05:
        return start_s
    time = seconds(plan.frames)
    ramp = min(max(0.55, speed / 2.4), distance / speed)
    # Both ramps take half of `ramp` longer than full speed would.
    cruise = distance / speed + ramp
    pace = np.clip(np.minimum((time - start_s) / ramp, (start_s + cruise - time) / ramp), 0, 1)
    # smooth start and stop
    pace = pace * pace * (3 - 2 * pace)
    gone = np.cumsum(pace)
    # area under the trapezoid, in frames
    total = cruise * RATE - ramp * RATE
    share = np.clip(gone / total, 0, 1)
    position = plan.path.position + share[:, None] * np.asarray(way)
    hurry = 1 + 0.35 * np.clip(speed - 1.0, 0, 1.5) * (pace > 0)
    plan.path = Path(
        position,
        plan.path.heading,
        hurry if plan.path.hurry is None else np.maximum(plan.path.hurry, hurry),
    )
    return start_s + cruise


def nearer_angle(angle: float) -> float:
    """The same direction within half a turn."""
    return float((angle + np.pi) % (2 * np.pi) - np.pi)


def on_floor(angle: float) -> np.ndarray:
    """Unit vector of a direction over the floor."""
    return np.array([np.sin(angle), np.cos(angle)])
