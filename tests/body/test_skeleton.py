import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.body.skeleton import (
    ANKLE_HEIGHT_M,
    BALL_HEIGHT_M,
    STANDING_HEIGHT_M,
    body_motion,
    heading,
    house_offsets,
    pose_body,
)
from motet.geometry.kinematics import chain, forward_kinematics, skinning_transforms
from motet.geometry.rotation import matrix_from_axis_angle
from motet.geometry.skinning import dense_weights, skin
from motet.types import SMPLX25_PARENTS, smplx25_space

PARENTS = [-1, 0, 1, 1]
REST = torch.tensor([[0.0, 0, 0], [0, 1, 0], [0, 2, 0], [1, 1, 0]], dtype=torch.float64)


def test_a_straight_arm_bends_where_it_should():
    turns = torch.zeros(4, 3, dtype=torch.float64)
    turns[1, 2] = torch.pi / 2
    rotation, position = chain(matrix_from_axis_angle(turns), REST, PARENTS)
    torch.testing.assert_close(position[2], torch.tensor([-1.0, 1.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(position[3], torch.tensor([0.0, 2.0, 0.0], dtype=torch.float64))
    torch.testing.assert_close(rotation[0], torch.eye(3, dtype=torch.float64))


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1000))
def test_rest_pose_moves_nothing_and_rigid_turns_move_everything_rigidly(seed):
    generator = torch.Generator().manual_seed(seed)
    points = torch.randn(7, 3, generator=generator, dtype=torch.float64)
    weights = torch.rand(7, 4, generator=generator, dtype=torch.float64)
    weights = weights / weights.sum(1, keepdim=True)
    still = skinning_transforms(torch.eye(3, dtype=torch.float64).expand(4, 3, 3), REST, PARENTS)
    torch.testing.assert_close(skin(points, weights, still), points)
    turn = torch.zeros(4, 3, dtype=torch.float64)
    turn[0] = torch.randn(3, generator=generator, dtype=torch.float64)
    moved = skin(points, weights, skinning_transforms(matrix_from_axis_angle(turn), REST, PARENTS))
    torch.testing.assert_close(moved, points @ matrix_from_axis_angle(turn[0]).T)


def test_batch_is_the_same_as_singles_and_gradients_are_right():
    generator = torch.Generator().manual_seed(3)
    turns = torch.randn(2, 3, 4, 3, generator=generator, dtype=torch.float64)
    points = torch.randn(5, 3, generator=generator, dtype=torch.float64)
    weights = dense_weights(
        torch.tensor([[0, 1], [1, 2], [3, 1], [2, 0], [1, 1]]),
        torch.tensor([[0.5, 0.5]] * 5, dtype=torch.float64),
        4,
    )
    assert torch.equal(weights.sum(1), torch.ones(5, dtype=torch.float64))
    whole = skin(points, weights, skinning_transforms(matrix_from_axis_angle(turns), REST, PARENTS))
    assert whole.shape == (2, 3, 5, 3)
    single = skin(
        points, weights, skinning_transforms(matrix_from_axis_angle(turns[1, 2]), REST, PARENTS)
    )
    torch.testing.assert_close(whole[1, 2], single)

    def pose(turn):
        return skin(
            points, weights, skinning_transforms(matrix_from_axis_angle(turn), REST, PARENTS)
        )

    assert torch.autograd.gradcheck(pose, (turns[0, 0].requires_grad_(),))


def test_a_child_before_its_parent_is_refused():
    with pytest.raises(ValueError, match="parent"):
        chain(torch.eye(3).expand(2, 3, 3), torch.zeros(2, 3), [1, -1])


def test_levels_of_a_body_give_what_the_chain_gives():
    generator = torch.Generator().manual_seed(5)
    turns = matrix_from_axis_angle(
        torch.randn(2, 7, 25, 3, generator=generator, dtype=torch.float64)
    )
    root = torch.randn(2, 7, 3, generator=generator, dtype=torch.float64)
    offsets = house_offsets().double()
    rest = torch.zeros_like(offsets)
    for joint, parent in enumerate(SMPLX25_PARENTS[1:], 1):
        rest[joint] = rest[parent] + offsets[joint]
    wanted_rotation, wanted_place = chain(turns, rest, list(SMPLX25_PARENTS))
    rotation, place = forward_kinematics(turns, root, offsets, SMPLX25_PARENTS)
    torch.testing.assert_close(rotation, wanted_rotation)
    torch.testing.assert_close(place, wanted_place + root.unsqueeze(-2))


def test_the_house_skeleton_stands_on_the_floor_and_looks_forward():
    root = torch.tensor([[0.0, STANDING_HEIGHT_M, 0.0]])
    motion = body_motion(root, torch.eye(3).expand(1, 25, 3, 3))
    pose = pose_body(motion)
    assert abs(float(pose.joint("left_foot")[0, 1]) - BALL_HEIGHT_M) < 1e-5
    assert abs(float(pose.joint("right_ankle")[0, 1]) - ANKLE_HEIGHT_M) < 1e-5
    assert (
        float(pose.joint("left_wrist")[0, 0]) > 0.5 > -0.5 > float(pose.joint("right_wrist")[0, 0])
    )
    assert float(pose.joint("left_eye")[0, 2]) > 0.1
    assert 1.45 < float(pose.joint("head")[0, 1]) < 1.55
    assert motion.space == smplx25_space()
    turned = body_motion(
        root, matrix_from_axis_angle(torch.tensor([0.0, 0.5, 0.0])).expand(1, 25, 3, 3)
    )
    torch.testing.assert_close(heading(pose_body(turned).turn("pelvis")), torch.tensor([0.5]))


@pytest.mark.parametrize("parents", [[0, -1], [-1, -1], [-1, 2, 1]])
def test_bodies_with_another_order_are_refused(parents):
    with pytest.raises(ValueError, match="root"):
        forward_kinematics(
            torch.eye(3).expand(len(parents), 3, 3),
            torch.zeros(3),
            torch.zeros(len(parents), 3),
            parents,
        )
