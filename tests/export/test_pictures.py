"""Sizes, backgrounds, cameras, captions and containers of drawn pictures."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
import torch

from motet.errors import AssetError, ConfigError, InputError
from motet.export import write_clip
from motet.export.captions import Cue, cues_of, lines_of, read_cues, srt, vtt, with_captions
from motet.export.mp4 import BRIGHT, with_opacity
from motet.export.picture import PictureOptions, check_written, parse_size, picture_options
from motet.phonetics.word_times import TimedWord
from motet.render.shading import linear_from_srgb, srgb_table
from motet.types import Clip, Motion, arkit_space
from tests.export.takes import take


def decoded(path: Path, kind: str = "rgb24") -> list[np.ndarray]:
    with av.open(str(path)) as container:
        name = container.streams.video[0].codec_context.name
        if name == "vp9":  # FFmpeg's own decoder drops opacity
            decoder = av.CodecContext.create("libvpx-vp9", "r")
            packets = [packet for packet in container.demux(video=0)]
            frames = [frame for packet in packets for frame in decoder.decode(packet)]
        else:
            frames = list(container.decode(video=0))
    return [frame.to_ndarray(format=kind) for frame in frames]


@pytest.mark.parametrize(
    ("text", "size"),
    [("720", (720, 720)), ("1920x1080", (1920, 1080)), ("9:16", (720, 1280)), (96, (96, 96))],
)
def test_sizes_in_words(text: str | int, size: tuple[int, int]) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "0x", "wide", "12x7", "-5", "9999x9999", "1920x1080x3"])
def test_impossible_sizes_are_refused(text: str) -> None:
    with pytest.raises(ConfigError):
        picture_options(text)


def test_options_that_act_on_no_file_are_refused() -> None:
    for picture in (picture_options("1280x720"), picture_options(background="#000000")):
        with pytest.raises(ConfigError, match="mp4"):
            check_written([Path("x.csv")], picture, None)
    with pytest.raises(ConfigError, match="alpha"):
        check_written([Path("x.mp4")], picture_options(background="transparent"), None)
    with pytest.raises(ConfigError, match="captions"):
        check_written([Path("x.glb")], picture_options(captions="hello"), None)
    check_written([Path("x.webm")], picture_options(background="transparent"), None)


def test_missing_background_and_camera_name_the_remedy() -> None:
    with pytest.raises(ConfigError, match="no file"):
        picture_options(background="nowhere.png")
    with pytest.raises(ConfigError, match="three-quarter"):
        picture_options(camera="threequarter")


def still(frames: int = 2) -> Clip:
    return Clip(None, Motion(torch.zeros(frames, 55), arkit_space()), provenance={})


def test_a_wide_video_has_the_colour_behind_the_figure(tmp_path: Path) -> None:
    path = write_clip(still(), tmp_path / "wide.mp4", size="192x108", background="#20f0ff")
    picture = decoded(path)[0]
    assert picture.shape == (108, 192, 3)
    assert np.abs(picture[4:20, 4:20].astype(int) - [0x20, 0xF0, 0xFF]).max() < 12


def test_a_picture_fills_the_background(tmp_path: Path) -> None:
    from motet.export.png_sequence import encode_png

    half = np.zeros((40, 80, 3), np.uint8)
    half[:, 40:] = (200, 30, 30)
    (tmp_path / "back.png").write_bytes(encode_png(half))
    background = str(tmp_path / "back.png")
    path = write_clip(still(), tmp_path / "take.mp4", size=96, background=background)
    picture = decoded(path)[0].astype(int)
    assert picture[5, 3].max() < 15 and abs(picture[5, -3, 0] - 200) < 15
    (tmp_path / "no.png").write_text("no picture")
    with pytest.raises(AssetError, match="not a picture"):
        write_clip(still(), tmp_path / "x.mp4", background=str(tmp_path / "no.png"))


@pytest.mark.parametrize("ending", [".webm", ".mov"])
def test_transparent_videos_keep_opacity_and_sound(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"take{ending}"
    write_clip(take(frames=3), path, size=96, background="transparent")
    pictures = decoded(path, "rgba")
    assert len(pictures) == 3
    opacity = pictures[1][..., 3]
    assert opacity[2:8, 2:8].max() < 8  # a corner
    assert opacity[50:80, 40:56].min() > 247  # the face
    with av.open(str(path)) as container:
        assert container.streams.audio[0].codec_context.sample_rate >= 16_000
        assert sum(frame.samples for frame in container.decode(audio=0)) > 1000


def test_png_pictures_are_numbered_and_have_opacity(tmp_path: Path) -> None:
    first = write_clip(still(3), tmp_path / "s.png", size=64, background="transparent")
    assert first.name == "s.00000.png"
    assert len(list(tmp_path.glob("s.*.png"))) == 3
    assert decoded(first, "rgba")[0].shape == (64, 64, 4)


def test_opacity_is_what_two_backgrounds_show() -> None:
    linear, table = linear_from_srgb(np.arange(256)), srgb_table()
    colour, opacity = np.array([0.2, 0.5, 0.7]), 0.4
    pair = []
    for back in (0.0, BRIGHT):
        mixed = opacity * colour + (1 - opacity) * back
        pair.append(iter([np.tile(table[(mixed * 8191).astype(int)], (2, 2, 1))]))
    found = next(with_opacity(*pair))
    assert abs(found[0, 0, 3] / 255 - opacity) < 0.01
    assert np.abs(linear[found[0, 0, :3]] - colour).max() < 0.02


def test_a_body_has_no_background(tmp_path: Path) -> None:
    from tests.export.test_vrma import body

    with pytest.raises(ConfigError, match="floor"):
        write_clip(Clip(None, body()), tmp_path / "x.mp4", background="#000000")


def test_mp4_has_no_opacity(tmp_path: Path) -> None:
    from motet.export.video import write_video

    pictures = [np.zeros((16, 16, 4), np.uint8)]
    with pytest.raises(InputError, match="webm"):
        write_video(tmp_path / "x.mp4", pictures, 25)


WORDS = [TimedWord(0.0, 0.3, "Hello"), TimedWord(0.3, 0.8, "there."), TimedWord(1.5, 2.0, "Again!")]


def test_no_word_is_left_alone() -> None:
    text = "this is what I told them about the dog and the rest of the story"
    words = [TimedWord(0.2 * k, 0.2 * k + 0.2, word) for k, word in enumerate(text.split())]
    lines = [line.text for line in lines_of(words)]
    assert len(lines) == 2 and " ".join(lines) == text
    assert max(map(len, lines)) <= 42 and min(map(len, lines)) > 20


def test_words_become_lines_at_pauses_and_full_stops() -> None:
    lines = lines_of(WORDS)
    assert [(line.text, line.start_s) for line in lines] == [("Hello there.", 0), ("Again!", 1.5)]
    assert lines[1].end_s == pytest.approx(2.1)  # long enough to be read


def test_captions_survive_writing_and_reading(tmp_path: Path) -> None:
    cues = [Cue(0.0, 1.25, "Fish & chips <now>"), Cue(3661.5, 3662.0, "later")]
    for name, text in (("a.srt", srt(cues)), ("a.vtt", vtt(cues))):
        (tmp_path / name).write_text(text)
        found = read_cues(tmp_path / name)
        assert [(cue.start_s, cue.end_s) for cue in found] == [(0.0, 1.25), (3661.5, 3662.0)]
    assert read_cues(tmp_path / "a.srt")[1].text == "later"
    (tmp_path / "b.srt").write_text("nothing")
    with pytest.raises(AssetError, match="no captions"):
        read_cues(tmp_path / "b.srt")


def test_captions_after_the_end_are_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "a.srt").write_text(srt([Cue(0.0, 0.1, "now"), Cue(900.0, 901.0, "later")]))
    assert len(cues_of(still(), str(tmp_path / "a.srt"))) == 2
    assert "1 of 2 captions begin after the end of the take" in caplog.text


def test_captions_are_drawn_while_they_are_spoken() -> None:
    plain = [np.full((90, 160, 3), 60, np.uint8)] * 3
    shown = list(with_captions(iter(plain), 2.0, [Cue(0.5, 1.0, "hello there")]))
    assert [int(picture.max()) for picture in shown] == [60, 255, 60]
    assert shown[1][:45].max() == 60  # in the lower half only


def test_a_take_without_text_says_how_to_give_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="--captions"):
        write_clip(still(), tmp_path / "x.srt")
    assert PictureOptions().captions == ""
