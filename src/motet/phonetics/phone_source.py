"""Timed phones of a recording: from a file, by forced alignment of a text, or by recognisers. The
source is logged and goes with the phones.

| input | phones from | times from |
|---|---|---|
| phone times | the file | the file |
| a text | the text; unknown words by their letters | pocketsphinx |
| sound alone, English | a word recogniser | pocketsphinx |
| sound alone, other languages | the phone head of the audio encoder | the same |
| nothing else works | none | none |
"""

from __future__ import annotations

import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from motet.errors import AssetError, InputError, MissingDependency
from motet.phonetics.phones import PHONES, SYMBOLS, PhoneSpan, frame_labels
from motet.phonetics.recognition import agreement, recognise
from motet.phonetics.timings import read_timings
from motet.phonetics.transcription import phones_of_english, phones_of_loop, phones_of_text
from motet.types import Audio
from motet.words import Recogniser, WordOptions

log = logging.getLogger("motet.phonetics")
TEXT_AGREEMENT = 0.55
"""Share of the encoder's agreement with its own phones below which a text gets a warning (a right
text: 0.6 to 0.8, a wrong one about 0.5)."""
PIECE_S = 20.0
"""Longer recordings are recognised in pieces, cut where it is quietest."""
SAMPLE_RATE = 16_000
WORDS = ("file", "text")
"""Sources of phones that are what is spoken."""
CERTAINTY = 0.95
"""Probability of a known phone; the rest is spread evenly."""


@dataclasses.dataclass(frozen=True)
class PhoneOptions:
    """What is known of the words of a recording."""

    text: str = ""
    """Transcript in English words, or a text file (.txt)."""
    timing: str = ""
    """A file with phone times: Praat TextGrid, CTM, JSON or CSV."""
    recogniser: Recogniser = "auto"
    """Phones without text: of recognised English words (`auto`), by the audio encoder, by
    pocketsphinx's phone loop, or none. With `text` or `timing` it is the second choice."""


def phone_options(options: WordOptions) -> PhoneOptions:
    """Of a take's options."""
    return PhoneOptions(options.text, options.timing, options.recogniser)


@dataclasses.dataclass(frozen=True)
class PhonePosterior:
    """Log-probabilities of phones by the phone head of an audio encoder."""

    log_probabilities: Float[ndarray, "steps symbols"]
    symbols: Sequence[str]
    rate: float = 50.0

    def phones(self) -> tuple[PhoneSpan, ...]:
        """The most probable phones."""
        return recognise(self.log_probabilities, self.symbols, self.rate)

    def agreement(self, spans: Sequence[PhoneSpan]) -> float:
        """How well phones agree with it, 0..1."""
        return agreement(spans, self.log_probabilities, self.symbols, self.rate)


@dataclasses.dataclass(frozen=True)
class Phones:
    """Phones of one recording and their source."""

    spans: tuple[PhoneSpan, ...]
    """Empty when no way worked."""
    source: str
    """`file`, `text`, `english`, `encoder`, `loop` or `none`."""
    confidence: float
    """Agreement of the phones with the encoder's posterior, 0..1; 0 where nothing was compared."""
    notes: tuple[str, ...] = ()
    """Ways that were tried before, and why they failed."""


def find_phones(
    sound: Float[Tensor, " time"], options: PhoneOptions, posterior: PhonePosterior | None
) -> Phones:
    """Phones of a 16 kHz recording from the first source that works.

    Args:
        posterior: of an audio encoder; None without one.

    Raises:
        AssetError: a file of times or a text file that cannot be read.
    """
    notes: list[str] = []
    for source, way in _ways(sound, options, posterior):
        try:
            spans = way()
        except (InputError, MissingDependency) as error:
            # A file that the user named must work; the other sources are tried in turn.
            if source == "file":
                raise
            notes.append(f"{source}: {' '.join(str(error).split())}")
            continue
        confidence = posterior.agreement(spans) if posterior is not None else 0.0
        doubt = _doubt(source, spans, confidence, posterior)
        if doubt:
            notes.append(doubt)
        # A text is the user's: a poor agreement is noted, not overruled.
        if not doubt or source == "text":
            return _logged(Phones(spans, source, confidence, tuple(notes)), options)
    return _logged(Phones((), "none", 0.0, tuple(notes)), options)


def _ways(
    sound: Tensor, options: PhoneOptions, posterior: PhonePosterior | None
) -> Iterator[tuple[str, Callable[[], tuple[PhoneSpan, ...]]]]:
    if options.timing:
        yield "file", lambda: read_timings(options.timing)
    if options.text:
        yield "text", lambda: _of_text(sound, options.text)
    if options.recogniser == "auto" and posterior is not None:
        yield "english", lambda: in_pieces(sound, phones_of_english)
    if options.recogniser in ("auto", "encoder") and posterior is not None:
        yield "encoder", posterior.phones
    if options.recogniser == "loop":
        yield "loop", lambda: in_pieces(sound, phones_of_loop)


def _of_text(sound: Tensor, text: str) -> tuple[PhoneSpan, ...]:
    spans, guessed = phones_of_text(Audio.mono(sound, SAMPLE_RATE), written(text))
    if guessed:
        log.info("pronunciation guessed from the letters: %s", ", ".join(guessed))
    return spans


def written(text: str) -> str:
    """A text, or the contents of the text file that it names.

    Raises:
        AssetError: the file cannot be read.
    """
    if not text.endswith(".txt"):
        return text
    try:
        return Path(text).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"the text {text} cannot be read as UTF-8: {error}") from error


_SPOKEN_NAMES = {
    "file": "the file of times",
    "text": "the text",
    "english": "the recogniser of English words",
    "encoder": "the audio encoder",
    "loop": "the recogniser of single phones",
}
"""Sources of phones in sentences for users."""


def _doubt(
    source: str, spans: Sequence[PhoneSpan], confidence: float, posterior: PhonePosterior | None
) -> str:
    if not spans:
        return f"{_SPOKEN_NAMES[source]} found no speech sounds"
    if posterior is None or source != "text":
        return ""
    own = posterior.agreement(posterior.phones())
    if confidence < TEXT_AGREEMENT * own:
        return (
            f"text: agrees little with the sound ({confidence:.2f} of {own:.2f}); check that it is"
            " what is spoken"
        )
    return ""


def _logged(phones: Phones, options: PhoneOptions) -> Phones:
    message = f"phones from {phones.source}, confidence {phones.confidence:.2f}" + "".join(
        f"; {note}" for note in phones.notes
    )
    log.log(
        (
            logging.WARNING
            if options.text and (phones.source != "text" or phones.notes)
            else logging.INFO
        ),
        "%s",
        message,
    )
    return phones


def in_pieces(
    sound: Float[Tensor, " time"], way: Callable[[Audio], tuple[PhoneSpan, ...]]
) -> tuple[PhoneSpan, ...]:
    """A way for short recordings on one of any length: cut at the quietest tenth of a second
    between half a piece and a piece.
    """
    spans: list[PhoneSpan] = []
    start, length = 0, round(PIECE_S * SAMPLE_RATE)
    while start < len(sound):
        stop = len(sound)
        if stop - start > length:
            # Loudness of tenths of a second in the second half of the piece.
            blocks = (
                sound[start + length // 2 : start + length].unfold(0, 1600, 1600).square().mean(-1)
            )
            # The middle of the quietest tenth.
            stop = start + length // 2 + 1600 * int(blocks.argmin()) + 800
        offset = start / SAMPLE_RATE
        spans += [
            PhoneSpan(span.start + offset, span.end + offset, span.symbol)
            for span in _or_silence(way, Audio.mono(sound[start:stop], SAMPLE_RATE))
        ]
        start = stop
    return tuple(spans)


def _or_silence(
    way: Callable[[Audio], tuple[PhoneSpan, ...]], audio: Audio
) -> tuple[PhoneSpan, ...]:
    try:
        return way(audio)
    # A piece without words is silence, not an error of the recording.
    except InputError:
        return ()


def find_batch_phones(
    samples: Float[Tensor, "batch time"],
    options: PhoneOptions,
    posterior_of: Callable[[int], PhonePosterior | None],
) -> list[Phones]:
    """Phones of every recording of a batch. Takes of one recording are one batch: its phones are
    found once.

    Args:
        posterior_of: item to what an audio encoder predicts for it.
    """
    once = same_audio(samples)
    phones = [
        find_phones(row.clone(), options, posterior_of(item))
        for item, row in enumerate(samples[:1] if once else samples)
    ]
    return phones * len(samples) if once else phones


def known_phones(
    spans: Sequence[PhoneSpan], posterior: Float[Tensor, "steps phones"], rate: float
) -> Float[Tensor, "steps phones"]:
    """Probabilities of phones with times; the posterior where none is known."""
    known = [span for span in spans if span.symbol in PHONES]
    index = torch.tensor(frame_labels(known, len(posterior), rate), dtype=torch.long)
    certain = functional.one_hot(index.clamp(min=0), len(SYMBOLS)).float()
    certain = CERTAINTY * certain + (1 - CERTAINTY) / len(SYMBOLS)
    return torch.where((index >= 0).unsqueeze(1), certain, posterior)


def same_audio(samples: Float[Tensor, "batch time"]) -> bool:
    """Whether all items have the same audio, as the takes of one recording do."""
    return len(samples) == 1 or bool(torch.equal(samples, samples[:1].expand_as(samples)))
