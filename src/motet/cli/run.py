"""`motet run`: the main job, from recordings to curves, 3D or video."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.atomic_write import check_writable, make_folder
from motet.batch.storage import (
    Location,
    expand,
    file_name,
    is_folder,
    is_pattern,
    local_copy,
    location_of,
    stem,
    stored,
)
from motet.cli.avatar import avatar_map, avatar_report
from motet.cli.batch_options import Batch, run_batch, take_of
from motet.cli.edit import LARGEST as LARGEST_EDITS
from motet.cli.mesh_files import MeshFiles
from motet.cli.recording import open_recording
from motet.cli.remarks import show_remarks
from motet.cli.requests import check_conditions, check_takes, method_options, spoken_text
from motet.cli.written import written_line
from motet.errors import AssetError, ConfigError
from motet.export.picture import DEFAULT_SIZE, PICTURES, picture_options
from motet.method_options import option_names
from motet.options import Device, Guidance, OptionValue, Postprocess
from motet.registry import DEFAULT, specs_of
from motet.request import Request
from motet.sinks import Progress, sink_of

if TYPE_CHECKING:
    from rich.progress import Progress as Bars

    from motet.editing import EditFile


@dataclasses.dataclass(frozen=True)
class Run:
    """Motion from speech or sound. The endings of -o choose the formats; without -o an .mp4 is
    written to the current folder.
    """

    audio: tyro.conf.Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="PATH...")]] = ()
    """Recordings (wav, flac, ogg, mp3, m4a, mp4, ...) of any sample rate, channels and length;
    folders, patterns such as 'speech/**/*.wav' and addresses such as s3://bucket/a.wav too."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = DEFAULT
    """Method, or a face and a body on one figure: artalk,mospa."""
    out: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(aliases=["-o"], metavar="PATH")
    ] = ()
    """File to write (.mp4 .webm .glb .csv .json .npz .vrma .bvh .html ...: every format is
    listed in docs/reference/formats.md); may be repeated. With several
    recordings: a folder, which may lie in an object store."""
    formats: tuple[str, ...] = ("mp4",)
    """Endings to write when -o names a folder: csv mp4, or csv,mp4."""
    track: int | None = None
    """Sound track of a video with several, from 1; the default one, or the one with speech, when
    left out."""
    channel: int | None = None
    """Channel with the speech, from 1; found from the sound when left out. Videos keep all."""
    style: str = ""
    """A named style, a take (.npz), or a video of a speaking face whose style is taken over."""
    text: str = ""
    """Transcript (or a .txt file with it), for methods that can use it; without a recording, the
    text that is spoken."""
    voice: str = ""
    """Voice for --text without a recording: FOLDER or FOLDER:NAME of Kokoro's files; those of
    motet's data folder, or espeak-ng, when left out."""
    keys: Path | None = None
    """Edited key motions as `motet keys` writes them, for methods that have such."""
    source: str = ""
    """Body methods: position of the sound source, AZ,EL,DIST (degrees to the left, degrees up,
    metres), or a file with its path."""
    genre: str = ""
    """Body methods: strength of the reaction (dull, neutral, sensitive)."""
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
    """A GLB or VRM with ARKit, Oculus-viseme or VRM expression names: .glb outputs animate it,
    videos and .png draw it instead of the house figure."""
    map: Path | None = None
    """Names of the avatar assigned by hand: JSON such as {"MyShape": "jawOpen", "Other": null,
    "bones": {"head": "MyBone"}}."""
    size: str = str(DEFAULT_SIZE)
    """Size of videos: PIXELS, WIDTHxHEIGHT, or 16:9, 9:16, 4:5, 1:1, 720p, 1080p, 4k."""
    background: str = ""
    """Background of videos of a face: #RRGGBB, a picture file, or transparent (.webm .mov .png)."""
    camera: str = "head"
    """Camera of videos: head, bust, three-quarter, body of a face; follow, front, fixed of a
    body."""
    figure: str = ""
    """Figure of videos, .glb, .html and USD: mira, jonas or amara; mira when left out."""
    captions: str = ""
    """Captions drawn into videos or written as .srt or .vtt: what is said (text or .txt), or .srt,
    .vtt with its times."""
    marker: bool = True
    """Videos of a body show the source position, if --source is given."""
    edits: Path | None = None
    """Edits of the studio (.json) to apply to the takes of a face."""
    weights: Path | None = None
    """A motet checkpoint to use instead of the shipped one."""
    mesh: Annotated[MeshFiles, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: MeshFiles()
    )
    """Files of yours that imported FLAME and mesh models need."""
    device: Device = "cpu"
    """Where the networks run; `auto` takes a GPU where there is one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of the method's own (`motet methods NAME` lists them); may be
    repeated."""
    batch: Annotated[Batch, tyro.conf.arg(name="")] = dataclasses.field(
        default_factory=lambda: Batch()
    )
    """Batches of many recordings."""
    quiet: bool = False
    """No progress bars and no closing lines."""

    def execute(self) -> int:
        """Run everything; returns 0."""
        if not self.audio and self.text:
            return self._spoken()
        if self.voice:
            raise ConfigError("--voice speaks --text where no recording is given; leave it out")
        request, folder = self._request(), self._folder()
        self._check(request, folder)
        show_remarks(quiet=self.quiet)
        has_face = any(spec.space != "smplx25" for spec in specs_of(self.method))
        written = self.formats if folder is not None or not self.out else map(str, self.out)
        drawn = any(f".{name.lower()}".endswith(PICTURES) for name in written)
        report = avatar_report(request.avatar, request.avatar_map, has_face=has_face, drawn=drawn)
        if not self.quiet and report:
            print(request.avatar, *report, sep="\n")
        if folder is not None:
            return run_batch(self, folder)
        source = expand(self.audio)[0]
        outputs = [location_of(str(path)) for path in self.out] or [Path(f"{stem(source)}.mp4")]
        takes = [[take_of(path, t, self.takes) for path in outputs] for t in range(self.takes)]
        for path in self.write(source, takes):
            if not self.quiet:
                print(written_line(path))
        return 0

    def check(self) -> None:
        """Everything that can be known before a recording is read or a model is loaded.

        Raises:
            ConfigError: an option that cannot be honoured.
        """
        self._check(self._request(), self._folder())

    def write(self, source: Location, takes: Sequence[Sequence[Location]]) -> list[Location]:
        """Run one recording; returns the files written.

        Args:
            takes: for each take the files to write.

        Raises:
            InputError: the recording cannot be read, or an output not written.
        """
        request, names = self._request(), [name for files in takes for name in files]
        with local_copy(source) as recording, stored(names) as paths:
            local = dict(zip(map(str, names), paths, strict=True))
            made = self._work(recording, lambda take: [local[str(n)] for n in takes[take]], request)
        return made if all(isinstance(name, Path) for name in names) else names

    def _spoken(self) -> int:
        """Speak the text, and run on that."""
        from motet.audio.io.write import write_audio
        from motet.audio.voice import speak

        words, specs = spoken_text(self.text), specs_of(self.method)
        uses_text = any("text" in option_names(spec) for spec in specs)
        with tempfile.TemporaryDirectory(prefix="motet-speech-") as folder:
            recording = Path(folder) / "speech.wav"
            options = {"text": words if uses_text else "", "voice": "", "audio": (recording,)}
            command = dataclasses.replace(self, **options)  # type: ignore[arg-type]  # its fields
            request = command._request()
            command._check(request, command._folder())
            write_audio(speak(words, self.voice), recording)
            return command.execute()

    def _request(self) -> Request:
        if self.takes < 1:
            raise ConfigError(f"takes must be at least 1, not {self.takes}")
        return Request(
            method_options(self.method, self._options(), self.option),
            self.postprocess,
            tuple(range(self.seed, self.seed + self.takes)),
            self.fps,
            self.avatar,
            picture_options(self.size, self.background, self.camera, self.captions, self.figure),
            self.marker,
            avatar_map=avatar_map(self.avatar, self.map),
            edits=_edits(self.edits),
            other_weights=self.weights is not None,
            mesh=self.mesh.read(),
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
            "template": str(self.mesh.template or ""),
        }
        return {name: value for name, value in flags.items() if value} | self.guidance.options()

    def _check(self, request: Request, folder: Location | None) -> None:
        if not self.audio and not self.batch.manifest:
            raise ConfigError("no recording given; name at least one audio or video file")
        if self.fps is not None and not 1 <= self.fps <= 240:
            raise ConfigError(f"fps must lie between 1 and 240, not {self.fps}")
        if folder is None:
            self.batch.check_alone()
        if self.is_batch and folder is None:
            raise ConfigError("several recordings need a folder as -o (a path without ending)")
        if len(set(self.out)) < len(self.out):
            raise ConfigError("the same file is given twice as -o; leave one out")
        if folder is None and self.formats != ("mp4",):
            raise ConfigError("--formats is for a folder as -o; a file's ending names its format")
        if not self.endings:
            raise ConfigError("--formats names no ending; give for example --formats csv mp4")
        paths = tuple(Path(str(path)) for path in self.out) or (Path("x.mp4"),)
        if folder is not None:
            paths = tuple(Path(f"x.{ending}") for ending in self.endings)
        specs = specs_of(self.method)
        if folder is None:
            outputs = [location_of(str(path)) for path in self.out]
            check_writable(path for path in outputs if isinstance(path, Path))
        sink_of(specs).check(request, paths, specs)
        check_takes(specs, request)
        check_conditions(specs, request, self.weights)

    def _folder(self) -> Location | None:
        """The output folder, when -o is one."""
        outputs = [location_of(str(path)) for path in self.out]
        folders = [path for path in outputs if self._is_folder(path)]
        if folders and len(self.out) > 1:
            raise ConfigError("give either one folder or files as -o, not both")
        return folders[0] if folders else None

    def _is_folder(self, output: Location) -> bool:
        """Whether -o means a folder: there is one, or the name has no ending, or (with several
        recordings or --formats, which need a folder) one of no format: `takes_v1.0`.
        """
        path = output if isinstance(output, Path) else Path(file_name(output))
        if path is output and path.is_dir() or not path.suffix:
            return True
        from motet.export import FORMATS

        wants_folder = self.is_batch or self.formats != ("mp4",)
        return wants_folder and path.suffix.lower() not in FORMATS

    @property
    def endings(self) -> tuple[str, ...]:
        """The endings of `formats` without dots."""
        listed = (one for entry in self.formats for one in entry.split(","))
        return tuple(one.strip().lstrip(".") for one in listed if one.strip())

    @property
    def is_batch(self) -> bool:
        """Whether more than one recording can be meant, before anything is looked for."""
        many = any(is_pattern(text) or is_folder(text) for text in self.audio)
        return many or len(self.audio) > 1 or bool(self.batch.manifest)

    def _work(
        self, recording: Path, paths: Callable[[int], list[Path]], request: Request
    ) -> list[Location]:
        from motet.cli.progress import progress_bars
        from motet.session import load_methods

        with progress_bars(self.quiet) as bars:
            task = bars.add_task(f"reading {recording.name}", total=None)
            audio = open_recording(recording, specs_of(self.method), self.track, self.channel)
            bars.update(task, description=f"loading {self.method}")
            generator = load_methods(self.method, self.weights, request.options, self.device)
            bars.update(task, description=f"generating ({self.method})")
            done = partial(_progress, bars)
            return list(generator.write(audio, request, recording.name, paths, done))


def _edits(path: Path | None) -> EditFile | None:
    if path is None:
        return None
    from motet.editing import read_edit_file

    if not path.is_file() or path.stat().st_size > LARGEST_EDITS:
        raise AssetError(f"{path} is no file of edits; save one in the studio")
    return read_edit_file(path.read_bytes())


def _progress(bars: Bars, path: Path, frames: int) -> Progress:
    make_folder(path.parent)
    task = bars.add_task(f"writing {path.name}", total=frames)
    update: Callable[..., None] = partial(bars.update, task)
    return lambda done: update(completed=done)


COMMAND = Run
