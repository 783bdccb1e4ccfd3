"""Speech from text: which voice speaks, and what is said when there is none."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from motet.audio import voice
from motet.errors import AssetError, ConfigError, MissingDependency


@pytest.fixture(autouse=True)
def nothing_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(voice.VARIABLE, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


def kokoro_files(folder: Path) -> Path:
    folder.mkdir(parents=True)
    (folder / "kokoro-v1.0.onnx").write_bytes(b"model")
    (folder / "voices-v1.0.bin").write_bytes(b"voices")
    return folder


class Kokoro:
    """What the package offers, as far as it is used."""

    def __init__(self, model: str, voices: str) -> None:
        assert model.endswith(".onnx") and "voices" in voices

    def get_voices(self) -> list[str]:
        return ["af_heart", "am_michael"]

    def create(self, text: str, voice: str, speed: float, lang: str) -> tuple[np.ndarray, int]:
        assert (speed, lang) == (1.0, "en-us")
        length = 100 * len(text) + (7 if voice == "am_michael" else 0)
        return np.full(length, 0.1, np.float32), 24_000


def test_without_a_voice_the_remedy_is_told() -> None:
    with pytest.raises(MissingDependency, match="espeak-ng") as refusal:
        voice.speak("hello")
    assert "kokoro-onnx" in str(refusal.value) and "voices" in str(refusal.value)


def test_kokoro_speaks_where_its_files_are(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    module = types.ModuleType("kokoro_onnx")
    module.Kokoro = Kokoro  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "kokoro_onnx", module)
    kokoro_files(voice.default_folder())
    audio = voice.speak("two\n words")
    assert (audio.sample_rate, audio.length) == (24_000, 900)
    folder = kokoro_files(tmp_path / "mine")
    assert voice.speak("x", f"{folder}:am_michael").length == 107
    with pytest.raises(ConfigError, match="af_heart"):
        voice.speak("x", ":nobody")


def test_espeak_speaks_otherwise_with_a_note(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    program = tmp_path / "bin" / "espeak-ng"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\nimport sys, wave\n"
        "file = wave.open(sys.argv[sys.argv.index('-w') + 1], 'wb')\n"
        "file.setparams((1, 2, 22050, 0, 'NONE', ''))\n"
        "file.writeframes(bytes(2 * len(sys.stdin.read())))\n"
    )
    program.chmod(0o755)
    audio = voice.speak("hello")
    assert (audio.sample_rate, audio.length) == (22_050, 5)
    assert "Kokoro" in caplog.text


def test_a_named_folder_without_a_voice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="voices"):
        voice.speak("hello", str(tmp_path))
    with pytest.raises(ConfigError, match="characters"):
        voice.speak("  ")
