"""`motet fit`: learn one person from videos, so that `motet run -m speech2lip --person` can speak with them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.errors import ConfigError

if TYPE_CHECKING:
    from motet.methods.speech2lip.person import Person


@dataclasses.dataclass(frozen=True)
class Fit:
    """Learn one person's lips and face from a few minutes of footage. Resumable: the same command goes on where it was stopped or killed.

    Ctrl-C stops the training and keeps the best so far. Preview pictures appear in PERSON/training/preview.png.
    """

    video: tyro.conf.Positional[tuple[Path, ...]]
    """Videos of one person speaking to the camera, from one camera position; each file is one uninterrupted shot."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the person."""
    consent: str = ""
    """Who allowed this likeness to speak, in words. Needed; it is kept with the person and named in every video made."""
    name: str = ""
    """The person's name; the folder's when left out."""
    minutes: float = 15.0
    """Time of training in all, over resumptions; 0 captures only."""
    size: int = 256
    """Height and width of the face crops in pixels."""
    preset: str = "default"
    """Size of the model: default, tiny or published."""
    held_out: float = 0.2
    """Share of the footage at its end that is not learnt from, for `motet eval`."""
    licence: str = ""
    """Licence of the footage, as an SPDX name."""
    model: Path | None = None
    """The file face_landmarker.task; found inside installed packages when left out."""
    quality: int = 8
    """x264's constant rate factor of the stored pictures: 0 loses nothing, 8 cannot be seen, 18 is small."""
    seed: int = 0
    """Same seed, same start."""
    quiet: bool = False
    """No progress bars and no closing lines."""

    def execute(self) -> int:
        """Capture, train, say what came out."""
        from motet.data.capture.capture import CaptureOptions, capture, describe
        from motet.data.capture.noise import hushed

        if not self.video:
            raise ConfigError("no video was named; give one or more videos of the person speaking")
        if self.minutes < 0:
            raise ConfigError(f"minutes must not be negative, they are {self.minutes}")
        options = CaptureOptions(
            self.consent, self.name, self.size, self.held_out, quality=self.quality, licence=self.licence, model=self.model,
        )  # fmt: skip
        with _Bars(self.quiet) as bars, hushed():
            person = capture(self.video, self.out, options, bars.counted)
        self._say(*describe(person))
        if self.minutes:
            self._train(person)
        return 0

    def _train(self, person: Person) -> None:
        from motet.train.likeness import PREVIEW, LikenessOptions, train_person

        self._say(f"training {self.minutes:g} min; look at {person.training / PREVIEW}; Ctrl-C stops and keeps the best")
        with _Bars(self.quiet) as bars:
            facts = train_person(person, LikenessOptions(self.minutes, self.preset, seed=self.seed), bars.trained)
        ended = "stopped; the best so far is kept" if facts.get("stopped") else "done"
        self._say(f"{ended}: colour error {255 * facts['error']:.2f} of 255 on frames not learnt from", f"speak:  motet run SPEECH.wav -m speech2lip --person {self.out} -o out.mp4")

    def _say(self, *lines: str) -> None:
        if not self.quiet:
            print("\n".join(lines), flush=True)


class _Bars:
    """One bar for each thing that is done, with the time left."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

        columns = TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn()
        self._progress = Progress(*columns, console=Console(stderr=True), disable=quiet, transient=True)
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def counted(self, what: str, done: int, total: int) -> None:
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)  # type: ignore[arg-type]

    def trained(self, stage: str, done: float, total: float, line: Mapping[str, float]) -> None:
        if "training" not in self._tasks:
            self._tasks["training"] = self._progress.add_task("training", total=total)
        words = f"training {stage}: step {line['step']:.0f}, loss {line['loss']:.4f}, {max(0.0, total - done):.1f} min left"
        self._progress.update(self._tasks["training"], completed=done, total=total, description=words)  # type: ignore[arg-type]


COMMAND = Fit
