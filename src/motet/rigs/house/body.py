"""The whole house figure moved by a body (`smplx25`) and, on the same clock, a face (`arkit`).

The figure's bind pose has lowered, bent arms; the rest pose of `smplx25` has straight arms
stretched out and straight legs. For every joint there is one fixed rotation from the one to the
other, so a body's joint turns its bone exactly as the skeleton says. Turns of long stretches
(waist, neck) are shared by several of the figure's joints; what the last of them faces is exact.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.skeleton import ANKLE_HEIGHT_M, house_offsets, local_rotations, pose_body
from motet.errors import SpaceError
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from motet.rigs.house.figure import NECK_SHARE, HouseRig, ShapedHouse, blend, turning_basis
from motet.types import SMPLX25_JOINTS, Meshes, Motion

DRIVEN: dict[str, str] = {
    "root": "pelvis", "spine1": "pelvis", "spine3": "spine1", "spine4": "spine2", "spine5": "spine3", "neck1": "neck", "head": "head",
    **{
        f"{ours}.{letter}": f"{side}_{theirs}"
        for letter, side in (("L", "left"), ("R", "right"))
        for ours, theirs in (
            ("clavicle", "collar"), ("upperarm", "shoulder"), ("lowerarm", "elbow"), ("wrist", "wrist"), ("thumb", "wrist"),
            ("fingers", "wrist"), ("upperleg", "hip"), ("lowerleg", "knee"), ("foot", "ankle"), ("toes", "foot"),
        )
    },
}  # fmt: skip
"""Joint of the figure -> joint of the skeleton whose world rotation it takes."""
SHARED: dict[str, tuple[str, str, float]] = {
    "spine2": ("pelvis", "spine1", 0.5), "neck2": ("neck", "head", 0.3), "neck3": ("neck", "head", 0.65), "eye.L": ("head", "left_eye", 1.0),
    "eye.R": ("head", "right_eye", 1.0),
}  # fmt: skip
"""Joint of the figure -> from this world rotation so far on the way to that one."""
CURL_RAD = 0.32
"""Fingers bend a little against the flat hand of the bind pose."""


def _frame(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    x = first / np.linalg.norm(first)
    y = second - (second @ x) * x
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


def rest_turns(rig: HouseRig, joints: Float[Tensor, "joints 3"]) -> Float[Tensor, "joints 3 3"]:
    """World rotation of every joint of the figure from its bind pose to the rest pose of
    `smplx25`.
    """
    place = {name: joints[k].double().numpy() for k, name in enumerate(rig.joint_names)}
    offset = dict(zip(SMPLX25_JOINTS, house_offsets().double().numpy(), strict=True))
    turns = dict.fromkeys(rig.joint_names, np.eye(3))
    front = np.array([0.0, 0.0, 1.0])
    for letter, side, sign in (("L", "left", 1.0), ("R", "right", -1.0)):
        upper, lower = (
            place[f"lowerarm.{letter}"] - place[f"upperarm.{letter}"],
            place[f"wrist.{letter}"] - place[f"lowerarm.{letter}"],
        )
        bends = np.array([0.0, -sign, 0.0])
        for name, bone, target in (
            ("upperarm", upper, offset[f"{side}_elbow"]),
            ("lowerarm", lower, offset[f"{side}_wrist"]),
        ):
            turns[f"{name}.{letter}"] = (
                _frame(target, bends) @ _frame(bone, np.cross(upper, lower)).T
            )
        fingers, thumb = (
            place[f"{name}.{letter}"] - place[f"wrist.{letter}"] for name in ("fingers", "thumb")
        )
        hand = _frame(np.array([sign, 0.0, 0.0]), front) @ _frame(fingers, thumb).T
        curl = matrix_from_axis_angle(
            torch.tensor([0.0, 0.0, -sign * CURL_RAD], dtype=torch.float64)
        ).numpy()
        turns |= {
            f"wrist.{letter}": hand,
            f"thumb.{letter}": hand,
            f"fingers.{letter}": curl @ hand,
        }
        hip, knee, ankle = (place[f"{name}.{letter}"] for name in ("upperleg", "lowerleg", "foot"))
        for name, bone, target in (
            ("upperleg", knee - hip, offset[f"{side}_knee"]),
            ("lowerleg", ankle - knee, offset[f"{side}_ankle"]),
        ):
            turns[f"{name}.{letter}"] = _frame(target, front) @ _frame(bone, front).T
    return torch.from_numpy(np.stack([turns[name] for name in rig.joint_names])).float()


class HouseBody:
    """One person of the house figure as a whole body.

    Args:
        shaped: the person.
    """

    def __init__(self, shaped: ShapedHouse) -> None:
        self.shaped = shaped
        self.rig = shaped.rig
        self._rest = rest_turns(self.rig, shaped.joints)
        self._hips = shaped.joints[
            [self.rig.joint_names.index(f"upperleg.{side}") for side in "LR"]
        ].mean(0)
        # How far the skeleton's sole lies under the figure's, with the small difference of leg
        # lengths.
        self._lift = float(self._floor_gap())

    def world_rotations(
        self, body: Motion, face: Motion | None = None
    ) -> Float[Tensor, "frames joints 3 3"]:
        """World rotation of every joint of the figure, from the bind pose.

        Raises:
            SpaceError: the motions are not in `smplx25` and `arkit`, or not on one clock.
        """
        self._check(body, face)
        world = pose_body(body).rotations
        at = {name: world[:, number] for number, name in enumerate(SMPLX25_JOINTS)}
        turns = []
        for number, name in enumerate(self.rig.joint_names):
            if name in DRIVEN:
                turned = at[DRIVEN[name]]
            else:
                start, stop, share = SHARED[name]
                between = axis_angle_from_matrix(at[start].mT @ at[stop])
                turned = at[start] @ matrix_from_axis_angle(share * between)
            turns.append(turned @ self._rest[number].to(turned))
        return (
            torch.stack(turns, 1) if face is None else self._with_face(torch.stack(turns, 1), face)
        )

    def _with_face(
        self, turns: Float[Tensor, "frames joints 3 3"], face: Motion
    ) -> Float[Tensor, "frames joints 3 3"]:
        """The face's own turns of the head, in the axes of the neck, and its looks."""
        turns = turns.clone()
        names = self.rig.joint_names
        added = torch.zeros_like(face["head"])
        for name, share in NECK_SHARE.items():
            added = added + share * face["head"]
            turns[:, names.index(name)] = turns[:, names.index(name)] @ matrix_from_axis_angle(
                added
            )
        for side, name in enumerate(("eye.L", "eye.R")):
            # Of a face, the eyes look where the face says; those of the body are left out.
            looks = matrix_from_axis_angle(face["blendshapes"] @ self.rig.eye_turn[side].to(turns))
            turns[:, names.index(name)] = turns[:, names.index("head")] @ looks
        return turns

    def local_rotations(
        self, body: Motion, face: Motion | None = None
    ) -> Float[Tensor, "frames joints 3 3"]:
        """Rotation of every joint against its parent, from the bind pose: what a skeleton animation
        holds.
        """
        world = self.world_rotations(body, face)
        parents = self.rig.joint_parents
        above = torch.stack(
            [
                world[:, parent] if parent >= 0 else torch.eye(3).to(world).expand(len(world), 3, 3)
                for parent in parents
            ],
            1,
        )
        return above.mT @ world

    def transforms(
        self, body: Motion, face: Motion | None = None
    ) -> Float[Tensor, "frames joints 3 4"]:
        """Transforms p' = R p + t that carry bind-pose points along with each joint."""
        world = self.world_rotations(body, face)
        rest = self.shaped.joints.to(world)
        places: list[Tensor] = []
        for joint, parent in enumerate(self.rig.joint_parents):
            if parent < 0:
                places.append(self.root_places(body, world))
                continue
            places.append(
                places[parent]
                + (world[:, parent] @ (rest[joint] - rest[parent])[:, None]).squeeze(-1)
            )
        shift = torch.stack(places, 1) - (world @ rest[..., None]).squeeze(-1)
        return torch.cat([world, shift[..., None]], -1)

    def root_places(
        self, body: Motion, world: Float[Tensor, "frames joints 3 3"]
    ) -> Float[Tensor, "frames 3"]:
        """Where the figure's root joint lies: its hips are the skeleton's."""
        offsets = house_offsets()
        hips = 0.5 * (
            offsets[SMPLX25_JOINTS.index("left_hip")] + offsets[SMPLX25_JOINTS.index("right_hip")]
        )
        pelvis = local_rotations(body)[:, 0]
        back = self.shaped.joints[0] - self._hips
        place = (
            body["root"]
            + (pelvis @ hips.to(pelvis)[:, None]).squeeze(-1)
            + (world[:, 0] @ back.to(world)[:, None]).squeeze(-1)
        )
        return place + torch.tensor([0.0, self._lift, 0.0]).to(place)

    def posed(self, body: Motion, face: Motion | None = None) -> Meshes:
        """Surface of the whole figure in every frame, metres.

        Raises:
            SpaceError: see `world_rotations`.
        """
        transforms = self.transforms(body, face)
        vertices = self.shaped.vertices.to(transforms).expand(len(transforms), -1, -1)
        if face is not None:
            vertices = vertices.clone()
            moved = (
                self.shaped.settled(face["blendshapes"]) @ turning_basis(self.rig).to(transforms)
            ).unflatten(-1, (-1, 3))
            vertices[:, self.shaped.turning] += moved
        return Meshes(
            blend(vertices.contiguous(), self.rig.weights.to(transforms), transforms),
            self.rig.topology,
        )

    def _floor_gap(self) -> float:
        legs = [self.rig.joint_names.index(name) for name in ("upperleg.L", "lowerleg.L", "foot.L")]
        hip, knee, ankle = self.shaped.joints[legs]
        ours = (knee - hip).norm() + (ankle - knee).norm()
        offsets = house_offsets()
        theirs = (
            offsets[SMPLX25_JOINTS.index("left_knee")].norm()
            + offsets[SMPLX25_JOINTS.index("left_ankle")].norm()
        )
        sole = ankle[1] - self.shaped.vertices[self.rig.part("shoes").vertices, 1].min()
        return float(ours - theirs + sole - ANKLE_HEIGHT_M)

    def _check(self, body: Motion, face: Motion | None) -> None:
        if body.space.name != "smplx25" or body.values.ndim != 2:
            raise SpaceError(
                f"a body moves in one take of the space 'smplx25', not in {body.space.name!r} of"
                f" shape {tuple(body.values.shape)}"
            )
        if face is not None and (
            face.space.name != "arkit"
            or face.frames != body.frames
            or face.space.fps != body.space.fps
        ):
            raise SpaceError(
                "face and body are not on one clock; put them there with"
                " motet.rigs.house.face_body.join(face, body)"
            )


@functools.lru_cache(maxsize=2)
def load_house_body() -> HouseBody:
    """The mean person as a whole body (made once)."""
    from motet.rigs.house.figure import load_house

    return HouseBody(load_house().shaped())
