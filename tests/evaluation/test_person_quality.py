"""The line at the end of a fit, and the part of the held-out footage that it is about."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import torch

from motet.checkpoint import save_checkpoint
from motet.evaluation.person_quality import line_of
from motet.evaluation.talking_person import crops_of, held_out, shortened
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Person, Skip, write_facts
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.tracking.capture.describe import describe

TINY = PRESETS["tiny"]


def person(folder: Path) -> Person:
    """60 frames, 30 of them held out; 40 to 49 are skipped."""
    made = SyntheticPerson(TINY, 60)
    made.write(folder)
    skipped = (Skip(40, 50, "no face"),)
    facts = dataclasses.replace(made.facts, train_frames=30, cuts=(40, 50), skipped=skipped)
    write_facts(folder, facts)
    torch.manual_seed(0)
    weights = Speech2LipModel(TINY).state_dict()
    save_checkpoint(folder / "weights.safetensors", weights, TINY, {})
    return Person(folder)


def test_the_line_says_what_was_measured_and_nothing_else() -> None:
    line = line_of({"opening_range": 0.87, "opening_correlation": 0.8, "sharpness": 0.934}, 9.0)
    assert line == (
        "drawn against 9 s of film that was held out: the lips open 87% as wide as filmed, their"
        " opening follows the film with a correlation of 0.80, the mouth is 93% as sharp"
    )


def test_skipped_frames_are_not_judged(tmp_path: Path) -> None:
    tail = held_out(person(tmp_path / "ada"))
    assert tail.shots == (range(30, 40), range(50, 60))
    assert tail.frames.tolist() == [*range(30, 40), *range(50, 60)]
    part = shortened(tail, 14)
    assert part.shots == (range(30, 40), range(50, 54))
    assert len(part.share) == len(crops_of(part)) == 14


def test_what_was_skipped_and_how_little_is_left_is_told(tmp_path: Path) -> None:
    lines = "\n".join(describe(person(tmp_path / "ada")))
    assert "skipped: 0:01.6-0:02.0 (no face)" in lines
    assert "1 s to learn from are little" in lines
