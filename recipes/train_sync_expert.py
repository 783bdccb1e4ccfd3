"""Train the sync expert and write `sync_expert.safetensors`.

    python recipes/train_sync_expert.py PERSON... --tracked grid_s1 -o
    src/motet/weights/sync_expert.safetensors --steps 1000

`PERSON`: people fitted by `motet fit` (`--minutes 0` is enough); `grid_s1`: the tracked GRID
speaker. What does not train: the held-out tail of each person, and of the GRID speaker the test and
validation clips and those of a person's tail. Right choices on the tails are printed and kept in
the file; `--strangers` are people that only get measured."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from torch import Tensor

from motet.checkpoint import load_strict, save_checkpoint
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.person.dataset import mouth_set
from motet.methods.speech2lip.person.folder import Person
from motet.methods.speech2lip.person.mouth_region import Mouth
from motet.methods.speech2lip.sync.expert import LipExpert, LipExpertConfig
from motet.methods.speech2lip.sync.loss import (
    Watched,
    expert_stage,
    lessons,
    right_choices,
    watched,
)
from motet.training.loop import train
from motet.training.settings import TrainConfig
from motet.training.tracked_lips import held_out_clips, read_tracked_lips


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("people", nargs="+", type=Path)
    parser.add_argument("--tracked", type=Path, required=True)
    parser.add_argument("--strangers", nargs="*", type=Path, default=[])
    parser.add_argument(
        "--late", type=int, default=0, help="frames by which the strangers' sound is late"
    )
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/sync"))
    parser.add_argument("--steps", type=int, default=1000)
    given = parser.parse_args()
    torch.manual_seed(0)
    people, config = [Person(folder) for folder in given.people], LipExpertConfig()
    tested = {person.facts.name: _cut(person, "held_out") for person in people}
    strangers = {
        person.facts.name: _cut(person, "train") for person in map(Person, given.strangers)
    }
    tracked = read_tracked_lips(
        given.tracked, {clip for person in people for clip in tail_clips(person)}
    )
    banned = set(held_out_clips(given.tracked))
    taught = lessons(
        config,
        tracked.outlines,
        tracked.features,
        [(_cut(person, "train"), frames_of(person, banned)) for person in people],
    )
    expert = LipExpert(config)

    def watch(tensors: dict[str, Tensor]) -> None:
        load_strict(expert, tensors)
        result = {name: round(right_choices(expert, person), 3) for name, person in tested.items()}
        unseen = {
            name: round(right_choices(expert, person, given.late), 3)
            for name, person in strangers.items()
        }
        print(
            json.dumps({"right choices on the held-out tail": result, "on strangers": unseen}),
            flush=True,
        )
        facts = {
            "people": list(tested),
            "tracked_clips": len(tracked.names),
            "licence": "Apache-2.0",
            "right_choices": result,
            "right_choices_strangers": unseen,
            "credit": ["GRID speaker s1: Cooke, Barker, Cunningham, Shao 2006, CC BY 4.0"],
        }
        save_checkpoint(given.out, tensors, config, facts, half=True)

    settings = TrainConfig(
        steps=given.steps,
        batch=16,
        learning_rate=2e-3,
        warmup=30,
        average=0.98,
        save_every_s=60,
        log_every=50,
        weight_decay=0.05,
    )
    watch(
        train(
            expert_stage(config),
            taught,
            settings,
            given.runs,
            lambda line: print(json.dumps(dict(line)), flush=True),
            watch,
        )
    )


def tail_clips(person: Person) -> list[str]:
    """Names of the videos that reach into a person's held-out tail."""
    end, names = 0, []
    for source in person.facts.sources:
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
    return watched(
        mouth_set(person, config, part, Mouth(person, config)),
        person.track.landmarks,
        config.border,
    )


if __name__ == "__main__":
    main()
