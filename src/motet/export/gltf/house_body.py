"""A body, or a face and a body, as the performance of the house figure."""

from __future__ import annotations

import torch

from motet.export.curves import continuous
from motet.export.gltf.parts import Performance
from motet.rigs.house.body import load_house_body
from motet.rigs.house.face_body import split
from motet.types import ARKIT_SHAPES, Motion


def body_performance(motion: Motion, name: str = "") -> Performance:
    """Rotations of all joints, translation of the root, and shape weights if there is a face."""
    from scipy.spatial.transform import Rotation

    face, body = split(motion)
    if body is None:
        raise ValueError("the motion has no body")
    figure = load_house_body(name)
    with torch.no_grad():
        face = None if face is None else Motion(face.values.detach().cpu().double(), face.space)
        body = Motion(body.values.detach().cpu().double(), body.space)
        # In double precision: quaternions of small turns would lose half their digits.
        turns = figure.local_rotations(body, face).numpy()
        translations = figure.root_positions(body, figure.world_rotations(body, face)).numpy()
    local = {
        name: continuous(Rotation.from_matrix(turns[:, k]).as_quat())
        for k, name in enumerate(figure.rig.joint_names)
    }
    weights = (
        {}
        if face is None
        else {name: face.channel("blendshapes", name).float().numpy() for name in ARKIT_SHAPES}
    )
    return Performance(motion.space.fps, weights, local, {figure.rig.joint_names[0]: translations})
