from __future__ import annotations

import json
from pathlib import Path

import pytest

from motet.batch.manifest import Row, read_manifest
from motet.errors import ConfigError, InputError


def test_a_table_gives_recordings_with_their_own_settings(tmp_path: Path) -> None:
    path = tmp_path / "talks.csv"
    path.write_text('audio,name,text,seed\na.wav,intro,"one, two",3\nsub/b.wav,,,\n')
    assert read_manifest(path) == [
        Row(tmp_path / "a.wav", "intro", {"text": "one, two", "seed": 3}),
        Row(tmp_path / "sub/b.wav"),
    ]


def test_files_in_texts_are_looked_for_beside_the_table_first(tmp_path: Path) -> None:
    (tmp_path / "arc.csv").write_text("0,0,1,2\n")
    path = tmp_path / "talks.csv"
    path.write_text('audio,source,style\na.wav,arc.csv,warm\nb.wav,"90,0,2",arc.npz\n')
    first, second = read_manifest(path)
    assert first.settings == {"source": str(tmp_path / "arc.csv"), "style": "warm"}
    assert second.settings == {"source": "90,0,2", "style": "arc.npz"}


def test_lines_of_json_say_the_same(tmp_path: Path) -> None:
    path = tmp_path / "talks.jsonl"
    rows = [{"audio": "a.wav", "keys": "k.json", "track": 2}, {"audio": "s3://bucket/b.wav"}]
    path.write_text("\ufeff" + "\n\n".join(json.dumps(row) for row in rows))
    assert read_manifest(path) == [
        Row(tmp_path / "a.wav", "", {"keys": tmp_path / "k.json", "track": 2}),
        Row("s3://bucket/b.wav"),
    ]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("audio\n", "names no recording"),
        ("", "names no recording"),
        ("audio,sed\na.wav,1\n", "did you mean 'seed'"),
        ("name\nx\n", "row 1 names no audio"),
        ("audio,seed\na.wav,many\n", "seed must be a whole number"),
        ("audio,text\na.wav,one, two\n", "in quotes"),
        ("audio,text\na.wav\n", "in quotes"),
        ("audio,name\na.wav,../x\n", "without folders"),
        ('audio\n"a.wav', "row"),
        ("audio,avatar\na.wav,https://host/x.glb\n", "must be a local file"),
    ],
)
def test_what_is_wrong_is_named_with_its_row(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "talks.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=reason):
        read_manifest(path)


@pytest.mark.parametrize("line", ["[]", "7", "{", '{"audio": 3}', '{"audio": "a", "x": {}}'])
def test_lines_that_are_no_rows_are_refused(tmp_path: Path, line: str) -> None:
    path = tmp_path / "talks.jsonl"
    path.write_text(line)
    with pytest.raises((InputError, ConfigError), match="row 1"):
        read_manifest(path)


def test_a_table_that_is_not_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00a")
    with pytest.raises(InputError, match="UTF-8"):
        read_manifest(tmp_path / "x.csv")
