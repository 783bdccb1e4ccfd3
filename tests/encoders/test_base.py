"""One protocol for all audio encoders: the chunking law, what they declare, loading by name."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from motet.encoders.band_energy import BandEncoder
from motet.encoders.base import (
    ENCODERS,
    AudioEncoder,
    Waveform,
    WholeRecordingEncoder,
    encode,
    load_encoder,
)
from motet.encoders.deepspeech import deepspeech_encoder
from motet.encoders.hubert import Hubert, HubertConfig
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.errors import CheckpointError, ConfigError

HERE = ("phonetic", "bands", "binaural", "monaural", "whisper")
"""Encoders that need no file of the user's."""
SMALL = HubertConfig(64, 1, 1, 32, (8,) * 7, 16, 4)


def loaded(name: str) -> AudioEncoder:
    return load_encoder(name, dim=6 if name == "bands" else 0)


def noise(encoder: AudioEncoder, samples: int) -> torch.Tensor:
    shape = (2, samples) if encoder.channels == 1 else (2, samples, encoder.channels)
    return 0.1 * torch.randn(shape, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", HERE)
@settings(deadline=None, max_examples=4, derandomize=True)
@given(sizes=st.lists(st.integers(0, 4000), min_size=1, max_size=5))
def test_every_chunking_gives_the_same_features(name: str, sizes: list[int]) -> None:
    encoder = loaded(name)
    samples = noise(encoder, 2000 + sum(sizes))
    state, parts = encoder.begin(2), []
    for piece in samples.split([2000, *sizes], 1):
        features, state = encoder.step(state, piece)
        parts.append(features)
    streamed = torch.cat([*parts, encoder.finish(state)], 1)
    torch.testing.assert_close(streamed, encode(encoder, samples), rtol=1e-4, atol=1e-4)
    assert streamed.shape[::2] == (2, encoder.dim)


@pytest.mark.parametrize("name", HERE)
def test_an_encoder_is_what_its_declaration_says(name: str) -> None:
    encoder, spec = loaded(name), ENCODERS[name]
    assert (encoder.sample_rate, encoder.frame_rate) == (spec.sample_rate, spec.frame_rate)
    assert spec.streams == math.isfinite(encoder.look_ahead_s)
    assert bool(spec.reason) != spec.streams
    seconds = 1.2
    features = encode(encoder, noise(encoder, round(seconds * encoder.sample_rate)))
    assert abs(features.shape[1] - seconds * encoder.frame_rate) <= 1


@pytest.mark.parametrize("name", ["phonetic", "bands"])
def test_features_come_with_the_stated_look_ahead(name: str) -> None:
    encoder = loaded(name)
    seconds = 1.0 + 1 / encoder.frame_rate + encoder.look_ahead_s
    samples = noise(encoder, math.ceil(seconds * encoder.sample_rate))
    features, _ = encoder.step(encoder.begin(2), samples)
    assert features.shape[1] > encoder.frame_rate


def test_a_waveform_is_its_own_feature() -> None:
    mono, two = Waveform(8000), Waveform(8000, channels=2)
    assert torch.equal(encode(mono, noise(mono, 50)), noise(mono, 50))
    assert torch.equal(encode(two, noise(two, 50)), noise(two, 50))


def test_an_encoder_of_the_whole_recording_gives_nothing_before_the_end() -> None:
    encoder = WholeRecordingEncoder(lambda x: x.mean(1, keepdim=True).unsqueeze(2), 8000, 1.0, 1)
    features, state = encoder.step(encoder.begin(2), torch.ones(2, 30))
    assert features.shape == (2, 0, 1)
    assert encoder.finish(state).flatten().tolist() == [1, 1]
    assert encoder.finish(encoder.begin(2)).shape == (2, 0, 1)


def test_deepspeech_takes_a_model_of_its_interface() -> None:
    encoder = deepspeech_encoder(lambda rows: rows[:, :29])
    assert encode(encoder, torch.rand(2, 16000)).shape == (2, 49, 29)
    with pytest.raises(ConfigError, match="DeepSpeech"):
        load_encoder("deepspeech")


@pytest.mark.parametrize("prefix", ["", "wav2vec2."])
@pytest.mark.parametrize("kind", ["base", "xlsr"])
def test_weights_of_the_user_are_read_by_their_shapes(
    kind: str, prefix: str, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    model = Hubert(SMALL).eval() if kind == "base" else Wav2Vec2(64, 1, 1, 32, (8,) * 7, 16, 4)
    tensors = dict(model.state_dict())
    if kind == "xlsr":
        weight = tensors.pop("encoder.pos_conv_embed.conv.weight")
        norm = weight.pow(2).sum((0, 1), keepdim=True).sqrt()
        tensors["encoder.pos_conv_embed.conv.weight_g"] = norm
        tensors["encoder.pos_conv_embed.conv.weight_v"] = weight
    tensors = {prefix + name: tensor.contiguous() for name, tensor in tensors.items()}
    save_file({**tensors, "lm_head.weight": torch.zeros(3)}, tmp_path / "m.safetensors")
    encoder = load_encoder("wav2vec2", tmp_path / "m.safetensors", dim=64)
    features = encode(encoder, torch.rand(1, 8000))
    assert features.shape[0::2] == (1, 64)
    assert abs(features.shape[1] - 25) <= 1


def test_what_cannot_be_loaded_is_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="phonetic"):
        load_encoder("phonetics")
    with pytest.raises(ConfigError, match="256"):
        load_encoder("phonetic", dim=7)
    with pytest.raises(ConfigError, match="dim"):
        load_encoder("bands")
    for name in ("hubert", "mimi"):
        with pytest.raises(ConfigError, match="weights"):
            load_encoder(name)
    with pytest.raises(ConfigError, match="no weights"):
        load_encoder("binaural", tmp_path / "x")
    save_file({"a": torch.zeros(1)}, tmp_path / "other.safetensors")
    with pytest.raises(CheckpointError, match="missing"):
        load_encoder("hubert", tmp_path / "other.safetensors")
    assert isinstance(load_encoder("bands", dim=3), BandEncoder)
