"""Texts that become sounds, with the times of their words."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from motet.errors import MissingDependency
from motet.serve.folder import DataFolder
from motet.serve.tasks.sounds import speak
from tests.serve.conftest import Studio, wav


def ask(folder: Path) -> dict:
    data = DataFolder(folder)
    data.make()
    return speak({"text": "hello world", "voice": ""}, data, lambda *_: None)


def test_a_text_becomes_a_sound_of_the_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))
    (tmp_path / "spoken.wav").write_bytes(wav(1.5))
    program = tmp_path / "espeak-ng"
    # Called as `espeak-ng -v VOICE -w FILE --stdin`.
    program.write_text(f'#!/bin/sh\n/bin/cat > /dev/null\n/bin/cp "{tmp_path}/spoken.wav" "$4"\n')
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", str(tmp_path))
    found = ask(tmp_path / "data")
    sound = found["sound"]
    assert sound["seconds"] == 1.5 and sound["rate"] == 16_000 and sound["mime"] == "audio/flac"
    assert DataFolder(tmp_path / "data").sound(sound["id"]).read_bytes()[:4] == b"fLaC"
    assert set(found["phones"]) == {"words", "phones"}


def test_without_a_voice_the_remedy_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "none"))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(MissingDependency, match="espeak-ng"):
        ask(tmp_path / "data")


def test_a_voice_is_a_name_and_no_path(studio: Studio) -> None:
    for body in ({"text": ""}, {"text": "hello", "voice": "/etc:x"}, {"words": "hello"}):
        assert studio.http.post("/api/speech", json=body).status_code == 422
