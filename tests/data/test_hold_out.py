"""The validation part: whole speakers or recordings, the same for the same names."""

from __future__ import annotations

import dataclasses

import torch

from motet.data.training_set import TrainingItem, TrainingSet, partition
from motet.types import arkit_space


def performances(count: int, speakers: int) -> TrainingSet:
    """Two items a recording, as with an augmented copy."""
    valid = torch.ones(55, dtype=torch.bool)
    return TrainingSet(
        arkit_space(),
        [
            TrainingItem(
                torch.full((5, 55), float(number // 2)),
                torch.zeros(10, 2),
                valid,
                speaker=f"s{number // 2 % speakers}",
                recording=f"r{number // 2}",
            )
            for number in range(2 * count)
        ],
    )


def test_copies_of_a_recording_stay_together() -> None:
    corpus = performances(20, 2)
    train, held = corpus.hold_out(0.2)
    assert held is not None
    names = [{item.recording for item in part.items} for part in (train, held)]
    assert not names[0] & names[1]
    assert len(names[1]) == 4
    assert len(train.items) + len(held.items) == 40
    assert all(map(torch.equal, held.statistics(), corpus.statistics()))


def test_many_speakers_are_held_out_whole() -> None:
    train, held = performances(40, 20).hold_out(0.1)
    assert held is not None
    assert len({item.speaker for item in held.items}) == 2
    assert not {item.speaker for item in train.items} & {item.speaker for item in held.items}


def test_the_choice_depends_on_the_names_only() -> None:
    names = [f"r{n}" for n in range(30)]
    held = set(partition(names, names, 0.1)[1])
    assert set(partition(names[::-1], names[::-1], 0.1)[1]) == held
    more = [*names, "another"]
    assert len(held & set(partition(more, more, 0.1)[1])) >= len(held) - 1


def test_one_recording_has_no_validation_part() -> None:
    corpus = performances(1, 1)
    assert corpus.hold_out(0.5)[1] is None
    assert dataclasses.replace(corpus).hold_out(0.0)[1] is None
