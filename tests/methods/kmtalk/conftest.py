"""Small models and synthetic performances whose motion between keys only the sound tells."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.data.training_set import TrainingItem, TrainingSet
from motet.methods.kmtalk.config import KeyTraining, KMTalkConfig
from motet.methods.kmtalk.loss import stages
from motet.types import arkit_space

CALM = KeyTraining(
    drop_identity=0.0, heard_keys=0.0, disturb=0.0, noise=0.0, true_keys=0.0, mask=0.0, frames=100
)
SMALL = KMTalkConfig(
    front_end="bands",
    audio_dim=8,
    mix_layers=1,
    width=48,
    heads=4,
    dropout=0.0,
    reach=30,
    reading_steps=(),
    phone_dim=8,
    training=CALM,
)


def performance(seed: int, frames: int = 100) -> TrainingItem:
    """Four seconds of phones of 120 ms; smooth random motion whose course is heard in the features,
    the jaw with a tremor of its own."""
    noise = torch.Generator().manual_seed(seed)
    course = torch.randn(frames, 6, generator=noise).cumsum(0)
    course = torch.nn.functional.avg_pool1d(
        course.T.unsqueeze(0), 5, 1, 2, count_include_pad=False
    )[0].T
    course = (course - course.mean(0)) / course.std(0)
    motion = torch.full((frames, 55), 0.3)
    motion[:, :6] += 0.1 * course
    motion[:, 24] += 0.05 * course[:, 0] * course[:, 1]
    features = torch.cat([course, torch.randn(frames, 2, generator=noise)], 1).repeat_interleave(
        2, 0
    )
    phones = tuple((0.12 * n, 0.12 * (n + 1), "aptɪmsuk"[n % 8]) for n in range(frames * 4 // 12))
    return TrainingItem(motion, features, torch.ones(55, dtype=torch.bool), phones=phones)


def performances(count: int = 8) -> TrainingSet:
    return TrainingSet(arkit_space(), [performance(seed) for seed in range(count)])


def trained(
    config: KMTalkConfig,
    corpus: TrainingSet,
    names: tuple[str, ...],
    steps: int,
    rate: float = 3e-3,
    batch: int = 8,
):
    """The model of a configuration after some steps of some stages."""
    torch.manual_seed(0)
    parts = {stage.name: stage for stage in stages(config)}
    for name in names:
        stage = parts[name]
        expected = {id(p) for module in stage.trained for p in module.parameters()}
        for parameter in stage.model.parameters():
            parameter.requires_grad_(id(parameter) in expected)
        moving = [p for p in stage.model.parameters() if p.requires_grad]
        optimiser = torch.optim.Adam(moving, lr=rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        stage.prepare(corpus)
        stage.model.train()
        for step in range(steps):
            randomness = torch.Generator().manual_seed(step)
            loss = torch.stack(
                list(stage.loss(stage.batch(corpus, batch, randomness), randomness).values())
            ).sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return parts[names[-1]].model.eval().requires_grad_(False)


@pytest.fixture(scope="session")
def small() -> KMTalkConfig:
    return dataclasses.replace(SMALL)
