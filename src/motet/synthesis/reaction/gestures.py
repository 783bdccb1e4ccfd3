"""What arms, head and back do in a reaction: each adds its curves to a plan."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from motet.synthesis.reaction.plan import ArmGoal, Plan, drift, held, rise, seconds


def _position(frames: int, x: object, y: object, z: object) -> Float[np.ndarray, "frames 3"]:
    return np.stack(np.broadcast_arrays(x, y, z, np.zeros(frames))[:3], axis=1).astype(np.float64)


def cover_ears(
    plan: Plan,
    start_s: float,
    stop_s: float,
    random: np.random.Generator,
    sides: tuple[int, ...] = (0, 1),
    quick: float = 1.0,
) -> None:
    """Palms on the ears, elbows out."""
    time, n = seconds(plan.frames), plan.frames
    for side in sides:
        late = random.uniform(0, 0.12)
        weight = held(time, start_s + late, 0.55 / quick, stop_s + late, 0.7)
        press = 0.004 * drift(random, n, 0.7)[:, 0]
        # metres from the head's joint; the second side a mirror image
        position = _position(n, 0.108 + press, -0.050 + press, 0.050)
        plan.arms[side].append(
            ArmGoal(
                weight,
                # direction of fingers, of the palm, and of the elbow, in the head's axes
                "head",
                position,
                (-0.10, 0.85, -0.52),
                (-1.0, 0.05, -0.1),
                (0.85, -0.35, 0.40),
            )
        )


def wave(
    plan: Plan, start_s: float, stop_s: float, side: int, gain: float, random: np.random.Generator
) -> None:
    """A hand raised beside the shoulder, swinging."""
    time, n = seconds(plan.frames), plan.frames
    rate = random.uniform(1.5, 2.2)
    on = held(time, start_s + 0.3, 0.4, stop_s, 0.4)
    swing = on * np.sin(2 * np.pi * rate * (time - start_s)) * (0.05 + 0.07 * gain)
    position = _position(n, 0.33 + swing, 0.20 + 0.10 * gain - 0.25 * np.abs(swing), 0.20)
    plan.arms[side].append(
        ArmGoal(
            held(time, start_s, 0.6, stop_s, 0.7),
            "chest",
            position,
            (0.05, 0.98, 0.1),
            (0.0, -0.1, 1.0),
            (0.75, -0.75, 0.0),
        )
    )
    plan.tilt += 0.06 * on * (1 - 2 * side)


def clap(
    plan: Plan, start_s: float, stop_s: float, claps_s: Float[np.ndarray, " claps"], gain: float
) -> None:
    """Hands before the chest that meet at given moments."""
    time, n = seconds(plan.frames), plan.frames
    nearest = (
        # seconds to the nearest clap
        np.abs(time[:, None] - np.asarray(claps_s)[None]).min(axis=1)
        if len(claps_s)
        else np.full(n, 1.0)
    )
    # half the distance between the palms, metres: 36 mm is contact
    apart = 0.036 + 0.10 * (0.5 + 0.5 * gain) * np.clip(nearest / 0.16, 0, 1) ** 1.5
    for side in range(2):
        position = _position(n, apart, -0.01 - 0.2 * (apart - 0.036), 0.27)
        weight = held(time, start_s, 0.6, stop_s, 0.7)
        plan.arms[side].append(
            ArmGoal(
                weight,
                "chest",
                position,
                (-0.10, 0.62, 0.78),
                (-1.0, 0.0, 0.0),
                (0.75, -0.75, -0.1),
            )
        )


def hug(
    plan: Plan, start_s: float, stop_s: float, random: np.random.Generator, gain: float
) -> None:
    """Arms round oneself, as against cold."""
    time, n = seconds(plan.frames), plan.frames
    rub = 0.012 * drift(random, n, 0.5)[:, 0]
    # One arm lies under the other: other heights and depths.
    for side, (height, forward) in enumerate(((0.015, 0.20), (-0.035, 0.165))):
        position = _position(n, -0.045 + 0 * rub, height + rub, forward)
        weight = gain * held(time, start_s + 0.12 * side, 0.8, stop_s, 0.9)
        plan.arms[side].append(
            ArmGoal(
                weight,
                "chest",
                position,
                (-0.93, 0.25, -0.12),
                (-0.1, -0.1, -1.0),
                (0.65, -0.85, 0.15),
            )
        )
    plan.bow += 0.22 * gain * held(time, start_s, 0.9, stop_s, 1.0)
    plan.shrug += 0.22 * gain * held(time, start_s, 0.9, stop_s, 1.0)


def shield(plan: Plan, start_s: float, stop_s: float, side: int, *, overhead: bool) -> None:
    """A hand above the head against rain, or before the face against wind."""
    time, n = seconds(plan.frames), plan.frames
    position = _position(n, 0.13, 0.175, 0.09) if overhead else _position(n, 0.13, 0.03, 0.24)
    fingers, palm = (
        ((-1.0, 0.05, 0.05), (0.0, -1.0, 0.0))
        if overhead
        else ((-0.75, 0.55, 0.1), (0.1, 0.0, -1.0))
    )
    plan.arms[side].append(
        ArmGoal(
            held(time, start_s, 0.7, stop_s, 0.8),
            "head",
            position,
            fingers,
            palm,
            (0.8, -0.3, 0.45),
        )
    )


def guard(plan: Plan, start_s: float, stop_s: float, gain: float) -> None:
    """Both arms over the bowed head."""
    time, n = seconds(plan.frames), plan.frames
    for side in range(2):
        position = _position(n, 0.085, 0.115, -0.02)
        weight = gain * held(time, start_s, 0.35, stop_s, 0.8)
        plan.arms[side].append(
            ArmGoal(
                weight,
                "head",
                position,
                (-0.62, 0.25, -0.75),
                (-0.3, -0.9, 0.2),
                (0.75, -0.1, 0.65),
            )
        )


def startle(plan: Plan, moment_s: float, strength: float) -> None:
    """A startle of one second: shoulders up, back round, knees and elbows bent."""
    time = seconds(plan.frames)
    # rises within 0.14 s, decays with a time constant of 0.45 s
    pulse = (
        strength
        * rise(time, moment_s, 0.14)
        * np.exp(-np.clip(time - moment_s - 0.2, 0, None) / 0.45)
    )
    plan.shrug += 0.34 * pulse
    plan.bow += 0.30 * pulse
    plan.crouch_m += 0.075 * pulse
    plan.nod += 0.22 * pulse
    plan.flex += 0.85 * pulse[:, None]
    plan.swing += 0.30 * pulse[:, None]


def squat(plan: Plan, start_s: float, stop_s: float, depth: float, quick: float = 1.0) -> None:
    """Down on bent knees, and up again."""
    time = seconds(plan.frames)
    down = held(time, start_s, 0.75 / quick, stop_s, 1.1)
    plan.crouch_m += 0.40 * depth * down
    plan.bow += 0.75 * depth * down
    plan.nod += 0.15 * depth * down
    plan.sway_m[:, 1] -= 0.05 * depth * down


def nods(plan: Plan, moments_s: Float[np.ndarray, "nods"], gain: float) -> None:
    """The head goes down and up twice, the second time less, at each moment."""
    time = seconds(plan.frames)
    for moment in moments_s:
        # the second nod 0.42 s later and smaller
        for late, size in ((0.0, 1.0), (0.42, 0.55)):
            u = (time - moment - late) / 0.40
            plan.nod += (
                np.where((u > 0) & (u < 1), np.sin(np.pi * np.clip(u, 0, 1)) ** 2, 0)
                * size
                * (0.12 + 0.20 * gain)
            )


def head_shake(plan: Plan, start_s: float, count: int, gain: float) -> None:
    """No: the head goes from side to side."""
    time = seconds(plan.frames)
    u = np.clip((time - start_s) / (0.55 * count), 0, 1)
    plan.shake += np.sin(2 * np.pi * count * u) * np.sin(np.pi * u) * (0.15 + 0.25 * gain)


def shiver(
    plan: Plan, start_s: float, stop_s: float, random: np.random.Generator, gain: float
) -> None:
    """A fine trembling of the trunk."""
    time = seconds(plan.frames)
    on = (
        gain
        * held(time, start_s, 0.8, stop_s, 0.8)
        * np.clip(0.6 + 0.5 * drift(random, plan.frames, 0.8)[:, 0], 0, 1)
    )
    # two incommensurate frequencies, so that it does not look like one oscillation
    plan.twist += 0.020 * on * np.sin(2 * np.pi * 7.3 * time)
    plan.shrug += 0.030 * on * np.sin(2 * np.pi * 8.1 * time + 1)


def groove(
    plan: Plan,
    start_s: float,
    stop_s: float,
    beats_s: Float[np.ndarray, " beats"],
    gain: float,
    random: np.random.Generator,
) -> None:
    """Dancing on the spot.

    Knees bend on every beat; hips, shoulders and arms swing on every other one.
    """
    time = seconds(plan.frames)
    on = held(time, start_s, 1.0, stop_s, 1.0)
    # The beat goes on before the first and after the last that is heard.
    gap = float(np.median(np.diff(beats_s)))
    known = np.concatenate(
        [beats_s[0] + gap * np.arange(-40, 0), beats_s, beats_s[-1] + gap * np.arange(1, 41)]
    )
    # phase in beats; the pulse is 1 on a beat
    phase = np.interp(time, known, np.arange(len(known)))
    pulse = 0.5 + 0.5 * np.cos(2 * np.pi * phase)
    # one side on even beats, the other on odd ones
    side = np.sin(np.pi * (phase + 0.5))
    plan.bounce_m -= on * (0.014 + 0.032 * gain) * pulse
    plan.sway_m[:, 0] += on * (0.020 + 0.035 * gain) * side
    plan.hips[:, 0] += on * 0.16 * gain * side
    plan.hips[:, 1] += on * 0.06 * gain * side
    plan.twist -= on * (0.08 + 0.22 * gain) * side
    plan.lean += on * 0.07 * gain * side
    plan.nod += on * (0.03 + 0.10 * gain) * pulse
    lively = random.uniform(0.6, 1.1)
    for arm, sign in enumerate((1, -1)):
        plan.flex[:, arm] += on * gain * (0.95 + 0.35 * sign * side * lively)
        plan.swing[:, arm] += on * gain * (0.12 + 0.40 * sign * side * lively)
