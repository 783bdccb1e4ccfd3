"""Continuity of whole takes: what was put into a body is what the metrics find."""

import dataclasses

import numpy as np
import pytest
import torch

from motet.body.skeleton import STANDING_HEIGHT_M, body_motion, pose_body
from motet.errors import InputError
from motet.evaluation.body_requirements import requirements, requirements_table
from motet.evaluation.body_scenes import (
    HELD_OUT,
    SCENES,
    TWO_EVENTS,
    Scene,
    SoundEvent,
    make_scene,
)
from motet.evaluation.body_takes import evaluate_takes, takes_table
from motet.geometry.rotation import matrix_from_axis_angle
from motet.metrics import body_continuity as continuity
from motet.types import Motion


def standing(frames: int = 120) -> tuple[torch.Tensor, torch.Tensor]:
    root = torch.tensor([0.0, STANDING_HEIGHT_M, 0.0]).repeat(frames, 1)
    return root, torch.eye(3).repeat(frames, 25, 1, 1)


def turned_by(angle: float, axis: int = 1) -> torch.Tensor:
    vector = torch.zeros(3)
    vector[axis] = angle
    return matrix_from_axis_angle(vector)


def test_a_jump_is_found_where_it_is() -> None:
    root, rotations = standing()
    root[70:, 0] += 0.4
    pose = pose_body(body_motion(root, rotations))
    step = continuity.largest_step(pose)
    assert step.metres == pytest.approx(0.4, abs=1e-5)
    assert step.frame == 70
    # Standing neighbours count as the least step: 0.4 / 0.02.
    assert continuity.most_conspicuous_step(pose).ratio == pytest.approx(20, rel=1e-4)


def test_a_steady_run_has_no_conspicuous_step() -> None:
    root, rotations = standing()
    root[:, 2] += torch.arange(120) * 0.1
    pose = pose_body(body_motion(root, rotations))
    assert continuity.largest_step(pose).metres == pytest.approx(0.1, abs=1e-5)
    assert continuity.most_conspicuous_step(pose).ratio == pytest.approx(1, abs=1e-3)
    with pytest.raises(InputError, match="two frames"):
        continuity.steps(pose_body(body_motion(root[:1], rotations[:1])))


def test_start_lean_and_balance_are_those_of_the_body() -> None:
    root, rotations = standing()
    root[:, 0] += 0.3
    rotations[:, 0] = turned_by(np.radians(-40))
    pose = pose_body(body_motion(root, rotations))
    assert continuity.start_heading(pose) == pytest.approx(40, abs=1e-3)
    assert continuity.start_offset(pose) == pytest.approx(0.3, abs=1e-6)
    upright = pose_body(body_motion(*standing()))
    assert continuity.lean(upright).max() < 3
    root, rotations = standing()
    rotations[:, 0] = turned_by(np.radians(20), axis=2)
    leaning = pose_body(body_motion(root, rotations))
    assert 15 < float(np.median(continuity.lean(leaning))) < 25
    assert continuity.pelvis_off_feet(leaning).min() > continuity.pelvis_off_feet(upright).max()


def test_energy_and_latency_follow_the_movement() -> None:
    root, rotations = standing(180)
    root[100:, 2] += torch.arange(80) * 0.05
    pose = pose_body(body_motion(root, rotations))
    first, _, last = continuity.energy_thirds(pose, 30.0)
    assert first < 0.01 < 1.0 < last
    assert continuity.latency(pose, 30.0, 3.0) == pytest.approx(10 / 30, abs=0.1)
    assert continuity.latency(pose, 30.0, 0.5) is None


def test_the_side_is_right_when_the_head_turns_or_the_body_leaves() -> None:
    left = np.array([2.0, 1.5, 0.0])
    root, rotations = standing()
    still = pose_body(body_motion(root, rotations))
    assert not continuity.on_right_side(still, 30.0, 1.0, left)
    turned = rotations.clone()
    turned[60:, 0] = turned_by(np.radians(80))
    assert continuity.on_right_side(pose_body(body_motion(root, turned)), 30.0, 1.0, left)
    away = root.clone()
    away[:, 0] -= torch.linspace(0, 1, 120)
    assert continuity.on_right_side(pose_body(body_motion(away, rotations)), 30.0, 1.0, left)


def test_scenes_are_made_run_and_tabled() -> None:
    scene = Scene("two", 3, (SoundEvent("burst", 0.5, 1, (90,)), SoundEvent("burst", 2, 1, (0,))))
    given = Scene("given", 4, (SoundEvent("drum", 0.2, 3.8, (0, 90)),), source_given=True)
    made = make_scene(scene, 0)
    assert made.audio.samples.shape == (2, 3 * made.audio.sample_rate)
    left, right = made.audio.samples[:, : made.audio.sample_rate].square().sum(1)
    assert float(left) > 2 * float(right), "the first burst comes from the left"
    seen = []

    def run(audio: object, options: dict) -> Motion:
        seen.append(options)
        return body_motion(*standing(120))

    scores = evaluate_takes(run, (scene, given))
    assert "source" not in seen[0] and seen[1]["source"].shape == (121, 4)
    assert len(scores[0].latency_s) == 2
    assert scores[0].beats == (None, None, None) != scores[1].beats
    assert takes_table(scores).row_count == 3


def test_requirements_say_what_a_statue_lacks() -> None:
    music = Scene("music", 4, (SoundEvent("drum", 0.2, 3.8, (30,)),))
    scenes = (music, dataclasses.replace(TWO_EVENTS[0], seconds=9))
    scores = evaluate_takes(lambda audio, how: body_motion(*standing(270)), scenes)
    lines = {line.name: line for line in requirements(scenes, scores)}
    for name in ("largest step of a joint", "heading at frame 0", "offset at frame 0"):
        assert lines[name].is_met, lines[name]
    assert not lines["music: speed in the slowest third"].is_met
    assert not lines["second events: right time and side"].is_met
    assert lines["second events: right time and side"].reached == "0 of 1"
    assert not any(name.startswith(("film", "speaker")) for name in lines)
    assert requirements_table(list(lines.values())).row_count == len(lines)


def test_held_out_scenes_share_no_seed_and_direction_with_those_looked_at() -> None:
    def facts(scenes: tuple[Scene, ...]) -> set[tuple[str, tuple[float, ...], int]]:
        return {
            (event.sound, event.azimuth_deg, scene.seed)
            for scene in scenes
            for event in scene.events
        }

    assert not facts(SCENES) & facts((*HELD_OUT, *TWO_EVENTS))
    assert not {s.seed for s in SCENES} & {s.seed for s in (*HELD_OUT, *TWO_EVENTS)}
    assert len(HELD_OUT) >= 15 and len(TWO_EVENTS) >= 10
    for scene in TWO_EVENTS:
        first, second = scene.events
        assert abs(first.azimuth_deg[0] - second.azimuth_deg[0]) > 35
        assert second.start_s > first.start_s + 3
