"""What a reaction wants from the body over time; all curves have 120 values a second."""

from __future__ import annotations

import dataclasses
from typing import Literal

import numpy as np
from jaxtyping import Float

from motet.synthesis.reaction.steps import RATE, Path

Frame = Literal["head", "chest", "pelvis"]


@dataclasses.dataclass(frozen=True)
class ArmGoal:
    """A position for one wrist in the axes of a body part, metres; given for the left arm.

    +X left, +Y up, +Z front.
    """

    weight: Float[np.ndarray, " frames"]
    """0 leaves the arm alone, 1 brings it there."""
    frame: Frame
    position: Float[np.ndarray, "frames 3"]
    fingers: tuple[float, float, float]
    """Direction of the fingers."""
    palm: tuple[float, float, float]
    """Direction the palm faces."""
    elbow: tuple[float, float, float] = (0.6, -0.7, -0.2)
    """Direction in which the elbow points."""


@dataclasses.dataclass
class Plan:
    """Curves of one performance. Everything but the path starts at rest."""

    path: Path
    gaze: Float[np.ndarray, "frames 3"]
    """Point looked at, metres in the world."""
    looks: Float[np.ndarray, "frames"]
    """0 looks ahead, 1 at the point."""
    crouch_m: Float[np.ndarray, "frames"]
    bow: Float[np.ndarray, "frames"]
    """Forward bend of the spine, radians."""
    lean: Float[np.ndarray, "frames"]
    """Sideways bend to the left, radians."""
    twist: Float[np.ndarray, "frames"]
    """Turn of the chest to the left against the hips, radians."""
    nod: Float[np.ndarray, "frames"]
    """Head down, radians."""
    shake: Float[np.ndarray, "frames"]
    """Head to the left, radians."""
    tilt: Float[np.ndarray, "frames"]
    """Head towards the left shoulder, radians."""
    shrug: Float[np.ndarray, "frames"]
    """Shoulders up, radians."""
    sway_m: Float[np.ndarray, "frames 2"]
    """Shift of the hips to the left and to the front."""
    bounce_m: Float[np.ndarray, "frames"]
    """Shift of the hips upwards."""
    hips: Float[np.ndarray, "frames 2"]
    """Turn of the hips to the left, and drop of the left side, radians."""
    swing: Float[np.ndarray, "frames 2"]
    """Left and right arm forward from the shoulder, radians."""
    flex: Float[np.ndarray, "frames 2"]
    """Left and right elbow bent, radians."""
    arms: tuple[list[ArmGoal], list[ArmGoal]]
    """Goals of the left and of the right arm; later ones lie over earlier ones."""
    patience_m: float = 0.075
    lift_m: float = 0.07

    @property
    def frames(self) -> int:
        """Number of frames."""
        return len(self.looks)


def still_plan(frames: int, source: Float[np.ndarray, "3"]) -> Plan:
    """Standing at the origin, facing +Z, nothing to do."""
    one, two = np.zeros(frames), np.zeros((frames, 2))
    curves = {
        name: one.copy()
        for name in (
            "looks",
            "crouch_m",
            "bow",
            "lean",
            "twist",
            "nod",
            "shake",
            "tilt",
            "shrug",
            "bounce_m",
        )
    }
    wide = {name: two.copy() for name in ("sway_m", "hips", "swing", "flex")}
    path = Path(two.copy(), one.copy(), np.ones(frames))
    return Plan(
        path, np.tile(source, (frames, 1)).astype(np.float64), arms=([], []), **curves, **wide
    )


def seconds(frames: int) -> Float[np.ndarray, " frames"]:
    """Time of every frame."""
    return np.arange(frames) / RATE


def rise(time: np.ndarray, start: float, length: float) -> np.ndarray:
    """From 0 to 1 with minimum jerk."""
    u = np.clip((time - start) / max(length, 1e-6), 0, 1)
    # 10 u^3 - 15 u^4 + 6 u^5
    return u**3 * (10 - 15 * u + 6 * u * u)


def held(time: np.ndarray, start: float, up: float, stop: float, down: float) -> np.ndarray:
    """Up to 1, held, and from `stop` down again."""
    return rise(time, start, up) * (1 - rise(time, stop, down))


def drift(
    random: np.random.Generator, frames: int, period_s: float, channels: int = 1
) -> Float[np.ndarray, "frames channels"]:
    """Slow random wandering with unit deviation."""
    from scipy.interpolate import CubicSpline

    # enough knots for the random start below, on both sides
    count = int(frames / RATE / period_s) + 4
    knots = random.standard_normal((count, channels))
    return CubicSpline(np.arange(count) * period_s, knots)(
        seconds(frames) + period_s * random.uniform(0.5, 1.5)
    )
