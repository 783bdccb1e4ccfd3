"""Published presets from the data sets' own layouts: pretrained audio encoders, phones for keys."""

from __future__ import annotations

import dataclasses
import importlib
import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from motet.checkpoint import read_checkpoint
from motet.cli import main
from motet.data.readers import vocaset
from motet.encoders.hubert import Hubert, HubertConfig
from motet.encoders.pretrained import load_pretrained
from motet.errors import CheckpointError, InputError
from motet.methods import find_methods
from motet.methods.diffposetalk.stages import published_learning_rate
from motet.methods.kmtalk.config import PRESETS
from motet.training.loop import schedule
from motet.training.mesh_phones import MeshPhones
from motet.training.run_folder import Progress
from motet.training.settings import TrainConfig
from motet.training.targets import find_target
from motet.training.training_sets import meshes_or_performances
from motet.types import Audio
from tests.parity.diffposetalk.conftest import SET

TINY = HubertConfig(16, 1, 2, 16, (4,) * 7, 8, 2)


def transformers_folder(folder: Path, config: HubertConfig = TINY) -> dict[str, torch.Tensor]:
    """A HuBERT with a head as `transformers` saves it, with the older names of the weight norm."""
    torch.manual_seed(1)
    own = Hubert(config).state_dict()
    position = "encoder.pos_conv_embed.conv"
    renamed = {
        f"{position}.parametrizations.weight.original0": f"{position}.weight_g",
        f"{position}.parametrizations.weight.original1": f"{position}.weight_v",
    }
    stored = {f"hubert.{renamed.get(name, name)}": value.clone() for name, value in own.items()}
    folder.mkdir(parents=True)
    save_file({**stored, "lm_head.weight": torch.zeros(3, 16)}, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"hidden_size": 16}))
    return own


def test_folders_of_transformers_are_read(tmp_path: Path) -> None:
    expected = transformers_folder(tmp_path / "hubert")
    module = Hubert(TINY)
    load_pretrained(module, tmp_path / "hubert")
    for name, value in module.state_dict().items():
        assert torch.equal(value, expected[name]), name
    load_pretrained(Hubert(TINY), tmp_path / "hubert" / "model.safetensors")
    with pytest.raises(CheckpointError, match="does not fit"):
        load_pretrained(Hubert(HubertConfig(24, 1, 2, 16, (4,) * 7, 8, 2)), tmp_path / "hubert")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CheckpointError, match="neither model.safetensors nor"):
        load_pretrained(module, tmp_path / "empty")


def test_a_published_preset_trains_from_its_database(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("lmdb")
    expected = transformers_folder(tmp_path / "hubert")
    data, out = SET.path("lmdb/data.mdb").parent, tmp_path / "own.safetensors"
    command = ["train", "diffposetalk", "--preset", "tiny_published", "--data", str(data)]
    command += ["--runs", str(tmp_path / "runs"), "-o", str(out), "--compute.device", "cpu"]
    command += ["--optim.steps", "2", "--optim.batch", "2", "--optim.validation", "0"]
    command = [word.replace("--compute.", "--") for word in command]
    assert main(command) == 2
    assert "pretrained ones with --encoder" in capsys.readouterr().err
    assert not out.exists()
    assert main([*command, "--encoder", str(tmp_path / "hubert")]) == 0
    tensors = read_checkpoint(out).tensors
    frozen = "feature_extractor.conv_layers.0.conv.weight"
    assert torch.allclose(tensors[f"audio_encoder.{frozen}"], expected[frozen], atol=1e-3)
    sound = tmp_path / "a.wav"
    soundfile.write(sound, 0.1 * np.random.default_rng(0).normal(size=8000), 16000)
    run = ["run", str(sound), "-m", "diffposetalk", "--weights", str(out), "--quiet"]
    assert main([*run, "-o", str(tmp_path / "a.flame.npz")]) == 0


def test_an_encoder_for_a_preset_without_one_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    transformers_folder(tmp_path / "hubert")
    (tmp_path / "data").mkdir()
    command = ["train", "artalk", "--preset", "tiny", "--data", str(tmp_path / "data")]
    assert main([*command, "--encoder", str(tmp_path / "hubert"), "--runs", str(tmp_path)]) == 2
    assert "no audio encoder of its own" in capsys.readouterr().err


GRID = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.2
tiers? <exists>
size = 1
item []:
    item [1]:
        class = "IntervalTier"
        name = "phones"
        xmin = 0
        xmax = 0.2
        intervals: size = 2
        intervals [1]:
            xmin = 0
            xmax = 0.1
            text = "M"
        intervals [2]:
            xmin = 0.1
            xmax = 0.2
            text = "AA1"
"""


def test_keys_of_mesh_data_lie_on_phones(tmp_path: Path) -> None:
    name, noise = f"{vocaset.TRAIN[0]}_sentence01", np.random.default_rng(0)
    for folder in ("vertices_npy", "wav", "phones"):
        (tmp_path / folder).mkdir()
    rows = noise.standard_normal((12, 3 * vocaset.VERTS)).astype(np.float32)
    np.save(tmp_path / "vertices_npy" / f"{name}.npy", rows)
    soundfile.write(tmp_path / "wav" / f"{name}.wav", 0.1 * noise.normal(size=3200), 16000)
    templates = {vocaset.TRAIN[0]: noise.standard_normal((vocaset.VERTS, 3))}
    (tmp_path / "templates.pkl").write_bytes(pickle.dumps(templates, 2))
    (tmp_path / "phones" / f"{name}.TextGrid").write_text(GRID)
    found, _ = meshes_or_performances(PRESETS["vocaset"], tmp_path)
    assert [phone for _, _, phone in found.items[0].phones] == ["m", "ɑ"]
    assert found.items[0].phones[1][:2] == (0.1, 0.2)


def test_sentences_without_phones_are_an_error_not_uniform_keys(tmp_path: Path) -> None:
    silence = Audio(torch.zeros(1, 16000), 16000)
    with pytest.raises(InputError, match="TextGrid"):
        MeshPhones(tmp_path)("clip", silence)


def test_presets_of_papers_follow_their_recipe() -> None:
    target = find_target("diffposetalk", "published")
    found = target.schedule("denoiser", TrainConfig())
    assert (found.steps, found.batch, found.warmup, found.clip) == (110_000, 16, 5000, 0.0)
    rates = [published_learning_rate(step + 1) for step in (0, 99, 4999, 50_000)]
    own = [found.learning_rate * schedule(Progress(step), found) for step in (0, 99, 4999, 50_000)]
    assert own == pytest.approx(rates)
    given = target.schedule("denoiser", TrainConfig(steps=7, learning_rate=1e-5))
    assert (given.steps, given.learning_rate, given.batch) == (7, 1e-5, 16)
    assert find_target("diffposetalk").schedule("denoiser", TrainConfig()) == TrainConfig()


@pytest.mark.parametrize("name", ["artalk", "diffposetalk", "kmtalk", "mospa"])
def test_every_recipe_names_presets_stages_and_settings_that_exist(name: str) -> None:
    spec = find_methods()[name]
    module, _, attribute = spec.recipes.partition(":")
    for preset, recipe in getattr(importlib.import_module(module), attribute).items():
        assert preset in spec.architectures()
        for settings in recipe.values():
            dataclasses.replace(TrainConfig(), **settings)


def test_schedules_end_at_their_share() -> None:
    for kind, middle, last in (("linear", 0.55, 0.1), ("cosine", 0.55, 0.1), ("constant", 1, 1)):
        config = TrainConfig(steps=100, warmup=0, schedule=kind, final=0.1)
        assert schedule(Progress(50), config) == pytest.approx(middle)
        assert schedule(Progress(100), config) == pytest.approx(last)
