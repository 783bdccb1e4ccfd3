from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.audio import (
    StreamResampler,
    encode_flac,
    read_audio,
    read_pcm,
    resample,
    to_mono,
    write_audio,
)
from motet.audio.resampling import resampled_length
from motet.errors import AudioError, InputError
from motet.types import Audio
from tests.audio.sounds import speechlike

RATES = st.sampled_from([8_000, 11_025, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])


def pieces(whole: torch.Tensor, cuts: list[int]) -> list[torch.Tensor]:
    borders = [0, *sorted(min(cut, whole.shape[-1]) for cut in cuts), whole.shape[-1]]
    return [whole[..., a:b] for a, b in zip(borders, borders[1:], strict=False)]


@settings(deadline=None, max_examples=60)
@given(
    source=RATES,
    target=RATES,
    samples=st.integers(0, 9_000),
    cuts=st.lists(st.integers(0, 9_000), max_size=8),
    channels=st.integers(1, 3),
)
def test_every_cutting_of_a_stream_resamples_the_same(
    source: int, target: int, samples: int, cuts: list[int], channels: int
) -> None:
    sound = torch.from_numpy(
        np.random.default_rng(samples).uniform(-1, 1, (channels, samples)).astype(np.float32)
    )
    stream = StreamResampler(source, target, channels)
    found = torch.cat(
        [*(stream.push(piece) for piece in pieces(sound, cuts)), stream.finish()], dim=-1
    )
    whole = resample(Audio(sound, source, "other"), target)
    assert (
        whole.samples.shape
        == (channels, resampled_length(samples, source, target))
        == tuple(found.shape)
    )
    assert torch.equal(found, whole.samples)


@pytest.mark.parametrize("target", [16_000, 44_100, 48_000])
def test_resampling_keeps_time_level_and_pitch(target: int) -> None:
    time = torch.arange(24_000) / 24_000
    sound = Audio.mono(
        0.5 * torch.sin(2 * torch.pi * 440 * time) * torch.sin(torch.pi * time) ** 2, 24_000
    )
    found = resample(sound, target)
    wanted_time = torch.arange(target) / target
    expected = (
        0.5 * torch.sin(2 * torch.pi * 440 * wanted_time) * torch.sin(torch.pi * wanted_time) ** 2
    )
    assert (found.samples[0] - expected).abs().max() < 3e-4


def test_resampling_keeps_batches_apart() -> None:
    batch = torch.rand(2, 3, 800) - 0.5
    found = resample(Audio(batch, 8_000, "other"), 16_000).samples
    assert found.shape == (2, 3, 1600)
    assert torch.equal(found[1], resample(Audio(batch[1], 8_000, "other"), 16_000).samples)
    with pytest.raises(AudioError, match="positive"):
        resample(Audio(batch, 8_000, "other"), 0)


def test_a_stream_is_heard_before_it_ends() -> None:
    stream = StreamResampler(48_000, 16_000)
    given_back = stream.push(torch.zeros(1, 48_000)).shape[1]
    assert 16_000 - given_back < 16_000 * 0.03
    with pytest.raises(AudioError, match="2, 10"):
        stream.push(torch.zeros(2, 10))


def test_mono_is_the_mean_or_the_omnidirectional_channel() -> None:
    stereo = Audio(torch.tensor([[1.0, 0.0], [0.0, 1.0]]), 8_000, "stereo")
    assert to_mono(stereo).samples.tolist() == [[0.5, 0.5]]
    assert to_mono(stereo).layout == "mono"
    foa = Audio(torch.arange(8.0).reshape(4, 2), 8_000, "foa")
    assert to_mono(foa).samples.tolist() == [[0.0, 1.0]]
    assert to_mono(Audio(torch.ones(5, 3, 4), 8_000, "other")).samples.shape == (5, 1, 4)


class Trickle(io.RawIOBase):
    """A pipe that gives few bytes at a time."""

    def __init__(self, data: bytes, step: int) -> None:
        self.data, self.step = data, step

    def read1(self, size: int) -> bytes:
        some, self.data = self.data[: min(self.step, size)], self.data[min(self.step, size) :]
        return some


@given(
    step=st.integers(1, 40),
    channels=st.integers(1, 3),
    encoding=st.sampled_from(["s16le", "f32le"]),
    extra=st.integers(0, 1),
)
def test_raw_sound_arrives_whole(step: int, channels: int, encoding: str, extra: int) -> None:
    expected = np.arange(-30, 30).reshape(-1, channels) / 64
    raw = (
        (expected * 32768).astype("<i2").tobytes()
        if encoding == "s16le"
        else expected.astype("<f4").tobytes()
    )
    found = list(
        read_pcm(
            Trickle(raw + b"\7" * extra, step),
            16_000,
            channels=channels,
            encoding=encoding,
            block=4,
        )
    )
    assert np.array_equal(
        np.concatenate([piece.samples.numpy() for piece in found], axis=1),
        expected.T.astype(np.float32),
    )
    assert all(piece.samples.shape[1] <= 5 for piece in found)


def test_raw_sound_is_checked() -> None:
    with pytest.raises(AudioError, match="positive"):
        next(read_pcm(io.BytesIO(b"1234"), 16_000, channels=0))
    with pytest.raises(AudioError, match="s16le, f32le"):
        next(read_pcm(io.BytesIO(b"1234"), 16_000, encoding="u8"))
    with pytest.raises(AudioError, match="finite"):
        next(read_pcm(io.BytesIO(np.array([np.nan], "<f4").tobytes()), 16_000, encoding="f32le"))


@pytest.mark.parametrize("ending", [".wav", ".flac"])
def test_writing_and_reading_is_the_same_sound(tmp_path: Path, ending: str) -> None:
    sound = torch.from_numpy(np.round(speechlike(500, 16_000, 2) * 2**15) / 2**15)
    write_audio(Audio(sound, 16_000, "stereo"), tmp_path / f"a{ending}")
    assert torch.equal(read_audio(tmp_path / f"a{ending}").samples, sound)
    assert [p.name for p in tmp_path.iterdir()] == [f"a{ending}"]


def test_flac_bytes_keep_every_bit(tmp_path: Path) -> None:
    sound = torch.tensor([[-1.0, 1 - 2**-15, 0.5, 2**-15, -(2**-15)]])
    (tmp_path / "a.flac").write_bytes(encode_flac(sound, 16_000, 16))
    assert torch.equal(read_audio(tmp_path / "a.flac").samples, sound)


def test_writing_refuses_what_it_cannot_do(tmp_path: Path) -> None:
    sound = Audio(torch.zeros(1, 10), 16_000)
    for bad, path, subtype in (
        (sound, tmp_path / "a.mp3", None),
        (sound, tmp_path / "a.flac", "FLOAT"),
        (Audio(torch.zeros(2, 1, 10), 16_000), tmp_path / "a.wav", None),
        (Audio(torch.zeros(9, 10), 16_000, "other"), tmp_path / "a.flac", None),
        (sound, tmp_path / "none" / "a.wav", None),
    ):
        with pytest.raises(InputError):
            write_audio(bad, path, subtype=subtype)
    assert list(tmp_path.iterdir()) == []
