"""What bodies do between and beneath reactions: weight shifts, glances, breath, a restless foot."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from motet.body.standing_pose import standing_rotations
from motet.synthesis.reaction.idle import Idle
from motet.synthesis.reaction.perform import between
from motet.synthesis.reaction.plan import Plan, held, rise, seconds
from motet.types import SMPLX25_JOINTS

SETTLED_S = 1.6
"""A performance begins in the standing pose and reaches its own way of standing by then."""
BREATH_S = 3.7
LEGS = [
    number
    for number, name in enumerate(SMPLX25_JOINTS)
    if any(part in name for part in ("hip", "knee", "ankle", "foot"))
]


def from_standing_pose(idle: Idle) -> Idle:
    """The same way of standing about, reached from the standing pose of the first frame."""
    frames = len(idle.rotations)
    share = rise(seconds(frames), 0.1, SETTLED_S)[:, None]
    standing = np.tile(standing_rotations().double().numpy(), (frames, 1, 1, 1))
    rotations, hanging = idle.rotations.copy(), idle.hanging.copy()
    for joint in range(1, 25):
        if joint not in LEGS:  # legs are solved for the feet
            rotations[:, joint] = between(standing[:, joint], rotations[:, joint], share)
            hanging[:, joint] = between(standing[:, joint], hanging[:, joint], share)
    pelvis = Rotation.from_rotvec(Rotation.from_matrix(idle.pelvis).as_rotvec() * share).as_matrix()
    return dataclasses.replace(
        idle,
        rotations=rotations,
        hanging=hanging,
        pelvis=pelvis,
        sway_m=idle.sway_m * share,
        phase=0.0,
    )


def breathe(plan: Plan, depth: float = 1.0) -> None:
    """Chest and shoulders rise and fall."""
    time = seconds(plan.frames)
    # begins with no displacement
    wave = np.sin(2 * np.pi * time / BREATH_S) * rise(time, 0.0, 1.0)
    plan.shrug += 0.014 * depth * wave
    plan.bow -= 0.010 * depth * wave


def shift_weight(plan: Plan, start_s: float, stop_s: float, random: np.random.Generator) -> None:
    """The hips move over one foot and stay there for some seconds, again and again."""
    time, moment = seconds(plan.frames), start_s + random.uniform(0.5, 4.0)
    side, previous = random.choice([-1.0, 1.0]), 0.0
    while moment < stop_s:
        amount = side * random.uniform(0.5, 1.0)
        change = (amount - previous) * rise(time, moment, random.uniform(0.9, 1.6))
        plan.sway_m[:, 0] += 0.034 * change
        plan.hips[:, 1] -= 0.055 * change
        plan.lean -= 0.045 * change
        plan.hips[:, 0] += 0.05 * change
        previous, side = amount, -side if random.random() < 0.8 else side
        moment += random.uniform(3.5, 8.0)
    # Back to the middle: only the last shift is still there.
    plan.sway_m[:, 0] -= 0.034 * previous * rise(time, stop_s, 1.2)
    plan.hips[:, 1] += 0.055 * previous * rise(time, stop_s, 1.2)
    plan.lean += 0.045 * previous * rise(time, stop_s, 1.2)
    plan.hips[:, 0] -= 0.05 * previous * rise(time, stop_s, 1.2)


def glance(plan: Plan, start_s: float, stop_s: float, random: np.random.Generator) -> None:
    """The head turns to nothing in particular for a moment, and back."""
    time, moment = seconds(plan.frames), start_s + random.uniform(0.6, 3.0)
    while moment + 1.2 < stop_s:
        length = random.uniform(0.8, 2.4)
        on = held(time, moment, 0.45, moment + length, 0.6)
        plan.shake += random.choice([-1, 1]) * random.uniform(0.15, 0.5) * on
        plan.nod += random.uniform(-0.06, 0.16) * on
        moment += length + random.uniform(1.8, 5.0)


def look_aside(plan: Plan, start_s: float, stop_s: float, random: np.random.Generator) -> None:
    """Whoever looks at something for long looks away now and then; the gaze returns."""
    time, moment = seconds(plan.frames), start_s + random.uniform(2.5, 5.0)
    while moment + 1.5 < stop_s:
        away = held(time, moment, 0.4, moment + random.uniform(0.7, 1.4), 0.5)
        plan.looks *= 1 - random.uniform(0.25, 0.6) * away
        plan.nod += random.uniform(0.0, 0.12) * away
        moment += random.uniform(3.5, 7.0)


def restless_foot(plan: Plan, start_s: float, stop_s: float, random: np.random.Generator) -> None:
    """A small step on the spot, rarely."""
    moment = start_s + random.uniform(2.0, 9.0)
    while moment + 1.0 < stop_s:
        angle, way = random.uniform(-np.pi, np.pi), random.uniform(0.05, 0.12)
        share = rise(seconds(plan.frames), moment, 0.7)
        step = way * np.array([np.sin(angle), np.cos(angle)])
        plan.path = dataclasses.replace(
            plan.path,
            position=plan.path.position + share[:, None] * step,
            heading=plan.path.heading + random.uniform(-0.2, 0.2) * share,
        )
        moment += random.uniform(7.0, 16.0)


def stand_about(plan: Plan, start_s: float, stop_s: float, random: np.random.Generator) -> None:
    """Everything that a person does who waits."""
    if stop_s - start_s < 1.5:
        return
    glance(plan, start_s, stop_s, random)
    restless_foot(plan, start_s, stop_s, random)


def follow(
    plan: Plan,
    start_s: float,
    stop_s: float,
    points: Float[np.ndarray, "frames 3"],
    pace: float,
) -> None:
    """The body turns after a source that moves, in steps, when it is far from ahead."""
    frames, heading = plan.frames, plan.path.heading
    extra, speed, angle = np.zeros(frames), 0.0, 0.0
    way = points[:, [0, 2]] - plan.path.position
    bearing = np.arctan2(way[:, 0], way[:, 1])
    turning = False
    for frame in range(frames):
        if start_s * 120 <= frame < stop_s * 120:
            # to -pi..pi
            error = (bearing[frame] - heading[frame] - angle + np.pi) % (2 * np.pi) - np.pi
            # Starts beyond 50 degrees, stops within 8.
            turning = abs(error) > (0.14 if turning else 0.87)
            # proportional control, limited to a walker's turning speed
            wanted = np.clip(2.2 * error, -1.7 * pace, 1.7 * pace) if turning else 0.0
        else:
            wanted = 0.0
        speed += (wanted - speed) / 22  # a time constant of 0.18 s
        angle += speed / 120
        extra[frame] = angle
    plan.path = dataclasses.replace(plan.path, heading=heading + extra)
