"""What `motet run` finds out before it computes anything, and rows with acting of their own."""

from __future__ import annotations

import dataclasses
import logging
from pathlib import Path

import numpy as np
import pytest
import soundfile

from motet.acting import note_late_keys
from motet.atomic_write import check_writable
from motet.batch.manifest import read_manifest
from motet.batch.storage import expand
from motet.cli.batch_options import with_settings
from motet.cli.run import Run
from motet.cli.written import size_text, written_line
from motet.errors import ConfigError, InputError, UnwritableError
from motet.export import check_ending


def sounds(folder: Path, *names: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name in names:
        soundfile.write(folder / name, np.zeros(1600), 16_000, format="WAV")
    return folder


def test_a_folder_stands_for_the_recordings_in_it(tmp_path: Path) -> None:
    folder = sounds(tmp_path / "in", "b.wav", "a.wav")
    (folder / "notes.txt").write_text("no sound")
    assert [path.name for path in expand([str(folder)])] == ["a.wav", "b.wav"]  # type: ignore[union-attr]
    assert Run(audio=(str(folder),)).is_batch
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="holds no recording"):
        expand([str(tmp_path / "empty")])


def test_a_shard_without_recordings_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = sounds(tmp_path / "in", "a.wav")
    command = Run(audio=(str(folder),), out=(str(tmp_path / "out"),), formats=("csv",))
    texts = []
    for number in (1, 2):
        batch = dataclasses.replace(command.batch, shard=f"{number}/2", workers=-1)
        try:
            dataclasses.replace(command, batch=batch).execute()
        except ConfigError:  # the shard with the recording goes on to its workers
            continue
        texts.append(capsys.readouterr().out)
    assert len(texts) == 1 and "no recording" in texts[0]


def test_what_cannot_be_written_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UnwritableError, match="not a folder"):
        check_writable([tmp_path / "file" / "x.csv"])
    with pytest.raises(UnwritableError, match="a folder has that name"):
        check_writable([tmp_path])
    check_writable([tmp_path / "new" / "deep" / "x.csv"])


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"out": ("a.csv", "a.csv")}, "twice"),
        ({"out": ("a.srt",)}, "needs what is said"),
        ({"out": ("a.wav",)}, "sound alone"),
    ],
)
def test_outputs_are_checked_before_the_recording_is_read(
    tmp_path: Path, changes: dict[str, object], text: str
) -> None:
    with pytest.raises(ConfigError, match=text):
        Run(audio=(str(tmp_path / "none.wav"),), **changes).execute()  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        check_ending("x.wav")


def test_rows_have_acting_of_their_own(tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text("audio,emotion,gaze,intensity,captions\na.wav,joy=0.5,free,0.8,Hello\n")
    own = with_settings(Run(), read_manifest(table)[0].settings)
    assert (own.postprocess.emotion, own.postprocess.gaze) == ("joy=0.5", "free")
    assert own.postprocess.intensity == 0.8 and own.captions == "Hello"
    table.write_text("audio,emotion\na.wav,joyful=1\n")
    with pytest.raises(ConfigError, match="joyful"):
        with_settings(Run(), read_manifest(table)[0].settings)


def test_an_emotion_after_the_end_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        note_late_keys("joy=0.5,anger=1@99", 3.9)
    assert "anger at 99 s has no effect" in caplog.text
    caplog.clear()
    note_late_keys("joy=0.5@3", 3.9)
    assert not caplog.text


def test_lines_of_written_files(tmp_path: Path) -> None:
    for number in range(3):
        (tmp_path / f"x.{number:05d}.png").write_bytes(b"1" * 50)
    line = written_line(tmp_path / "x.00000.png")
    assert "3 files" in line and line.endswith("0.1 kB")
    assert size_text(1_240_000) == "1.24 MB"
