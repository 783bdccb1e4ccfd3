from __future__ import annotations

import threading
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
import torch

from motet.audio import read_audio
from motet.errors import InputError
from motet.export import write_clip
from motet.export.video import write_video
from motet.types import Audio, Clip, Frames, Layout, frame_count
from tests.audio.sounds import lag, speechlike


def pictures(count: int, height: int = 64, width: int = 96) -> Iterator[np.ndarray]:
    """Pictures whose grey level tells their number."""
    for index in range(count):
        picture = np.full((height, width, 3), 30 + index * 37 % 200, np.uint8)
        picture[:8, :8] = (200, 40, 60)
        yield picture


def decoded(path: Path) -> tuple[list[tuple[Fraction, np.ndarray]], Fraction, Fraction]:
    """Frames with their times, and the lengths of picture and sound as the container states
    them."""
    with av.open(str(path)) as container:
        video, sound = container.streams.video[0], container.streams.audio[0]
        frames = [
            (frame.pts * frame.time_base, frame.to_ndarray(format="rgb24"))
            for frame in container.decode(video)
        ]
        return frames, video.duration * video.time_base, sound.duration * sound.time_base


@pytest.mark.parametrize("fps", [24.0, 25.0, 29.97, 30000 / 1001, 60.0])
@pytest.mark.parametrize(
    "rate,seconds,channels",
    [(16_000, 1.013, 1), (44_100, 0.487, 2), (48_000, 2.3333, 1), (22_050, 0.02, 1)],
)
def test_sound_and_length_of_a_video_are_the_takes(
    tmp_path: Path, fps: float, rate: int, seconds: float, channels: int
) -> None:
    sound = speechlike(round(seconds * rate), rate, channels)
    audio = Audio(torch.from_numpy(sound), rate, "mono" if channels == 1 else "stereo")
    count = frame_count(audio.seconds, fps)
    path = write_video(tmp_path / "a.mp4", pictures(count), fps, audio=audio)
    frames, picture_s, sound_s = decoded(path)
    assert len(frames) == count
    assert [float(time) for time, _ in frames] == pytest.approx(
        [i / fps for i in range(count)], abs=2e-4
    )
    assert [round(float(frame[30, 50].mean())) for _, frame in frames] == pytest.approx(
        [30 + i * 37 % 200 for i in range(count)], abs=3
    )
    assert picture_s == pytest.approx(count / fps, abs=1e-3)  # all frames are equally long
    assert abs(sound_s - audio.seconds) < 1e-4
    found = read_audio(path)
    assert (found.sample_rate, found.samples.shape[0]) == (rate, channels)
    assert abs(found.samples.shape[1] - sound.shape[1]) <= 1
    for channel in range(channels):
        ours, theirs = found.samples[channel].numpy(), sound[channel]
        assert abs(lag(ours, theirs)) <= 1
        if seconds > 0.4:
            size = min(len(ours), len(theirs))
            assert np.corrcoef(ours[:size], theirs[:size])[0, 1] > 0.98


def test_colours_and_marks_and_quick_start(tmp_path: Path) -> None:
    audio = Audio(torch.from_numpy(speechlike(8_000, 16_000)), 16_000)
    path = write_video(
        tmp_path / "a.mp4",
        pictures(13, 65, 97),
        25,
        audio=audio,
        provenance={"method": "artalk", "seed": 3},
    )
    data = path.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")
    with av.open(str(path)) as container:
        assert (
            "Synthetic" in container.metadata["comment"]
            and "method artalk, seed 3" in container.metadata["comment"]
        )
        video, sound = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.name, video.pix_fmt, video.width, video.height) == (
            "h264",
            "yuv420p",
            98,
            66,
        )
        assert sound.codec_context.name == "aac"
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)
        frame = next(container.decode(video)).to_ndarray(format="rgb24")
    assert np.abs(frame[3, 3].astype(int) - (200, 40, 60)).max() <= 12


@pytest.mark.parametrize(
    "rate,channels,expected",
    [(192_000, 1, 96_000), (37_800, 2, 44_100), (16_000, 4, 16_000), (7_000, 1, 8_000)],
)
def test_sounds_that_aac_does_not_know_are_fitted(
    tmp_path: Path, rate: int, channels: int, expected: int
) -> None:
    sound = speechlike(rate // 2, rate, channels)
    path = write_video(
        tmp_path / "a.mp4", pictures(13), 25, audio=Audio(torch.from_numpy(sound), rate, "other")
    )
    found = read_audio(path)
    assert (found.sample_rate, found.samples.shape[0]) == (
        expected,
        channels,
    )
    assert abs(found.seconds - 0.5) < 0.002


def test_a_video_without_sound(tmp_path: Path) -> None:
    clip = Clip(None, None, Frames(torch.from_numpy(np.stack(list(pictures(5)))), 25.0))
    done: list[int] = []
    with av.open(str(write_clip(clip, tmp_path / "a.mp4", progress=done.append))) as container:
        assert not container.streams.audio
        assert len(list(container.decode(video=0))) == 5
    assert done == [1, 2, 3, 4, 5]


def test_a_long_sound_lies_beside_its_pictures_in_the_file(tmp_path: Path) -> None:
    audio = Audio(torch.from_numpy(speechlike(40 * 16_000, 16_000)), 16_000)
    path = write_video(tmp_path / "a.mp4", pictures(80), 2, audio=audio)
    with av.open(str(path)) as container:
        times: dict[str, list[float]] = {"audio": [], "video": []}
        for packet in container.demux():
            if packet.pts is not None:
                times[packet.stream.type].append(float(packet.pts * packet.time_base))
                if min(map(len, times.values())):
                    assert abs(times["audio"][-1] - times["video"][-1]) < 12


class Broken(Exception):
    pass


@pytest.mark.parametrize("after", [0, 1, 5, 40])
def test_a_fault_while_pictures_are_made_leaves_no_file_and_no_thread(
    tmp_path: Path, after: int
) -> None:
    def faulty() -> Iterator[np.ndarray]:
        yield from pictures(after)
        raise Broken

    threads = threading.active_count()
    with pytest.raises(Broken):
        write_video(tmp_path / "a.mp4", faulty(), 25)
    assert list(tmp_path.iterdir()) == [] and threading.active_count() == threads


def test_a_fault_of_the_encoder_reaches_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def progress(done: int) -> None:
        if done == 3:
            raise Broken

    with pytest.raises(Broken):
        write_video(tmp_path / "a.mp4", pictures(500), 25, progress=progress)
    assert list(tmp_path.iterdir()) == []


def test_pictures_that_make_no_video_are_refused(tmp_path: Path) -> None:
    whole = np.zeros((64, 64, 3), np.uint8)
    for frames in (
        [],
        [whole[..., :2]],
        [whole.astype(np.float32)],
        [whole, whole[:32]],
        [whole[:1]],
        [np.zeros((1, 9000, 3), np.uint8)],
    ):
        with pytest.raises(InputError):
            write_video(tmp_path / "a.mp4", frames, 25)
    for fps in (0, -1, float("nan"), 1e6):
        with pytest.raises(InputError, match="frames per second"):
            write_video(tmp_path / "a.mp4", [whole], fps)
    with pytest.raises(InputError, match="does not exist"):
        write_video(tmp_path / "none" / "a.mp4", [whole], 25)
    with pytest.raises(InputError, match="needs pictures"):
        write_clip(Clip(None, None), tmp_path / "a.mp4")
    assert list(tmp_path.iterdir()) == []


def test_the_same_take_gives_the_same_video(tmp_path: Path) -> None:
    """Pictures and sound, not bytes: signatures are drawn anew, and how the encoder spends its bits
    is its own affair."""
    audio = Audio(torch.from_numpy(speechlike(8_000, 16_000)), 16_000)
    first, second, signed = (
        write_video(
            tmp_path / f"{name}.mp4", pictures(13), 25, audio=audio, credentials=name == "signed"
        )
        for name in ("first", "second", "signed")
    )
    for other in (second, signed):
        seen, again = decoded(first), decoded(other)
        assert [time for time, _ in seen[0]] == [time for time, _ in again[0]] and seen[
            1:
        ] == again[1:]
        apart = np.stack([one.astype(int) for _, one in seen[0]]) - np.stack(
            [one.astype(int) for _, one in again[0]]
        )
        assert np.abs(apart).mean() < 0.2 and np.abs(apart).max() <= 12
        assert torch.equal(read_audio(first).samples, read_audio(other).samples)
    assert "uuid" in boxes(signed.read_bytes()) and "uuid" not in boxes(first.read_bytes())


def boxes(content: bytes) -> dict[str, bytes]:
    """Top-level boxes of an mp4."""
    found, place = {}, 0
    while place < len(content):
        size = int.from_bytes(content[place : place + 4], "big")
        found[content[place + 4 : place + 8].decode("latin1")] = content[place + 8 : place + size]
        place += size
    return found


@pytest.mark.parametrize(
    "layout,channels",
    [("3.0", 3), ("5.1", 6), ("6.1", 7), ("7.1", 8), ("other", 4), ("other", 6), ("other", 8)],
)
def test_a_video_keeps_every_channel_at_its_level(
    tmp_path: Path, layout: Layout, channels: int
) -> None:
    rate, bass = 48_000, 3 if layout.endswith(".1") else None
    sound = speechlike(rate, rate, channels)
    sound *= np.linspace(0.2, 1.0, channels, dtype=np.float32)[:, None]
    audio = Audio(torch.from_numpy(sound), rate, layout)
    found = read_audio(write_video(tmp_path / "a.mp4", pictures(25), 25.0, audio=audio))
    assert found.samples.shape[0] == channels
    for channel in set(range(channels)) - {bass}:
        ours = found.samples[channel].numpy()
        assert abs(20 * np.log10(ours.std() / sound[channel].std())) < 0.5
        size = min(len(ours), rate)
        assert np.corrcoef(ours[:size], sound[channel, :size])[0, 1] > 0.95


def test_of_more_channels_than_aac_carries_the_live_one_is_kept(tmp_path: Path) -> None:
    sound = np.zeros((20, 16_000), np.float32)
    sound[11] = speechlike(16_000, 16_000)[0]
    audio = Audio(torch.from_numpy(sound), 16_000, "other")
    found = read_audio(write_video(tmp_path / "a.mp4", pictures(25), 25.0, audio=audio))
    assert found.layout == "mono"
    assert abs(20 * np.log10(found.samples.numpy().std() / sound[11].std())) < 0.5
