"""`motet train sync-expert`: the expert that judges whether lips and sound belong together.

The data folder holds `people/` (folders made by `motet fit`; `--minutes 0` is enough), `tracked/`
(the tracked GRID speaker) and, where there are people who are only to be measured, `unseen/`.

Held out: the tail of each person, and of the tracked speaker the test clips, the validation clips
and those that reach into a person's tail. The checkpoint says how often the expert prefers the
right sound on the tails (`right_choices`); below 0.75 `motet fit` does without it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from motet.errors import AssetError
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.person.dataset import mouth_set
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Mouth
from motet.methods.speech2lip.sync.examples import SyncExamples, Watched, sync_examples, watched
from motet.methods.speech2lip.sync.expert import LipExpertConfig
from motet.training.settings import TrainConfig
from motet.training.target import TrainingData
from motet.training.tracked_lips import (
    TrackedLips,
    held_out_clips,
    read_tracked_lips,
    validation_clips,
)

EXPERT = LipExpertConfig()
DEFAULTS = TrainConfig(
    steps=1000,
    batch=16,
    learning_rate=2e-3,
    warmup=30,
    average=0.98,
    weight_decay=0.05,
    validate_every=100,
)


def read_sync_data(folder: Path, validation: float) -> TrainingData[SyncExamples]:
    """Tracked lips and filmed people, with their held-out parts.

    Raises:
        AssetError: no people, or no tracked clips.
    """
    people = _people(folder / "people")
    if not people:
        raise AssetError(
            f"{folder / 'people'} holds no person; make some with 'motet fit VIDEO -o"
            f" {folder / 'people' / 'NAME'} --minutes 0'"
        )
    tracked = folder / "tracked"
    in_tails = {clip for person in people for clip in tail_clips(person)}
    tested = set(held_out_clips(tracked))
    # The same clips may be filmed in a person's tail, which is held out.
    training = read_tracked_lips(tracked, in_tails)
    held_out = {person.facts.name: _cut(person, "held_out") for person in people}
    unseen = {person.facts.name: _cut(person, "train") for person in _people(folder / "unseen")}
    filmed = [(_cut(person, "train"), frames_of(person, tested)) for person in people]
    examples = sync_examples(EXPERT, training.outlines, training.features, filmed, held_out, unseen)
    held = None
    if validation:
        clips = read_tracked_lips(tracked, (), validation_clips(tracked))
        tails = [(tail, None) for tail in held_out.values()]
        held = sync_examples(EXPERT, clips.outlines, clips.features, tails, space=examples.space)
    return TrainingData(examples, held, lambda: _metadata(people, training))


def _metadata(people: list[Person], clips: TrackedLips) -> dict[str, Any]:
    return {
        "people": [person.facts.name for person in people],
        "tracked_clips": len(clips.names),
        "licence": "Apache-2.0",
        "credit": ["GRID speaker s1: Cooke, Barker, Cunningham, Shao 2006, CC BY 4.0"],
    }


def _people(folder: Path) -> list[Person]:
    return [Person(path) for path in sorted(folder.glob("*/")) if path.is_dir()]


def tail_clips(person: Person) -> list[str]:
    """Names of the videos that reach into a person's held-out tail."""
    end, names = 0, []
    for source in person.facts.sources:
        # Cumulative frames: the sources stand in the order in which they were filmed.
        end += source.frames
        if end > person.facts.train_frames:
            names.append(Path(source.name).stem)
    return names


def frames_of(person: Person, names: set[str]) -> Tensor:
    """Which frames of a person's footage are from videos of these names."""
    return torch.cat(
        [
            torch.full((source.frames,), Path(source.name).stem in names)
            for source in person.facts.sources
        ]
    )


def _cut(person: Person, part: str) -> Watched:
    config = PRESETS["default"]
    mouths = mouth_set(person, config, part, Mouth(person, config))
    return watched(mouths, person.track.landmarks, config.border)
