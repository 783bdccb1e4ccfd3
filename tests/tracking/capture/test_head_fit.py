"""Bundle adjustment on heads whose pose and shape are known."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from motet.tracking.capture.bundle import Poses, Prior, bundle, fit_poses, linearise, project
from motet.tracking.capture.face_mesh import FaceMesh
from motet.tracking.capture.faces import Faces
from motet.tracking.capture.head_fit import fit_head
from motet.tracking.capture.view import canonical_frame, depth_map, lip_box, lip_mask, rasterised
from recipes.rendered_ground_truth import pose_errors

FOCAL, CENTRE = 520.0, np.array([128.0, 128.0])


def head(seed: int = 0, points: int = 468) -> np.ndarray:
    """Half a ball of points, as wide as a head."""
    noise = np.random.default_rng(seed)
    direction = noise.normal(size=(points, 3))
    direction[:, 2] = np.abs(direction[:, 2])
    return (
        direction / np.linalg.norm(direction, axis=1, keepdims=True) * np.array([0.07, 0.09, 0.06])
    )


def motion(frames: int) -> Poses:
    time = np.arange(frames) / 25
    turn = np.stack(
        [0.12 * np.sin(2 * time), 0.2 * np.sin(1.3 * time), 0.06 * np.sin(1.7 * time)], axis=1
    )
    place = np.stack(
        [0.01 * np.sin(time), 0.005 * np.cos(time), 0.6 + 0.01 * np.sin(0.7 * time)], axis=1
    )
    return Poses(Rotation.from_rotvec(turn).as_matrix() @ np.diag([1.0, -1, -1]), place)


def test_derivatives_are_those_of_the_projection() -> None:
    poses, vertices = motion(3), head(points=20)
    line = linearise(np.zeros((3, 20, 3)), poses, vertices, FOCAL, CENTRE)
    here = project(poses, vertices, FOCAL, CENTRE)[0]
    for column in range(6):
        step = np.zeros((3, 6))
        step[:, column] = 1e-6
        slope = (project(poses.moved(step), vertices, FOCAL, CENTRE)[0] - here) / 1e-6
        found = line.by_pose[..., column]
        # Relief is measured in pixels at the head's distance, which a step in depth changes a
        # little as well.
        assert np.abs(slope - found)[..., :2].max() < 1e-2
        assert column == 5 or np.abs(slope - found)[..., 2].max() < 1e-2
    slope = (project(poses, vertices, FOCAL + 1e-4, CENTRE)[0] - here) / 1e-4
    assert np.abs(slope - line.by_focal).max() < 1e-5


def test_poses_come_back_exactly() -> None:
    poses, vertices = motion(40), head()
    seen = project(poses, vertices, FOCAL, CENTRE)[0]
    off = poses.moved(np.random.default_rng(1).normal(scale=0.03, size=(40, 6)))
    found = fit_poses(seen, off, vertices, FOCAL, CENTRE, np.ones(468), 12)
    assert pose_errors(found.rotation, poses.rotation).max() < 1e-3
    assert np.abs(found.translation - poses.translation).max() < 1e-5


def test_the_shape_of_the_head_is_found_with_its_poses() -> None:
    poses, mean = motion(60), head()
    bent = mean * np.array([1.06, 0.97, 1.1])
    seen = project(poses, bent, FOCAL, CENTRE)[0]
    prior = Prior(mean, 0.006, FOCAL * 1.1, 0.3)
    start = fit_poses(seen, poses, mean, FOCAL * 1.1, CENTRE, np.ones(468))
    found, vertices, focal = bundle(
        seen, start, mean, FOCAL * 1.1, CENTRE, np.full(468, 25.0), prior, 20
    )
    assert pose_errors(found.rotation, poses.rotation).max() < 0.2
    assert np.abs(project(found, vertices, focal, CENTRE)[0] - seen)[..., :2].max() < 0.25

    def aligned(points: np.ndarray) -> np.ndarray:
        return points - points.mean(axis=0)

    scale = (aligned(bent) * aligned(vertices)).sum() / (aligned(vertices) ** 2).sum()
    assert (
        np.abs(aligned(bent) - scale * aligned(vertices)).max()
        < 0.25 * np.abs(aligned(bent) - aligned(mean)).max()
    )


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bundle over fewer frames: the same arithmetic, sooner."""
    monkeypatch.setattr("motet.tracking.capture.head_fit.BUNDLE_FRAMES", 24)


def faces_of(poses: Poses, vertices: np.ndarray, noise: float) -> tuple[Faces, FaceMesh]:
    frames = len(poses.rotation)
    seen = project(poses, vertices, FOCAL, CENTRE)[0]
    seen = seen + np.random.default_rng(2).normal(scale=noise, size=seen.shape)
    ten = np.concatenate([seen, seen[:, :10]], axis=1)
    rough = np.diag([1.0, -1, -1]) @ poses.rotation
    faces = Faces(ten[..., :2], ten[..., 2], rough, np.zeros(frames), np.ones(frames, bool), ())
    return faces, FaceMesh(vertices, np.zeros((0, 3), int), np.ones(len(vertices)))


def test_a_noisy_clip_with_a_speaking_mouth(few: None) -> None:
    poses, vertices = motion(80), head()
    faces, mesh = faces_of(poses, vertices, 0.4)
    low = vertices[:, 1] < -0.03
    faces.points[:, :468][:, low, 1] += 8 * np.abs(np.sin(np.arange(80) * 0.9))[:, None]
    found = fit_head(faces, dataclasses.replace(mesh, still=(~low).astype(float)), CENTRE, 256)
    off = pose_errors(found.poses.rotation, poses.rotation)
    assert np.median(off) < 0.5 and off.max() < 1.5
    assert found.residuals["landmarks_px"] < 1.5 and set(found.residuals) == {
        "landmarks_px",
        "all_landmarks_px",
        "smoothing_deg",
        "smoothing_mm",
    }
    # Smoother than what was seen, and not slower: the truth's own speed is kept.
    true_speed, speed = (
        np.linalg.norm(np.diff(p.rotation.reshape(-1, 9), axis=0), axis=1).mean()
        for p in (poses, found.poses)
    )
    assert 0.85 < speed / true_speed < 1.15


def test_heads_are_not_smoothed_across_cuts(few: None) -> None:
    poses, vertices = motion(60), head()
    jumped = Poses(
        poses.rotation.copy(),
        poses.translation + np.where(np.arange(60) < 30, 0, 0.03)[:, None] * np.array([1.0, 0, 0]),
    )
    faces, mesh = faces_of(jumped, vertices, 0.2)
    cut = fit_head(dataclasses.replace(faces, cuts=(30,)), mesh, CENTRE, 256).poses.translation[
        :, 0
    ]
    assert cut[30] - cut[29] == pytest.approx(
        jumped.translation[30, 0] - jumped.translation[29, 0], rel=0.15
    )


def test_depth_of_a_plane() -> None:
    corners = np.array([[-1.0, -1, 0], [1, -1, 0], [1, 1, 0], [-1, 1, 0]])
    depth = depth_map(
        corners,
        np.array([[0, 1, 2], [0, 2, 3]]),
        np.diag([1.0, -1, -1]),
        np.array([0, 0, 2.0]),
        16.0,
        32,
    )
    assert depth[16, 16] == pytest.approx(2.0) and (depth > 0).sum() == 17 * 17 and depth[0, 0] == 0
    near = rasterised(
        np.array([[2.0, 2], [20, 2], [2, 20], [2, 2], [20, 2], [2, 20]]),
        np.array([2.0, 2, 2, 1, 1, 1]),
        np.array([[0, 1, 2], [3, 4, 5]]),
        24,
    )
    assert near[5, 5] == pytest.approx(1.0)


def test_the_canonical_frame_is_an_ordinary_one() -> None:
    poses = motion(100)
    points = np.tile(np.zeros((478, 2)), (100, 1, 1))
    points[:, 152, 1] = 100
    points[:, 14, 1] = np.where(
        np.arange(100) % 10 == 0, 0.0, 9.0
    )  # lips shut in every tenth frame
    blink = np.where(np.arange(100) < 50, 1.0, 0.0)
    faces = Faces(points, points[..., 0], poses.rotation, blink, np.ones(100, bool), ())
    chosen = canonical_frame(poses, faces, np.ones(100))
    assert chosen % 10 == 0 and chosen >= 50


def test_the_lip_box_holds_mouth_and_chin_as_far_as_they_come() -> None:
    points = np.zeros((50, 478, 2))
    points[:] = (128, 60)
    points[:, 2], points[:, 152] = (128, 120), (128, 180)
    from motet.tracking.capture.face_mesh import LIPS

    points[:, list(LIPS)] = (128, 150)
    points[:, 61], points[:, 291] = (105, 150), (151, 150)
    points[25:, 152, 1] = 195  # the chin drops
    box = lip_box(points, 0, 256)
    assert (
        box.left < 100
        and box.left + box.width > 156
        and box.top < 130
        and box.top + box.height > 196
    )
    mask = lip_mask(box, 256)
    assert mask[box.top + box.height // 2, box.left + box.width // 2] == 255
    assert mask[box.top, :].max() == 0 == mask[:, box.left].max() and (
        np.abs(np.diff(mask.astype(int), axis=0)).max() < 40
    )
