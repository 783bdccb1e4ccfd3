"""The corpus of the shipped face weights: tracked recordings, and performances on lawful speech.

    python -m recipes.speech_corpus DATA/speech --data DATA
    python -m recipes.face_corpus CORPUS --data DATA

`DATA` holds `grid_s1` and `facegood` (tracked recordings). A group that is there is replaced.
"""

from __future__ import annotations

import dataclasses
import zlib
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
import torch
import tyro
from numpy import ndarray

from motet.data.clip import Recording
from motet.data.corpus import CorpusWriter
from motet.data.readers.tracked import read_facegood, read_grid
from motet.data.speech.corpus import read_index
from motet.errors import ConfigError
from motet.face.lip_shapes import joined, measure, solve_mouth, spread
from motet.phonetics.phones import PhoneSpan
from motet.synthesis.performance.articulation import articulation
from motet.synthesis.performance.model import load_model
from motet.synthesis.performance.perform import PerformanceModel, articulated, perform
from motet.synthesis.performance.style import StyleSettings, personal
from motet.types import ARKIT_SHAPES, Motion
from recipes.performances import CREDITS, intervals, performed_recordings, quiet_recordings
from recipes.speech_features import SpeechFolders

_MOUTH = ("mouth", "jaw", "tongue")
RESERVED = ("mouthPucker", "mouthStretch", "mouthDimple", "mouthSmile", "mouthPress")
"""Shapes of width, which the man of GRID s1 hardly uses: learnt from all others."""
PEOPLES_RANGE = (1.15, 2.0, 1.15, 1.15)
"""Factors of gap, width, height and chin from GRID s1 to people (spreads of the seven clips named
in `motet.synthesis.performance.perform`)."""
Report = Callable[[str, float], None]
"""Called with a group and its minutes so far."""


@dataclasses.dataclass(frozen=True)
class FaceCorpus:
    """What goes into the corpus.

    Raises:
        ConfigError: numbers out of range, or speech whose licence does not allow it.
    """

    out: tyro.conf.Positional[Path]
    """Folder of the corpus."""
    data: Path
    """Folder with grid_s1, facegood and the speech corpus (speech)."""
    features: Path | None = None
    """Whisper features of that speech; computed when left out."""
    whisper: Path | None = None
    """Whisper weights; the installed package when left out."""
    sources: tuple[str, ...] = ("festvox_ru", "flite", "asterisk_ru", "armelle_fr", "kokoro54")
    """Speech to perform on; sources that are not in the speech folder are passed over."""
    performers: int = 6
    """People sampled for each voice."""
    takes: int = 1
    """Performances of every utterance, each in another style."""
    voice_minutes: float = 10.0
    """Most speech of one voice, so that single long voices do not outweigh the many."""
    quiet_minutes: float = 8.0
    """Minutes of silence and noise."""
    seed: int = 0
    """Same seed, same corpus."""

    def __post_init__(self) -> None:
        if self.performers < 1 or self.takes < 1 or self.quiet_minutes < 0:
            raise ConfigError(
                "performers and takes must be at least 1 and quiet_minutes at least 0, not"
                f" {self.performers}, {self.takes}, {self.quiet_minutes}"
            )
        for source in self.sources:
            if source not in CREDITS:
                raise ConfigError(
                    f"speech of {source!r} may not shape shipped weights; allowed:"
                    f" {', '.join(CREDITS)}"
                )

    @property
    def folders(self) -> SpeechFolders:
        """Where the speech lies."""
        return SpeechFolders(self.data / "speech", self.features, self.whisper)


def build_face_corpus(options: FaceCorpus, report: Report | None = None) -> None:
    """Write the whole corpus: tracked recordings, silence and noises, performances.

    Raises:
        AssetError: a source or the fitted model is missing.
    """
    model, writer, seed = load_model(), CorpusWriter(options.out), options.seed
    phones = {e.name: e.phones for e in read_index(options.folders.speech, "grid")}
    tracked = (_with_phones(r, phones) for r in read_grid(options.data / "grid_s1"))
    people = (_with_peoples_range(r) for r in tracked)
    _write(writer, "grid-s1", (_filled(r, model, seed) for r in people), report)
    mouths = read_facegood(options.data / "facegood")
    _write(writer, "facegood", (_filled(r, model, seed) for r in mouths), report)
    _write(writer, "quiet", quiet_recordings(model, options.quiet_minutes, seed), report)
    for source in options.sources:
        if (options.folders.speech / f"{source}.json").exists():
            performances = performed_recordings(
                model,
                options.folders,
                source,
                options.performers,
                options.takes,
                seed,
                options.voice_minutes,
            )
            _write(writer, f"performed-{source}", performances, report)


def _write(
    writer: CorpusWriter, group: str, recordings: Iterable[Recording], report: Report | None
) -> None:
    old = writer.remove_group(group)
    minutes = 0.0
    for recording in recordings:
        writer.add(recording, group)
        minutes += recording.seconds / 60
        if report is not None:
            report(group, minutes)
    writer.flush(group)
    for file in old:
        file.unlink(missing_ok=True)


def _with_phones(recording: Recording, phones: Mapping[str, tuple[PhoneSpan, ...]]) -> Recording:
    clip = recording.facts.source.rpartition(" ")[2]
    if clip not in phones:
        return recording
    facts = dataclasses.replace(recording.facts, phones=intervals(phones[clip]))
    return dataclasses.replace(recording, facts=facts)


def _with_peoples_range(recording: Recording) -> Recording:
    """The mouth of the reserved man of GRID s1 with people's range: opening and width scaled,
    protrusion, smile and upper lip by his phones where they are known. His width is not to be
    learnt all the same: shapes of width count as not observed.
    """
    weights = recording.motion["blendshapes"].double().numpy()
    phones = tuple(PhoneSpan(p.start, p.end, p.symbol) for p in recording.facts.phones)
    times = np.arange(len(weights)) / recording.motion.space.fps
    shapes = joined(weights)
    if phones:
        courses = articulation(phones, times)
        shapes = np.maximum(shapes, articulated(np.zeros_like(shapes), courses))
    measures = measure(weights)
    measures[:, 0] = np.maximum(measures[:, 0], 0.0)
    mouth = spread(solve_mouth(measures * np.array(PEOPLES_RANGE), shapes))
    changed = [column for column in range(52) if ARKIT_SHAPES[column].startswith(_MOUTH)]
    values = recording.motion.values.clone()
    values[:, changed] = torch.from_numpy(mouth[:, changed]).float()
    seen = recording.valid_channels
    assert seen is not None
    reserved = torch.tensor([name.startswith(RESERVED) for name in (*ARKIT_SHAPES, "x", "y", "z")])
    return dataclasses.replace(
        recording,
        motion=Motion(values, recording.motion.space),
        valid_channels=seen & ~reserved,
    )


def _filled(recording: Recording, model: PerformanceModel, seed: int) -> Recording:
    """Channels that were not observed, filled with a plausible performance.

    The mask still says that they were not observed: models that can use it leave them out.
    """
    if recording.valid_channels is None or recording.audio is None:
        return recording
    performance = _performance(recording, recording.audio.samples[0].numpy(), model, seed)
    hidden = ~recording.valid_channels
    # A mouth that was observed keeps even the shapes that were not seen to move.
    for column, name in enumerate(ARKIT_SHAPES):
        if name.startswith(_MOUTH):
            hidden[column] = False
    values = torch.where(hidden, performance, recording.motion.values)
    names = [n for n, h in zip(ARKIT_SHAPES, hidden.tolist(), strict=False) if h]
    names += ["head"] if bool(hidden[52:].all()) else []
    settings = {**recording.facts.settings, "filled": names}
    return dataclasses.replace(
        recording,
        facts=dataclasses.replace(recording.facts, settings=settings),
        motion=Motion(values, recording.motion.space),
    )


def _performance(
    recording: Recording, sound: ndarray, model: PerformanceModel, seed: int
) -> torch.Tensor:
    facts = recording.facts
    phones = tuple(PhoneSpan(i.start, i.end, i.symbol) for i in facts.phones)
    settings = personal(StyleSettings(), zlib.crc32(facts.speaker.encode()))
    own_seed = zlib.crc32(facts.name.encode()) ^ seed
    values = perform(model, sound, phones or _loud_spans(sound), settings, own_seed)
    return torch.from_numpy(values).float()[: recording.motion.frames]


def _loud_spans(sound: ndarray) -> tuple[PhoneSpan, ...]:
    """Voice activity as vowels and silences: enough for head and brows when phones are unknown."""
    blocks = sound[: len(sound) // 1600 * 1600].reshape(-1, 1600)
    level = 10 * np.log10(np.mean(np.square(blocks), axis=1) + 1e-10)
    loud = level > max(-50.0, float(np.quantile(level, 0.95)) - 25.0)
    return tuple(
        PhoneSpan(k / 10, (k + 1) / 10, "a" if on else "sil") for k, on in enumerate(loud.tolist())
    )


def print_progress(group: str, minutes: float) -> None:
    """One line that is written over."""
    print(f"\r{group}: {minutes:.1f} min   ", end="", flush=True)


if __name__ == "__main__":
    build_face_corpus(tyro.cli(FaceCorpus), print_progress)
