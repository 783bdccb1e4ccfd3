"""Reference tensors of the published code: the whole set where it lies beside the repository, else
the compact subset."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path

import pytest
import soundfile
import torch
from safetensors.torch import load_file

from motet.checkpoint import load_strict
from motet.methods.artalk.published_v2.model import TrainingModel
from motet.methods.artalk.state_dict import from_official

ROOT = Path(__file__).resolve().parents[3]
COMPACT = Path(__file__).parent / "fixtures"


class Reference:
    """One set: configuration, official weights, recorded tensors."""

    def __init__(self, name: str) -> None:
        folder = Path(os.environ.get("MOTET_PARITY", ROOT.parent / "shared" / "parity")) / "artalk"
        self.whole = (folder / f"{name}.json").exists()
        folder = folder if self.whole else COMPACT
        self.facts = json.loads((folder / f"{name}.json").read_text())
        self.weights = load_file(folder / f"{name}_weights.safetensors")
        self.io = load_file(folder / f"{name}_io.safetensors")
        sound = (
            folder / f"{name}_audio.flac"
        )  # the compact set keeps its sound packed, without loss
        if sound.exists():
            key = {"released": "audio_i16", "training": "gen.audio_i16"}[name]
            self.io[key] = torch.from_numpy(soundfile.read(sound, dtype="int16")[0])

    def __getitem__(self, key: str) -> torch.Tensor:
        if key not in self.io:
            pytest.skip(f"{key} is only in the full set; point MOTET_PARITY to it")
        return self.io[key]

    def close(self, found: torch.Tensor, key: str, tolerance: float = 1e-4) -> None:
        if key not in self.io and not self.whole:
            return  # the compact set keeps the ends of the longer computations only
        wanted = self[key]
        assert found.shape == wanted.shape, (found.shape, wanted.shape)
        torch.testing.assert_close(found.float(), wanted.float(), rtol=tolerance, atol=tolerance)

    def same(self, found: torch.Tensor, key: str) -> None:
        assert torch.equal(found.to(torch.int64), self[key].to(torch.int64)), (
            f"{key}: {(found.long() != self[key].long()).sum()} differ"
        )


@pytest.fixture(scope="session")
def released() -> Reference:
    return Reference("released")


@pytest.fixture(scope="session")
def training() -> Reference:
    return Reference("training")


@pytest.fixture(scope="session")
def pieces() -> Reference:
    return Reference("common")


def official(training: Reference) -> dict[str, torch.Tensor]:
    return {
        name: tensor for name, tensor in training.weights.items() if not name.startswith("flame.")
    }


def training_model(training: Reference) -> TrainingModel:
    config, tensors = from_official(official(training))
    facts = training.facts["config"]
    codec = dataclasses.replace(config.training.codec, heads=facts["VAE_CONFIG"]["T_NUM_HEADS"])
    model = TrainingModel(
        dataclasses.replace(config.training, heads=facts["T_NUM_HEAD"], codec=codec)
    )
    load_strict(model, tensors)
    return model.eval()
