"""ARTalk's published training from a data base of its own layout, by commands."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from motet.checkpoint import read_checkpoint
from motet.cli import main
from motet.data.readers.artalk_lmdb import COLUMNS, ArtalkDatabase
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.errors import AssetError, InputError
from motet.methods.artalk.config import PRESETS
from motet.methods.artalk.spaces import training_space
from tests.official_files import artalk_database

lmdb = pytest.importorskip("lmdb")
POSITION = "encoder.pos_conv_embed.conv"


def pretrained(folder: Path) -> dict[str, torch.Tensor]:
    """wav2vec 2.0 of the tiny preset's sizes as `transformers` saves it."""
    config = PRESETS["tiny_training"].training
    assert config is not None and config.audio is not None
    torch.manual_seed(1)
    own = Wav2Vec2(**vars(config.audio)).state_dict()
    stored = {f"wav2vec2.{name}": value.clone() for name, value in own.items()}
    weight = stored.pop(f"wav2vec2.{POSITION}.weight")
    stored[f"wav2vec2.{POSITION}.weight_v"] = weight
    stored[f"wav2vec2.{POSITION}.weight_g"] = weight.pow(2).sum((0, 1), keepdim=True).sqrt()
    folder.mkdir()
    save_file(stored, folder / "model.safetensors")
    (folder / "config.json").write_text("{}")
    return own


def test_columns_are_those_of_the_model(tmp_path: Path) -> None:
    data = ArtalkDatabase(artalk_database(tmp_path / "d", {"train": [110, 90]}), training_space())
    assert list(data.frames) == ["train_0"], "shorter clips are left out"
    item = data.clip("train_0")
    assert item.motion.shape == (110, 108)
    assert item.features.shape == (110 * 640, 1)
    names = [track.name for track in data.space.tracks]
    assert names == ["expression", "head", "jaw", "eye_left", "eye_right"]
    assert COLUMNS[103:] == (103, 106, 107, 109, 110)
    mean, std = data.statistics()
    assert torch.allclose(mean, item.motion.mean(0), atol=1e-5)
    assert torch.allclose(std, item.motion.std(0, unbiased=False), atol=1e-5)
    assert data.hold_out(0.1)[1] is None
    with pytest.raises(InputError, match="no split"):
        ArtalkDatabase(tmp_path / "d", training_space(), "tset")


def test_damaged_entries_are_named(tmp_path: Path) -> None:
    folder = artalk_database(tmp_path / "d", {"train": [110]})
    with lmdb.open(str(folder)) as store, store.begin(write=True) as writing:
        writing.put(b"train_0", b"PK no archive")
    with pytest.raises(AssetError, match="'train_0'"):
        ArtalkDatabase(folder, training_space()).clip("train_0")


def test_both_stages_train_with_a_pretrained_encoder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = artalk_database(tmp_path / "data", {"train": [130, 120], "val": [110]})
    expected, out = pretrained(tmp_path / "xlsr"), tmp_path / "own.safetensors"
    assert main(["data", "import", "artalk", str(data), "--quiet"]) == 0
    assert "train: 0.2 min" in capsys.readouterr().out
    command = ["train", "artalk", "--preset", "tiny_training", "--data", str(data)]
    command += ["--runs", str(tmp_path / "runs"), "-o", str(out), "--device", "cpu"]
    command += ["--optim.steps", "2", "--optim.batch", "2"]
    assert main(command) == 2
    assert "pretrained ones with --encoder" in capsys.readouterr().err
    assert main([*command, "--encoder", str(tmp_path / "xlsr")]) == 0
    tensors = read_checkpoint(out).tensors
    frozen = "feature_extractor.conv_layers.0.conv.weight"
    assert torch.allclose(tensors[f"audio_encoder.{frozen}"].float(), expected[frozen], atol=1e-3)
    for stage in ("codec", "generator"):
        assert (tmp_path / "runs" / f"artalk-{stage}" / "finished.safetensors").is_file()
    sound = tmp_path / "a.wav"
    soundfile.write(sound, 0.1 * np.random.default_rng(0).normal(size=16000), 16000)
    run = ["run", str(sound), "-m", "artalk", "--weights", str(out), "--quiet"]
    assert main([*run, "-o", str(tmp_path / "a.npz")]) == 0
