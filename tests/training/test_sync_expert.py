"""`motet train sync-expert` from folders: people drawn in code and one tracked speaker."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.checkpoint import read_checkpoint
from motet.errors import AssetError, InputError
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.person.folder import Person, Source, write_facts, write_track
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.sync.examples import sync_examples
from motet.methods.speech2lip.sync.expert import LipExpertConfig
from motet.methods.speech2lip.sync.lip_outline import EYES, LIPS
from motet.methods.speech2lip.sync.load import load_expert
from motet.training import sync_expert
from motet.training.settings import TrainConfig
from motet.training.target import TrainingJob, train_target
from motet.training.targets import find_target
from motet.training.tracked_lips import training_clips, validation_clips

TINY = PRESETS["tiny"]
CONFIG = dataclasses.replace(TINY, hearing=dataclasses.replace(TINY.hearing, channels=256))
FRAMES = 250
"""Training part and tail both hold a run of 40 frames."""


def landmarks(opening: torch.Tensor) -> torch.Tensor:
    """478 points whose lower lip follows the opening."""
    noise = torch.Generator().manual_seed(0)
    points = (40 * torch.rand(478, 2, generator=noise)).repeat(len(opening), 1, 1)
    points[:, LIPS[11:20], 1] += 10 * opening[:, None]
    return points


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One person in `people`, 21 clips of noise in `tracked`."""
    folder = tmp_path_factory.mktemp("sync")
    drawn = SyntheticPerson(CONFIG, FRAMES)
    ada = drawn.write(folder / "people" / "ada")
    write_track(ada, dataclasses.replace(drawn.track, landmarks=landmarks(drawn.opening)))
    sources = (Source("clip05.mp4", "0" * 12, 200), Source("clip00.mp4", "1" * 12, FRAMES - 200))
    write_facts(ada, dataclasses.replace(drawn.facts, sources=sources))
    tracked = folder / "tracked"
    (tracked / "audio").mkdir(parents=True)
    names = [f"clip{number:02d}" for number in range(22)]
    (tracked / "words.json").write_text(json.dumps({name: [] for name in names}))
    opening = torch.rand(22, 50, generator=torch.Generator().manual_seed(1))
    points = torch.stack([landmarks(row) for row in opening])[:, :, [*EYES, *LIPS]].numpy() * 16
    first, delta = points[:, 0], np.diff(points, axis=1)
    np.savez(tracked / "landmarks.npz", first=first, delta=delta, index=[*EYES, *LIPS])
    np.savez(tracked / "motion.npz", audio_start=np.zeros(22))
    noise = np.random.default_rng(0)
    for name in names:
        soundfile.write(tracked / "audio" / f"{name}.flac", 0.1 * noise.normal(size=32000), 16000)
    return folder


def test_the_expert_trains_on_people_and_tracked_clips(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sync_expert, "PRESETS", {"default": CONFIG})
    config = TrainConfig(steps=2, batch=2, warmup=1, log_every=1, validate_every=1)
    out = tmp_path / "expert.safetensors"
    train_target(find_target("sync-expert"), data, out, TrainingJob(tmp_path, config))
    facts = read_checkpoint(out).facts
    (name,) = facts["people"]
    assert 0 <= facts["right_choices"][name] <= 1
    assert facts["tracked_clips"] == 18
    assert load_expert(out) is not None
    log = (tmp_path / "sync-expert-expert" / "log.jsonl").read_text().splitlines()
    assert all("validation" in json.loads(line) for line in log)


def test_clips_of_tails_and_tests_do_not_train(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sync_expert, "PRESETS", {"default": CONFIG})
    person = Person(data / "people" / "ada")
    assert sync_expert.tail_clips(person) == ["clip00"]
    assert int(sync_expert.frames_of(person, {"clip00"}).sum()) == 50
    mouths = sync_expert._cut(person, "train")
    with pytest.raises(InputError, match="40 frames"):
        nothing_left = torch.ones(FRAMES, dtype=torch.bool)
        sync_examples(
            LipExpertConfig(),
            torch.rand(1, 50, 80),
            torch.rand(1, 100, 256),
            [(mouths, nothing_left)],
        )
    assert not set(training_clips(data / "tracked")) & set(validation_clips(data / "tracked"))


def test_a_folder_without_people_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="motet fit"):
        sync_expert.read_sync_data(tmp_path, 0.0)
