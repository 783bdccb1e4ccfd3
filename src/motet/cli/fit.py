"""`motet fit`: learn one person from videos, so that `motet run -m speech2lip --person` can speak
with them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from motet.errors import ConfigError
from motet.options import Device

if TYPE_CHECKING:
    from motet.methods.speech2lip.person.folder import Person
    from motet.training.person import Trial

PREVIEW, CLIP, SAVE_EVERY_S = "preview.png", "preview.mp4", 30.0
"""Names of the picture to look at while learning and of the clip at the end; seconds between two
saved states, which is what `kill -9` costs at most."""

_SPEAK = "motet run SPEECH.wav -m speech2lip --person {} -o out.mp4"


@dataclasses.dataclass(frozen=True)
class Fit:
    """Train a model of one person's lips and face on a few minutes of footage. The same
    command resumes a run that was stopped or killed.

    Ctrl-C stops the training and keeps the best so far. Preview pictures appear in
    PERSON/training/preview.png.
    """

    video: tyro.conf.Positional[tuple[Path, ...]]
    """Videos of one person speaking to the camera, from one camera position. Cuts, hands before the
    mouth, looking away and pictures in between are skipped and listed; of several faces the largest
    is fitted. A folder stands for the videos in it."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder for the person."""
    consent: str = ""
    """Who allowed this likeness to speak, in words. Needed; it is kept with the person and named in
    every video made."""
    name: str = ""
    """The person's name; the folder's when left out."""
    track: int | None = None
    """Sound track of videos with several, from 1; the default one, or the one with speech, when
    left out."""
    channel: int | None = None
    """Channel with the speech, from 1; found from the sound when left out."""
    minutes: float = 15.0
    """Time of training in all, over resumptions (the closed-form parts of an exemplar person take
    what they take); 0 captures only."""
    renderer: Literal["exemplar", "implicit"] = "exemplar"
    """`exemplar`: mouths from frames of the footage, chosen and warped to the shape that a method
    for curves predicts. `implicit`: the paper's network, trained from scratch on this sound."""
    size: int = 0
    """Height and width of the face crops in pixels; 0: as in the footage, between 256 and 512."""
    held_out: float = 0.2
    """Share of the footage at its end that does not train, for `motet eval`."""
    licence: str = ""
    """Licence of the footage, as an SPDX name."""
    model: Path | None = None
    """The file face_landmarker.task; found inside installed packages when left out."""
    quality: int = 8
    """x264's constant rate factor of the stored pictures: 0 loses nothing, 8 cannot be seen, 18 is
    small."""
    seed: int = 0
    """Same seed, same start."""
    device: Device = "cpu"
    """Where the model trains; `auto` takes a GPU where there is one."""
    quiet: bool = False
    """No progress bars and no closing lines."""

    def execute(self) -> int:
        """Capture, train, report."""
        from motet.nn.device import pick_device
        from motet.tracking.capture.capture import CaptureOptions, capture
        from motet.tracking.capture.describe import describe
        from motet.tracking.capture.noise import hushed

        if not self.video:
            raise ConfigError("no video was named; give one or more videos of the person speaking")
        if self.minutes < 0:
            raise ConfigError(f"minutes must not be negative, they are {self.minutes}")
        pick_device(self.device)  # refused now, not after an hour of capturing
        options = CaptureOptions(
            self.consent,
            self.name,
            self.size,
            self.held_out,
            quality=self.quality,
            licence=self.licence,
            model=self.model,
            track=self.track,
            channel=self.channel,
        )
        self._check_needs()
        with _Bars(self.quiet) as bars, hushed():
            person = capture(self.video, self.out, options, bars.counted)
        self._print(*describe(person))
        if self.minutes and self.renderer == "exemplar":
            self._exemplars(person)
        elif self.minutes:
            self._train(person)
        return 0

    def _check_needs(self) -> None:
        """Refuse footage that cannot be used, then name all that must be installed: nobody installs
        packages for a file that is refused. A person who is captured already needs neither.

        Raises:
            InputError: which file, and why.
            ConfigError: what is missing, each with its remedy.
        """
        from motet.tracking.capture.shots import open_shots
        from motet.tracking.landmarker import missing_needs

        if (self.out / "person.json").exists():
            return
        open_shots(self.video)
        if missing := missing_needs(self.model):
            raise ConfigError("; ".join(missing))

    def _exemplars(self, person: Person) -> None:
        from motet.tracking.capture.noise import hushed
        from motet.training.person_exemplars import fit_exemplar_person

        with _Bars(self.quiet) as bars, hushed():
            fit_exemplar_person(person, report=bars.counted)
            line = self._judge(person, bars.counted)
        self._print(
            line, f"speak:  motet run SPEECH.wav -m speech2lip --person {self.out} -o out.mp4"
        )

    def _judge(self, person: Person, report: Callable[[str, int, int], None]) -> str:
        """How good the person is, in a line."""
        from motet.evaluation.person_quality import judge
        from motet.tracking.lip_landmarks import LipFinder

        clip = person.training / CLIP
        with LipFinder(self.model) as finder:
            line = judge(person, finder, clip, report)
        return f"{line}\nlook:   {clip}  (filmed left, drawn right)" if clip.exists() else line

    def _train(self, person: Person) -> None:
        from motet.training.person import LearningConfig, learn_person
        from motet.training.settings import ComputeConfig

        preview = person.training / PREVIEW
        self._print(
            f"learning for {self.minutes:g} min; look at {preview}; Ctrl-C stops and keeps the best"
        )
        learning = LearningConfig(minutes=self.minutes, save_every_s=SAVE_EVERY_S, seed=self.seed)
        ended = "done"
        with _Bars(self.quiet) as bars:
            bars.begin_learning(self.minutes, learning.lips_share)
            try:
                learn_person(
                    person,
                    None,
                    learning,
                    bars.learning,
                    lambda trial: bars.tried(trial, preview),
                    bars.prepared,
                    ComputeConfig(self.device),
                )
            except KeyboardInterrupt:
                if not person.weights.exists():
                    raise
                ended = "stopped; the best so far is kept, the same command goes on"
        self._print(
            f"{ended}: {_best(person)}",
            f"speak:  {_SPEAK.format(self.out)}",
        )

    def _print(self, *lines: str) -> None:
        if not self.quiet:
            print("\n".join(lines), flush=True)


class _Bars:
    """One bar for each thing that is done, with the time left."""

    def __init__(self, quiet: bool) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            Progress,
            TaskProgressColumn,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TimeRemainingColumn(),
        )
        self._progress = Progress(
            *columns, console=Console(stderr=True), disable=quiet, transient=True
        )
        self._tasks: dict[str, int] = {}

    def __enter__(self) -> _Bars:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def counted(self, what: str, done: int, total: int) -> None:
        """Something of a known amount."""
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what, total=total)
        self._progress.update(self._tasks[what], completed=done, total=total)  # type: ignore[arg-type]

    def prepared(self, done: int, total: int) -> None:
        """The footage is cut to the mouth."""
        self.counted("cutting out the mouth", done, total)

    def begin_learning(self, minutes: float, lips_share: float) -> None:
        """The bar of the learning; `lips_share` of the time goes to its first stage."""
        self._minutes, self._lips_share, self._best, self._stage = minutes, lips_share, "", "lips"

    def learning(self, line: Mapping[str, float]) -> None:
        """A report of the training loop."""
        stage = "face" if "face" in line else "lips"
        before = self._minutes * self._lips_share if stage == "face" else 0.0
        done = before + line["seconds"] / 60
        words = (
            f"learning the {stage}: step {line['step']:.0f}, {max(0.0, self._minutes - done):.1f}"
            f" min left{self._best}"
        )
        if "learning" not in self._tasks:
            self._tasks["learning"] = self._progress.add_task(words, total=self._minutes)
        self._progress.update(self._tasks["learning"], completed=done, description=words)  # type: ignore[arg-type]

    def tried(self, trial: Trial, preview: Path) -> None:
        """A trial on frames that do not train: its picture is put down to be looked at."""
        from motet.atomic_write import write_bytes
        from motet.export.gltf.texture import png

        write_bytes(preview, png(trial.preview.numpy()))
        self._best = f", error {255 * trial.best:.2f}"


def _best(person: Person) -> str:
    from motet.checkpoint import read_checkpoint

    facts = read_checkpoint(person.weights).facts
    return f"mean colour error {255 * facts['error']:.2f} of 255 on validation frames"


COMMAND = Fit
