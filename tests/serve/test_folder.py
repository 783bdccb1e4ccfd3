"""The data folder: names from outside, messages without paths, space."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from motet.serve.folder import DataFolder
from motet.serve.uploads import clean_name

ID = "0123456789abcdef01234567"


@pytest.mark.parametrize("identity", ["../../etc/passwd", "", "x" * 24, ID + "\n", ID + "/x"])
def test_only_digests_name_files(tmp_path: Path, identity: str) -> None:
    with pytest.raises(ValueError, match="no id"):
        DataFolder(tmp_path).take(identity)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("speech.wav", "speech.wav"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\a.wav", "a.wav"),
        ("a\x00b\n\u202egnp.wav", "abgnp.wav"),
        ("x" * 300 + ".flac", "x" * 115 + ".flac"),
        ("", "sound"),
        (None, "sound"),
    ],
)
def test_names_of_clients_are_for_people_only(given: str | None, kept: str) -> None:
    assert clean_name(given, "sound") == kept


def test_messages_name_no_path(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    assert (
        folder.scrub(f"{folder.sound(ID)} is damaged; export it")
        == "the file is damaged; export it"
    )


def test_exports_used_least_recently_are_deleted_first(tmp_path: Path) -> None:
    folder = DataFolder(tmp_path)
    folder.make()
    files = [folder.path("renders", f"{number:024x}", ".mp4") for number in range(3)]
    take = folder.take(ID)
    for number, path in enumerate([*files, take]):
        path.write_bytes(bytes(1000))
        os.utime(path, (number, number))
    os.utime(files[0], (9, 9))
    folder.prune(3000, keep=files[2])
    assert [path.exists() for path in files] == [True, False, True] and take.exists()
    folder.prune(0, keep=files[2])
    assert [path.exists() for path in files] == [False, False, True] and take.exists()
