"""IPA of Spanish, French, Italian, Portuguese and Hindi by espeak-ng, used as a program.

Only its phone symbols are used; no part of it and none of its sound goes anywhere.
"""

from __future__ import annotations

import ctypes
import re
from pathlib import Path

VOICES = {"es": "es", "fr": "fr", "it": "it", "pt": "pt-br", "hi": "hi"}
_TIE = "^"
_MODE_IPA_TIED = 0x02 | 0x80 | ord(_TIE) << 8
_UTF8 = 1
_RETRIEVAL = 0x02
_TO_KOKORO = (
    ("a^ɪ", "I"), ("a^ʊ", "W"), ("d^z", "ʣ"), ("d^ʒ", "ʤ"), ("e^ɪ", "A"), ("o^ʊ", "O"),
    ("ə^ʊ", "Q"), ("t^s", "ʦ"), ("t^ʃ", "ʧ"), ("ɔ^ɪ", "Y"), (_TIE, ""), ("-", ""),
)  # fmt: skip
_CLAUSE = re.compile(r"([^,.;:!?…।]+)([,.;:!?…।]?)")


class Espeak:
    """espeak-ng through its C interface."""

    def __init__(self, package: Path) -> None:
        """`package` is the unpacked folder `espeakng_loader`."""
        self._library = ctypes.CDLL(str(package / "libespeak-ng.so"))
        self._library.espeak_TextToPhonemes.restype = ctypes.c_char_p
        data = str(package / "espeak-ng-data").encode()
        if self._library.espeak_Initialize(_RETRIEVAL, 0, data, 0) < 0:
            raise RuntimeError(f"espeak-ng found no data in {package}")

    def ipa(self, text: str, language: str) -> str:
        """A text in Kokoro's letters, punctuation kept."""
        if self._library.espeak_SetVoiceByName(VOICES[language].encode()):
            raise RuntimeError(f"espeak-ng has no voice {VOICES[language]}")
        clean = text.replace("¿", "").replace("¡", "")
        out = []
        for words, mark in _CLAUSE.findall(clean):
            if words.strip():
                out.append(self._clause(words.strip()) + mark.replace("।", "."))
        return " ".join(out)

    def _clause(self, text: str) -> str:
        buffer = ctypes.create_string_buffer(text.encode() + b"\0")
        pointer = ctypes.c_void_p(ctypes.addressof(buffer))
        parts = []
        while pointer.value:
            part = self._library.espeak_TextToPhonemes(ctypes.byref(pointer), _UTF8, _MODE_IPA_TIED)
            parts.append((part or b"").decode())
        sound = re.sub(r"\([^)]*\)", "", " ".join(p for p in parts if p))
        for old, new in _TO_KOKORO:
            sound = sound.replace(old, new)
        return re.sub(r"\s+", " ", sound).strip()
