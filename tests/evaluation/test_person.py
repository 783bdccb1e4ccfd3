"""Evaluation of a fitted person: the ways are scored on the same frames, and a trained model beats
the simple ways."""

from __future__ import annotations

from pathlib import Path

import pytest

from motet.cli import main
from motet.errors import InputError
from motet.evaluation.person import (
    FILMED,
    GROUP,
    METHOD,
    NEAREST,
    OTHER,
    STILL,
    WITHOUT_TRUTH,
    TailConfig,
    evaluate_person,
)
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.training.person import LearningConfig, learn_person

TINY = PRESETS["tiny"]


def test_a_learnt_person_is_nearer_to_the_footage_than_a_still_mouth(tmp_path: Path) -> None:
    person = Person(SyntheticPerson(TINY, 60).write(tmp_path / "ada"))
    with pytest.raises(InputError, match="no trained model"):
        evaluate_person(person)
    learn_person(
        person, TINY, LearningConfig(steps=80, batch=8, learning_rate=1e-2, save_every_s=30)
    )
    report = evaluate_person(person, TailConfig(every=2))
    assert set(report.subjects) == {FILMED, METHOD, NEAREST, STILL, OTHER}
    assert {score.metric for score in report.subjects[OTHER]} == set(WITHOUT_TRUTH)
    assert report.value(FILMED, "psnr", GROUP) == 99
    assert report.value(FILMED, "ssim", GROUP) == pytest.approx(1, abs=1e-5)
    for metric in ("psnr", "psnr_mouth", "ssim"):
        assert report.value(METHOD, metric, GROUP) > report.value(STILL, metric, GROUP), metric
    assert report.value(METHOD, "perceptual", GROUP) < report.value(STILL, "perceptual", GROUP)
    assert report.facts["frames"] == 12
    assert report.facts["landmarks"] == "not measured"


def test_the_command_names_what_it_needs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for arguments, remedy in (
        (["eval", "speech2lip"], "--data PERSON"),
        (["eval", "speech2lip", "--data", str(tmp_path)], "motet fit"),
    ):
        assert main(arguments) == 2
        error = capsys.readouterr().err
        assert remedy in error
        assert len(error.strip().splitlines()) == 1
