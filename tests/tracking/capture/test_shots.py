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
from tests.tracking.capture.footage import film, uneven


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
            lambda p: uneven(p, numbered(60)),
            r"variable frame rate: at 0:00\.\d a picture lasts 120 ms, usually 40 ms",
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
