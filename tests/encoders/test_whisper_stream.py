"""Whisper's encoder as a stream: the chunking law, agreement with whole windows, what is seen."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motet.audio import resample, to_mono
from motet.audio.io.read import read_audio
from motet.encoders.base import encode
from motet.encoders.whisper import WhisperEncoder, log_mel
from motet.encoders.whisper import stream as module
from motet.encoders.whisper.config import WhisperConfig, WhisperStreaming
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_network
from motet.encoders.whisper.network import steps_of_samples
from motet.encoders.whisper.stream import StreamingWindows
from motet.errors import AudioError, ConfigError

DEMO = Path(__file__).parents[2] / "examples" / "demo.flac"
SMALL = WhisperStreaming(look_ahead=3, hop=2, past=20, refresh=4)


@pytest.fixture(scope="module")
def network() -> WhisperEncoder:
    torch.manual_seed(0)
    return WhisperEncoder(WhisperConfig(8, 2, 2)).eval().requires_grad_(False)


def sound(seconds: float, seed: int = 0) -> torch.Tensor:
    return 0.1 * torch.randn(round(seconds * 16000), generator=torch.Generator().manual_seed(seed))


def streamed(windows: StreamingWindows, samples: torch.Tensor, chunk: int) -> torch.Tensor:
    state, parts = windows.begin(), []
    for piece in samples.split(chunk):
        features, state = windows.step(state, piece)
        parts.append(features)
    return torch.cat([*parts, windows.finish(state)])


@pytest.mark.parametrize("chunk", [1, 160, 777, 5000])
def test_every_chunking_gives_the_same_bits(network: WhisperEncoder, chunk: int) -> None:
    windows = StreamingWindows(network, SMALL)
    samples = sound(3.0 if chunk > 1 else 0.3)
    whole = streamed(windows, samples, len(samples))
    assert len(whole) == steps_of_samples(len(samples))
    assert torch.equal(streamed(windows, samples, chunk), whole)


@pytest.mark.parametrize("samples", [1, 300, 5000])
def test_every_length_has_its_steps(network: WhisperEncoder, samples: int) -> None:
    windows = StreamingWindows(network, SMALL)
    assert len(streamed(windows, sound(1.0)[:samples], 100)) == steps_of_samples(samples)


def test_the_first_block_equals_the_window_that_it_sees(network: WhisperEncoder) -> None:
    settings = WhisperStreaming(look_ahead=10, hop=40)
    samples = sound(2.0)
    samples[:800] = 0  # Silence, because the whole window mirrors the sound at its beginning.
    samples[1000:2000] *= 30
    windows = StreamingWindows(network, settings)
    first, _ = windows.step(windows.begin(), samples[: 50 * 320 + 200])
    x = network.convolve(log_mel(samples[None]))[:, :50] + network.positions[:50]
    for layer in network.layers:
        x = layer(x)
    torch.testing.assert_close(first, network.norm(x)[0, :40])


def test_a_feature_sees_the_past_and_its_look_ahead_only(network: WhisperEncoder) -> None:
    windows = StreamingWindows(network, SMALL)
    samples = sound(2.0)
    changed = samples.clone()
    changed[16000:] = sound(1.0, seed=1)
    a, b = streamed(windows, samples, 1600), streamed(windows, changed, 1600)
    equal = (a == b).all(1)
    # A step in a block of `hop` sees `look_ahead` steps after the block, and 200 samples more.
    last = (16000 - 200) // 320 - SMALL.look_ahead
    assert bool(equal[: last // SMALL.hop * SMALL.hop].all()) and not bool(equal[50:].any())


def test_features_come_with_the_stated_look_ahead(network: WhisperEncoder) -> None:
    encoder = WhisperAudioEncoder(network, "", SMALL)
    samples = round((1.0 + encoder.look_ahead_s) * 16000)
    features, _ = encoder.step(encoder.begin(1), sound(2.0)[None, :samples])
    assert features.shape[1] >= 50
    features, _ = encoder.step(encoder.begin(1), sound(2.0)[None, : samples - 16000 // 50 * 2])
    assert features.shape[1] <= 50


def test_positions_start_again(network: WhisperEncoder, monkeypatch: pytest.MonkeyPatch) -> None:
    windows, samples = StreamingWindows(network, SMALL), sound(4.0)
    far = streamed(windows, samples, 1600)
    monkeypatch.setattr(module, "FARTHEST", 60)
    near = streamed(windows, samples, 1600)
    assert torch.equal(near[:54], far[:54]) and not torch.equal(near, far)
    assert torch.equal(near, streamed(windows, samples, 333))
    assert bool(torch.isfinite(near).all())


def test_memory_is_flat(network: WhisperEncoder) -> None:
    windows, sizes = StreamingWindows(network, SMALL), []
    state = windows.begin()
    for piece in sound(6.0).split(1000):
        _, state = windows.step(state, piece)
        sizes.append(
            sum(len(p) for p in state.pieces)
            + state.steps.numel()
            + sum(k.numel() + v.numel() for k, v in state.past)
        )
    assert max(sizes[60:]) <= max(sizes[:60])


def test_rows_that_are_equal_are_encoded_once_and_others_alone(network: WhisperEncoder) -> None:
    encoder = WhisperAudioEncoder(network, "", SMALL)
    a, b = sound(1.0), sound(1.0, seed=1)
    b[:4000] = a[:4000]
    features = encode(encoder, torch.stack([a, b]))
    for row, samples in zip(features, (a, b), strict=True):
        assert torch.equal(row, encode(encoder, samples[None])[0])
    state = encoder.begin(2)
    _, state = encoder.step(state, torch.stack([a, b])[:, :4000])
    assert len(state.rows) == 1


def test_a_stream_is_close_to_the_recording_as_a_whole() -> None:
    """Shipped weights: features with 0.3 s of look-ahead resemble those of the whole window."""
    encoder = WhisperAudioEncoder(*load_network())
    samples = resample(to_mono(read_audio(DEMO)), 16000).samples
    whole, near = encode(encoder, samples)[0], encode(encoder.streaming(0.3), samples)[0]
    rounded = encode(encoder.streaming(0.3, precision="int8"), samples)[0]
    scale = (whole - whole.mean(0)).norm()
    assert float((near - whole).norm() / scale) < 0.6
    # The error of int8 is small beside that of the missing sound.
    assert 0 < float((rounded - near).norm() / scale) < 0.2


def test_settings_out_of_range_and_bad_samples_are_refused(network: WhisperEncoder) -> None:
    encoder = WhisperAudioEncoder(network)
    with pytest.raises(ConfigError, match="look_ahead"):
        encoder.streaming(look_ahead_s=3.0)
    with pytest.raises(ConfigError, match="hop"):
        encoder.streaming(hop_s=0.0)
    for bad in (torch.zeros(1, 2, 100), torch.zeros(1, 100, dtype=torch.int16)):
        with pytest.raises(AudioError):
            encoder.step(encoder.begin(1), bad)
    with pytest.raises(AudioError, match="finite"):
        encoder.step(encoder.begin(1), torch.full((1, 10), torch.nan))
