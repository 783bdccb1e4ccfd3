import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import InputError, SpaceError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Motion, MotionSpace, Track, arkit_space

EYEBALLS = ("eye_left", "eye_right")


def pose(head=(0.0, 0.0, 0.0), dtype=torch.float32, **shapes) -> Motion:
    values = torch.zeros(1, 55, dtype=dtype)
    for name, weight in shapes.items():
        values[0, ARKIT_SHAPES.index(name)] = weight
    values[0, 52:] = torch.tensor(head)
    return Motion(values, arkit_space())


@pytest.fixture(scope="module")
def rig():
    return load_house()


@pytest.fixture(scope="module")
def shaped(rig):
    return rig.shaped()


def vertices(shaped, **pose_values):
    return shaped.posed(pose(**pose_values)).vertices[0]


def test_facts(rig):
    assert rig.space.name == "arkit" and "CC0" in rig.licence
    assert set(rig.joint_names) >= {
        "root",
        "head",
        "neck1",
        "neck2",
        "neck3",
        "eye.L",
        "eye.R",
        "wrist.L",
        "toes.R",
    }
    assert 10 <= len(rig.identity_names) <= 20
    assert (rig.joint_weight.astype(int).sum(1) == 255).all()
    assert (
        1.5 < float(rig.vertices[:, 1].max()) < 1.9 and abs(float(rig.vertices[:, 1].min())) < 0.02
    )


@pytest.mark.parametrize("name", ARKIT_SHAPES)
def test_every_shape_moves_something_by_millimetres(rig, name):
    size = rig.shape_deltas()[ARKIT_SHAPES.index(name)].norm(dim=-1)
    assert 0.001 < float(size.max()) < 0.06
    assert 10 < int((size > 1e-4).sum()) < len(size) / 2


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in ARKIT_SHAPES
        if name.endswith("Left") and name not in ("jawLeft", "mouthLeft")
    ],
)
def test_left_and_right_are_mirror_images(rig, shaped, name):
    from scipy.spatial import cKDTree

    skin = rig.part("skin").vertices
    rest = shaped.vertices[skin].numpy()
    left = rig.shape_deltas()[ARKIT_SHAPES.index(name), skin].numpy()
    right = rig.shape_deltas()[ARKIT_SHAPES.index(name.replace("Left", "Right")), skin].numpy()
    flip = np.array([-1, 1, 1])
    distance, partner = cKDTree(rest).query(rest * flip)
    paired = distance < 5e-4
    assert paired.mean() > 0.9
    # The source is drawn by hand: a few vertices differ.
    difference = np.linalg.norm(left[paired] * flip - right[partner[paired]], axis=1)
    assert np.sqrt((difference**2).mean()) < 0.15 * np.sqrt((left[paired] ** 2).sum(1).mean())


def test_left_is_the_characters_left(rig, shaped):
    names = ("eyeBlinkLeft", "mouthSmileLeft", "browDownLeft")
    for name in names:
        size = rig.shape_deltas()[ARKIT_SHAPES.index(name)].norm(dim=-1)
        assert float((shaped.vertices[:, 0] * size).sum() / size.sum()) > 0.01
    left = shaped.joints[rig.joint_names.index("eye.L")]
    assert left[0] > 0.02 and left[2] > 0


def test_the_head_turns_as_asked_and_the_body_stays(rig, shaped):
    turn = (0.1, 0.44, -0.05)
    before, after = vertices(shaped), vertices(shaped, head=turn)
    crown = rig.part("teeth_upper").vertices
    matrix = matrix_from_axis_angle(torch.tensor(turn))
    spread = before[crown] - before[crown].mean(0)
    torch.testing.assert_close(
        after[crown] - after[crown].mean(0), spread @ matrix.T, atol=2e-5, rtol=0
    )
    for part in ("shoes", "trousers", "top"):
        assert torch.equal(after[rig.part(part).vertices], before[rig.part(part).vertices])
    # The neck bends smoothly: no vertex of the skin tears away from its neighbours.
    faces = rig.part("skin").faces
    lengths = [(mesh[faces[:, 0]] - mesh[faces[:, 1]]).norm(dim=1) for mesh in (before, after)]
    assert float((lengths[1] - lengths[0]).abs().max()) < 0.008


def test_eyes_turn_as_rigid_balls(rig, shaped):
    before = vertices(shaped)
    after = vertices(
        shaped, eyeLookOutLeft=1.0, eyeLookInRight=1.0, eyeLookUpLeft=0.5, eyeLookUpRight=0.5
    )
    for name in EYEBALLS:
        ball = rig.part(name).vertices
        rest, moved = before[ball] - before[ball].mean(0), after[ball] - after[ball].mean(0)
        torch.testing.assert_close(rest.norm(dim=1), moved.norm(dim=1), atol=1e-5, rtol=0)
        pole = int(rest[:, 2].argmax())
        assert float(moved[pole, 0] - rest[pole, 0]) > 0.003, (
            "looking to the character's left turns the pupil to +X"
        )
        assert float(moved[pole, 1] - rest[pole, 1]) > 0.001


def test_lower_teeth_and_tongue_follow_the_jaw_and_upper_teeth_do_not(rig, shaped):
    change = vertices(shaped, jawOpen=1.0) - vertices(shaped)
    mean = {
        name: change[rig.part(name).vertices].mean(0)
        for name in ("teeth_upper", "teeth_lower", "tongue")
    }
    assert float(mean["teeth_upper"].norm()) < 0.0005
    assert mean["teeth_lower"][1] < -0.015 and mean["tongue"][1] < -0.008


@pytest.mark.parametrize(
    "shapes",
    [
        {},
        {"jawOpen": 0.15, "mouthClose": 0.15},
        {"jawOpen": 0.3, "mouthClose": 0.3, "mouthPressLeft": 0.3, "mouthPressRight": 0.3},
        {"mouthRollLower": 0.4, "mouthRollUpper": 0.4},
        {"mouthPucker": 0.5, "jawOpen": 0.1, "mouthClose": 0.1},
        {"mouthClose": 0.3},
    ],
)
def test_lips_meet_at_closures(shaped, shapes):
    opening = float(shaped.lip_opening_mm(pose(**shapes)))
    assert -2.0 < opening < 0.5


def test_lips_do_not_pass_through_each_other_and_contact_changes_nothing_else(rig, shaped):
    plain = rig.shaped(contact=False)
    pressed = pose(mouthPucker=0.8, mouthClose=0.3, mouthSmileLeft=0.5, mouthSmileRight=0.5)
    assert float(plain.lip_opening_mm(pressed)) < -5
    assert -2.0 < float(shaped.lip_opening_mm(pressed)) < -1.5
    free = pose(jawOpen=0.3, mouthFunnel=0.4)
    assert torch.equal(shaped.posed(free).vertices, plain.posed(free).vertices)


def test_lip_measures_follow_the_mouth(shaped):
    assert float(shaped.lip_opening_mm(pose(jawOpen=0.5))) > 12
    width = float(shaped.mouth_width_mm(pose()))
    assert 38 < width < 60
    assert float(shaped.mouth_width_mm(pose(mouthPucker=1.0))) < width - 5
    assert float(shaped.mouth_width_mm(pose(mouthSmileLeft=1.0, mouthSmileRight=1.0))) > width + 8
    # Measures live in the head's frame.
    turned = shaped.lip_opening_mm(pose(jawOpen=0.5, head=(0.3, 0.5, 0.1)))
    torch.testing.assert_close(turned, shaped.lip_opening_mm(pose(jawOpen=0.5)))


def test_face_agrees_with_posed_when_the_head_is_straight(rig, shaped):
    motion = pose(jawOpen=0.4, mouthFunnel=0.6, mouthClose=0.1)
    torch.testing.assert_close(
        shaped.lip_vertices(motion),
        shaped.posed(motion).vertices[..., rig.lips, :],
        atol=3e-6,
        rtol=0,
    )


def test_batch_axes_and_dtype(shaped):
    generator = torch.Generator().manual_seed(1)
    values = torch.rand(2, 3, 55, generator=generator) * 0.3
    whole = shaped.posed(Motion(values, arkit_space())).vertices
    assert whole.shape[:2] == (2, 3)
    single = shaped.posed(Motion(values[1, 2:3], arkit_space())).vertices
    torch.testing.assert_close(whole[1, 2], single[0], atol=2e-6, rtol=0)
    double = shaped.posed(Motion(values[0].double(), arkit_space(60.0))).vertices
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), whole[0], atol=5e-6, rtol=0)


def test_gradients_reach_the_motion(shaped):
    values = torch.zeros(2, 55, dtype=torch.float64, requires_grad=True)
    shaped.posed(Motion(values, arkit_space())).vertices.square().sum().backward()
    assert torch.isfinite(values.grad).all() and bool((values.grad != 0).any(0)[:52].all())


@settings(max_examples=8, deadline=None)
@given(st.lists(st.floats(-2, 2), min_size=1, max_size=3))
def test_other_people_have_no_torn_faces_and_still_move(amounts):
    rig = load_house()
    identity = torch.zeros(len(rig.identity_names))
    identity[: len(amounts)] = torch.tensor(amounts)
    person = rig.shaped(identity)
    assert torch.isfinite(person.vertices).all()
    assert float((person.vertices - rig.vertices).norm(dim=1).max()) < 0.4
    assert float(person.lip_opening_mm(pose(jawOpen=0.5))) > 8


def test_refusals(rig, shaped):
    with pytest.raises(InputError, match="finite numbers"):
        rig.shaped(torch.zeros(3))
    with pytest.raises(InputError, match="no part"):
        rig.part("tail")
    other = MotionSpace("flame", (Track("jaw", (3,), "axis-angle rad"),), 25.0)
    with pytest.raises(SpaceError, match="arkit"):
        shaped.posed(Motion(torch.zeros(1, 3), other))
