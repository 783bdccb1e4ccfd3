"""Train the sync expert on fitted people and write `sync_expert.safetensors`.

python scripts/train_sync_expert.py PERSON... -o motet/weights/sync_expert.safetensors --minutes 20

The held-out tail of each person does not train; the share of right choices on it is printed and kept in the file.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from motet.checkpoint import load_strict, save_checkpoint
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.mouth import Mouth
from motet.methods.speech2lip.mouth_set import mouth_set
from motet.methods.speech2lip.person import Person
from motet.methods.speech2lip.sync import SyncConfig, SyncExpert
from motet.methods.speech2lip.sync_stage import Watched, expert_stage, picked_share, watched
from motet.train.loop import train
from motet.train.settings import TrainConfig


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("people", nargs="+", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    parser.add_argument("--runs", type=Path, default=Path("runs/sync"))
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--steps", type=int, default=0, help="instead of a time")
    parser.add_argument("--divide", type=int, default=8)
    given = parser.parse_args()
    torch.manual_seed(0)
    config = SyncConfig(given.divide)
    people = [Person(folder) for folder in given.people]
    taught, tested = ([_cut(person, part) for person in people] for part in ("train", "held_out"))
    expert = SyncExpert(config)

    def watch(tensors: dict) -> None:
        load_strict(expert, tensors)
        found = {p.facts.name: round(picked_share(expert, w, torch.Generator().manual_seed(0)), 3) for p, w in zip(people, tested, strict=True)}
        print(json.dumps({"right choices on the held-out tail": found}), flush=True)
        facts = {"people": [p.facts.name for p in people], "licence": "Apache-2.0", "credit": [p.facts.licence for p in people], "right_choices": found}
        save_checkpoint(given.out, tensors, config, facts, half=True)

    length = {"steps": given.steps} if given.steps else {"minutes": given.minutes}
    settings = TrainConfig(batch=24, learning_rate=1e-3, warmup=50, average=0.99, save_every_s=60, log_every=20, weight_decay=0.02, **length)
    train(expert_stage(config), taught, settings, given.runs, lambda line: print(json.dumps(dict(line)), flush=True), watch)


def _cut(person: Person, part: str) -> Watched:
    config = PRESETS["default"]
    return watched(mouth_set(person, config, part, Mouth(person, config)), config.border)


if __name__ == "__main__":
    main()
