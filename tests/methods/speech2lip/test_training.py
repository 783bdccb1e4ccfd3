"""Learning a drawn person from their folder: it gets better, goes on after being stopped, and keeps
the best."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from motet.checkpoint import read_checkpoint
from motet.errors import InputError
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.dataset import mouth_set
from motet.methods.speech2lip.person.folder import Person, write_features
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.training.person import LearningConfig, Trial, drawn_regions, learn_person, split

TINY = PRESETS["tiny"]
SHORT = LearningConfig(steps=100, batch=8, learning_rate=1e-2, save_every_s=1.0)


@pytest.fixture
def person(tmp_path: Path) -> Person:
    return Person(SyntheticPerson(TINY, 60).write(tmp_path / "ada"))


def error_of_a_still_mouth(person: Person) -> float:
    """What the trials measure, of the canonical mouth in every frame."""
    model = Speech2LipModel(TINY)
    torch.nn.init.zeros_(model.lip.out.weight)
    torch.nn.init.zeros_(model.lip.out.bias)
    judged = split(mouth_set(person, TINY), SHORT)[1]
    drawn, share = drawn_regions(model, judged, torch.arange(len(judged.frames)))
    return float(
        ((drawn - judged.observed.float() / 255).abs() * (share > 0)).sum()
        / (3 * (share > 0).sum())
    )


@pytest.mark.slow
def test_learning_draws_mouths_that_it_never_saw_better_and_better(person: Person) -> None:
    trials: list[Trial] = []
    digest = learn_person(person, TINY, SHORT, tried=trials.append)
    assert read_checkpoint(person.weights).digest == digest
    assert {trial.stage for trial in trials} == {"lips", "face"}
    assert trials[-1].best == min(trial.error for trial in trials)
    assert trials[-1].best < 0.6 * error_of_a_still_mouth(person)
    assert trials[0].preview.dtype == torch.uint8
    found = read_checkpoint(person.weights)
    assert found.facts["consent"] == "drawn in code"
    assert float(found.tensors["rest"].abs().sum()) > 0
    # All is there already: nothing is trained again.
    before = (person.training / "trials.jsonl").read_text()
    assert learn_person(person, TINY, SHORT) == digest
    assert (person.training / "trials.jsonl").read_text() == before


def test_learning_goes_on_after_a_stop(person: Person) -> None:
    class Stop(Exception):
        pass

    def stop(trial: Trial) -> None:
        raise Stop

    with pytest.raises(Stop):
        learn_person(person, TINY, SHORT, tried=stop)
    first = read_checkpoint(person.weights)
    trials: list[Trial] = []
    learn_person(person, TINY, SHORT, tried=trials.append)
    lines = [
        json.loads(line) for line in (person.training / "trials.jsonl").read_text().splitlines()
    ]
    assert len(lines) == 1 + len(trials)
    steps = json.loads((person.training / "lips" / "log.jsonl").read_text().splitlines()[-1])[
        "step"
    ]
    assert steps > 0
    assert trials[-1].best <= first.facts["error"]


def test_frames_that_judge_do_not_teach(person: Person) -> None:
    examples = mouth_set(person, TINY)
    taught, judged = split(examples, LearningConfig(validation_frames=4, validation_share=0.2))
    assert not set(taught.frames.tolist()) & set(judged.frames.tolist())
    assert int(taught.frames.max()) < int(judged.frames.min())
    assert int(judged.frames.max()) < person.facts.train_frames
    assert int(taught.runs.max()) + 4 < len(taught.frames)


def test_features_of_another_encoder_are_refused(person: Person) -> None:
    write_features(person.folder, torch.zeros(120, 5))
    with pytest.raises(InputError, match="5 channels"):
        learn_person(Person(person.folder), TINY, SHORT)
