"""Shipping a person: what lay in the folder before is gone."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest

from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.errors import AssetError
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import CROPS, Person
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson

TINY = PRESETS["tiny"]


@pytest.fixture
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "ship_person", Path(__file__).parents[3] / "recipes" / "ship_person.py"
    )
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def fitted(folder: Path, frames: int) -> Person:
    person = Person(SyntheticPerson(TINY, frames).write(folder))
    save_checkpoint(
        person.weights, Speech2LipModel(TINY).state_dict(), TINY, {"person": "stand-in"}
    )
    return person


def test_a_second_person_replaces_the_first_whole(script: ModuleType, tmp_path: Path) -> None:
    out = tmp_path / "weights" / "person"
    script.ship(fitted(tmp_path / "long", 40), out, 10.0, 8)
    first = (out / CROPS).read_bytes()
    (out / "left_over.mp4").write_bytes(b"old")
    frames = script.ship(fitted(tmp_path / "short", 25), out, 10.0, 8)
    assert frames == 25
    assert (out / CROPS).read_bytes() != first
    assert not (out / "left_over.mp4").exists()
    assert json.loads((out / "person.json").read_text())["frames"] == 25
    assert read_checkpoint(out.parent / "speech2lip.safetensors").facts["footage"] == "person"


def test_a_folder_that_is_no_person_is_left_alone(script: ModuleType, tmp_path: Path) -> None:
    other = tmp_path / "holiday"
    other.mkdir()
    (other / "film.mp4").write_bytes(b"mine")
    with pytest.raises(AssetError, match="no person"):
        script.ship(fitted(tmp_path / "ada", 25), other, 10.0, 8)
    assert (other / "film.mp4").read_bytes() == b"mine"
