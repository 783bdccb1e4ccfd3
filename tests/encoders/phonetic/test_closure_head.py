"""The reading of p, b and m: it learns what is there, hears its surroundings only, and is tied to
its encoder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
import torch

from motet.checkpoint import save_checkpoint
from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.phonetic.closure_head import ClosingConfig, ClosingReading, load_closing
from motet.encoders.phonetic.encoder import load_phonetic
from motet.encoders.phonetic.heads import REACH, STEPS_AFTER, STEPS_BEFORE
from motet.errors import CheckpointError, InputError
from motet.training.closure_head import closed_steps, closure_examples, closure_stage
from motet.training.loop import train
from motet.training.settings import TrainConfig
from motet.types import arkit_space

SMALL = ClosingConfig("mine", dim=4, width=8, dropout=0.0, members=2)
SHORT = TrainConfig(
    steps=300, batch=64, learning_rate=2e-3, warmup=30, average=0.9, validate_every=100
)
FEW = dataclasses.replace(SHORT, steps=20, batch=16)


def corpus(named: bool = True) -> TrainingSet:
    """A closure every 0.4 s: feature 2 drops while it lasts, feature 0 rises 0.16 s later."""
    random = torch.Generator().manual_seed(0)
    items = []
    for number in range(8):
        features = 0.3 * torch.randn(400, 4, generator=random)
        phones = []
        for start in range(10 + number, 380, 20):
            features[start : start + 4, 2] -= 1.0
            features[start + 8 : start + 12, 0] += 1.0
            phones.append((start / 50, (start + 4) / 50, "m"))
        items.append(
            TrainingItem(
                torch.zeros(200, 55),
                features,
                torch.ones(55, dtype=torch.bool),
                phones=tuple(phones) if named else (),
            )
        )
    return TrainingSet(arkit_space(), items)


def trained(folder: Path, config: TrainConfig) -> ClosingReading:
    """The ensemble after a short training."""
    torch.manual_seed(0)
    stage = closure_stage(SMALL)
    train(stage, closure_examples(corpus()), config, folder)
    assert isinstance(stage.model, ClosingReading)
    return stage.model.requires_grad_(False)


def test_closures_score_higher_than_everything_else(tmp_path: Path) -> None:
    reading = trained(tmp_path, SHORT)
    item = corpus().items[3]
    odds, closed = reading.read(item.features.unsqueeze(0), 0, 400)[0], closed_steps(item)
    assert float((odds[closed] > odds[~closed].quantile(0.9)).float().mean()) > 0.95


def test_the_ensemble_is_the_mean_of_its_members(tmp_path: Path) -> None:
    reading = trained(tmp_path, FEW)
    features = torch.randn(2, 40, 4, generator=torch.Generator().manual_seed(5))
    at = (torch.arange(-2, 38).unsqueeze(1) + torch.tensor(REACH)).clamp(0, 39)
    alone = (
        torch.stack([member(features[:, at].flatten(0, 1)) for member in reading.members])
        .mean(0)
        .view(2, 40)
    )
    torch.testing.assert_close(reading.read(features, -2, 40), alone)


def test_the_same_seed_gives_the_same_members_which_differ(tmp_path: Path) -> None:
    one, again = (trained(tmp_path / name, FEW).state_dict() for name in ("one", "again"))
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert not torch.equal(one["members.0.narrow.weight"], one["members.1.narrow.weight"])


def test_a_corpus_without_phones_is_refused() -> None:
    with pytest.raises(InputError, match="phones"):
        closure_examples(corpus(named=False))


def test_a_step_depends_on_its_surroundings_only() -> None:
    reading = load_closing(load_phonetic().digest)
    features = torch.randn(1, 120, 256, generator=torch.Generator().manual_seed(1))
    whole = reading.read(features, 0, 120)
    part = reading.read(features[:, 40 - STEPS_BEFORE : 59 + STEPS_AFTER + 1], STEPS_BEFORE, 20)
    torch.testing.assert_close(part, whole[:, 40:60])


def test_nothing_is_heard_where_nothing_is_known() -> None:
    front = load_phonetic()
    features = torch.randn(2, 30, 256, generator=torch.Generator().manual_seed(2))
    found = front.closures(features, -3, 36)
    assert found.shape == (2, 36)
    assert not found[:, :3].any() and not found[:, 33:].any() and bool((found[:, 3:33] > 0).all())
    torch.testing.assert_close(found[:, 3:33], front.closures(features, 0, 30))
    assert not front.closures(features, 40, 5).any()


def test_a_reading_of_another_encoder_is_refused(tmp_path: Path) -> None:
    ensemble = ClosingReading(SMALL)
    save_checkpoint(tmp_path / "closing.safetensors", ensemble.state_dict(), SMALL, {})
    assert load_closing("mine", tmp_path / "closing.safetensors").config == SMALL
    with pytest.raises(CheckpointError, match="motet train closure-head"):
        load_closing("another", tmp_path / "closing.safetensors")
