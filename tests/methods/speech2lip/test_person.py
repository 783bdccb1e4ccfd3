"""The person on disk: what is written comes back, and a damaged or foreign folder is said to be
one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import AssetError, ConfigError
from motet.methods.speech2lip.person.folder import (
    Box,
    Person,
    PersonFacts,
    Source,
    Track,
    read_facts,
    write_facts,
    write_track,
)
from motet.methods.speech2lip.person.footage import GROUP, Footage, write_footage

FACTS = PersonFacts(
    "ada",
    "I am ada",
    60,
    32,
    (48, 32),
    Box(8, 0, 32, 32),
    80.0,
    3,
    Box(8, 16, 16, 12),
    50,
    (20,),
    (Source("a.mp4", "0" * 12, 60),),
)


def pictures(count: int) -> list[np.ndarray]:
    """A bright bar that moves over a slope, the frame's number readable from the bar's place."""
    slope = np.broadcast_to(np.linspace(40, 90, 32)[:, None, None], (32, 32, 3)).copy()
    made = []
    for index in range(count):
        picture = slope.copy()
        picture[:, index % 32] = (250, 120, 60)
        made.append(picture.astype(np.uint8))
    return made


def test_facts_come_back(tmp_path: Path) -> None:
    write_facts(tmp_path, FACTS)
    assert read_facts(tmp_path) == FACTS
    assert [list(shot)[::19] for shot in Person(tmp_path).shots()] == [[0, 19], [20, 39, 58]]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"consent": " "}, "consent"),
        ({"train_frames": 61}, "train"),
        ({"canonical": 60}, "canonical"),
        ({"lip": Box(20, 16, 16, 12)}, "lip box"),
    ],
)
def test_impossible_facts_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        dataclasses.replace(FACTS, **change)


def test_a_folder_without_a_person_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="motet fit"):
        Person(tmp_path)
    (tmp_path / "person.json").write_text("{broken")
    with pytest.raises(AssetError, match="cannot be read"):
        Person(tmp_path)
    write_facts(tmp_path, FACTS)
    told = json.loads((tmp_path / "person.json").read_text())
    (tmp_path / "person.json").write_text(json.dumps(told | {"consentt": "x"}))
    with pytest.raises(ConfigError, match="consent"):
        Person(tmp_path)
    write_facts(tmp_path, FACTS)
    with pytest.raises(AssetError, match="track"):
        _ = Person(tmp_path).track


def test_track_comes_back_and_its_shapes_are_checked(tmp_path: Path) -> None:
    track = Track(
        torch.eye(3).expand(60, 3, 3),
        torch.ones(60, 3),
        torch.zeros(60, 0, 2),
        torch.ones(60, dtype=torch.bool),
    )
    write_facts(tmp_path, FACTS)
    write_track(tmp_path, track)
    assert torch.equal(Person(tmp_path).track.rotation, track.rotation)
    with pytest.raises(AssetError, match="translation"):
        dataclasses.replace(track, translation=torch.ones(59, 3))


def test_footage_gives_any_frame_in_any_order(tmp_path: Path) -> None:
    made = pictures(3 * GROUP + 7)
    assert write_footage(tmp_path / "a.mp4", iter(made)) == len(made)
    footage = Footage(tmp_path / "a.mp4", len(made), (32, 32))
    for index in (len(made) - 1, 0, GROUP - 1, GROUP, 2 * GROUP + 3, 1):
        assert np.abs(footage.frame(index).astype(int) - made[index]).mean() < 2
        assert footage.frame(index).mean((0, 2)).argmax() == index % 32


def test_footage_that_does_not_fit_its_facts_is_refused(tmp_path: Path) -> None:
    write_footage(tmp_path / "a.mp4", iter(pictures(10)))
    with pytest.raises(AssetError, match="11 pictures"):
        Footage(tmp_path / "a.mp4", 11, (32, 32)).frame(0)
    (tmp_path / "b.mp4").write_bytes((tmp_path / "a.mp4").read_bytes()[:400])
    with pytest.raises(AssetError, match="cannot be decoded"):
        Footage(tmp_path / "b.mp4", 10, (32, 32)).frame(0)
    with pytest.raises(AssetError, match="missing"):
        Footage(tmp_path / "c.mp4", 10, (32, 32))
