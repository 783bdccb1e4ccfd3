"""Speech from text, by a voice that the user has installed.

Kokoro (package `kokoro-onnx`) speaks when its two files are there: a folder with `*.onnx` and
`voices*.bin`, given by name, by `MOTET_VOICE`, or `voices` in motet's data folder. Else the program
`espeak-ng` speaks, which is understood well and sounds like a machine.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import numpy as np
import torch

from motet.audio.io.read import read_audio
from motet.errors import AssetError, ConfigError, MissingDependency, require
from motet.types import Audio

_LOG = logging.getLogger(__name__)
VARIABLE = "MOTET_VOICE"
DEFAULT_NAME = "af_heart"
MOST_CHARACTERS = 10_000
TIMEOUT_S = 120
REMEDY = (
    "to speak from text, install the package kokoro-onnx and put kokoro-v1.0.onnx and"
    " voices-v1.0.bin of its releases into {folder} (or name their folder with --voice), or install"
    " espeak-ng; or give a recording"
)


@dataclasses.dataclass(frozen=True)
class KokoroFiles:
    """A Kokoro model of the user's."""

    model: Path
    voices: Path
    name: str
    """Of the voice."""


def default_folder() -> Path:
    """Where voices lie by the conventions of the system."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "motet" / "voices"


def find_kokoro(voice: str) -> KokoroFiles | None:
    """The files of a voice; None where no folder was named and the usual ones hold none.

    Args:
        voice: `FOLDER`, `FOLDER:NAME`, `:NAME`, or empty.

    Raises:
        AssetError: a folder was named that holds no model.
    """
    # From the right: a folder's name may hold a colon.
    folder_name, _, name = voice.rpartition(":") if ":" in voice else (voice, "", "")
    named = folder_name or os.environ.get(VARIABLE, "")
    folder = Path(named) if named else default_folder()
    models, voices = sorted(folder.glob("*.onnx")), sorted(folder.glob("voices*"))
    if models and voices:
        return KokoroFiles(models[0], voices[0], name or DEFAULT_NAME)
    if named:
        raise AssetError(f"{folder} holds no Kokoro voice: a file *.onnx and one voices*.bin")
    return None


def speak(text: str, voice: str = "") -> Audio:
    """A text as speech.

    Args:
        voice: see `find_kokoro`.

    Raises:
        ConfigError: no text, or too much of it.
        AssetError: a voice was named that is not there.
        MissingDependency: no voice is installed; says how to get one.
    """
    # Line breaks would be read as pauses.
    text = " ".join(text.split())
    if not text or len(text) > MOST_CHARACTERS:
        raise ConfigError(f"a text to speak has 1 to {MOST_CHARACTERS} characters")
    files = find_kokoro(voice)
    if files is not None:
        return _by_kokoro(text, files)
    if program := shutil.which("espeak-ng") or shutil.which("espeak"):
        _LOG.warning(
            "espeak-ng speaks, which sounds like a machine; for a natural voice put Kokoro's files"
            " into %s",
            default_folder(),
        )
        return _by_espeak(text, program)
    raise MissingDependency(REMEDY.format(folder=default_folder()))


def _by_kokoro(text: str, files: KokoroFiles) -> Audio:
    kokoro = require("kokoro_onnx", "voice").Kokoro(str(files.model), str(files.voices))
    known = list(kokoro.get_voices())
    if files.name not in known:
        raise ConfigError(f"there is no voice {files.name!r}; known: {', '.join(sorted(known))}")
    samples, rate = kokoro.create(text, voice=files.name, speed=1.0, lang="en-us")
    mono = np.asarray(samples, np.float32).reshape(1, -1)
    return Audio(torch.from_numpy(np.ascontiguousarray(mono)), int(rate), "mono")


def _by_espeak(text: str, program: str) -> Audio:
    with tempfile.TemporaryDirectory(prefix="motet-voice-") as folder:
        path = Path(folder) / "speech.wav"
        command = [program, "-v", "en-us", "-w", str(path), "--stdin"]
        try:
            subprocess.run(
                command, input=text.encode(), check=True, capture_output=True, timeout=TIMEOUT_S
            )
            return read_audio(path)
        except (OSError, subprocess.SubprocessError) as error:
            raise AssetError(f"{program} failed to synthesise this text: {error}") from error
