"""`motet run`: the main job, from recordings to curves, 3D or video."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.atomic_write import make_folder
from motet.cli.avatar import avatar_map, avatar_report
from motet.cli.recording import open_recording
from motet.cli.requests import check_conditions, check_takes, method_options
from motet.errors import ConfigError, InputError
from motet.options import Device, Guidance, OptionValue, Postprocess
from motet.registry import DEFAULT, specs_of
from motet.request import DEFAULT_SIZE, Request
from motet.sinks import Progress, sink_of

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from motet.batch_ledger import Job, Outcome


@dataclasses.dataclass(frozen=True)
class Run:
    """Motion from speech or sound. The endings of -o choose the formats; without -o an .mp4 is
    written to the current folder.
    """

    audio: tyro.conf.Positional[tuple[Path, ...]]
    """Recordings (wav, flac, ogg, mp3, m4a, mp4, ...) of any sample rate, channels and length."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = DEFAULT
    """Method, or a face and a body on one figure: artalk,mospa."""
    out: Annotated[tyro.conf.UseAppendAction[tuple[Path, ...]], tyro.conf.arg(aliases=["-o"])] = ()
    """File to write (.mp4 .glb .csv .json .npz .bvh); may be repeated. With several recordings: a
    folder."""
    formats: tuple[str, ...] = ("mp4",)
    """Endings to write when -o names a folder."""
    track: int | None = None
    """Sound track of a video with several, from 1; the default one, or the one with speech, when
    left out."""
    channel: int | None = None
    """Channel with the speech, from 1; found from the sound when left out. Videos keep all."""
    style: str = ""
    """A named style, a take (.npz), or a video of a speaking face whose style is taken over."""
    text: str = ""
    """Transcript (or a .txt file with it), for methods that can use it."""
    keys: Path | None = None
    """Edited key motions as `motet keys` writes them, for methods that have such."""
    source: str = ""
    """Body methods: position of the sound source, AZ,EL,DIST (degrees to the left, degrees up,
    metres), or a file with its path."""
    genre: str = ""
    """Body methods: how strongly the figure reacts (dull, neutral, sensitive)."""
    person: Path | None = None
    """Methods that draw a person: folder made by `motet fit`; the shipped person when left out."""
    seed: int = 0
    """Random seed; the same seed gives the same bytes."""
    guidance: Guidance = dataclasses.field(default_factory=lambda: Guidance())
    """Classifier-free guidance."""
    takes: int = 1
    """How many takes, with seeds SEED, SEED+1, ..."""
    postprocess: Annotated[Postprocess, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: Postprocess()
    )
    """Post-processing of a face."""
    fps: float | None = None
    """Output frame rate; the method's own when left out."""
    avatar: Path | None = None
    """A GLB or VRM with ARKit, Oculus-viseme or VRM expression names: .glb outputs animate it
    instead of the house figure."""
    map: Path | None = None
    """Names of the avatar assigned by hand: JSON such as {"MyShape": "jawOpen", "Other": null,
    "bones": {"head": "MyBone"}}."""
    size: int = DEFAULT_SIZE
    """Height and width of videos in pixels."""
    marker: bool = True
    """Videos of a body show the source position, if --source is given."""
    weights: Path | None = None
    """A motet checkpoint to use instead of the shipped one."""
    device: Device = "cpu"
    """Where the networks run; `auto` takes a GPU where there is one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of the method's own (`motet methods NAME` lists them); may be
    repeated."""
    quiet: bool = False
    """No progress bars and no closing lines."""

    def execute(self) -> int:
        """Run everything; returns 0."""
        request, folder = self._request(), self._folder()
        self._check(request, folder)
        report = avatar_report(request.avatar, request.avatar_map)
        if not self.quiet and report:
            print(request.avatar, *report, sep="\n")
        if folder is not None:
            return self._many(request, folder)
        outputs = self.out or (Path(f"{self.audio[0].stem}.mp4"),)
        written = self._work(self.audio[0], outputs, request)
        if not self.quiet:
            for path in written:
                print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")
        return 0

    def _request(self) -> Request:
        if self.takes < 1:
            raise ConfigError(f"takes must be at least 1, not {self.takes}")
        return Request(
            method_options(self.method, self._options(), self.option),
            self.postprocess,
            tuple(range(self.seed, self.seed + self.takes)),
            self.fps,
            self.avatar,
            self.size,
            self.marker,
            avatar_map=avatar_map(self.avatar, self.map),
            other_weights=self.weights is not None,
        )

    def _options(self) -> dict[str, OptionValue]:
        """The options that have flags of their own."""
        flags = {
            "style": self.style,
            "source": self.source,
            "genre": self.genre,
            "text": self.text,
            "keys": str(self.keys or ""),
            "person": str(self.person or ""),
        }
        return {name: value for name, value in flags.items() if value} | self.guidance.options()

    def _check(self, request: Request, folder: Path | None) -> None:
        """Everything that can be known before a recording is read or a model is loaded."""
        if not self.audio:
            raise ConfigError("no recording given; name at least one audio or video file")
        if not 64 <= self.size <= 4096:
            raise ConfigError(f"size must lie between 64 and 4096 pixels, not {self.size}")
        if self.fps is not None and not 1 <= self.fps <= 240:
            raise ConfigError(f"fps must lie between 1 and 240, not {self.fps}")
        if len(self.audio) > 1 and folder is None:
            raise ConfigError("several recordings need a folder as -o (a path without ending)")
        if folder is None and self.formats != ("mp4",):
            raise ConfigError("--formats is for a folder as -o; a file's ending names its format")
        paths = self.out or (Path("x.mp4"),)
        if folder is not None:
            paths = tuple(Path(f"x.{ending.lstrip('.')}") for ending in self.formats)
        specs = specs_of(self.method)
        sink_of(specs).check(request, paths, specs)
        check_takes(specs, request)
        check_conditions(specs, request, self.weights)

    def _folder(self) -> Path | None:
        """The output folder, when -o is one."""
        folders = [path for path in self.out if self._is_folder(path)]
        if folders and len(self.out) > 1:
            raise ConfigError("give either one folder or files as -o, not both")
        return folders[0] if folders else None

    def _is_folder(self, path: Path) -> bool:
        """Whether -o means a folder: there is one, or the name has no ending, or (with several
        recordings or --formats, which need a folder) one of no format: `takes_v1.0`.
        """
        if path.is_dir() or not path.suffix:
            return True
        from motet.export import FORMATS

        wants_folder = len(self.audio) > 1 or self.formats != ("mp4",)
        return wants_folder and path.suffix.lower() not in FORMATS

    def _many(self, request: Request, folder: Path) -> int:
        from motet.batch_ledger import LEDGER_NAME, Job, Ledger, run_jobs

        make_folder(folder)
        outputs: dict[Path, list[Path]] = {}
        for source, name in zip(self.audio, _distinct_names(self.audio), strict=True):
            outputs[source] = [folder / f"{name}.{e.lstrip('.')}" for e in self.formats]
        jobs = [
            Job(source, tuple(_named(p, t, self.takes) for t in range(self.takes) for p in paths))
            for source, paths in outputs.items()
        ]
        left_out = ("audio", "out", "quiet")
        settings = {key: value for key, value in vars(self).items() if key not in left_out}

        def work(job: Job) -> None:
            self._work(job.source, outputs[job.source], request)

        outcomes = run_jobs(jobs, settings, work, Ledger(folder / LEDGER_NAME))
        return self._report(outcomes, folder)

    def _report(self, outcomes: Sequence[Outcome], folder: Path) -> int:
        states = [outcome.state for outcome in outcomes]
        if not self.quiet:
            counts = (f"{states.count(s)} {s}" for s in ("done", "skipped", "failed"))
            print(f"{', '.join(counts)} in {folder}")
        failed = [o for o in outcomes if o.state == "failed"]
        if failed:
            raise InputError("; ".join(f"{o.job.source}: {o.reason}" for o in failed))
        return 0

    def _work(self, source: Path, outputs: Sequence[Path], request: Request) -> list[Path]:
        from motet.cli.progress import progress_bars
        from motet.session import load_methods

        with progress_bars(self.quiet) as bars:
            task = bars.add_task(f"reading {source.name}", total=None)
            audio = open_recording(source, specs_of(self.method), self.track, self.channel)
            bars.update(task, description=f"loading {self.method}")
            generator = load_methods(self.method, self.weights, request.options, self.device)
            bars.update(task, description=f"generating ({self.method})")

            def paths(take: int) -> list[Path]:
                return [_named(path, take, self.takes) for path in outputs]

            return generator.write(audio, request, source.name, paths, partial(_progress, bars))


def _progress(bars: Bars, path: Path, frames: int) -> Progress:
    make_folder(path.parent)
    task = bars.add_task(f"writing {path.name}", total=frames)
    update: Callable[..., None] = partial(bars.update, task)
    return lambda done: update(completed=done)


def _named(path: Path, take: int, takes: int) -> Path:
    """The path of one of several takes."""
    return path if takes == 1 else path.with_name(f"{path.stem}.take{take + 1}{path.suffix}")


def _distinct_names(paths: Sequence[Path]) -> list[str]:
    """Stems, with the folder's name before those that would collide."""
    stems = [path.stem for path in paths]
    names = [
        (
            stem
            if stems.count(stem) == 1
            else f"{path.resolve().parent.name}_{stem}_{path.suffix.lstrip('.')}"
        )
        for stem, path in zip(stems, paths, strict=True)
    ]
    if len(set(names)) != len(names):
        raise ConfigError(
            "two recordings would be written to the same name; run them into different folders"
        )
    return names


COMMAND = Run
