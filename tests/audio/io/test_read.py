from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from motet.audio import read_audio
from motet.errors import AudioError
from tests.audio.sounds import encode, lag, speechlike

RATE = 16_000
SOUND = speechlike(RATE + 37, RATE)


LOSSLESS = [
    (".wav", "PCM_16"),
    (".wav", "FLOAT"),
    (".wav", "PCM_24"),
    (".wav", "ULAW"),
    (".flac", "PCM_16"),
    (".aiff", "PCM_16"),
]
CODECS = [
    (".mp3", "libmp3lame"),
    (".m4a", "aac"),
    (".mp4", "aac"),
    (".webm", "libopus"),
    (".opus", "libopus"),
    (".mka", "aac"),
    (".mka", "flac"),
]


@pytest.mark.parametrize("ending,subtype", LOSSLESS)
@pytest.mark.parametrize("channels", [1, 2, 3])
def test_lossless_files_are_read_exactly(
    tmp_path: Path, ending: str, subtype: str, channels: int
) -> None:
    sound = speechlike(1234, 22_050, channels)
    soundfile.write(tmp_path / f"a{ending}", sound.T, 22_050, subtype=subtype)
    audio = read_audio(tmp_path / f"a{ending}")
    expected, _ = soundfile.read(tmp_path / f"a{ending}", dtype="float32", always_2d=True)
    assert audio.sample_rate == 22_050
    three = "3.0" if ending == ".flac" else "other"
    assert audio.layout == {1: "mono", 2: "stereo", 3: three}[channels]
    assert np.array_equal(audio.samples.numpy(), expected.T)
    assert np.abs(audio.samples.numpy() - sound).max() < (0.02 if subtype == "ULAW" else 1e-4)


@pytest.mark.parametrize("subtype", ["PCM_16", "ULAW"])
def test_sphere_files_are_read_whatever_their_name(tmp_path: Path, subtype: str) -> None:
    path = tmp_path / "sx127.WAV"  # as TIMIT calls them
    soundfile.write(path, SOUND[0], RATE, subtype, format="NIST")
    audio = read_audio(path)
    assert audio.sample_rate == RATE and audio.samples.shape == SOUND.shape
    assert np.abs(audio.samples.numpy() - SOUND).max() < 0.03


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("ending,codec", CODECS)
def test_decoders_start_where_the_sound_started(
    tmp_path: Path, rate: int, ending: str, codec: str
) -> None:
    if codec == "libopus" and rate not in (8_000, 16_000, 48_000):
        pytest.skip("Opus has no such rate")
    sound = speechlike(rate + 37, rate)
    audio = read_audio(encode(tmp_path / f"a{ending}", sound, rate, codec))
    found = audio.samples[0].numpy()
    if codec == "libopus":
        assert audio.sample_rate == 48_000
        found = found[:: 48_000 // rate]
    else:
        assert audio.sample_rate == rate
    assert abs(lag(found, sound[0])) <= 2
    # Containers keep the end to a millisecond, Matroska to two.
    assert abs(len(found) - sound.shape[1]) <= 2 * rate // 1000 + 1


@pytest.mark.parametrize(
    "ending,options",
    [
        (".mp4", {"movflags": "frag_keyframe+empty_moov"}),
        (".m4a", {"use_editlist": "0"}),
        (".ts", {}),
        (".flv", {}),
        (".aac", {}),
        (".mkv", {}),
    ],
)
@pytest.mark.parametrize("picture_s", [0.0, 2.0])
def test_priming_of_ffmpeg_is_removed_where_the_file_does_not_declare_it(
    tmp_path: Path, ending: str, options: dict[str, str], picture_s: float
) -> None:
    if ending == ".aac" and picture_s:
        pytest.skip("a raw stream has no picture")
    sound = speechlike(2 * 44_100, 44_100)
    path = encode(
        tmp_path / f"a{ending}", sound, 44_100, "aac", options=options, picture_s=picture_s
    )
    found = read_audio(path).samples[0].numpy()
    assert abs(lag(found, sound[0])) <= 2
    # The rest do not say where the last frame's padding begins.
    padding = 88 if ending in (".mp4", ".m4a", ".mkv") and not picture_s else 1024
    assert 0 <= len(found) - sound.shape[1] <= padding


@pytest.mark.parametrize(
    "ending,codec,rate,late",
    [
        (".wav", "libmp3lame", 44_100, 1105), (".avi", "libmp3lame", 44_100, 1105),
        (".flv", "libmp3lame", 44_100, 1105), (".mp2", "mp2", 44_100, 481),
        (".ac3", "ac3", 48_000, 256),
    ],
)  # fmt: skip
def test_lags_that_the_table_of_formats_states(
    tmp_path: Path, ending: str, codec: str, rate: int, late: int
) -> None:
    sound = speechlike(2 * rate + 37, rate)
    found = read_audio(encode(tmp_path / f"a{ending}", sound, rate, codec)).samples[0].numpy()
    assert abs(lag(found, sound[0]) - late) <= 2


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100])
@pytest.mark.parametrize("codec", ["wmav1", "wmav2"])
def test_wma_of_ffmpeg_starts_where_the_sound_started(
    tmp_path: Path, codec: str, rate: int
) -> None:
    sound = speechlike(rate + 37, rate)
    found = read_audio(encode(tmp_path / "a.wma", sound, rate, codec)).samples[0].numpy()
    assert abs(lag(found, sound[0])) <= 2
    assert 0 <= len(found) - sound.shape[1] <= 2048


def test_priming_of_another_encoder_stays_as_the_table_of_formats_states(tmp_path: Path) -> None:
    path = encode(tmp_path / "a.aac", SOUND, RATE, "aac")
    data = path.read_bytes()
    assert b"Lavc" in data[:64]
    # An encoder that leaves no name in the stream.
    path.write_bytes(data.replace(b"Lavc", b"Encd", 1))
    found = read_audio(path).samples[0].numpy()
    assert abs(lag(found, SOUND[0]) - 1024) <= 2


def test_ogg_vorbis_keeps_start_and_length(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.ogg", SOUND.T, RATE, subtype="VORBIS", format="OGG")
    audio = read_audio(tmp_path / "a.ogg")
    assert audio.samples.shape == SOUND.shape
    assert lag(audio.samples[0].numpy(), SOUND[0]) == 0


def test_sound_that_begins_after_its_picture_stays_on_the_clock_of_the_picture(
    tmp_path: Path,
) -> None:
    audio = read_audio(encode(tmp_path / "a.mp4", SOUND, RATE, "aac", delay_s=0.5, picture_s=2.0))
    found = audio.samples[0].numpy()
    assert np.abs(found[: RATE // 2 - 64]).max() < 0.02
    assert abs(lag(found[RATE // 2 :], SOUND[0])) <= RATE // 500


def test_stereo_keeps_its_sides(tmp_path: Path) -> None:
    sound = speechlike(RATE, RATE, 2)
    sound[1] = 0
    audio = read_audio(encode(tmp_path / "a.mp3", sound, RATE, "libmp3lame"))
    assert audio.layout == "stereo"
    assert audio.samples[0].abs().max() > 0.3 > 10 * audio.samples[1].abs().max()


def test_one_sample_is_a_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.wav", np.array([[0.25]]), RATE, subtype="FLOAT")
    assert read_audio(tmp_path / "a.wav").samples.tolist() == [[0.25]]


def test_digital_silence_is_sound(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "a.flac", np.zeros((RATE, 1)), RATE)
    assert read_audio(tmp_path / "a.flac").samples.abs().max() == 0


def wav(
    tmp_path: Path,
    *,
    size: int | None = None,
    channels: int = 1,
    rate: int = RATE,
    data: bytes = b"\0\1" * 800,
) -> Path:
    """A 16-bit WAV file whose header may lie."""
    size = len(data) if size is None else size
    form = struct.pack(
        "<4sIHHIIHH", b"fmt ", 16, 1, channels, rate, rate * 2 * channels, 2 * channels, 16
    )
    head = (
        struct.pack("<4sI4s", b"RIFF", 36 + len(data), b"WAVE")
        + form
        + struct.pack("<4sI", b"data", size)
    )
    (tmp_path / "lie.wav").write_bytes(head + data)
    return tmp_path / "lie.wav"


def refused(path: Path, pattern: str) -> None:
    with pytest.raises(AudioError, match=pattern) as caught:
        read_audio(path)
    assert "\n" not in str(caught.value)


def test_headers_that_lie_are_refused(tmp_path: Path) -> None:
    refused(wav(tmp_path, size=0, data=b""), "without any samples")
    refused(wav(tmp_path, size=0x06000000), r"declares 3145.73 s, only 0.05 s can be read")
    refused(wav(tmp_path, channels=0), "0 channels")
    refused(wav(tmp_path, rate=0), "0 samples per second")


def test_values_that_are_no_sound_are_refused(tmp_path: Path) -> None:
    for value, pattern in (
        (np.nan, r"not finite .* first at 0\.100 s"),
        (np.inf, "not finite"),
        (20_000.0, "as large as 2e"),
    ):
        sound = np.zeros((RATE, 1), np.float32)
        sound[RATE // 10] = value
        soundfile.write(tmp_path / "a.wav", sound, RATE, subtype="FLOAT")
        refused(tmp_path / "a.wav", pattern)


def test_no_file_no_sound(tmp_path: Path) -> None:
    refused(tmp_path, "is a folder")
    refused(tmp_path / "none.wav", "does not exist")
    (tmp_path / "empty.wav").touch()
    refused(tmp_path / "empty.wav", "is empty")
    (tmp_path / "text.mp3").write_text("this is not a sound, it is a letter. " * 50)
    refused(tmp_path / "text.mp3", "not a sound")
    (tmp_path / "a.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    refused(tmp_path / "a.wav", "without sound")
    refused(Path("a\0b.wav"), "cannot be read|does not exist")
    for number, start in enumerate(
        (
            b"\xff",
            b"RF64\0\0\0\0WAVEds64\x1c\0\0\0\1",
            b"FORM\0\0\0\0AIFFCOMM\0\0\0\x12\0",
            b"OggS",
            b"ID3",
        )
    ):
        (tmp_path / f"{number}.bin").write_bytes(start)
        refused(tmp_path / f"{number}.bin", "damaged|not a sound|truncated|without sound")


def test_a_video_without_sound_is_refused(tmp_path: Path) -> None:
    import av

    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        video = container.add_stream("libx264", rate=25)
        video.width = video.height = 64
        container.mux(
            video.encode(
                av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")
            )
        )
        container.mux(video.encode(None))
    refused(tmp_path / "a.mp4", "has no sound: it holds only video")


def test_play_lists_do_not_open_other_files(tmp_path: Path) -> None:
    soundfile.write(tmp_path / "secret.wav", SOUND.T, RATE)
    (tmp_path / "a.m3u8").write_text(
        f"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{tmp_path}/secret.wav\n#EXT-X-ENDLIST\n"
    )
    refused(tmp_path / "a.m3u8", "not a sound")
    (tmp_path / "b.mp4").write_text(f"ffconcat version 1.0\nfile '{tmp_path}/secret.wav'\n")
    refused(tmp_path / "b.mp4", "not a sound")


@pytest.mark.parametrize(
    "ending", [".wav", ".aiff", ".flac", ".ogg", ".mp3", ".m4a", ".mp4", ".opus", ".webm"]
)
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_half_a_file_is_refused_and_says_how_much_there_was(
    tmp_path: Path, ending: str, share: float
) -> None:
    sound = speechlike(3 * RATE, RATE)
    path = tmp_path / f"a{ending}"
    if ending in (".wav", ".flac", ".ogg", ".aiff"):
        soundfile.write(path, sound.T, RATE)
    else:
        encode(
            path,
            sound,
            RATE,
            {".mp3": "libmp3lame", ".m4a": "aac", ".mp4": "aac"}.get(ending, "libopus"),
        )
    assert abs(read_audio(path).seconds - 3) < 0.03
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    # An MP4 that lost its tail lost its index too: nothing at all can be read.
    refused(path, "not a sound" if ending in (".m4a", ".mp4") else r"truncated|damaged")


MADE = {
    "wav": lambda p: soundfile.write(p, SOUND.T, RATE),
    "flac": lambda p: soundfile.write(p, SOUND.T, RATE),
    "ogg": lambda p: soundfile.write(p, SOUND.T, RATE),
    "mp3": lambda p: encode(p, SOUND, RATE, "libmp3lame"),
    "m4a": lambda p: encode(p, SOUND, RATE, "aac"),
    "webm": lambda p: encode(p, SOUND, RATE, "libopus"),
}


@pytest.mark.parametrize("ending", sorted(MADE))
def test_damage_of_any_kind_gives_a_sound_or_a_typed_line(
    tmp_path_factory: pytest.TempPathFactory, ending: str
) -> None:
    folder = tmp_path_factory.mktemp("damage")
    MADE[ending](folder / f"whole.{ending}")
    whole = (folder / f"whole.{ending}").read_bytes()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        cut=st.integers(0, len(whole)),
        holes=st.lists(
            st.tuples(
                st.one_of(st.integers(0, 200), st.integers(0, len(whole) - 1)),
                st.binary(min_size=1, max_size=8),
            ),
            max_size=6,
        ),
    )
    @example(cut=len(whole), holes=[])
    def damaged(cut: int, holes: list[tuple[int, bytes]]) -> None:
        data = bytearray(whole)
        for at, new in holes:
            data[at : at + len(new)] = new
        path = folder / f"damaged.{ending}"
        path.write_bytes(bytes(data[:cut]))
        try:
            audio = read_audio(path)
        except AudioError as error:
            assert "\n" not in str(error) and len(str(error)) < 500
        else:
            assert np.isfinite(audio.samples.numpy()).all() and audio.samples.numel()

    damaged()


MAGIC = st.sampled_from(
    [b"RIFF", b"fLaC", b"OggS", b"ID3\x04", b"FORM", b"\xff\xfb", b"\x1aE\xdf\xa3"]
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    data=st.one_of(
        st.binary(max_size=400),
        MAGIC.flatmap(lambda magic: st.binary(max_size=200).map(magic.__add__)),
    )
)
def test_rubbish_is_refused(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.getbasetemp() / "rubbish.bin"
    path.write_bytes(data)
    with pytest.raises(AudioError):
        read_audio(path)
