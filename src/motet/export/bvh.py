"""BVH: skeleton and motion of the body as text, for Blender, MotionBuilder, Unreal and others.

Centimetres, +Y up, facing +Z; 25 joints with the names of SMPL-X, arms stretched out at rest. A
file called `NAME.mixamo.bvh` or `NAME.cmu.bvh` has the joint names of Mixamo or of the CMU database
(as its BVH conversions have them), without jaw and eyes: retargeting presets recognise them.
Rotation channels are in the order Z X Y: R = Rz Rx Ry. The root's offset is zero because programs
differ in whether its position channels are added to it or replace it. The file holds neither sound
nor face.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float

from motet.atomic_write import write_bytes
from motet.body.bvh_format import Bvh, BvhJoint, read_bvh, write_text
from motet.body.skeleton import body_motion, house_offsets, local_rotations
from motet.errors import AssetError
from motet.export.curves import body_motion_of
from motet.export.options import ExportOptions
from motet.types import SMPLX25_JOINTS, SMPLX25_PARENTS, Clip

CENTIMETRES = 100.0
ORDER = "ZXY"
_MIXAMO = {
    "pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2", "neck": "Neck",
    "head": "Head", "collar": "Shoulder", "shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand",
    "hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase",
}  # fmt: skip
NAMES: dict[str, tuple[str, dict[str, str]]] = {
    "mixamo": ("mixamorig:", _MIXAMO),
    "cmu": ("", {**_MIXAMO, "spine1": "LowerBack", "spine2": "Spine", "spine3": "Spine1"}),
}
"""Prefix and names of joints, the side left out."""
ENDS_CM = {
    "left_foot": (0.0, 0.0, 7.0),
    "right_foot": (0.0, 0.0, 7.0),
    "left_wrist": (17.0, 0.0, 0.0),
    "right_wrist": (-17.0, 0.0, 0.0),
}
"""End sites of bones without a child; the default is 5 cm to the front."""


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write the body of a clip.

    Raises:
        InputError: it has no motion, or several takes.
        SpaceError: its motion has no body.
    """
    motion = body_motion_of(clip, "BVH")
    rotations = local_rotations(motion).double().numpy()
    root = motion["root"].double().numpy() * CENTIMETRES  # (frames, 3), cm
    joints = _skeleton()
    names = Path(path.stem).suffix.lower().removeprefix(".")
    if names in NAMES:
        joint_indices = [k for k, name in enumerate(SMPLX25_JOINTS) if other_name(name, names)]
        rotations, joints = rotations[:, joint_indices], _renamed(joints, joint_indices, names)
    frames = np.concatenate([root, _angles(rotations)], axis=1)
    write_bytes(path, write_text(Bvh(joints, frames, 1.0 / motion.space.fps)).encode("ascii"))
    options.report(motion.frames)


def other_name(joint: str, names: str) -> str:
    """A joint's name in the rigs of Mixamo or CMU; empty for the jaw and the eyes."""
    prefix, known = NAMES[names]
    side, _, part = joint.rpartition("_")
    return f"{prefix}{side.capitalize()}{known[part]}" if part in known else ""


def _renamed(
    joints: tuple[BvhJoint, ...], joint_indices: list[int], names: str
) -> tuple[BvhJoint, ...]:
    """The joints that such a rig has; those whose children are left out end there."""
    new_index = {old: new for new, old in enumerate(joint_indices)}
    parents = {joints[old].parent for old in joint_indices}
    renamed = []
    for old in joint_indices:
        joint = joints[old]
        renamed.append(
            dataclasses.replace(
                joint,
                name=other_name(joint.name, names),
                parent=new_index.get(joint.parent, -1),
                end=joint.end if old in parents else joint.end or (0.0, 15.0, 0.0),
            )
        )
    return tuple(renamed)


def read(path: Path) -> Clip:
    """Read a take from a file with these joints, of motet or another program, by any of the three
    sets of names; jaw and eyes rest where a file has none.

    Raises:
        AssetError: damaged, or another skeleton.
    """
    bvh = read_bvh(path)
    order = _order(bvh, path)
    every = torch.from_numpy(bvh.local_rotations()).float()
    rotations = torch.eye(3).repeat(len(every), len(SMPLX25_JOINTS), 1, 1)
    for joint, column in order.items():
        rotations[:, joint] = every[:, column]
    root = torch.from_numpy(bvh.local_positions()[:, order[0]] / CENTIMETRES).float()
    motion = body_motion(root, rotations, 1.0 / bvh.frame_time_s)
    return Clip(None, motion, provenance={"source": path.name})


def _order(bvh: Bvh, path: Path) -> dict[int, int]:
    """Number of each joint -> its number in the file.

    Raises:
        AssetError: none of the three sets of names is there.
    """
    spellings = [dict(enumerate(SMPLX25_JOINTS))]
    for names in NAMES:
        others = ((k, other_name(name, names)) for k, name in enumerate(SMPLX25_JOINTS))
        spellings.append({k: name for k, name in others if name})
    for spelling in spellings:
        if all(name in bvh.names for name in spelling.values()):
            return {k: bvh.names.index(name) for k, name in spelling.items()}
    missing = [name for name in SMPLX25_JOINTS if name not in bvh.names]
    raise AssetError(
        f"{path} has another skeleton: {', '.join(missing[:3])} and {len(missing) - 1} more are"
        " not there; takes have the joints of SMPL-X"
    )


def _skeleton() -> tuple[BvhJoint, ...]:
    offsets = house_offsets().double().numpy() * CENTIMETRES
    rotations = tuple(f"{axis}rotation" for axis in ORDER)
    joints = []
    for index, (name, parent) in enumerate(zip(SMPLX25_JOINTS, SMPLX25_PARENTS, strict=True)):
        positions = ("Xposition", "Yposition", "Zposition") if parent < 0 else ()
        channels = (*positions, *rotations)
        # Only bones without a child have an end site.
        end = None if index in SMPLX25_PARENTS else ENDS_CM.get(name, (0.0, 0.0, 5.0))
        x, y, z = offsets[index] if parent >= 0 else (0.0, 0.0, 0.0)
        joints.append(BvhJoint(name, parent, (float(x), float(y), float(z)), channels, end))
    return tuple(joints)


def _angles(
    rotations: Float[np.ndarray, "frames joints 3 3"],
) -> Float[np.ndarray, "frames channels"]:
    """Euler angles in file order, degrees, unwrapped over time."""
    from scipy.spatial.transform import Rotation

    # (frames * joints, 3)
    flat = Rotation.from_matrix(rotations.reshape(-1, 3, 3)).as_euler(ORDER, degrees=True)
    angles = flat.reshape(len(rotations), -1)
    # Programs interpolate angles: a jump from 180 to -180 degrees would spin the bone.
    return np.unwrap(angles, period=360.0, axis=0)
