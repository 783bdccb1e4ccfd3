"""Videos with several sound tracks, and surround layouts of files."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import soundfile
from av.stream import Disposition

from motet.audio import read_audio
from motet.errors import AudioError
from tests.audio.sounds import encode_packed, lag, speechlike

RATE = 48_000
SPEECH = speechlike(RATE, RATE)[0]
SILENCE = np.zeros(RATE, np.float32)
STEADY = (0.1 * np.random.default_rng(1).standard_normal(RATE)).astype(np.float32)


def film(
    path: Path, tracks: Sequence[np.ndarray], defaults: Sequence[bool], codec: str = "aac"
) -> Path:
    with av.open(str(path), "w") as container:
        streams = []
        for default in defaults:
            stream = container.add_stream(codec, rate=RATE)
            stream.layout = "mono"
            stream.disposition = Disposition.default if default else Disposition(0)
            streams.append(stream)
        for stream, sound in zip(streams, tracks, strict=True):
            frame = av.AudioFrame.from_ndarray(sound[None], format="flt", layout="mono")
            frame.sample_rate, frame.time_base, frame.pts = RATE, Fraction(1, RATE), 0
            container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
    return path


def taken(path: Path, wanted: np.ndarray, track: int | None = None) -> bool:
    found = read_audio(path, track=track).samples[0].numpy()
    size = min(len(found), len(wanted))
    return bool(np.corrcoef(found[:size], wanted[:size])[0, 1] > 0.95)


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_a_silent_default_track_gives_way_to_the_one_with_speech(
    tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = film(tmp_path / f"a{ending}", [SILENCE, SPEECH, STEADY], [True, False, False])
    assert taken(path, SPEECH)
    assert [record.getMessage() for record in caplog.records] == [
        f"{path} has 3 sound tracks: number 2 is taken, it has the most speech; --track chooses"
        " another"
    ]


@pytest.mark.parametrize("ending", [".mkv", ".mp4"])
def test_the_default_track_is_taken(
    tmp_path: Path, ending: str, caplog: pytest.LogCaptureFixture
) -> None:
    other = speechlike(RATE, RATE, seed=5)[0]
    path = film(tmp_path / f"a{ending}", [SPEECH, 0.2 * other], [False, True])
    assert taken(path, other)
    assert "number 2 is taken, it is marked as default" in caplog.text


@pytest.mark.parametrize("defaults", [[False] * 3, [True] * 3])
def test_without_one_default_the_track_with_speech_is_taken(
    tmp_path: Path, defaults: list[bool]
) -> None:
    path = film(tmp_path / "a.mkv", [STEADY, SILENCE, 0.3 * SPEECH], defaults)
    assert taken(path, SPEECH)


def test_a_track_can_be_chosen(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    other = speechlike(RATE, RATE, seed=5)[0]
    path = film(tmp_path / "a.mkv", [SPEECH, other], [True, False])
    assert taken(path, SPEECH, 1) and taken(path, other, 2)
    assert not caplog.records
    for track in (0, 3):
        with pytest.raises(AudioError, match="it has 2"):
            read_audio(path, track=track)
    soundfile.write(tmp_path / "a.wav", SPEECH, RATE)
    assert taken(tmp_path / "a.wav", SPEECH, 1)
    with pytest.raises(AudioError, match="it has 1"):
        read_audio(tmp_path / "a.wav", track=2)


@pytest.mark.parametrize(
    "ending,codec", [(".m4a", "aac"), (".mka", "ac3"), (".mka", "libopus"), (".flac", "flac")]
)
@pytest.mark.parametrize("layout,channels", [("5.1", 6), ("7.1", 8)])
def test_surround_sound_keeps_its_layout_and_its_centre(
    tmp_path: Path, ending: str, codec: str, layout: str, channels: int
) -> None:
    if codec == "ac3" and channels == 8:
        pytest.skip("AC-3 has no more than 5.1")
    sound = 0.2 * speechlike(RATE, RATE, channels, seed=3)
    sound[2] = SPEECH
    audio = read_audio(encode_packed(tmp_path / f"a{ending}", sound, RATE, codec, layout=layout))
    assert audio.layout == layout
    found = audio.samples[2].numpy()
    start = max(0, lag(found, SPEECH))
    size = min(len(found) - start, RATE - 2000)
    assert np.corrcoef(found[start : start + size], SPEECH[:size])[0, 1] > 0.95


@pytest.mark.parametrize("channels,layout", [(3, "3.0"), (5, "5.0"), (6, "5.1"), (8, "7.1")])
def test_vorbis_has_its_channels_put_in_order(tmp_path: Path, channels: int, layout: str) -> None:
    sound = 0.2 * speechlike(RATE, RATE, channels, seed=3)
    sound[1] = SPEECH  # the centre comes second
    soundfile.write(tmp_path / "a.ogg", sound.T, RATE, subtype="VORBIS", format="OGG")
    audio = read_audio(tmp_path / "a.ogg")
    assert audio.layout == layout and audio.samples.shape == sound.shape
    assert np.corrcoef(audio.samples[2].numpy(), SPEECH)[0, 1] > 0.95


@pytest.mark.parametrize(
    "channels,mask,layout",
    [(6, 0x3F, "5.1"), (6, 0x60F, "5.1"), (8, 0x63F, "7.1"), (6, 0, "other"), (6, 0x33, "other")],
)
def test_the_channel_mask_of_a_wav_names_its_layout(
    tmp_path: Path, channels: int, mask: int, layout: str
) -> None:
    sound = speechlike(1000, RATE, channels)
    soundfile.write(tmp_path / "a.wav", sound.T, RATE, subtype="PCM_16", format="WAVEX")
    data = bytearray((tmp_path / "a.wav").read_bytes())
    struct.pack_into("<I", data, data.find(b"fmt ") + 8 + 20, mask)
    (tmp_path / "a.wav").write_bytes(data)
    audio = read_audio(tmp_path / "a.wav")
    assert audio.layout == layout
    assert np.abs(audio.samples.numpy() - sound).max() < 1e-4
