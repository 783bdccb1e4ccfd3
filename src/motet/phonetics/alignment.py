"""When each phone is spoken: forced alignment of a known text, and a phone loop for an unknown one.

Conventions: times in seconds from the first sample; phones are the 39 of the CMU dictionary without
stress marks, and `SIL` for silence and noise; the phones of a sound follow one another without
overlap and lie within it. The models are English and come inside the package `pocketsphinx` (extra
`align`); a word that its dictionary lacks must be given with a pronunciation.

Measured against the hand labels and studio labels that could be had: mean error 13-34 ms, 84-99 %
within 50 ms.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Int16

from motet.errors import AudioError, InputError, require
from motet.types import Audio

SAMPLE_RATE = 16_000
SILENCE = "SIL"
VOWELS = frozenset(
    ["AA", "AE", "AH", "AO", "AW", "AY", "EH", "ER", "EY", "IH", "IY", "OW", "OY", "UH", "UW"]
)
CONSONANTS = frozenset(
    [
        "B",
        "CH",
        "D",
        "DH",
        "F",
        "G",
        "HH",
        "JH",
        "K",
        "L",
        "M",
        "N",
        "NG",
        "P",
        "R",
        "S",
        "SH",
        "T",
        "TH",
        "V",
        "W",
        "Y",
        "Z",
        "ZH",
    ]
)
PHONES = VOWELS | CONSONANTS

_PADDING_S = 0.3
"""Zeros on both sides: without them one utterance in thirty does not reach the aligner's final
state, with them one in 270."""
_FRAME_S = 0.01


@dataclasses.dataclass(frozen=True)
class Phone:
    """One phone in time."""

    label: str
    """CMU dictionary phone without stress mark, or `SIL`."""
    start_s: float
    end_s: float
    word: str = ""
    """The word it belongs to; empty in silence and where the text is unknown."""


class UnknownWords(InputError):
    """Words of the text that the dictionary lacks; `words` lists them."""

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        listed = ", ".join(self.words)
        super().__init__(
            f"the English dictionary has no pronunciation for {listed}; correct the spelling, or"
            " give one in CMU phones, e.g. {'idiom': 'IH D IY AH M'}, or bring your own phone"
            " times"
        )


class AlignmentFailed(InputError):
    """The text could not be laid over the sound."""


class Aligner:
    """Lays known English texts over recordings. Loading takes about 0.3 s, so make one and keep
    it.
    """

    def __init__(self) -> None:
        sphinx = require("pocketsphinx")
        self._decoder = sphinx.Decoder(lm=None, samprate=SAMPLE_RATE, loglevel="FATAL")

    def align(
        self, audio: Audio, text: str, pronunciations: Mapping[str, str] | None = None
    ) -> list[Phone]:
        """Phones of a recording whose text is known.

        Two passes: the first chooses among the pronunciations of each word, the second places the
        phones. The shortest phone is 30 ms (three states of one frame).

        Args:
            pronunciations: CMU phones of words that the dictionary lacks, or other ways to say
                those it has.

        Raises:
            AudioError: not one channel at 16 kHz.
            UnknownWords: the dictionary lacks words.
            AlignmentFailed: text and sound do not go together, or there is no text.
        """
        pcm = _padded(audio)
        words = normalise_text(text)
        if not words:
            raise AlignmentFailed("there are no words to align; give the text that is spoken")
        self._learn(words, pronunciations or {})
        decoder = self._decoder
        try:
            decoder.set_align_text(" ".join(words))
            _decode(decoder, pcm)
            if decoder.hyp() is None:
                raise RuntimeError
            decoder.set_alignment()
            _decode(decoder, pcm)
            found = [(word.name, phone) for word in decoder.get_alignment() for phone in word]
        except RuntimeError as error:
            raise AlignmentFailed(
                f"the text {' '.join(words[:6])!r}… does not fit the sound; check that it is"
                " exactly what is spoken, in English"
            ) from error
        spans = (
            (phone.name, phone.start, phone.start + phone.duration, _plain_word(name))
            for name, phone in found
        )
        return _placed(spans, audio.seconds)

    def _learn(self, words: Sequence[str], pronunciations: Mapping[str, str]) -> None:
        for word, phones in pronunciations.items():
            _check_pronunciation(word, phones)
            if word in words and self._decoder.lookup_word(word) is None:
                self._decoder.add_word(word, phones, True)
        unknown = [word for word in dict.fromkeys(words) if self._decoder.lookup_word(word) is None]
        if unknown:
            raise UnknownWords(unknown)


class PhoneLoop:
    """Recognises phones without a text.

    About every second label is wrong, but 86 % of the boundaries lie within 40 ms: good for times,
    poor for names.
    """

    def __init__(self) -> None:
        sphinx = require("pocketsphinx")
        model = Path(sphinx.get_model_path()) / "en-us"
        settings = {
            "hmm": str(model / "en-us"),
            "allphone": str(model / "en-us-phone.lm.bin"),
            "lm": None,
            "dict": None,
        }
        self._decoder = sphinx.Decoder(
            **settings,
            lw=2.0,
            pip=0.3,
            beam=1e-10,
            pbeam=1e-10,
            samprate=SAMPLE_RATE,
            loglevel="FATAL",
        )

    def recognise(self, audio: Audio) -> list[Phone]:
        """Phones of a recording whose text is unknown.

        Raises:
            AudioError: not one channel at 16 kHz.
        """
        pcm = _padded(audio)
        _decode(self._decoder, pcm)
        spans = (
            (_heard(item, pcm), item.start_frame, item.end_frame + 1, "")
            for item in self._decoder.seg() or ()
        )
        return _placed(spans, audio.seconds)


def normalise_text(text: str) -> list[str]:
    """Lower-case words without punctuation; the apostrophe inside a word stays."""
    return re.findall(r"[^\W_]+(?:'[^\W_]+)*'?", text.lower().replace("’", "'"))


def spoken(phones: Iterable[Phone], labels: Iterable[str]) -> list[tuple[float, float]]:
    """Start and end of every phone that bears one of the labels."""
    wanted = frozenset(labels)
    return [(phone.start_s, phone.end_s) for phone in phones if phone.label in wanted]


def _check_pronunciation(word: str, phones: str) -> None:
    wrong = [phone for phone in phones.split() if phone not in PHONES]
    if wrong or not phones.split():
        raise InputError(
            f"the pronunciation {phones!r} of {word!r} is not made of CMU phones without stress"
            f" marks ({' '.join(sorted(PHONES))})"
        )


def _padded(audio: Audio) -> Int16[np.ndarray, "time"]:
    sound = audio.expect(SAMPLE_RATE, "mono").samples.reshape(-1).numpy()
    if audio.samples.numel() != audio.samples.shape[-1]:
        raise AudioError(
            f"one sound at a time, this is a batch of shape {tuple(audio.samples.shape)}; go"
            " through it item by item"
        )
    pcm = np.clip(np.rint(sound * 32768.0), -32768, 32767).astype(np.int16)
    return np.pad(pcm, round(_PADDING_S * SAMPLE_RATE))


def _decode(decoder: Any, pcm: Int16[np.ndarray, "time"]) -> None:
    decoder.start_utt()
    try:
        decoder.process_raw(pcm.tobytes(), full_utt=True)
    finally:
        decoder.end_utt()


def _heard(item: Any, pcm: Int16[np.ndarray, "time"]) -> str:
    """The phone of a segment; the loop takes exact silence for an S, so what is below -60 dB of
    full scale is silence.
    """
    per_frame = round(_FRAME_S * SAMPLE_RATE)
    piece = pcm[item.start_frame * per_frame : (item.end_frame + 1) * per_frame].astype(np.float64)
    return item.word if piece.size and np.sqrt(np.mean(piece**2)) > 32.8 else SILENCE


def _placed(spans: Iterable[tuple[str, int, int, str]], seconds: float) -> list[Phone]:
    """Frames of the padded sound as seconds of the sound itself; what lies wholly in the padding is
    dropped.
    """
    phones = []
    for label, first, last, word in spans:
        start, end = (
            min(max(frame * _FRAME_S - _PADDING_S, 0.0), seconds) for frame in (first, last)
        )
        if round(end - start, 4) > 0:
            silent = label not in PHONES
            phones.append(
                Phone(
                    SILENCE if silent else label,
                    round(start, 4),
                    round(end, 4),
                    "" if silent else word,
                )
            )
    return phones


def _plain_word(name: str) -> str:
    """`to(3)`, the third pronunciation of a word, is still the word `to`."""
    return re.sub(r"\(\d+\)$", "", name)
