"""From a plan to a body: legs by IK over locked feet, gaze along the spine, arm goals."""

from __future__ import annotations

import dataclasses

import numpy as np
from jaxtyping import Float
from scipy.ndimage import gaussian_filter1d, maximum_filter1d, minimum_filter1d
from scipy.spatial.transform import Rotation

from motet.body.limb_ik import Limb, solve
from motet.body.skeleton import STANDING_HEIGHT_M, house_offsets
from motet.synthesis.reaction.idle import Idle
from motet.synthesis.reaction.plan import ArmGoal, Plan, seconds
from motet.synthesis.reaction.steps import RATE, Feet, side_of, take_steps
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS

OFFSETS = house_offsets().double().numpy()
AT = {name: number for number, name in enumerate(SMPLX25_JOINTS)}
SIDES = ("left", "right")
X, Y, Z = np.eye(3)
SPINE = ("spine1", "spine2", "spine3")
GAZE_SHARE = {"spine1": 0.06, "spine2": 0.10, "spine3": 0.14, "neck": 0.28, "head": 0.42}
FARTHEST_LOOK = np.array([1.75, 0.75])
"""How far a gaze turns from the hips, sideways and up or down, radians."""
LEG = {side: Limb(OFFSETS[AT[f"{side}_knee"]], OFFSETS[AT[f"{side}_ankle"]], X) for side in SIDES}
ARM = {
    side: Limb(OFFSETS[AT[f"{side}_elbow"]], OFFSETS[AT[f"{side}_wrist"]], -sign * Y)
    for side, sign in zip(SIDES, (1, -1), strict=True)
}
LEG_M = float(np.linalg.norm(LEG["left"].upper) + np.linalg.norm(LEG["left"].lower))
STRAIGHT, WALKING = 0.9955, 0.988
"""How far legs are stretched, standing and walking: a knee that comes near to straight in motion
snaps."""
MIRROR = np.array([-1.0, 1.0, 1.0])


@dataclasses.dataclass(frozen=True)
class Performance:
    """A body over time, 120 frames a second."""

    root: Float[np.ndarray, "frames 3"]
    rotations: Float[np.ndarray, "frames 25 3 3"]
    """Local; the pelvis' against the world."""
    positions: Float[np.ndarray, "frames 25 3"]
    world: Float[np.ndarray, "frames 25 3 3"]
    feet: Feet


def about(axis: np.ndarray, angle: Float[np.ndarray, " frames"]) -> Float[np.ndarray, "frames 3 3"]:
    """Rotations about one axis."""
    return Rotation.from_rotvec(angle[:, None] * axis).as_matrix()


def perform(plan: Plan, idle: Idle) -> Performance:
    """The body that does what the plan asks, on top of how a person stands about."""
    feet = take_steps(plan.path, plan.patience_m, plan.lift_m)
    body = _Body(plan, feet, idle)
    body.hips()
    body.spine_and_head()
    body.legs()
    body.hanging_arms()
    for side in range(2):
        for goal in plan.arms[side]:
            body.reach(side, goal)
    return Performance(body.root, body.local, body.positions, body.world, feet)


class _Body:
    def __init__(self, plan: Plan, feet: Feet, idle: Idle) -> None:
        self.plan, self.feet, self.idle = plan, feet, idle
        n = plan.frames
        self.local = idle.rotations[:n].copy()
        self.root = np.zeros((n, 3))
        self.world, self.positions = np.zeros((n, 25, 3, 3)), np.zeros((n, 25, 3))
        # halfway between where the path looks and where the feet point
        self.heading = gaussian_filter1d(
            0.5 * plan.path.heading + 0.5 * feet.heading.mean(0), 0.08 * RATE, mode="nearest"
        )
        forward = np.stack([np.sin(self.heading), np.cos(self.heading)], 1)
        # how far the left foot is ahead of the right one, metres
        apart = np.einsum("sfk,fk->sf", feet.ankle[:, :, [0, 2]], forward)
        self.stride = gaussian_filter1d(apart[0] - apart[1], 0.04 * RATE, mode="nearest")
        position = plan.path.position
        self.speed = gaussian_filter1d(
            # metres a second
            np.hypot(*np.gradient(position, axis=0).T) * RATE,
            0.15 * RATE,
            mode="nearest",
        )

    def hips(self) -> None:
        """The pelvis: over the feet that carry it, as low as the legs demand."""
        plan, feet, idle = self.plan, self.feet, self.idle
        quiet = 1 - np.clip(self.speed / 0.5, 0, 1)
        left = np.stack([np.cos(self.heading), -np.sin(self.heading)], 1)
        forward = np.stack([np.sin(self.heading), np.cos(self.heading)], 1)
        # 1: all weight on the left foot
        load = 0.5 + 0.5 * (feet.stands[0] - feet.stands[1])
        load = gaussian_filter1d(load, 0.11 * RATE, mode="nearest")[:, None]
        # (sides, frames, x and z)
        ankles = feet.ankle[:, :, [0, 2]]
        carried = load * ankles[0] + (1 - load) * ankles[1]
        aside = np.einsum("fk,fk->f", carried - plan.path.position, left)
        shift = np.clip(0.34 * aside, -0.055, 0.055)[:, None] * left
        # the pelvis is carried over the standing foot by a third of its offset
        away = gaussian_filter1d(carried, 0.25 * RATE, axis=0, mode="nearest") - plan.path.position
        # Standing, the weight rests between the feet wherever these have come to stand.
        settle = 0.6 * quiet[:, None] * np.clip(away, -0.08, 0.08)
        sway = (
            plan.sway_m[:, :1] * left
            + plan.sway_m[:, 1:] * forward
            + quiet[:, None]
            * (idle.sway_m[: plan.frames, :1] * left + idle.sway_m[: plan.frames, 1:] * forward)
        )
        ground = (
            gaussian_filter1d(
                plan.path.position + shift + settle, 0.05 * RATE, axis=0, mode="nearest"
            )
            + sway
        )
        # the free side of the pelvis drops while walking
        roll = 0.9 * np.clip(aside, -0.1, 0.1) * np.clip(self.speed, 0, 1) * 0.6
        turn = about(
            # the pelvis turns with the stride: the hip of the leading foot comes forward
            Y,
            self.heading + plan.hips[:, 0] - 0.16 * self.stride * np.clip(self.speed, 0.2, 1),
        )
        pitch = 0.03 + 0.035 * np.clip(self.speed, 0, 2.5) + 0.35 * plan.bow + 0.25 * plan.crouch_m
        rotation = (
            turn @ about(X, pitch) @ about(Z, plan.hips[:, 1] + roll) @ idle.pelvis[: plan.frames]
        )
        self.local[:, 0] = rotation
        self.root = np.stack([ground[:, 0], self._height(ground, rotation), ground[:, 1]], 1)

    def _height(self, ground: np.ndarray, rotation: np.ndarray) -> np.ndarray:
        plan = self.plan
        requested = (
            STANDING_HEIGHT_M
            - 0.004
            - plan.crouch_m
            + plan.bounce_m
            - 0.005 * np.clip(self.speed, 0, 2)
        )
        room = np.full(plan.frames, np.inf)
        longest = LEG_M * (STRAIGHT + (WALKING - STRAIGHT) * np.clip(2 * self.speed, 0, 1))
        for side, ankle in zip(SIDES, self.feet.ankle, strict=True):
            hip = rotation @ OFFSETS[AT[f"{side}_hip"]]
            across = np.hypot(
                ground[:, 0] + hip[:, 0] - ankle[:, 0], ground[:, 1] + hip[:, 2] - ankle[:, 2]
            )
            # Pythagoras: the height that a stretched leg allows over this foot
            room = np.minimum(
                room, ankle[:, 1] + np.sqrt(np.maximum(longest**2 - across**2, 0.01)) - hip[:, 1]
            )
        # The minimum filter looks ahead, so that the pelvis is low before the leg needs it.
        reachable = minimum_filter1d(np.minimum(requested, room), int(0.07 * RATE), mode="nearest")
        return gaussian_filter1d(reachable, 0.035 * RATE, mode="nearest")

    def spine_and_head(self) -> None:
        """Bends, breath and the gaze, shared out from the waist to the head."""
        plan, n = self.plan, self.plan.frames
        time = seconds(n)
        # a breath in 3.9 s
        breath = 0.010 * np.sin(2 * np.pi * time / 3.9 + self.idle.phase)
        # the shoulders turn against the hips with the stride
        counter = 0.13 * self.stride * np.clip(self.speed, 0.2, 1)
        azimuth, elevation = self._look()
        # Whoever looks at something holds the head stiller.
        quiet = (1 - 0.6 * plan.looks)[:, None]
        for name in (*SPINE, "neck", "head"):
            base = Rotation.from_matrix(self.idle.rotations[:n, AT[name]])
            self.local[:, AT[name]] = Rotation.from_rotvec(
                base.as_rotvec() * (quiet if name in ("neck", "head") else 1)
            ).as_matrix()
        # A walking trunk leans forward; the hips' pitch is undone here.
        upright = 0.03 + 0.02 * np.clip(self.speed, 0, 2)
        for name in SPINE:
            share = GAZE_SHARE[name]
            side = about(Y, share * azimuth + (plan.twist + counter) / 3) @ about(Z, -plan.lean / 3)
            self.local[:, AT[name]] = (
                side
                @ about(X, plan.bow * 0.3 - upright / 3 + (breath if name == "spine3" else 0))
                @ self.local[:, AT[name]]
            )
        for name, part in (("neck", 0.4), ("head", 0.6)):
            share = GAZE_SHARE[name]
            turn = about(Y, share * azimuth + part * plan.shake) @ about(
                # down by nod, up to the gaze, and upright again while the back is bowed
                X,
                part * (plan.nod - 0.9 * elevation - 0.4 * plan.bow) - 0.6 * breath,
            )
            self.local[:, AT[name]] = turn @ about(Z, -part * plan.tilt) @ self.local[:, AT[name]]

    def _look(self) -> tuple[np.ndarray, np.ndarray]:
        """Smooth azimuth and elevation of the gaze target, within the neck's range."""
        plan = self.plan
        # eyes 0.60 m above the pelvis, a little in front of it
        eyes = self.root + np.einsum("fij,j->fi", about(Y, self.heading), np.array([0, 0.60, 0.06]))
        # from the figure's place to the point, in its own axes
        way = np.einsum("fji,fj->fi", about(Y, self.heading), plan.gaze - eyes)
        # Unwrapped: a source that passes behind must not flip the head round.
        azimuth = np.unwrap(np.arctan2(way[:, 0], way[:, 2]))
        elevation = np.arctan2(way[:, 1], np.hypot(way[:, 0], way[:, 2]))
        raw = (
            np.clip(np.stack([azimuth, elevation], 1), -FARTHEST_LOOK, FARTHEST_LOOK)
            * plan.looks[:, None]
        )
        return tuple(gaussian_filter1d(raw, 0.05 * RATE, axis=0, mode="nearest").T)

    def legs(self) -> None:
        """Legs from the hips to where the feet are."""
        self._forward(0)
        for foot, side in enumerate(SIDES):
            hip = self.root + self.world[:, 0] @ OFFSETS[AT[f"{side}_hip"]]
            # the knee points halfway between foot and hips, a little outwards
            toward = 0.5 * (self.feet.heading[foot] + self.heading) + 0.12 * side_of(foot)
            pole = np.stack([np.sin(toward), 0.15 + 0 * toward, np.cos(toward)], 1)
            upper, lower = solve(LEG[side], hip, self.feet.ankle[foot], pole)
            # world to local: the transpose of the parent's rotation
            self.local[:, AT[f"{side}_hip"]] = np.swapaxes(self.world[:, 0], 1, 2) @ upper
            self.local[:, AT[f"{side}_knee"]] = np.swapaxes(upper, 1, 2) @ lower
            self.local[:, AT[f"{side}_ankle"]] = np.swapaxes(lower, 1, 2) @ self.feet.turn[foot]
            self.local[:, AT[f"{side}_foot"]] = about(X, -self.feet.bend[foot])
        self._forward(0)

    def hanging_arms(self) -> None:
        """Arms as they hang and swing against the legs."""
        plan = self.plan
        pace = np.clip(self.speed / 1.2, 0, 1.6)
        # Whoever moves lets go of folded arms, and takes them up again a good while later.
        # 0 where the arms may stay folded, 1 where they are needed
        busy = np.clip(
            3 * self.speed
            + 4 * np.abs(plan.swing).max(1)
            + 3 * plan.flex.max(1)
            + 3 * plan.crouch_m,
            0,
            1,
        )
        busy = gaussian_filter1d(
            # 1.2 s around each movement, so that arms are not folded in between
            maximum_filter1d(busy, int(1.2 * RATE)),
            0.22 * RATE,
            mode="nearest",
        )[:, None]
        for joint in (
            f"{side}_{name}" for side in SIDES for name in ("collar", "shoulder", "elbow")
        ):
            self.local[:, AT[joint]] = between(
                self.local[:, AT[joint]], self.idle.hanging[: plan.frames, AT[joint]], busy
            )
        for foot, side in enumerate(SIDES):
            sign = side_of(foot)
            swing = (
                # Arms swing against the legs: the left arm forward with the right foot.
                -sign * 0.62 * self.stride * np.clip(pace, 0.15, 1.4)
                + 0.05 * pace
                + plan.swing[:, foot]
            )
            flex = (
                0.22 * pace
                + 0.25 * np.clip(swing, 0, None) * np.clip(pace, 0, 1)
                + 0.45 * np.clip(self.speed - 1.6, 0, 1.2)
                + plan.flex[:, foot]
            )
            shoulder, elbow = AT[f"{side}_shoulder"], AT[f"{side}_elbow"]
            self.local[:, AT[f"{side}_collar"]] = (
                about(Z, sign * plan.shrug) @ self.local[:, AT[f"{side}_collar"]]
            )
            self.local[:, shoulder] = about(X, -swing) @ self.local[:, shoulder]
            self.local[:, elbow] = self.local[:, elbow] @ about(Y, -sign * flex)
        self._forward(AT["spine3"])

    def reach(self, side: int, goal: ArmGoal) -> None:
        """Blend an arm towards a goal."""
        name, sign = SIDES[side], side_of(side)
        # goals are given for the left arm; x is mirrored for the right one
        mirror = np.array([sign, 1, 1])
        part = AT[{"head": "head", "chest": "spine3", "pelvis": "pelvis"}[goal.frame]]
        frame, origin = self.world[:, part], self.positions[:, part]
        wrist = origin + np.einsum("fij,fj->fi", frame, goal.position * mirror)
        shoulder = self.positions[:, AT[f"{name}_shoulder"]]
        chest = self.world[:, AT["spine3"]]
        pole = chest @ (np.array(goal.elbow) * mirror)
        upper, lower = solve(ARM[name], shoulder, wrist, pole)
        fingers, palm = (
            frame @ (np.array(goal.fingers) * mirror),
            frame @ (np.array(goal.palm) * mirror),
        )
        # (frames, 3, 3)
        hand = _hand(fingers, palm, sign)
        # The forearm takes part of the hand's twist, as radius and ulna do.
        lower, bend = _shared_twist(lower, hand, sign * X)
        collar = self.world[:, AT[f"{name}_collar"]]
        weight = goal.weight[:, None]
        for joint, requested in (
            (f"{name}_shoulder", np.swapaxes(collar, 1, 2) @ upper),
            (f"{name}_elbow", np.swapaxes(upper, 1, 2) @ lower),
            (f"{name}_wrist", bend),
        ):
            self.local[:, AT[joint]] = between(self.local[:, AT[joint]], requested, weight)
        self._forward(AT[f"{name}_collar"])

    def _forward(self, first: int) -> None:
        """World rotations and positions, from a joint on."""
        # Joints are ordered so that a parent comes before its children.
        for joint in range(first, 25):
            parent = SMPLX25_PARENTS[joint]
            if parent < 0:
                self.world[:, 0], self.positions[:, 0] = self.local[:, 0], self.root
                continue
            self.world[:, joint] = self.world[:, parent] @ self.local[:, joint]
            self.positions[:, joint] = (
                self.positions[:, parent] + self.world[:, parent] @ OFFSETS[joint]
            )


def between(
    start: Float[np.ndarray, "frames 3 3"],
    stop: Float[np.ndarray, "frames 3 3"],
    share: Float[np.ndarray, "frames 1"],
) -> np.ndarray:
    """Rotations on the shortest way from one to the other."""
    way = Rotation.from_matrix(np.swapaxes(start, 1, 2) @ stop).as_rotvec()
    return start @ Rotation.from_rotvec(way * share).as_matrix()


def _hand(fingers: np.ndarray, palm: np.ndarray, sign: float) -> np.ndarray:
    """World rotation of a hand: at rest its fingers point sideways and its palm down."""
    # axes of a hand at rest: x along the fingers of the left one, y up from its back
    x = sign * fingers / np.linalg.norm(fingers, axis=1, keepdims=True)
    # Gram-Schmidt: the palm's direction without its part along the fingers
    y = -palm + (palm * x).sum(1, keepdims=True) * x
    y /= np.linalg.norm(y, axis=1, keepdims=True)
    return np.stack([x, y, np.cross(x, y)], axis=-1)


def _shared_twist(
    lower: np.ndarray, hand: np.ndarray, axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Forearm with two thirds of the hand's twist, and the wrist's limited remainder."""
    bend = Rotation.from_matrix(np.swapaxes(lower, 1, 2) @ hand)
    quaternion = bend.as_quat()
    # twist about the forearm's axis, of the swing-twist decomposition of a quaternion
    twist = 2 * np.arctan2(quaternion[:, :3] @ axis, quaternion[:, 3])
    twist = (twist + np.pi) % (2 * np.pi) - np.pi
    turned = (
        # 1.6 rad: as far as a forearm turns
        lower @ Rotation.from_rotvec(0.66 * np.clip(twist, -1.6, 1.6)[:, None] * axis).as_matrix()
    )
    rest = Rotation.from_matrix(np.swapaxes(turned, 1, 2) @ hand).as_rotvec()
    size = np.linalg.norm(rest, axis=1, keepdims=True)
    # 1.1 rad: as far as a wrist bends
    return turned, Rotation.from_rotvec(rest * np.minimum(1, 1.1 / size.clip(1e-9))).as_matrix()
