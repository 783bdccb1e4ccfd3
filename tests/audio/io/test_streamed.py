"""Files whose header was written before the sound, and codecs that cannot seek."""

from __future__ import annotations

import logging
import struct
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile

from motet.audio import read_audio
from motet.errors import AudioError
from tests.audio.sounds import encode_packed, lag, speechlike

RATE = 16_000
SOUND = speechlike(2 * RATE, RATE)
PLACEHOLDERS = [0, 2_000_000_000, 0x7FFFF000, 0x7FFFFFF0, 0x7FFFFFFF, 0xFFFFFFFF, 0xFFFFFFDB]


def streamed(path: Path, declared: int, *, channels: int = 1, subtype: str = "PCM_16") -> Path:
    """A file as a program writes it into a pipe: `declared` bytes of sound in its header."""
    sound = speechlike(2 * RATE, RATE, channels)
    soundfile.write(path, sound.T, RATE, subtype=subtype)
    data = bytearray(path.read_bytes())
    name, order = (b"SSND", ">") if data[:4] == b"FORM" else (b"data", "<")
    struct.pack_into(f"{order}I", data, data.find(name) + 4, declared)
    struct.pack_into(f"{order}I", data, 4, min(declared + 36, 0xFFFFFFFF))
    path.write_bytes(data)
    return path


@pytest.mark.parametrize("declared", PLACEHOLDERS)
@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW"])
def test_a_streamed_wav_is_read_to_its_end_with_a_note(
    tmp_path: Path, declared: int, subtype: str, caplog: pytest.LogCaptureFixture
) -> None:
    soundfile.write(tmp_path / "whole.wav", SOUND.T, RATE, subtype=subtype)
    expected = read_audio(tmp_path / "whole.wav")
    assert not caplog.records
    path = streamed(tmp_path / "a.wav", declared, subtype=subtype)
    with caplog.at_level(logging.WARNING, "motet.audio"):
        audio = read_audio(path)
    assert audio.sample_rate == RATE and audio.layout == "mono"
    # Behind the samples of a float file there is a chunk that only the length would exclude.
    assert 0 <= audio.samples.shape[1] - 2 * RATE <= 32
    assert np.allclose(audio.samples[:, : 2 * RATE], expected.samples, atol=1e-6)
    assert [r.getMessage() for r in caplog.records] == [
        f"{path} does not declare its length (a stream?): read to its end, {audio.seconds:.2f} s"
    ]


@pytest.mark.parametrize("declared", PLACEHOLDERS)
def test_streamed_stereo_and_aiff(tmp_path: Path, declared: int) -> None:
    stereo = read_audio(streamed(tmp_path / "a.wav", declared, channels=2))
    assert np.abs(stereo.samples.numpy() - speechlike(2 * RATE, RATE, 2)).max() < 1e-4
    aiff = read_audio(streamed(tmp_path / "a.aiff", declared))
    assert aiff.samples.shape == (1, 2 * RATE)
    assert np.abs(aiff.samples.numpy() - SOUND).max() < 1e-4


@pytest.mark.parametrize("declared", [0, 2**63 - 1, 2**64 - 1])
def test_a_streamed_rf64_file_is_read_to_its_end(tmp_path: Path, declared: int) -> None:
    pcm = np.round(SOUND[0] * 32767).astype("<i2").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, RATE, 2 * RATE, 2, 16)
    sizes = struct.pack("<4sIQQQI", b"ds64", 28, declared, declared, declared // 2, 0)
    head = b"RF64\xff\xff\xff\xffWAVE" + sizes + form + b"data\xff\xff\xff\xff"
    (tmp_path / "a.wav").write_bytes(head + pcm)
    audio = read_audio(tmp_path / "a.wav")
    assert audio.samples.shape == SOUND.shape
    assert np.abs(audio.samples.numpy() - SOUND).max() < 1e-4


def test_an_empty_wav_with_a_list_of_tags_behind_stays_empty(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.zeros((0, 1)), RATE, subtype="PCM_16")
    data = (tmp_path / "a.wav").read_bytes()
    (tmp_path / "a.wav").write_bytes(data + b"LIST\x08\0\0\0INFOabcd")
    with pytest.raises(AudioError, match="without any samples"):
        read_audio(tmp_path / "a.wav")


@pytest.mark.parametrize(
    "subtype", ["GSM610", "G721_32", "NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32", "IMA_ADPCM"]
)
@pytest.mark.parametrize("rate", [8_000, 16_000])
def test_codecs_that_cannot_seek_are_read(tmp_path: Path, subtype: str, rate: int) -> None:
    sound = speechlike(rate * 2, rate)
    soundfile.write(tmp_path / "a.wav", sound.T, rate, subtype=subtype)
    audio = read_audio(tmp_path / "a.wav")
    assert audio.sample_rate == rate
    # The last block is filled up.
    assert 0 <= audio.samples.shape[1] - 2 * rate < 1024
    assert abs(lag(audio.samples[0].numpy(), sound[0])) <= 4
    correlation = np.corrcoef(audio.samples[0, : 2 * rate].numpy(), sound[0])[0, 1]
    assert correlation > 0.7


@pytest.mark.parametrize("channels", [6, 8, 10, 12, 16, 24])
@pytest.mark.parametrize("ending,codec", [(".mka", "pcm_s16le"), (".mka", "pcm_f32le")])
def test_many_channels_through_ffmpeg(
    tmp_path: Path, channels: int, ending: str, codec: str
) -> None:
    sound = speechlike(RATE, RATE, channels)
    audio = read_audio(encode_packed(tmp_path / f"a{ending}", sound, RATE, codec))
    assert audio.samples.shape == sound.shape
    assert np.abs(audio.samples.numpy() - sound).max() < 1e-4


@pytest.mark.parametrize("codec", ["aac", "libopus", "flac"])
def test_eight_planar_channels(tmp_path: Path, codec: str) -> None:
    rate = 48_000
    sound = speechlike(rate, rate, 8)
    path = encode_packed(tmp_path / "a.mka", sound, rate, codec, layout="7.1")
    audio = read_audio(path)
    assert audio.samples.shape[0] == 8
    for channel in (0, 2, 5, 7):  # the fourth is the bass loudspeaker
        found = audio.samples[channel, :rate].numpy()
        assert np.corrcoef(found[: len(sound[0])], sound[channel, : len(found)])[0, 1] > 0.8


def test_a_flac_that_claims_hours_allocates_nothing_for_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    soundfile.write(tmp_path / "a.flac", SOUND.T, RATE)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    # Stream information: bytes 21 to 25 hold the number of samples in 36 bits.
    data[21] = data[21] & 0xF0
    struct.pack_into(">I", data, 22, 842_000_000)
    (tmp_path / "a.flac").write_bytes(data)
    largest = 0
    original = soundfile.SoundFile.read

    def read(self: soundfile.SoundFile, frames: int = -1, **options: object) -> np.ndarray:
        nonlocal largest
        largest = max(largest, self.frames if frames < 0 else frames)
        return original(self, frames, **options)

    monkeypatch.setattr(soundfile.SoundFile, "read", read)
    with pytest.raises(AudioError, match="truncated|damaged|not a sound"):
        read_audio(tmp_path / "a.flac")
    assert 0 < largest <= 2**18


def test_a_flac_of_unknown_length_is_read(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", SOUND.T, RATE)
    data = bytearray((tmp_path / "a.flac").read_bytes())
    data[21] = data[21] & 0xF0
    struct.pack_into(">I", data, 22, 0)
    (tmp_path / "a.flac").write_bytes(data)
    assert read_audio(tmp_path / "a.flac").samples.shape == SOUND.shape


def test_ffmpeg_has_the_codecs_of_these_tests() -> None:
    assert {"aac", "libopus", "flac"} <= av.codecs_available
