"""Fit the performance model of `motet data synth` anew, as the shipped one was.

    python -m recipes.performance_model fitted.safetensors --data DATA

Lips from GRID s1's training clips; phones from GRID, festvox-ru and flite (`DATA/speech`). Prints
how well the model agrees with GRID s1's test clips.
"""

from __future__ import annotations

import dataclasses
import statistics
from pathlib import Path

import tyro

from motet.data.clip import Recording
from motet.data.readers.tracked import read_grid
from motet.synthesis.performance.model import save_model
from recipes.performance_model.fit import LabelledSpeech, agreement, fit_performance
from recipes.speech_features import SpeechFolders, speech_examples

Tracked = list[tuple[Recording, LabelledSpeech]]


@dataclasses.dataclass(frozen=True)
class Arguments:
    """The fit."""

    out: tyro.conf.Positional[Path]
    """The new model."""
    data: Path
    """Folder with grid_s1 and speech."""
    features: Path | None = None
    """Whisper features of that speech; computed when left out."""
    whisper: Path | None = None
    """Whisper weights; the installed package when left out."""


def main(arguments: Arguments) -> None:
    """Fit, write, compare."""
    folders = SpeechFolders(arguments.data / "speech", arguments.features, arguments.whisper)
    grid = {
        e.entry.name: LabelledSpeech(e.features, e.phones) for e in speech_examples(folders, "grid")
    }
    clips: dict[str, Tracked] = {"train": [], "test": [], "val": []}
    for recording in read_grid(arguments.data / "grid_s1"):
        name = recording.facts.source.rpartition(" ")[2]
        if name in grid:
            clips[recording.facts.split].append((recording, grid[name]))
    labelled = [speech for _, speech in clips["train"][::4]]
    for source in ("festvox_ru", "flite"):
        examples = [e for e in speech_examples(folders, source) if e.entry.split == "train"]
        labelled += [LabelledSpeech(e.features, e.phones) for e in examples[::2]]
    model = fit_performance(clips["train"], labelled)
    save_model(model, arguments.out)
    scores = [agreement(model, r, s.phones, s.features) for r, s in clips["test"]]
    for field in ("opening", "width", "error", "amplitude"):
        print(f"{field:<10} {statistics.median(getattr(s, field) for s in scores):.3f}")


if __name__ == "__main__":
    main(tyro.cli(Arguments))
