"""`motet run`: the main job, from recordings to curves, 3D or video."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from motet.errors import ConfigError, InputError
from motet.registry import DEFAULT, specs_of

if TYPE_CHECKING:
    from rich.progress import Progress

    from motet.batch_ledger import Job
    from motet.types import Clip


@dataclasses.dataclass(frozen=True)
class Guidance:
    """How strongly a take is pulled; the method's own strength where left out."""

    audio: float | None = None
    """By the sound."""
    style: float | None = None
    """By the style."""


GUIDANCE_OPTIONS = {
    "audio": ("guidance_audio", "guidance"),
    "style": ("guidance_style", "style_strength"),
}
"""What the two strengths are called among the options of the methods; the first that a method has
is meant."""


@dataclasses.dataclass(frozen=True)
class Run:
    """Motion from sound. The endings of -o choose the formats; without -o an mp4 appears beside
    you.
    """

    audio: tyro.conf.Positional[tuple[Path, ...]]
    """Recordings (wav, flac, ogg, mp3, m4a, mp4, ...) of any rate, channels and length."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = DEFAULT
    """Method, or a face and a body on one figure: artalk,mospa."""
    out: Annotated[tyro.conf.UseAppendAction[tuple[Path, ...]], tyro.conf.arg(aliases=["-o"])] = ()
    """File to write (.mp4 .glb .csv .json .npz .bvh); may be repeated. With several recordings: a
    folder."""
    formats: tuple[str, ...] = ("mp4",)
    """Endings to write when -o names a folder."""
    style: str = ""
    """A named style, or a take (.npz) whose manner is taken over."""
    text: str = ""
    """What is said (or a .txt file with it), for methods that can use it."""
    keys: Path | None = None
    """Edited key motions as `motet keys` writes them, for methods that have such."""
    source: str = ""
    """Body methods: where the sound is, AZ,EL,DIST (degrees to the left, degrees up, metres), or a
    file of its path."""
    genre: str = ""
    """Body methods: how strongly the figure reacts (dull, neutral, sensitive)."""
    person: Path | None = None
    """Picture methods: folder of a person made by `motet fit`; the shipped person when left out."""
    seed: int = 0
    """Everything random comes from it; the same seed gives the same bytes."""
    guidance: Guidance = dataclasses.field(default_factory=lambda: Guidance())
    """How strongly the take is pulled."""
    takes: int = 1
    """How many takes, with seeds SEED, SEED+1, ..."""
    head: bool = True
    """Keep the head's movement."""
    blink: bool = True
    """Keep the blinks."""
    intensity: float = 1.0
    """Scale of the mouth's movement (0.5 mumbles, 1.3 exaggerates)."""
    fps: float | None = None
    """Frames a second of the answer; the method's own when left out."""
    avatar: Path | None = None
    """A GLB or VRM with ARKit, Oculus-viseme or VRM expression names: .glb outputs animate it
    instead of the house figure."""
    size: int = 512
    """Height and width of videos in pixels."""
    marker: bool = True
    """Videos of a body show where the sound is, if a source was given."""
    weights: Path | None = None
    """A motet checkpoint to use instead of the shipped one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: a setting of the method's own (see its README); may be repeated."""
    quiet: bool = False
    """No progress bars and no closing lines."""

    def execute(self) -> int:
        """Run everything; answers 0, or 2 when an input could not be used."""
        self._check()
        if len(self.audio) == 1 and not self._folder():
            outputs = self.out or (Path(f"{self.audio[0].stem}.mp4"),)
            self._announce(self._work(self.audio[0], outputs))
            return 0
        return self._many()

    def _check(self) -> None:
        from motet.export import check_ending, check_spaces

        if not self.audio:
            raise ConfigError("no recording given")
        if self.takes < 1:
            raise ConfigError(f"takes must be at least 1, not {self.takes}")
        if not 64 <= self.size <= 4096:
            raise ConfigError(f"size must lie between 64 and 4096 pixels, not {self.size}")
        if self.fps is not None and not 1 <= self.fps <= 240:
            raise ConfigError(f"fps must lie between 1 and 240, not {self.fps}")
        if len(self.audio) > 1 and not self._folder():
            raise ConfigError("several recordings need a folder as -o (a path without ending)")
        paths = (
            self.out
            if not self._folder()
            else [Path(f"x.{ending.lstrip('.')}") for ending in self.formats]
        )
        for path in paths:
            check_ending(path)
        if self.person is not None and not self._draws():
            raise ConfigError(
                f"{self.method} moves a figure and has no person; --person belongs to picture"
                " methods such as speech2lip"
            )
        if self._draws():
            from motet.cli.run_frames import check_speaking

            check_speaking(self, paths)
        elif self.weights is None:  # other weights may generate motion in another space
            for path in paths:
                check_spaces(path, [spec.space for spec in specs_of(self.method)], self.method)

    def _draws(self) -> bool:
        """Whether the method answers pictures."""
        return any(spec.output == "frames" for spec in specs_of(self.method))

    def _folder(self) -> Path | None:
        """The output folder, when -o is one."""
        folders = [path for path in self.out if path.is_dir() or not path.suffix]
        if folders and len(self.out) > 1:
            raise ConfigError("give either one folder or files as -o, not both")
        return folders[0] if folders else None

    def _many(self) -> int:
        from motet.batch_ledger import LEDGER_NAME, Job, Ledger, run_jobs

        folder = self._folder()
        assert folder is not None
        folder.mkdir(parents=True, exist_ok=True)
        endings = [ending.lstrip(".") for ending in self.formats]
        names = _distinct_names(self.audio)
        jobs = [
            Job(
                path,
                tuple(
                    self.named(folder / f"{name}.{ending}", take)
                    for take in range(self.takes)
                    for ending in endings
                ),
            )
            for path, name in zip(self.audio, names, strict=True)
        ]
        stems = {job.source: folder / name for job, name in zip(jobs, names, strict=True)}
        settings = {
            key: value for key, value in vars(self).items() if key not in ("audio", "out", "quiet")
        }

        def work(job: Job) -> None:
            self._work(
                job.source,
                [
                    stems[job.source].with_name(f"{stems[job.source].name}.{ending}")
                    for ending in endings
                ],
            )

        outcomes = run_jobs(jobs, settings, work, Ledger(folder / LEDGER_NAME))
        counts = {
            state: sum(o.state == state for o in outcomes)
            for state in ("done", "skipped", "failed")
        }
        if not self.quiet:
            print(
                ", ".join(f"{count} {state}" for state, count in counts.items()) + f" in {folder}"
            )
        failed = [o for o in outcomes if o.state == "failed"]
        if failed:
            raise InputError("; ".join(f"{o.job.source}: {o.reason}" for o in failed))
        return 0

    def _work(self, source: Path, outputs: Sequence[Path]) -> list[Path]:
        from motet.audio import read_audio
        from motet.cli.progress import progress_bars
        from motet.face.postprocess import Finish
        from motet.session import cast, provenance
        from motet.types import Clip, Motion

        if self._draws():
            from motet.cli.run_frames import speak

            return speak(self, source, outputs)
        with progress_bars(self.quiet) as progress:
            task = progress.add_task(f"listening to {source.name}", total=None)
            audio = read_audio(source)
            loaded = cast(self.method, str(self.weights) if self.weights else None)
            options, finish = self.options(), Finish(self.intensity, self.head, self.blink)
            seeds = tuple(range(self.seed, self.seed + self.takes))
            progress.update(task, description=f"moving ({self.method})")
            motion = loaded.run(audio, options, seeds=seeds, finish=finish)
            progress.update(task, total=1, completed=1)
            written = []
            for take, seed in enumerate(seeds):
                values = Motion(motion.values[take], motion.space)
                clip = Clip(
                    audio,
                    values if self.fps is None else values.at(self.fps),
                    provenance=provenance(loaded, seed, options, finish, source),
                )
                written += [self._write(clip, self.named(path, take), progress) for path in outputs]
        return written

    def _write(self, clip: Clip, path: Path, progress: Progress) -> Path:
        from motet.export import write_clip

        path.parent.mkdir(parents=True, exist_ok=True)
        task = progress.add_task(
            f"writing {path.name}", total=clip.motion.frames if clip.motion else None
        )
        return write_clip(
            clip,
            path,
            size=self.size,
            avatar=self.avatar,
            marker=self.marker,
            progress=lambda done: progress.update(task, completed=done),
        )

    def named(self, path: Path, take: int) -> Path:
        """The path of one of several takes."""
        return (
            path if self.takes == 1 else path.with_name(f"{path.stem}.take{take + 1}{path.suffix}")
        )

    def options(self) -> dict[str, Any]:
        """What is set of the method's own."""
        from motet.method import parse_options
        from motet.session import option_names

        specs = specs_of(self.method)
        given = {
            "style": self.style,
            "source": self.source,
            "genre": self.genre,
            "text": self.text,
            "keys": str(self.keys) if self.keys else "",
        }
        named = {name: value for name, value in given.items() if value}
        own: dict[str, Any] = {}
        for text in self.option:
            spec = next(
                (spec for spec in specs if text.partition("=")[0] in option_names(spec)), specs[0]
            )
            own |= parse_options(spec, [text])
        return {**named, **self._guidance_options(), **own}

    def _guidance_options(self) -> dict[str, float]:
        from motet.session import option_names

        fields = set().union(*(option_names(spec) for spec in specs_of(self.method)))
        wanted = {name: value for name, value in vars(self.guidance).items() if value is not None}
        found = {
            name: next((option for option in GUIDANCE_OPTIONS[name] if option in fields), "")
            for name in wanted
        }
        for name, option in found.items():
            if not option:
                raise ConfigError(
                    f"{self.method} cannot be guided by {name}; leave --guidance.{name} out"
                )
        return {found[name]: value for name, value in wanted.items()}

    def _announce(self, written: Sequence[Path]) -> None:
        if not self.quiet:
            for path in written:
                print(f"{path}  {path.stat().st_size / 1e6:.2f} MB")


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
