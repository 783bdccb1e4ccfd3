"""Footsteps along a path: where each foot stands when, and how it moves to the next position.

A foot never moves while it stands. Steps are taken when the body has moved on or turned away from
where a foot would stand best, and land where the foot will be under the body half a stance later;
so walking, turning on the spot, stepping aside and stopping with the feet together all come from
one rule.
"""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float

from motet.body.skeleton import ANKLE_HEIGHT_M, house_offsets
from motet.types import SMPLX25_JOINTS

RATE = 120.0
LONGEST_M = 0.88
"""Between the feet in the longest step."""
FASTEST_MS = 3.6
"""Mean speed of a foot in its fastest step."""
STANCE_M = 0.105
"""Half of the distance between the feet."""
NARROWEST_M = 0.11
"""Feet do not pass nearer to each other sideways."""
TURN_WEIGHT_M = 0.19
"""A foot turned wrongly by one radian counts like this distance."""
HEEL = np.array([0.0, -ANKLE_HEIGHT_M, -0.045])
"""The back edge of the sole from the ankle, along which a landing foot rolls."""
LIFTED_RAD, LANDING_RAD = 0.62, 0.30
"""Pitch of a foot as it leaves the floor (heel up) and as it meets it (toes up) in a full
stride."""
ROLL_S, DROP_S = 0.17, 0.09
"""Time in which the heel rises before a step, and the toes come down after it."""


@dataclasses.dataclass(frozen=True)
class Path:
    """Where the body wants to be, 120 times a second."""

    position: Float[np.ndarray, "frames 2"]
    """X and Z on the floor, metres."""
    heading: Float[np.ndarray, " frames"]
    """Radians counter-clockwise seen from above; 0 looks to +Z."""
    hurry: Float[np.ndarray, " frames"] | None = None
    """Shortens steps in time: 1 is normal, 1.5 half as long again as fast."""

    def at(self, frame: float) -> tuple[np.ndarray, float]:
        """Place and heading, held beyond the ends."""
        k = min(max(frame, 0.0), len(self.heading) - 1.0)
        low, share = int(k), k - int(k)
        high = min(low + 1, len(self.heading) - 1)
        return self.position[low] * (1 - share) + self.position[high] * share, float(
            self.heading[low] * (1 - share) + self.heading[high] * share
        )


@dataclasses.dataclass(frozen=True)
class Step:
    """One movement of one foot."""

    foot: int
    """0 left, 1 right."""
    lift: int
    """Frame at which it leaves the floor."""
    land: int
    start: Float[np.ndarray, "3"]
    """X, Z and heading of the ankle above a flat foot."""
    stop: Float[np.ndarray, "3"]


@dataclasses.dataclass(frozen=True)
class Feet:
    """Both feet over time (left, right)."""

    ankle: Float[np.ndarray, "2 frames 3"]
    turn: Float[np.ndarray, "2 frames 3 3"]
    """World rotation of the foot."""
    bend: Float[np.ndarray, "2 frames"]
    """How far the toes bend against the foot, radians, so that they stay flat while the heel is
    up."""
    stands: Float[np.ndarray, "2 frames"]
    """1 where the ball of the foot stays in its position, 0 in a step."""
    heading: Float[np.ndarray, "2 frames"]
    steps: tuple[Step, ...]


def side_of(foot: int) -> float:
    """+1 for the left foot, -1 for the right."""
    return 1.0 - 2.0 * foot


def _direction(heading: float) -> tuple[np.ndarray, np.ndarray]:
    """Forward and left on the floor."""
    return np.array([np.sin(heading), np.cos(heading)]), np.array(
        [np.cos(heading), -np.sin(heading)]
    )


def _best(path: Path, frame: float, foot: int) -> np.ndarray:
    """Where a foot stands best for the body at a frame: X, Z, heading."""
    position, heading = path.at(frame)
    _, left = _direction(heading)
    return np.array([*(position + side_of(foot) * STANCE_M * left), heading + 0.10 * side_of(foot)])


def _wrong(stands: np.ndarray, best: np.ndarray) -> float:
    return float(np.hypot(*(best[:2] - stands[:2])) + TURN_WEIGHT_M * abs(best[2] - stands[2]))


class _Walker:
    """State of the simulation that takes the steps."""

    def __init__(self, path: Path, patience_m: float) -> None:
        self.path, self.patience = path, patience_m
        self.feet = [_best(path, 0, 0), _best(path, 0, 1)]
        self.free_at, self.last = -1, -1
        self.steps: list[Step] = []

    def consider(self, frame: int) -> None:
        """Take a step at this frame if one is due."""
        if frame < self.free_at:
            return
        speed = self._speed(frame)
        # a foot looks 0.12 s ahead
        ahead = frame + 0.12 * RATE
        wrong = [_wrong(self.feet[foot], _best(self.path, ahead, foot)) for foot in (0, 1)]
        if max(wrong) < (self.patience if speed < 0.25 else 0.06):
            return
        foot = self._next_foot(wrong, frame, speed)
        hurry = 1.0 if self.path.hurry is None else float(self.path.hurry[frame])
        # Faster walking: shorter steps in time, less time on both feet.
        swing = max(0.24, (0.50 - 0.085 * speed) / hurry)
        both = max(0.0, (0.15 - 0.07 * speed) / hurry)
        far = float(
            np.hypot(
                *(
                    self._landing(foot, frame + round(swing * RATE), swing + 2 * both)
                    - self.feet[foot]
                )[:2]
            )
        )
        # A long step takes longer than the rule says.
        swing = max(swing, far / FASTEST_MS)
        land = frame + round(swing * RATE)
        self.steps.append(
            Step(foot, frame, land, self.feet[foot], self._landing(foot, land, swing + 2 * both))
        )
        self.feet[foot] = self.steps[-1].stop
        self.free_at, self.last = land + round(both * RATE), foot

    def _speed(self, frame: int) -> float:
        (a, turn_a), (b, turn_b) = self.path.at(frame), self.path.at(frame + 0.3 * RATE)
        # a turn counts as 0.25 m for a radian
        return float(np.hypot(*(b - a)) / 0.3 + 0.25 * abs(turn_b - turn_a) / 0.3)

    def _next_foot(self, wrong: list[float], frame: int, speed: float) -> int:
        """The other foot when walking; the first step is taken on the side of the goal."""
        recent = self.steps and frame - self.steps[-1].land < 0.35 * RATE
        # A foot that stands almost right is not moved just because it is its turn.
        if recent and wrong[1 - self.last] > (0.3 if speed > 0.4 else 0.55) * max(wrong):
            return 1 - self.last
        (a, turn_a), (b, turn_b) = self.path.at(frame), self.path.at(frame + 0.4 * RATE)
        _, left = _direction(turn_a)
        drift = float((b - a) @ left) + 0.3 * (turn_b - turn_a)
        return int(wrong[1] - np.sign(drift) * 0.03 > wrong[0])

    def _landing(self, foot: int, land: int, stance_s: float) -> np.ndarray:
        # where the body will be in the middle of the stance
        target = _best(self.path, land + 0.5 * stance_s * RATE, foot)
        other = self.feet[1 - foot]
        _, left = _direction(0.5 * (target[2] + other[2]))
        apart = side_of(foot) * float((target[:2] - other[:2]) @ left)
        if apart < NARROWEST_M:
            target[:2] += side_of(foot) * (NARROWEST_M - apart) * left
        # Nobody steps further than that from the foot that stands; what is missing, the next steps
        # make up for.
        way = target[:2] - other[:2]
        target[:2] = other[:2] + way * min(1.0, LONGEST_M / max(float(np.hypot(*way)), 1e-6))
        # 0.9 rad: feet are not turned further against each other
        target[2] = other[2] + np.clip(target[2] - other[2], -0.9, 0.9)
        return target


def take_steps(path: Path, patience_m: float = 0.075, height_m: float = 0.07) -> Feet:
    """Walk along a path.

    Args:
        path: where the body wants to be.
        patience_m: how far from its best position a foot may stand before a standing body takes a
            step.
        height_m: how high the ankle is lifted in a slow step.
    """
    walker = _Walker(path, patience_m)
    for frame in range(len(path.heading)):
        walker.consider(frame)
    return _trajectories(path, walker.steps, height_m)


def _trajectories(path: Path, steps: list[Step], height_m: float) -> Feet:
    frames = len(path.heading)
    tracks = [
        _foot(
            foot,
            [step for step in steps if step.foot == foot],
            _best(path, 0, foot),
            frames,
            height_m,
        )
        for foot in (0, 1)
    ]
    columns = [np.stack(column) for column in zip(*tracks, strict=True)]
    return Feet(*columns, tuple(steps))


def _foot(
    foot: int, steps: list[Step], first: np.ndarray, frames: int, height_m: float
) -> tuple[np.ndarray, ...]:
    """Ankle, rotation, toe bend, standing and heading of one foot."""
    position = np.tile(first, (frames, 1))
    height, pitch, stands = np.zeros(frames), np.zeros(frames), np.ones(frames)
    clock = np.arange(frames)
    for step in steps:
        u = np.clip((clock - step.lift) / max(1, step.land - step.lift), 0, 1)
        moving = (clock >= step.lift) & (clock < step.land)
        stands[moving] = 0
        # smooth step over the floor
        eased = u * u * (3 - 2 * u)
        later = clock >= step.lift
        position[later] = (step.start + eased[:, None] * (step.stop - step.start))[later]
        # length along the foot's own direction: negative for steps back
        length = float(
            (step.stop - step.start)[:2] @ _direction(0.5 * (step.start[2] + step.stop[2]))[0]
        )
        stride = float(np.clip(length / 1.1, 0, 1))
        far = float(np.clip(np.hypot(*(step.stop - step.start)[:2]) / 0.35, 0.35, 1.0))
        # higher early in the swing; a long step is flatter
        height += np.where(
            moving, np.sin(np.pi * u**0.9) ** 1.5 * height_m * far * (1 - 0.35 * stride), 0
        )
        pitch += _pitch(clock / RATE, step.lift / RATE, step.land / RATE, stride, length)
    return _placed(foot, position, height, pitch, stands)


def _pitch(time: np.ndarray, lift: float, land: float, stride: float, length: float) -> np.ndarray:
    """Pitch of the foot in one step; positive is heel up.

    The heel rises, the toes come up in the swing, the foot rolls down.
    """
    up = LIFTED_RAD * (0.25 + 0.75 * stride) if length > -0.05 else 0.25
    # backwards and on the spot the foot lands flat
    down = LANDING_RAD * stride
    swing = land - lift
    points = [lift - ROLL_S, lift, lift + 0.3 * swing, lift + 0.75 * swing, land, land + DROP_S]
    values = [0.0, up, up * 0.75, -down, -down, 0.0]
    smooth = np.interp(time, points, values)
    # a Hann kernel of 11 frames rounds the corners of the course
    kernel = np.hanning(13)[1:-1]
    return np.convolve(smooth, kernel / kernel.sum(), mode="same") * (
        (time > lift - ROLL_S - 0.1) & (time < land + DROP_S + 0.1)
    )


def _placed(
    foot: int, position: np.ndarray, height: np.ndarray, pitch: np.ndarray, stands: np.ndarray
) -> tuple[np.ndarray, ...]:
    """Heel up: the foot turns about its ball, which stays. Toes up: it rolls on the heel."""
    from scipy.spatial.transform import Rotation

    to_ball = house_offsets()[SMPLX25_JOINTS.index("left_foot")].double().numpy() * [
        side_of(foot),
        1,
        1,
    ]
    flat = np.array([0.0, ANKLE_HEIGHT_M, 0.0])
    yaw = Rotation.from_rotvec(np.stack([0 * pitch, position[:, 2], 0 * pitch], axis=1))
    turn = yaw * Rotation.from_rotvec(np.stack([pitch, 0 * pitch, 0 * pitch], axis=1))
    floor = np.stack([position[:, 0], height, position[:, 1]], axis=1)
    resting = floor + flat
    # the ball keeps its place while the ankle rises about it
    about_ball = floor + yaw.apply(to_ball) + [0, ANKLE_HEIGHT_M, 0] - turn.apply(to_ball)
    about_heel = resting + yaw.apply(HEEL) - turn.apply(HEEL)
    ankle = np.where(
        (pitch > 0)[:, None], about_ball, np.where((pitch < 0)[:, None], about_heel, resting)
    )
    # Toes bend only while they touch the floor, within 4 cm of height.
    bend = np.where(pitch > 0, pitch, 0) * np.clip(1 - height / 0.04, 0, 1)
    return ankle, turn.as_matrix(), bend, stands, position[:, 2]
