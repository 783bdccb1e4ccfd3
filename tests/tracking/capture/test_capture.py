"""Rendered footage to a person: right pose and depth, a person that can be read back, and nothing
lost when it is stopped."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from motet.errors import ConfigError, InputError
from motet.methods.speech2lip.person.folder import FACTS, TRACK, Person
from motet.render.scene import figure_camera
from motet.rigs.house import load_house
from motet.tracking.capture.capture import CaptureOptions, capture
from motet.tracking.capture.describe import describe
from recipes.rendered_ground_truth import fit_error
from tests.tracking.capture.conftest import FRAMES
from tests.tracking.capture.footage import motion

OPTIONS = CaptureOptions(
    "a rendered character, nobody's likeness", size=128, shortest_s=1, held_out=0.25
)


@pytest.fixture(scope="module")
def person(footage: Path, landmarker: Path, tmp_path_factory: pytest.TempPathFactory) -> Person:
    return capture([footage], tmp_path_factory.mktemp("people") / "figure", OPTIONS)


def test_head_pose_and_depth_are_those_that_were_rendered(person: Person) -> None:
    shaped = load_house().shaped()
    found = fit_error(person, shaped, figure_camera(shaped, "head"), motion(FRAMES))
    assert found.pose_median_deg <= 1.0 and found.pose_p95_deg <= 2.5
    assert found.depth_median_mm <= 5.0


def test_a_person_is_complete(person: Person) -> None:
    facts, geometry = person.facts, person.geometry
    assert (
        facts.frames == FRAMES
        and facts.train_frames == 45
        and facts.consent == OPTIONS.consent
        and facts.sources[0].frames == FRAMES
    )
    assert person.features.shape == (2 * FRAMES, 256) and person.track.landmarks.shape == (
        FRAMES,
        478,
        2,
    )
    assert abs(person.audio.seconds - FRAMES / 25) < 1e-6
    assert person.crops.frame(FRAMES - 1).shape == (128, 128, 3) and person.scene.frame(
        0
    ).shape == (224, 224, 3)
    lip = np.zeros((128, 128), bool)
    lip[
        facts.lip.top : facts.lip.top + facts.lip.height,
        facts.lip.left : facts.lip.left + facts.lip.width,
    ] = True
    mask = geometry.lip_mask.numpy() > 0
    assert mask.any() and not (mask & ~lip).any()
    # The mouth of every frame lies where the mask is full, as seen from the canonical view.
    mouth = person.track.landmarks[facts.canonical, [13, 14, 61, 291]].round().long()
    assert (geometry.lip_mask[mouth[:, 1], mouth[:, 0]] > 200).all()
    assert (geometry.head_mask[geometry.face_mask > 0] == 255).float().mean() > 0.9
    assert any("canonical frame" in line for line in describe(person))


def test_a_stopped_capture_goes_on_and_a_folder_belongs_to_its_footage(
    person: Person, footage: Path, landmarker: Path, tmp_path: Path, monkeypatch
) -> None:
    before = person.track
    (person.folder / FACTS).unlink()
    (person.folder / TRACK).unlink()
    monkeypatch.setattr("motet.tracking.capture.faces._Watcher", None)
    monkeypatch.setattr("motet.tracking.capture.capture.write_footage", None)
    again = capture([footage], person.folder, OPTIONS)
    assert (again.track.rotation == before.rotation).all() and again.facts == person.facts
    other = capture([footage], person.folder, dataclasses.replace(OPTIONS, consent="asked again"))
    assert other.facts.consent == "asked again"
    with pytest.raises(ConfigError, match="other footage or another size"):
        capture([footage], person.folder, dataclasses.replace(OPTIONS, size=160))


def test_consent_is_asked_for() -> None:
    for words in ("", "   "):
        with pytest.raises(ConfigError, match="--consent"):
            CaptureOptions(words)
    with pytest.raises(ConfigError, match="size must be"):
        CaptureOptions("yes", size=90)


def test_footage_too_short_is_refused_before_any_work(
    footage: Path, landmarker: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match="too short"):
        capture([footage], tmp_path / "p", CaptureOptions("yes"))
    assert not (tmp_path / "p").exists()
