"""Scores of bodies: ideal answers give the ideal score, known faults are seen."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.audio.io.write import write_audio
from motet.body.skeleton import STANDING_HEIGHT_M, BodyPose, body_motion, pose_body
from motet.body.source_path import parse_source
from motet.errors import InputError
from motet.evaluation.body import BodyEvaluation, evaluate_body, reference_subjects, source_text
from motet.geometry.rotation import matrix_from_axis_angle
from motet.metrics import body, body_reaction
from motet.metrics.body_reaction import FamilyClassifier, Reacting, mirrored_truth
from motet.types import SMPLX25_JOINTS, Audio

FPS = 30.0


def walking(
    direction_deg: float,
    start_s: float = 1.0,
    metres: float = 2.0,
    look_deg: float = 0.0,
    frames: int = 240,
) -> BodyPose:
    """Stands, then glides in a direction with the whole body turned to another."""
    time = torch.arange(frames) / FPS
    share = ((time - start_s) / 2.0).clamp(0, 1)
    way = metres * (share * share * (3 - 2 * share))
    angle = math.radians(direction_deg)
    root = torch.stack(
        [way * math.sin(angle), torch.full_like(way, STANDING_HEIGHT_M), way * math.cos(angle)], 1
    )
    turns = torch.zeros(frames, 25, 3)
    turns[:, 0, 1] = math.radians(look_deg) * ((time - start_s) / 0.5).clamp(0, 1)
    return pose_body(body_motion(root, matrix_from_axis_angle(turns)))


def truth(**changes: object) -> dict[str, object]:
    known = {
        "id": "a0",
        "policy": "attend",
        "genre": 0,
        "onset_s": 0.8,
        "start_s": 1.0,
        "travel_deg": 30.0,
        "looks": True,
        "covers_ears": False,
    }
    return {**known, "source": [2.0, 1.4, 2.0 * math.sqrt(3)], "beats_s": [], **changes}


def test_going_the_right_way_and_looking_there() -> None:
    right, wrong = (Reacting(walking(d, look_deg=d), FPS, truth()) for d in (30, -150))
    assert body_reaction.heading_error(right) == pytest.approx(0, abs=0.1)
    assert body_reaction.heading_error(wrong) == pytest.approx(180, abs=0.1)
    assert body_reaction.gaze_error(right) < 8
    assert body_reaction.gaze_error(wrong) > 120
    assert body_reaction.heading_error(Reacting(walking(30, metres=0.0), FPS, truth())) == 90
    assert body_reaction.heading_error(Reacting(walking(30), FPS, truth(travel_deg=None))) is None
    assert body_reaction.gaze_error(Reacting(walking(30), FPS, truth(looks=False))) is None


def test_a_mirrored_body_fits_the_mirrored_truth() -> None:
    assert body_reaction.heading_error(
        Reacting(walking(-30), FPS, mirrored_truth(truth()))
    ) == pytest.approx(0, abs=0.1)


def test_late_and_early_reactions() -> None:
    errors = [
        body_reaction.latency_error(Reacting(walking(30, start_s=start), FPS, truth()))
        for start in (1.0, 2.0, 9.0)
    ]
    assert errors[0] < 0.35 < errors[1] < errors[2] <= 2.0


def test_hands_on_ears() -> None:
    turns = torch.zeros(30, 25, 3)
    for side, sign in (("left", 1.0), ("right", -1.0)):
        turns[:, SMPLX25_JOINTS.index(f"{side}_elbow"), 2] = sign * 2.55
    away, near = (
        pose_body(body_motion(torch.zeros(30, 3), matrix_from_axis_angle(t)))
        for t in (torch.zeros(30, 25, 3), turns)
    )
    assert body_reaction.ear_distance(near) < 0.5 * body_reaction.ear_distance(away)


def test_feet_that_slide_and_sink_are_seen() -> None:
    still = walking(0, metres=0.0)
    assert body_reaction.foot_skate(still, FPS) < 1e-3
    assert body_reaction.foot_skate(walking(0, metres=2.0), FPS) > 10
    assert body_reaction.penetration(still) < 1e-3
    sunk = BodyPose(still.rotations, still.positions - torch.tensor([0.0, 0.05, 0.0]))
    assert body_reaction.penetration(sunk) == pytest.approx(5, abs=0.1)


def test_dancing_on_the_beat_beats_dancing_off_it() -> None:
    frames, period = 240, 0.5
    time = torch.arange(frames) / FPS
    root = torch.stack(
        [0.1 * (torch.pi * time / period).cos(), STANDING_HEIGHT_M + 0 * time, 0 * time], 1
    )
    pose = pose_body(body_motion(root, torch.eye(3).expand(frames, 25, 3, 3)))
    on, off = (
        body_reaction.beat_alignment(pose, FPS, [k * period + shift for k in range(1, 14)])
        for shift in (0.0, period / 2)
    )
    assert on > 0.9 > 0.3 > off
    assert body_reaction.beat_alignment(pose, FPS, []) is None


def test_families_are_told_apart() -> None:
    noise = np.random.default_rng(0)
    goes = [
        Reacting(walking(30, metres=2 + noise.normal() * 0.1, look_deg=30), FPS, truth())
        for _ in range(4)
    ]
    flees = [
        Reacting(
            walking(-150, metres=3 + noise.normal() * 0.1), FPS, truth(policy="flee/alternative")
        )
        for _ in range(4)
    ]
    classifier = FamilyClassifier.fitted(goes + flees)
    assert classifier.name(Reacting(walking(30, metres=1.9, look_deg=30), FPS, truth())) == "attend"
    assert classifier.name(Reacting(walking(-150, metres=3.2), FPS, truth())) == "flee"
    with pytest.raises(InputError, match="known ones"):
        FamilyClassifier.fitted([])


def test_published_scores_of_equal_sets_are_ideal() -> None:
    noise = torch.Generator().manual_seed(0)
    features = torch.randn(80, 6, generator=noise, dtype=torch.float64)
    assert body.fid(features, features) == pytest.approx(0, abs=1e-6)
    assert body.fid(features, features + 3) > 50
    drawn = body.draw_distractors(80, noise)
    assert drawn.shape == (80, 31)
    assert all(
        len(set(row.tolist())) == 31 and item not in row.tolist() for item, row in enumerate(drawn)
    )
    assert body.r_precision(features, features, drawn).tolist() == [1.0, 1.0, 1.0]
    chance = float(
        body.r_precision(features, features[torch.randperm(80, generator=noise)], drawn)[0]
    )
    assert chance < 0.15
    assert body.draw_pairs(80, noise).shape == (2, 64)
    for wrong in (
        lambda: body.draw_distractors(31, noise),
        lambda: body.draw_pairs(63, noise),
        lambda: body.fid(features[:1], features),
        lambda: body.apd(torch.zeros(1, 2, 3, 3)),
    ):
        with pytest.raises(InputError):
            wrong()
    motions = torch.randn(3, 10, 25, 3, generator=noise)
    assert body.apd(motions.repeat(2, 1, 1, 1)) < body.apd(motions)
    turned = motions @ matrix_from_axis_angle(torch.tensor([0.3, 1.0, 0.2])).T * 1.7 + 2
    assert body.mpjpe_aligned(motions, turned) < 1e-5
    assert body.half_width(torch.ones(32)) == 0


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for part in ("audio", "motion", "splits"):
        (tmp_path / part).mkdir()
    entries, names = [], {"train": [], "test": [], "sector": []}
    for number, split in enumerate(["train"] * 4 + ["test"] * 2 + ["sector"] * 2):
        name, direction = f"s{number}g{number % 3}", 40.0 * (number % 4) - 60
        pose = walking(direction, look_deg=direction, frames=960)
        poses = np.zeros((960, 55, 3))
        poses[:, 0, 1] = np.radians(direction) * np.clip((np.arange(960) / 120 - 0.25) / 0.12, 0, 1)
        np.savez(
            tmp_path / "motion" / f"{name}.npz",
            poses=poses,
            trans=pose.joint("pelvis").numpy(),
            sound_source=np.ones((960, 3)),
            betas=np.zeros(300),
        )
        for side in "lr":
            write_audio(
                Audio.mono(torch.zeros(8000), 1000), tmp_path / "audio" / f"{name}_{side}.wav"
            )
        source = [3 * math.sin(math.radians(direction)), 1.4, 3 * math.cos(math.radians(direction))]
        entries.append(
            {
                **truth(),
                "id": name,
                "genre": number % 3,
                "travel_deg": direction,
                "source": source,
                "onset_s": 0.2,
                "start_s": 0.25,
            }
        )
        names[split].append(name)
    for split, rows in names.items():
        (tmp_path / "splits" / f"crossmodal_{split}.txt").write_text("\n".join(rows))
    (tmp_path / "reactions.jsonl").write_text("\n".join(map(json.dumps, entries)))
    return tmp_path


def test_an_evaluation_puts_reactions_above_standing_still(corpus: Path) -> None:
    report = evaluate_body(corpus, reference_subjects(), BodyEvaluation(seconds=7.5))
    for split in ("test", "sector"):
        assert report.value("reaction", "heading_error", split) < 5
        assert report.value("standing still", "heading_error", split) == 90
        assert report.value("reaction", "mpjpe", split) == 0
        assert report.value("reaction", "apd", split) > 0
    assert "heading_error" in json.dumps(report.to_json())
    (corpus / "reactions.jsonl").unlink()
    with pytest.raises(InputError, match="known ones"):
        evaluate_body(corpus, reference_subjects(), BodyEvaluation())


def test_places_and_angles_are_one_thing() -> None:
    place = [1.0, 2.0, -0.5]
    np.testing.assert_allclose(parse_source(source_text(place)).positions[0], place, atol=1e-3)
