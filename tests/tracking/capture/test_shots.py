"""Video files as shots: exact rate, sound on the picture's clock, and every kind of file that
cannot be used."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from motet.errors import InputError
from motet.tracking.capture.shots import clock, open_shots
from motet.types import Audio
from tests.tracking.capture.footage import film, timed, uneven


def numbered(count: int, size: int = 128) -> list[np.ndarray]:
    """Pictures that tell their number by brightness."""
    return [np.full((size, size, 3), 20 + 2 * k, np.uint8) for k in range(count)]


def shades(pictures: list[np.ndarray]) -> np.ndarray:
    return np.array([(picture.mean() - 20) / 2 for picture in pictures])


def test_pictures_of_any_rate_come_at_25_a_second(tmp_path: Path) -> None:
    for fps in (24, 25, 30, 50):
        shot = open_shots(
            [film(tmp_path / f"{fps}.mp4", numbered(2 * fps), fps=fps)], shortest_s=1
        )[0]
        found = shades(list(shot.pictures()))
        assert shot.frames == 50 == len(found) and shot.rate == pytest.approx(fps, rel=0.01)
        # The picture shown at i / 25 s, to within half a picture of the file (and the coarseness of
        # its brightness).
        assert np.abs(found - np.arange(50) * fps / 25).max() < 1.1


def flashes(stamps: np.ndarray, every_s: float) -> list[np.ndarray]:
    """Dark pictures at these times, bright in the first 0.12 s of every so many seconds."""
    is_flash = (stamps % every_s < 0.12) & (stamps > every_s / 2)
    return [np.full((128, 128, 3), 230 if flash else 20, np.uint8) for flash in is_flash]


def test_a_minute_of_uneven_pictures_do_not_drift_from_their_sound(
    tmp_path: Path,
) -> None:
    # A telephone in changing light: 24 to 45 ms a picture, clicks at every tenth second.
    length = np.random.default_rng(0).integers(24, 46, 2_100)
    stamps = np.concatenate([[0], np.cumsum(length)]) / 1000
    sound = torch.zeros(round(stamps[-1] * 16_000))
    for second in range(10, 70, 10):
        sound[16_000 * second : 16_000 * second + 160] = 0.8
    path = timed(tmp_path / "a.mp4", flashes(stamps, 10.0), stamps, Audio.mono(sound, 16_000))
    shot = open_shots([path])[0]
    assert shot.frames == pytest.approx(stamps[-1] * 25, abs=2)
    bright = np.flatnonzero([picture[0, 0, 0] > 120 for picture in shot.pictures()]) / 25
    loud = np.flatnonzero(np.abs(shot.sound()) > 0.3) / 16_000
    for second in range(10, 70, 10):
        flash = bright[np.abs(bright - second) < 0.5]
        click = loud[np.abs(loud - second) < 0.5]
        # a picture of the file, and half of one of 25 a second
        assert len(flash) and abs(flash[0] - second) < 0.07
        assert len(click) and abs(click[0] - second) < 0.01


def test_sound_before_the_first_picture_is_left_out(tmp_path: Path) -> None:
    stamps = 0.6 + np.arange(50) / 25
    sound = torch.zeros(48_000)
    sound[25_600:25_700] = 0.8  # 1.6 s after the start of the file, 1.0 s after the first picture
    path = timed(tmp_path / "a.mkv", numbered(50), stamps, Audio.mono(sound, 16_000))
    found = open_shots([path], shortest_s=1)[0].sound()
    assert len(found) == 32_000 and abs(int(np.abs(found).argmax()) - 16_050) < 300


@pytest.mark.parametrize(
    ("name", "codec", "kind"),
    [
        ("hevc.mp4", "libx265", "yuv420p"),
        ("deep.mp4", "libx265", "yuv420p10le"),
        ("vp9.webm", "libvpx-vp9", "yuv420p"),
        ("alpha.webm", "libvpx-vp9", "yuva420p"),
        ("av1.mp4", "libsvtav1", "yuv420p"),
        ("old.avi", "mjpeg", "yuvj420p"),
        ("studio.mov", "prores_ks", "yuv422p10le"),
    ],
)
def test_codecs_of_cameras_and_browsers(tmp_path: Path, name: str, codec: str, kind: str) -> None:
    if codec not in av.codecs_available:
        pytest.skip(f"FFmpeg was built without {codec}")
    path = timed(tmp_path / name, numbered(30), np.arange(30) / 25, codec=codec, kind=kind)
    shot = open_shots([path], shortest_s=1)[0]
    assert (shot.frames, shot.width, shot.height) == (30, 128, 128)
    assert np.abs(shades(list(shot.pictures())) - np.arange(30)).max() < 2


def test_tall_video_of_sixty_pictures_a_second(tmp_path: Path) -> None:
    pictures = [np.full((1920, 1080, 3), 20 + 2 * k, np.uint8) for k in range(60)]
    shot = open_shots([film(tmp_path / "a.mp4", pictures, fps=60)], shortest_s=1)[0]
    assert (shot.frames, shot.width, shot.height) == (25, 1080, 1920)
    assert np.abs(shades(list(shot.pictures())) - np.arange(25) * 60 / 25).max() < 1.1


def test_interlaced_pictures_lose_their_combs(tmp_path: Path) -> None:
    # A bar that moves by 8 columns from field to field: rows alternate between two places.
    pictures = [np.full((128, 256, 3), 30, np.uint8) for _ in range(30)]
    for number, picture in enumerate(pictures):
        for field in (0, 1):
            left = 8 + 7 * (2 * number + field) // 2
            picture[field::2, left : left + 24] = 220
    path = timed(tmp_path / "a.mpg", pictures, np.arange(30) / 25, codec="mpeg2video", fields=True)
    shot = open_shots([path], shortest_s=1)[0]
    made = np.stack(list(shot.pictures())).astype(float)
    assert shot.frames == 30 == len(made)
    comb = np.abs(made[5:-1, 2:-2] - (made[5:-1, 1:-3] + made[5:-1, 3:-1]) / 2).mean()
    flat = np.stack(pictures).astype(float)
    as_filmed = np.abs(flat[5:-1, 2:-2] - (flat[5:-1, 1:-3] + flat[5:-1, 3:-1]) / 2).mean()
    assert comb < 0.35 * as_filmed
    # and they come when they were filmed
    middle = [(p[:, :, 0].mean(axis=0) > 125).nonzero()[0].mean() for p in made[2:-2]]
    assert np.abs(np.diff(middle) - 7).max() < 2.5


def test_the_sound_lies_on_the_clock_of_the_pictures(tmp_path: Path) -> None:
    samples = torch.zeros(32_000)
    samples[16_000:16_400] = 0.5
    shot = open_shots(
        [film(tmp_path / "a.mp4", numbered(50), Audio.mono(samples, 16_000))], shortest_s=1
    )[0]
    sound = shot.sound()
    assert len(sound) == 32_000 and abs(int(np.abs(sound).argmax()) - 16_200) < 300


def test_telephones_film_sideways(tmp_path: Path) -> None:
    pictures = [np.full((128, 192, 3), 90, np.uint8) for _ in range(30)]
    for picture in pictures:
        picture[:, :20] = 220
    path = film(tmp_path / "a.mp4", pictures)
    content = bytearray(path.read_bytes())
    place = content.find(b"tkhd") + 4 + 40  # the matrix of the first (video) track
    for k, value in enumerate((0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)):
        content[place + 4 * k : place + 4 * k + 4] = value.to_bytes(4, "big", signed=True)
    path.write_bytes(content)
    shot = open_shots([path], shortest_s=1)[0]
    first = next(shot.pictures())
    assert (shot.width, shot.height) == (128, 192) == first.shape[1::-1]
    assert first[:10].mean() > 150 > first[-20:].mean()


def test_several_files_must_come_from_one_camera(tmp_path: Path) -> None:
    small, large = (
        film(tmp_path / "a.mp4", numbered(30)),
        film(tmp_path / "b.mp4", numbered(30, 160)),
    )
    assert [shot.frames for shot in open_shots([small, small], shortest_s=1)] == [30, 30]
    with pytest.raises(InputError, match=r"160x160.*128x128"):
        open_shots([small, large], shortest_s=1)


@pytest.mark.parametrize(
    ("spoil", "says"),
    [
        (lambda p: film(p, numbered(50)), r"2\.0 s of footage are too short; at least 10 s"),
        (lambda p: film(p, numbered(50, 64)), "64x64 pixels; at least 128"),
        (
            lambda p: timed(p, numbered(60), uneven(60, 5, 0.12)),
            r"18\.\d pictures a second; lips need at least 20.*more light",
        ),
        (
            lambda p: timed(p, numbered(60), uneven(60, 20, 0.25)),
            r"stands still for \d\d % of the time \(at 0:00\.8 a picture lasts 250 ms\).*steady",
        ),
        (
            lambda p: timed(p, numbered(60), uneven(60, 59, 3.0)),
            r"gap of 3\.0 s at 0:0\d\.\d; give the parts before and after",
        ),
        (
            lambda p: film(p, numbered(30), fps=10),
            r"10\.0 pictures a second; lips need at least 20",
        ),
        (lambda p: p.write_bytes(b"no video"), "not a video that can be read"),
        (lambda p: p.write_bytes(b""), "not a video that can be read"),
        (lambda p: None, "there is no video"),
    ],
)
def test_files_that_cannot_be_used(tmp_path: Path, spoil: object, says: str) -> None:
    path = tmp_path / "film.mp4"
    spoil(path)
    with pytest.raises(InputError, match=says):
        open_shots([path])


def test_footage_without_sound(tmp_path: Path) -> None:
    path = film(tmp_path / "a.mp4", numbered(30), Audio.mono(torch.zeros(19_200), 16_000))
    with pytest.raises(InputError, match="silent from beginning to end"):
        open_shots([path], shortest_s=1)[0].sound()
    mute = tmp_path / "mute.mp4"
    with av.open(str(path)) as source, av.open(str(mute), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with pytest.raises(InputError, match="has no sound"):
        open_shots([mute], shortest_s=1)[0].sound()


def test_a_folder_stands_for_its_videos_in_the_order_of_their_names(tmp_path: Path) -> None:
    takes = tmp_path / "takes"
    takes.mkdir()
    film(takes / "b.mp4", numbered(30))
    film(takes / "a.MP4", numbered(40))
    (takes / "notes.txt").write_text("second take is better")
    (takes / "._a.mp4").write_bytes(b"what some systems leave beside files")
    assert [shot.frames for shot in open_shots([takes], shortest_s=1)] == [40, 30]
    assert [shot.frames for shot in open_shots([takes / "b.mp4", takes], shortest_s=1)] == [
        30,
        40,
        30,
    ]
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no videos"):
        open_shots([tmp_path / "empty"])


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    from motet.audio import write_audio

    path = write_audio(Audio.mono(torch.zeros(16_000), 16_000), tmp_path / "a.wav")
    with pytest.raises(InputError, match="no pictures"):
        open_shots([path])


def test_places_are_told_as_people_read_them() -> None:
    assert clock(62.44) == "1:02.4" and clock(0) == "0:00.0"
