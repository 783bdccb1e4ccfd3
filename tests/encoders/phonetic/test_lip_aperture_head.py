"""The linear reading of the lips: fitted exactly where it can be, the same for every cutting, tied
to its encoder."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motet.checkpoint import save_checkpoint
from motet.data.training_set import TrainingItem, TrainingSet
from motet.encoders.phonetic.encoder import load_phonetic
from motet.encoders.phonetic.heads import REACH, STEPS_AFTER, STEPS_BEFORE
from motet.encoders.phonetic.lip_aperture_head import OpeningConfig, load_opening
from motet.errors import CheckpointError
from motet.face.lip_shapes import RESPONSE
from motet.training.lip_aperture_head import fit_lip_aperture
from motet.types import ARKIT_SHAPES, arkit_space


def corpus() -> TrainingSet:
    """The jaw follows one feature 0.16 s ahead."""
    random = torch.Generator().manual_seed(0)
    items = []
    for _ in range(30):
        features, motion = torch.randn(400, 4, generator=random), torch.zeros(200, 55)
        at = (2 * torch.arange(200) + 8).clamp(max=399)
        motion[:, ARKIT_SHAPES.index("jawOpen")] = 0.3 + 0.05 * features[at, 1].clamp(-3, 3)
        items.append(TrainingItem(motion, features, torch.ones(55, dtype=torch.bool)))
    return TrainingSet(arkit_space(), items)


def test_the_fit_finds_what_is_there() -> None:
    fitted = fit_lip_aperture(corpus())
    weight, bias = fitted["weight"].flatten(), fitted["bias"]
    strongest = weight.abs().argmax()
    assert (REACH[int(strongest) // 4], int(strongest) % 4) == (8, 1)
    assert float(weight[strongest]) == pytest.approx(0.05 * RESPONSE["jawOpen"][0], rel=0.15)
    assert float(bias) == pytest.approx(0.3 * RESPONSE["jawOpen"][0], rel=0.1)


def test_a_frame_depends_on_its_surroundings_only() -> None:
    reading = load_opening(load_phonetic().digest)
    features = torch.randn(1, 120, 256, generator=torch.Generator().manual_seed(1))
    whole = reading(features, 0, 60)
    first = 2 * 20
    part = reading(
        features[:, first - STEPS_BEFORE : first + 2 * 9 + STEPS_AFTER + 1], STEPS_BEFORE, 10
    )
    torch.testing.assert_close(part, whole[:, 20:30])


def test_a_reading_of_another_encoder_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "opening.safetensors"
    save_checkpoint(path, fit_lip_aperture(corpus()), OpeningConfig("another"), {})
    with pytest.raises(CheckpointError, match="motet train lip-aperture-head"):
        load_opening("mine", path)
