"""The whole house figure driven by a body motion (`smplx25`) and, at its rate, a face (`arkit`).

The figure's bind pose has lowered, bent arms; the rest pose of `smplx25` has straight arms to the
sides and straight legs. One fixed rotation for each joint leads from one pose to the other, so each
bone rotates exactly as the skeleton's. Rotations of waist and neck are spread over several joints
of the figure; the last joint of each chain is exact.
"""

from __future__ import annotations

import functools

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from motet.body.limb_ik import orthonormal_frame
from motet.body.skeleton import ANKLE_HEIGHT_M, house_offsets, local_rotations, pose_body
from motet.errors import SpaceError
from motet.geometry.rotation import axis_angle_from_matrix, matrix_from_axis_angle
from motet.geometry.skinning import skin_rigid_parts
from motet.rigs.house.figure import NECK_SHARE, HouseRig, ShapedHouse, turning_basis
from motet.types import SMPLX25_JOINTS, Meshes, Motion

DRIVEN: dict[str, str] = {
    "root": "pelvis", "spine1": "pelvis", "spine3": "spine1", "spine4": "spine2",
    "spine5": "spine3", "neck1": "neck", "head": "head",
    **{
        f"{joint}.{letter}": f"{side}_{driver}"
        for letter, side in (("L", "left"), ("R", "right"))
        for joint, driver in (
            ("clavicle", "collar"), ("upperarm", "shoulder"), ("lowerarm", "elbow"),
            ("wrist", "wrist"), ("thumb", "wrist"), ("fingers", "wrist"), ("upperleg", "hip"),
            ("lowerleg", "knee"), ("foot", "ankle"), ("toes", "foot"),
        )
    },
}  # fmt: skip
"""Joint of the figure -> joint of the skeleton whose world rotation it takes."""
SHARED: dict[str, tuple[str, str, float]] = {
    "spine2": ("pelvis", "spine1", 0.5),
    "neck2": ("neck", "head", 0.3),
    "neck3": ("neck", "head", 0.65),
    "eye.L": ("head", "left_eye", 1.0),
    "eye.R": ("head", "right_eye", 1.0),
}
"""Joint of the figure -> the two world rotations between which it lies, and the fraction."""
CURL_RAD = 0.32
"""Bend of the fingers against the flat hand of the bind pose."""
FRONT = np.array([0.0, 0.0, 1.0])


def rest_rotations(rig: HouseRig, joints: Float[Tensor, "joints 3"]) -> Float[Tensor, "joints 3 3"]:
    """World rotation of every joint from the figure's bind pose to the rest pose of `smplx25`."""
    position = {name: joints[k].double().numpy() for k, name in enumerate(rig.joint_names)}
    offset = dict(zip(SMPLX25_JOINTS, house_offsets().double().numpy(), strict=True))
    rotations = dict.fromkeys(rig.joint_names, np.eye(3))
    for letter, side in (("L", "left"), ("R", "right")):
        own = {name.removesuffix(f".{letter}"): value for name, value in position.items()}
        limbs = {
            **_arm_rotations(own, offset[f"{side}_elbow"], offset[f"{side}_wrist"]),
            **_leg_rotations(own, offset[f"{side}_knee"], offset[f"{side}_ankle"]),
        }
        rotations |= {f"{name}.{letter}": value for name, value in limbs.items()}
    return torch.from_numpy(np.stack([rotations[name] for name in rig.joint_names])).float()


def _between(
    bone: np.ndarray, axis: np.ndarray, target: np.ndarray, target_axis: np.ndarray
) -> Float[np.ndarray, "3 3"]:
    """Rotation from a bone and its second axis to another."""
    return orthonormal_frame(target, target_axis) @ orthonormal_frame(bone, axis).T


def _arm_rotations(
    position: dict[str, np.ndarray], elbow: np.ndarray, wrist: np.ndarray
) -> dict[str, np.ndarray]:
    upper = position["lowerarm"] - position["upperarm"]
    lower = position["wrist"] - position["lowerarm"]
    fingers, thumb = (position[name] - position["wrist"] for name in ("fingers", "thumb"))
    sign = float(np.sign(elbow[0]))  # +1 for the left arm, which points to +X
    bend_axis, target_axis = np.cross(upper, lower), np.array([0.0, -sign, 0.0])
    hand = _between(fingers, thumb, np.array([sign, 0.0, 0.0]), FRONT)
    curl = torch.tensor([0.0, 0.0, -sign * CURL_RAD], dtype=torch.float64)
    return {
        "upperarm": _between(upper, bend_axis, elbow, target_axis),
        "lowerarm": _between(lower, bend_axis, wrist, target_axis),
        "wrist": hand,
        "thumb": hand,
        "fingers": matrix_from_axis_angle(curl).numpy() @ hand,
    }


def _leg_rotations(
    position: dict[str, np.ndarray], knee: np.ndarray, ankle: np.ndarray
) -> dict[str, np.ndarray]:
    upper = position["lowerleg"] - position["upperleg"]
    lower = position["foot"] - position["lowerleg"]
    return {
        "upperleg": _between(upper, FRONT, knee, FRONT),
        "lowerleg": _between(lower, FRONT, ankle, FRONT),
    }


class HouseBody:
    """One person of the house figure as a whole body.

    Args:
        shaped: the person.
    """

    def __init__(self, shaped: ShapedHouse) -> None:
        self.shaped = shaped
        self.rig = shaped.rig
        self._rest = rest_rotations(self.rig, shaped.joints)
        hips = [self.rig.joint_names.index(f"upperleg.{side}") for side in "LR"]
        self._hips = shaped.joints[hips].mean(0)
        self._lift = self._floor_gap()

    def world_rotations(
        self, body: Motion, face: Motion | None = None
    ) -> Float[Tensor, "frames joints 3 3"]:
        """World rotation of every joint of the figure, from the bind pose.

        Raises:
            SpaceError: the motions are not in `smplx25` and `arkit`, or not on one clock.
        """
        self._check(body, face)
        world = pose_body(body).rotations
        driver = {name: world[:, index] for index, name in enumerate(SMPLX25_JOINTS)}
        rotations = []
        for index, name in enumerate(self.rig.joint_names):
            if name in DRIVEN:
                rotation = driver[DRIVEN[name]]
            else:
                first, last, fraction = SHARED[name]
                between = axis_angle_from_matrix(driver[first].mT @ driver[last])
                rotation = driver[first] @ matrix_from_axis_angle(fraction * between)
            rotations.append(rotation @ self._rest[index].to(rotation))
        result = torch.stack(rotations, 1)
        return result if face is None else self._with_face(result, face)

    def _with_face(
        self, rotations: Float[Tensor, "frames joints 3 3"], face: Motion
    ) -> Float[Tensor, "frames joints 3 3"]:
        """Add the face's head rotation, in the axes of the neck, and replace the eyes' gaze."""
        rotations = rotations.clone()
        names = self.rig.joint_names
        total = torch.zeros_like(face["head"])
        for name, fraction in NECK_SHARE.items():
            total = total + fraction * face["head"]
            index = names.index(name)
            rotations[:, index] = rotations[:, index] @ matrix_from_axis_angle(total)
        head = rotations[:, names.index("head")]
        for side, name in enumerate(("eye.L", "eye.R")):
            # The face's gaze counts; that of the body is left out.
            gaze = face["blendshapes"] @ self.rig.eye_turn[side].to(rotations)
            rotations[:, names.index(name)] = head @ matrix_from_axis_angle(gaze)
        return rotations

    def local_rotations(
        self, body: Motion, face: Motion | None = None
    ) -> Float[Tensor, "frames joints 3 3"]:
        """Rotation of every joint against its parent, from the bind pose (skeletal animation)."""
        world = self.world_rotations(body, face)
        identity = torch.eye(3).to(world).expand(len(world), 3, 3)
        above = [world[:, k] if k >= 0 else identity for k in self.rig.joint_parents]
        return torch.stack(above, 1).mT @ world

    def transforms(
        self, body: Motion, face: Motion | None = None
    ) -> Float[Tensor, "frames joints 3 4"]:
        """Transforms p' = R p + t that carry bind-pose points along with each joint."""
        world = self.world_rotations(body, face)
        rest = self.shaped.joints.to(world)
        positions: list[Tensor] = []
        for joint, parent in enumerate(self.rig.joint_parents):
            if parent < 0:
                positions.append(self.root_positions(body, world))
                continue
            arm = (world[:, parent] @ (rest[joint] - rest[parent])[:, None]).squeeze(-1)
            positions.append(positions[parent] + arm)
        translation = torch.stack(positions, 1) - (world @ rest[..., None]).squeeze(-1)
        return torch.cat([world, translation[..., None]], -1)

    def root_positions(
        self, body: Motion, world: Float[Tensor, "frames joints 3 3"]
    ) -> Float[Tensor, "frames 3"]:
        """Position of the figure's root joint, such that its hips are the skeleton's."""
        offsets = house_offsets()
        both = [SMPLX25_JOINTS.index(name) for name in ("left_hip", "right_hip")]
        hips = offsets[both].mean(0).to(world)
        from_hips = (self.shaped.joints[0] - self._hips).to(world)
        pelvis = local_rotations(body)[:, 0]
        position = body["root"] + pelvis @ hips + world[:, 0] @ from_hips
        return position + torch.tensor([0.0, self._lift, 0.0]).to(position)

    def posed(self, body: Motion, face: Motion | None = None) -> Meshes:
        """Surface of the whole figure in every frame, metres.

        Raises:
            SpaceError: see `world_rotations`.
        """
        transforms = self.transforms(body, face)
        vertices = self.shaped.vertices.to(transforms).expand(len(transforms), -1, -1)
        if face is not None:
            vertices = vertices.clone()
            weights = self.shaped.settled(face["blendshapes"])
            displacement = weights @ turning_basis(self.rig).to(transforms)
            vertices[:, self.shaped.turning] += displacement.unflatten(-1, (-1, 3))
        weights = self.rig.weights.to(transforms)
        return Meshes(
            skin_rigid_parts(vertices.contiguous(), weights, transforms), self.rig.topology
        )

    def _floor_gap(self) -> float:
        """Metres by which the figure must be raised to stand on the skeleton's floor.

        The difference of the leg lengths and of the heights of the ankle above the sole.
        """
        legs = [self.rig.joint_names.index(name) for name in ("upperleg.L", "lowerleg.L", "foot.L")]
        hip, knee, ankle = self.shaped.joints[legs]
        leg = (knee - hip).norm() + (ankle - knee).norm()
        offsets = house_offsets()
        bones = [SMPLX25_JOINTS.index(name) for name in ("left_knee", "left_ankle")]
        skeleton_leg = offsets[bones].norm(dim=1).sum()
        sole = ankle[1] - self.shaped.vertices[self.rig.part("shoes").vertices, 1].min()
        return float(leg - skeleton_leg + sole - ANKLE_HEIGHT_M)

    def _check(self, body: Motion, face: Motion | None) -> None:
        if body.space.name != "smplx25" or body.values.ndim != 2:
            raise SpaceError(
                f"the body must be one motion in the space 'smplx25', not in {body.space.name!r} of"
                f" shape {tuple(body.values.shape)}"
            )
        if face is None:
            return
        is_face = face.space.name == "arkit"
        if not is_face or (face.frames, face.space.fps) != (body.frames, body.space.fps):
            raise SpaceError(
                "face and body differ in length or frame rate; align them with"
                " motet.rigs.house.face_body.join(face, body)"
            )


@functools.cache
def load_house_body(figure: str = "") -> HouseBody:
    """One of the shipped figures as a whole body (made once).

    Raises:
        ConfigError: there is no such figure.
    """
    from motet.rigs.house.figure import load_figure

    return HouseBody(load_figure(figure))
