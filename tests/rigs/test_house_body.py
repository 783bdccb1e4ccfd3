"""The whole figure moved by a body: bones point where the skeleton says, soles stand on the floor,
a face comes on top."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.body.skeleton import STANDING_HEIGHT_M, body_motion, pose_body
from motet.errors import SpaceError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.rigs.house import load_house
from motet.rigs.house.body import HouseBody, load_house_body
from motet.rigs.house.face_body import at_rate, figure_space, join, split
from motet.types import ARKIT_SHAPES, SMPLX25_JOINTS, Motion, arkit_space

BONES = {
    "upperarm.L": ("lowerarm.L", "left_shoulder", "left_elbow"), "lowerarm.R": ("wrist.R", "right_elbow", "right_wrist"),
    "upperleg.L": ("lowerleg.L", "left_hip", "left_knee"), "lowerleg.R": ("foot.R", "right_knee", "right_ankle"),
}  # fmt: skip


def moving(frames: int = 6, fps: float = 30.0, seed: int = 0, size: float = 0.5) -> Motion:
    generator = torch.Generator().manual_seed(seed)
    turns = size * torch.randn(frames, 25, 3, generator=generator)
    root = torch.randn(frames, 3, generator=generator) + torch.tensor([0.0, 1.0, 0.0])
    return body_motion(root, matrix_from_axis_angle(turns), fps)


def face(frames: int, fps: float = 25.0, **weights: float) -> Motion:
    values = torch.zeros(frames, 55)
    for name, weight in weights.items():
        values[:, ARKIT_SHAPES.index(name)] = weight
    return Motion(values, arkit_space(fps))


def test_bones_point_where_the_skeleton_points() -> None:
    figure, motion = load_house_body(), moving()
    transforms, pose = figure.transforms(motion), pose_body(motion)
    places = (transforms[..., :3] @ figure.shaped.joints[..., None]).squeeze(-1) + transforms[
        ..., 3
    ]
    names = figure.rig.joint_names
    for start, (stop, first, second) in BONES.items():
        ours = places[:, names.index(stop)] - places[:, names.index(start)]
        theirs = pose.joint(second) - pose.joint(first)
        cosine = torch.nn.functional.cosine_similarity(ours, theirs, dim=-1)
        assert float(cosine.min()) > 0.99999, start


def test_places_of_hands_head_and_feet_agree_with_the_skeleton() -> None:
    figure, motion = load_house_body(), moving(20, size=0.25)
    transforms, pose = figure.transforms(motion), pose_body(motion)
    places = (transforms[..., :3] @ figure.shaped.joints[..., None]).squeeze(-1) + transforms[
        ..., 3
    ]
    for ours, theirs, near_m in (
        ("foot.L", "left_ankle", 0.012),
        ("wrist.R", "right_wrist", 0.06),
        ("head", "head", 0.07),
    ):
        gap = (places[:, figure.rig.joint_names.index(ours)] - pose.joint(theirs)).norm(dim=-1)
        assert float(gap.max()) < near_m, ours


def test_the_figure_stands_on_the_floor() -> None:
    figure = load_house_body()
    standing = body_motion(
        torch.tensor([[0.0, STANDING_HEIGHT_M, 0.0]]), torch.eye(3).expand(1, 25, 3, 3)
    )
    vertices = figure.posed(standing).vertices[0]
    assert -0.006 < float(vertices[:, 1].min()) < 0.004
    shoes = vertices[figure.rig.part("shoes").vertices]
    assert float(shoes[:, 1].max()) < 0.13 and 1.58 < float(vertices[:, 1].max()) < 1.68
    hands = vertices[:, 0].abs().max()
    assert 0.70 < float(hands) < 0.85


def test_a_step_leaves_the_soles_in_their_place() -> None:
    """The same foot, the body elsewhere: legs of the figure are those of the skeleton to a few
    millimetres."""
    from motet.synthesis.reaction.idle import invented_idle
    from motet.synthesis.reaction.perform import perform
    from motet.synthesis.reaction.plan import still_plan
    from motet.synthesis.reaction.stimulus import walk

    plan = still_plan(480, np.array([0.0, 1, 4]))
    walk(plan, 0.5, np.array([0.0, 1.8]), 1.1)
    body = perform(plan, invented_idle(480, np.random.default_rng(0)))
    figure = load_house_body()
    step = body.feet.steps[2]
    other = 1 - step.foot
    during = slice(step.lift + 12, step.land - 24, 4)
    motion = body_motion(
        torch.from_numpy(body.root[during]).float(),
        torch.from_numpy(body.rotations[during]).float(),
    )
    vertices = figure.posed(motion).vertices
    shoe = figure.rig.part("shoes").vertices
    sole = vertices[:, shoe][:, (figure.shaped.vertices[shoe, 0] > 0) == (other == 0)]
    ball = sole[:, (sole[0, :, 1] < 0.01)]
    assert float((ball - ball[:1])[..., [0, 2]].norm(dim=-1).median()) < 0.006
    assert float(sole[..., 1].min()) > -0.015


def test_a_face_moves_the_lips_and_not_the_legs() -> None:
    figure, motion = load_house_body(), moving(3, size=0.1)
    still, open_ = (
        figure.posed(motion, face(3, 30.0, jawOpen=weight)).vertices for weight in (0.0, 1.0)
    )
    moved = (open_ - still).norm(dim=-1).amax(0)
    assert float(moved[figure.rig.lips].max()) > 0.008
    assert float(moved[figure.rig.part("shoes").vertices].max()) < 1e-6
    torch.testing.assert_close(still, figure.posed(motion, face(3, 30.0)).vertices)


def test_a_face_turns_the_head_on_the_body() -> None:
    figure, motion = load_house_body(), moving(2, size=0.1)
    looking = face(2, 30.0).with_track("head", torch.tensor([[0.0, 0.4, 0.0]] * 2))
    without, with_face = (
        figure.world_rotations(motion, part)[:, figure.rig.joint_names.index("head")]
        for part in (face(2, 30.0), looking)
    )
    turned = without.mT @ with_face
    torch.testing.assert_close(
        turned,
        matrix_from_axis_angle(torch.tensor([0.0, 0.4, 0.0])).expand(2, 3, 3),
        atol=1e-5,
        rtol=0,
    )


def test_face_and_body_get_one_clock() -> None:
    body, talk = moving(30, 30.0), face(40, 25.0, jawOpen=0.5)
    both = join(talk, body)
    assert both.space == figure_space(30.0) and both.frames == 48
    first, second = split(both)
    assert first is not None and second is not None
    torch.testing.assert_close(second.values[:30], body.values)
    torch.testing.assert_close(second.values[30:], body.values[-1:].expand(18, -1))
    assert float(first.channel("blendshapes", "jawOpen").min()) == pytest.approx(0.5)
    assert split(talk) == (talk, None) and split(body) == (None, body)
    with pytest.raises(SpaceError, match="one figure"):
        join(body, talk)
    with pytest.raises(SpaceError, match="differ in length"):
        load_house_body().posed(body, talk)


def test_between_two_frames_rotations_stay_rotations() -> None:
    body = moving(10, 30.0, size=1.0)
    faster = at_rate(body, 60.0)
    rows = faster["joints"].unflatten(-1, (2, 3))
    torch.testing.assert_close(rows.norm(dim=-1), torch.ones(rows.shape[:-1]), atol=1e-5, rtol=0)
    torch.testing.assert_close(faster.values[::2], body.values, atol=1e-5, rtol=0)


def test_another_person_stands_on_the_floor_too() -> None:
    rig = load_house()
    identity = torch.zeros(len(rig.identity_names))
    identity[0] = 1.0
    figure = HouseBody(rig.shaped(identity))
    standing = body_motion(
        torch.tensor([[0.0, STANDING_HEIGHT_M, 0.0]]), torch.eye(3).expand(1, 25, 3, 3)
    )
    assert abs(float(figure.posed(standing).vertices[0, :, 1].min())) < 0.02


def test_every_joint_of_the_skeleton_but_the_jaw_moves_the_figure() -> None:
    figure = load_house_body()
    still = body_motion(torch.zeros(1, 3), torch.eye(3).expand(1, 25, 3, 3))
    rest = figure.posed(still).vertices
    for number, name in enumerate(SMPLX25_JOINTS):
        turns = torch.eye(3).repeat(1, 25, 1, 1)
        turns[0, number] = matrix_from_axis_angle(torch.tensor([0.3, 0.1, 0.1]))
        moved = float(
            (figure.posed(body_motion(torch.zeros(1, 3), turns)).vertices - rest).norm(dim=-1).max()
        )
        assert (moved < 1e-6) == (name == "jaw"), name
