"""Import of official ARTalk checkpoints, random weights in the official layout."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

from motet.audio.io.write import write_audio
from motet.checkpoint import read_checkpoint
from motet.cli import main
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.errors import CheckpointError, ConfigError
from motet.methods.artalk.config import CodecConfig, ReleasedConfig, TrainingConfig, Wav2Vec2Config
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.published_v2.model import TrainingModel
from motet.methods.artalk.state_dict import (
    from_official,
    released_to_official,
    training_to_official,
)
from motet.types import Audio

PATCHES = (1, 3, 7, 10)
AUDIO = Wav2Vec2Config(24, 1, 3, 20, (4,) * 7, 6, 4)
CODEC = CodecConfig(106, 6, 20, 1, 5, PATCHES)
RELEASED = ReleasedConfig(CODEC, AUDIO, 28, 2, 4, 2, 18, 1, 3, 24)
TRAINING = TrainingConfig(
    dataclasses.replace(
        TrainingConfig().codec, bits=6, hidden=20, depth=1, heads=5, patches=PATCHES
    ),
    AUDIO,
    24,
    28,
    1,
    7,
    flip=0.2,
)
META = {
    "MODEL": {
        "T_NUM_HEAD": 7,
        "FLIP_QUANT": 0.2,
        "VAE_CONFIG": {"V_PATCH_NUMS": list(PATCHES), "T_NUM_HEADS": 5},
    }
}
"""As the training code stores it, below a group of its own."""


@pytest.fixture(scope="module")
def released() -> dict[str, Tensor]:
    torch.manual_seed(0)
    return released_to_official(ReleasedModel(RELEASED).state_dict(), RELEASED)


@pytest.fixture(scope="module")
def training() -> dict[str, Tensor]:
    torch.manual_seed(1)
    return training_to_official(TrainingModel(TRAINING).state_dict())


@pytest.fixture(scope="module")
def encoder() -> dict[str, Tensor]:
    """As the transformers library stores pre-trained wav2vec2 weights."""
    torch.manual_seed(2)
    state = Wav2Vec2(**dataclasses.asdict(AUDIO)).state_dict()
    weight = state.pop("encoder.pos_conv_embed.conv.weight")
    del state["masked_spec_embed"]
    norm = {
        "encoder.pos_conv_embed.conv.weight_g": weight.pow(2).sum((0, 1), keepdim=True).sqrt(),
        "encoder.pos_conv_embed.conv.weight_v": weight,
    }
    named = {f"wav2vec2.{name}": tensor for name, tensor in (state | norm).items()}
    return {**named, "quantizer.codevectors": torch.zeros(1)}


HEADS = {"released": {"codec": {"heads": 5}, "audio": {"heads": 3}, "style_heads": 3}}


def test_the_released_schedule_is_read_from_the_level_buffer(released: dict[str, Tensor]) -> None:
    imported = from_official([released], HEADS)
    assert imported.config.released == RELEASED
    origins = {row.name: row.origin for row in imported.origins}
    assert origins["released.codec.patches"] == "tensors"
    assert origins["released.codec.heads"] == "--config"
    assert "released.codec.rotary" in imported.assumed


def test_without_the_buffer_the_schedule_must_be_given(released: dict[str, Tensor]) -> None:
    bare = {name: tensor for name, tensor in released.items() if name != "lvl_idx"}
    with pytest.raises(CheckpointError, match=r"codec\.patches.*--config"):
        from_official([bare], HEADS)
    part = {**HEADS["released"], "codec": {"heads": 5, "patches": list(PATCHES)}}
    assert from_official([bare], {"released": part}).config.released == RELEASED


@pytest.mark.parametrize("name", ["attn_bias_for_masking", "basic_vae.attn_mask"])
def test_buffers_that_contradict_the_schedule_are_refused(
    released: dict[str, Tensor], name: str
) -> None:
    with pytest.raises(CheckpointError, match="another program"):
        from_official([{**released, name: torch.zeros_like(released[name])}], HEADS)


def test_impossible_assumed_heads_are_named(released: dict[str, Tensor]) -> None:
    with pytest.raises(ConfigError, match=r"released\.codec\.heads = 8 \(assumed\)"):
        from_official([released])


def test_the_training_schedule_is_read_from_its_options(training: dict[str, Tensor]) -> None:
    imported = from_official([{"model": training, "meta_cfg": META}])
    assert imported.config.training == dataclasses.replace(TRAINING, audio=None)
    origins = {row.name: row.origin for row in imported.origins}
    assert origins["training.codec.patches"] == "stored options"
    assert origins["training.heads"] == "stored options"
    with pytest.raises(CheckpointError, match=r"4 scales.*--config"):
        given = {"training": {"heads": 7, "codec": {"heads": 5}}}
        from_official([{"model": training}], given)


def test_a_training_checkpoint_takes_the_encoder_of_a_released_one(
    training: dict[str, Tensor], released: dict[str, Tensor], encoder: dict[str, Tensor]
) -> None:
    heads = {"training": {"audio": {"heads": 3}}}
    file = {"model": training, "meta_cfg": META}
    for other in (released, encoder):
        assert from_official([other, file], heads).config.training == TRAINING
    with pytest.raises(CheckpointError, match="one file of wav2vec2"):
        from_official([file, released, encoder], heads)
    with pytest.raises(CheckpointError, match="one file of wav2vec2"):
        from_official([file, {"weight": torch.zeros(1)}], heads)


def test_an_encoder_of_another_width_is_refused(training: dict[str, Tensor]) -> None:
    other = Wav2Vec2(**dataclasses.asdict(dataclasses.replace(AUDIO, hidden=36))).state_dict()
    with pytest.raises(CheckpointError, match="expects 24 audio features.*gives 36"):
        from_official(
            [{"model": training, "meta_cfg": META}, other], {"training": {"audio": {"heads": 3}}}
        )


def test_a_training_checkpoint_runs_from_the_command_line(
    training: dict[str, Tensor],
    encoder: dict[str, Tensor],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    torch.save({"model": training, "meta_cfg": META}, tmp_path / "generator.pt")
    save_file(encoder, tmp_path / "xls_r.safetensors")
    (tmp_path / "heads.json").write_text(json.dumps({"training": {"audio": {"heads": 3}}}))
    noise = torch.Generator().manual_seed(3)
    samples = 0.1 * torch.randn(1, 16000, generator=noise)
    write_audio(Audio(samples, 16000, "mono"), tmp_path / "sound.wav")
    own, take = tmp_path / "own.safetensors", tmp_path / "take.npz"
    files = [str(tmp_path / "generator.pt"), str(tmp_path / "xls_r.safetensors")]
    settings = ["--config", str(tmp_path / "heads.json")]
    assert main(["weights", "import", *files, "-m", "artalk", "-o", str(own), *settings]) == 0
    table = capsys.readouterr().out
    assert "training.codec.patches" in table
    assert "assumed" in table
    assert "training.codec.rotary" in read_checkpoint(own).facts["assumed"]
    sound = str(tmp_path / "sound.wav")
    assert main(["run", sound, "-m", "artalk", "--weights", str(own), "-o", str(take)]) == 0
    with np.load(take) as stored:
        tracks = [stored[str(name)] for name in stored["tracks"]]
    assert sum(track.shape[-1] for track in tracks) == TRAINING.codec.motion_dim
    assert all(len(track) == 25 and np.isfinite(track).all() for track in tracks)
