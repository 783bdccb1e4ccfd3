"""Cameras of whole figures keep in the picture what they promise."""

import numpy as np
import pytest
import torch

from motet.body.skeleton import body_motion, pose_body
from motet.body.standing_pose import standing_root, standing_rotations
from motet.errors import ConfigError, InputError
from motet.export import write_clip
from motet.geometry.rotation import matrix_from_axis_angle
from motet.render.body_camera import BODY_CAMERAS, camera_path
from motet.types import Clip, Motion, arkit_space

WIDTH, HEIGHT = 640, 360


def walk(frames: int = 240) -> Motion:
    """A figure that turns round to the left while it walks 3 m to the side and back."""
    share = torch.arange(frames) / (frames - 1)
    root = standing_root().repeat(frames, 1)
    root[:, 0] += 3 * torch.sin(torch.pi * share)
    rotations = standing_rotations().repeat(frames, 1, 1, 1)
    turn = torch.zeros(frames, 3)
    turn[:, 1] = torch.pi * share
    rotations[:, 0] = matrix_from_axis_angle(turn) @ rotations[:, 0]
    return body_motion(root, rotations)


def inside(path, frame: int, point: np.ndarray) -> bool:
    column, row, nearness = path.at(frame).pixels(point, WIDTH, HEIGHT)
    return bool(nearness > 0 and 0 <= column < WIDTH and 0 <= row < HEIGHT)


@pytest.mark.parametrize("name", BODY_CAMERAS)
def test_head_feet_and_hands_are_in_the_picture(name: str) -> None:
    motion = walk()
    path, pose = camera_path(motion, name, WIDTH / HEIGHT), pose_body(motion)
    for frame in range(0, motion.frames, 20):
        for joint in ("head", "left_foot", "right_foot", "left_wrist", "right_wrist"):
            assert inside(path, frame, pose.joint(joint)[frame].double().numpy()), (frame, joint)


def test_the_front_camera_sees_the_face_after_a_turn_and_others_the_back() -> None:
    motion = walk()
    last = motion.frames - 1
    chest = pose_body(motion).turn("spine3")[last][:, 2].double().numpy()
    for name, sees_face in (("front", True), ("follow", False), ("fixed", False)):
        camera = camera_path(motion, name, 1.0).at(last)
        head = motion["root"][last].double().numpy()
        towards = (np.array(camera.eye) - head) * [1, 0, 1]
        assert (chest @ towards > 0) == sees_face, name


def test_the_fixed_camera_stands_and_has_a_near_source_in_its_picture() -> None:
    motion, near = walk(), np.array([-2.0, 1.5, 1.0])
    path = camera_path(motion, "fixed", WIDTH / HEIGHT, near)
    assert path.at(0) == path.at(motion.frames - 1)
    assert inside(path, 0, near)
    far = camera_path(motion, "fixed", WIDTH / HEIGHT, np.array([30.0, 1.5, 0.0]))
    assert far.at(0) == camera_path(motion, "fixed", WIDTH / HEIGHT).at(0)


def test_cameras_of_faces_and_bodies_are_not_mixed_up(tmp_path) -> None:
    with pytest.raises(InputError, match="no camera"):
        camera_path(walk(), "bust", 1.0)
    with pytest.raises(ConfigError, match="follow, front, fixed"):
        write_clip(Clip(None, walk(8)), tmp_path / "a.mp4", camera="bust", size=64)
    face = Motion(torch.zeros(8, 55), arkit_space())
    with pytest.raises(ConfigError, match="for bodies"):
        write_clip(Clip(None, face), tmp_path / "b.mp4", camera="front", size=64)
