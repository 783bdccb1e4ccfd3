"""Video files as shots: pictures at exactly 25 a second, whatever the rate of the file and
however uneven it is, and the sound on the same clock.

Nothing is held in memory: pictures are decoded again by every pass over them.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import av
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import Float, UInt8
from numpy import ndarray

from motet.errors import AudioError, InputError

FPS, RATE_HZ = 25, 16_000
SHORTEST_S = 10.0
"""Seconds of footage that a person needs at least; a minute or more gives good lips."""
LONGEST_S = 3600.0
SMALLEST_PX = 128
VIDEO_ENDINGS = (".avi", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".webm")
"""Which files of a folder are taken for videos."""
_LEAST_RATE = 20
"""Pictures a second: a picture of 50 ms blurs a closure away."""
_HELD_S, _HELD_SHARE = 0.09, 0.10
"""A picture that lasts longer than two of 25 a second hides movement; so much of the footage may
consist of such pictures. Cameras that vary their rate (telephones, recordings of a screen) stay
far below."""
_ENCODER_DELAY_S = 0.05
"""Streams that start within this of each other start together: two frames of AAC at 44.1 kHz,
which the reader of sound takes off, are 46 ms."""


@dataclasses.dataclass(frozen=True)
class Shot:
    """One uninterrupted piece of footage."""

    path: Path
    digest: str
    """Twelve hex digits of the file's SHA-256."""
    frames: int
    """Pictures at 25 a second."""
    width: int
    height: int
    rate: float
    """Pictures a second in the file, on average."""
    first_s: float = 0.0
    """Time of the first picture after the start of the file: sound before it belongs to none."""

    @property
    def seconds(self) -> float:
        """Length in seconds."""
        return self.frames / FPS

    def pictures(self) -> Iterator[UInt8[ndarray, "height width 3"]]:
        """The pictures that are shown at i / 25 s, exactly `frames` of them.

        Raises:
            InputError: the file became unreadable.
        """
        shown, last, last_stamp = 0, None, 0.0
        for stamp, frame in _decoded(self.path):
            # until halfway between two pictures the earlier one is shown
            while (
                last is not None
                and shown < self.frames
                and shown / FPS < (stamp + last_stamp) / 2 - 1e-6
            ):
                yield last
                shown += 1
            last, last_stamp = _upright(frame), stamp
        while last is not None and shown < self.frames:
            yield last
            shown += 1

    def sound(
        self, track: int | None = None, channel: int | None = None
    ) -> Float[ndarray, " time"]:
        """The sound, 16 kHz mono, from the first picture to the end of the last.

        Args:
            track: sound track, from 1; see `read_audio`.
            channel: channel with the speech, from 1; found from the sound when left out.

        Raises:
            InputError: there is none, or it is silent throughout.
            AudioError: there is no such track or channel.
        """
        from motet.audio import read_audio, resample, to_mono
        from motet.audio.downmix import one_channel

        try:
            audio = read_audio(self.path, track=track)
            if channel is not None:
                audio = one_channel(audio, channel)
            samples = resample(to_mono(audio), RATE_HZ).samples[0].numpy()
        except AudioError as error:
            if "no sound" in str(error):
                raise InputError(
                    f"{self.path} has no sound; training needs footage in which the person speaks"
                ) from error
            raise
        # -80 dB of full scale
        if float(np.abs(samples).max()) < 1e-4:
            raise InputError(
                f"{self.path} is silent from beginning to end; training needs footage in"
                " which the person speaks"
            )
        requested = round(self.seconds * RATE_HZ)
        samples = samples[round(self.first_s * RATE_HZ) :]
        return np.pad(samples[:requested], (0, max(0, requested - len(samples))))


def video_files(paths: Sequence[Path]) -> list[Path]:
    """The named files; a folder stands for the videos in it, in the order of their names.

    Raises:
        InputError: a folder holds no video.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        result = (
            sorted(
                file
                for file in path.iterdir()
                if file.suffix.lower() in VIDEO_ENDINGS and not file.name.startswith(".")
            )
            if path.is_dir()
            else [path]
        )
        if not result:
            raise InputError(
                f"the folder {path} holds no videos ({', '.join(VIDEO_ENDINGS)}); give a video, or"
                " a folder with the videos of one person"
            )
        files += result
    return files


def open_shots(paths: Sequence[Path], shortest_s: float = SHORTEST_S) -> list[Shot]:
    """The shots of a person: one for each file (a folder stands for its videos), all of one size.

    Raises:
        InputError: a file is no video, too small, with too few pictures a second, of another size
            than the first; all together too short or too long.
    """
    if not paths:
        raise InputError("no video was named; give one or more videos of the person speaking")
    shots = [_open(path) for path in video_files(paths)]
    for shot in shots[1:]:
        if (shot.width, shot.height) != (shots[0].width, shots[0].height):
            raise InputError(
                f"{shot.path} has {shot.width}x{shot.height} pixels, {shots[0].path} has"
                f" {shots[0].width}x{shots[0].height}; the videos of one person must come from one"
                " camera setting"
            )
    seconds = sum(shot.seconds for shot in shots)
    if seconds < shortest_s:
        raise InputError(
            f"{seconds:.1f} s of footage are too short; at least {shortest_s:g} s are needed, a"
            " minute or more gives good lips"
        )
    if seconds > LONGEST_S:
        raise InputError(
            f"{seconds / 60:.0f} min of footage are more than the {LONGEST_S / 60:.0f} that can be"
            " taken; cut out the best minutes"
        )
    return shots


def _open(path: Path) -> Shot:
    if not path.is_file():
        raise InputError(f"there is no video at {path}")
    stamps, first_s, width, height = _scan(path)
    steps = np.diff(stamps)
    if not len(steps) or stamps[-1] <= 0:
        raise InputError(
            f"{path} holds {len(stamps)} picture(s); give a video of the person speaking"
        )
    _check_clock(path, stamps, steps)
    if min(width, height) < SMALLEST_PX:
        raise InputError(
            f"{path} has {width}x{height} pixels; at least {SMALLEST_PX} each way are needed to see"
            " lips"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    # the last picture lasts as long as most
    frames = max(1, round((stamps[-1] + float(np.median(steps))) * FPS))
    return Shot(path, digest, frames, width, height, len(steps) / stamps[-1], first_s)


def _check_clock(
    path: Path, stamps: Float[ndarray, " pictures"], steps: Float[ndarray, " steps"]
) -> None:
    """Refuse footage whose pictures are too few to see lips. They may be of uneven length: each is
    shown at its own time.

    Raises:
        InputError: says where, and what to do.
    """
    longest = int(steps.argmax())
    if steps[longest] > 1.0:
        raise InputError(
            f"{path} has a gap of {steps[longest]:.1f} s at {clock(stamps[longest])}; give"
            " the parts before and after as separate files"
        )
    rate = len(steps) / stamps[-1]
    if rate < _LEAST_RATE:
        raise InputError(
            f"{path} has {rate:.1f} pictures a second; lips need at least {_LEAST_RATE}, better 25"
            " or more: film again, in more light if the camera slows down"
        )
    share = float(steps[steps > _HELD_S].sum() / stamps[-1])
    if share > _HELD_SHARE:
        where = clock(stamps[longest])
        raise InputError(
            f"{path} stands still for {100 * share:.0f} % of the time (at {where} a"
            f" picture lasts {1000 * steps[longest]:.0f} ms); lips need a new picture every 50 ms:"
            " film or record it again at a steady rate"
        )


def _scan(path: Path) -> tuple[Float[ndarray, " pictures"], float, int, int]:
    """Picture times (s) from the first one, its own time after the start of the file, and upright
    size; read without decoding where possible.
    """
    try:
        with av.open(f"file:{path}") as container:
            if not container.streams.video:
                raise InputError(f"{path} has no pictures; give a video of the person speaking")
            stream = container.streams.video[0]
            aspect = stream.sample_aspect_ratio
            if aspect not in (None, 0, 1):
                raise InputError(
                    f"{path} has pixels that are not square ({aspect}); convert it first, e.g. "
                    f" ffmpeg -i {path.name} -vf scale=iw*sar:ih,setsar=1 square.mp4"
                )
            # time stamps of packets: no picture is decoded for them
            stamps = [packet.pts for packet in container.demux(stream) if packet.size]
            base, start_s = stream.time_base, (container.start_time or 0) / av.time_base
    except (av.FFmpegError, ValueError, IndexError, UnicodeError) as error:
        raise InputError(
            f"{path} is not a video that can be read ({type(error).__name__}); export it again"
            " as mp4"
        ) from error
    first = next(_decoded(path), None)
    if first is None:
        raise InputError(f"{path} has no pictures; give a video of the person speaking")
    height, width = _upright(first[1]).shape[:2]
    if None in stamps or base is None:
        times = np.array([stamp for stamp, _ in _decoded(path)])
        start_s = 0.0
    else:
        # Packets come in decoding order.
        times = np.sort(np.array(stamps, np.float64)) * float(base)
    first_s = float(times[0]) - start_s
    return times - times[0], first_s if first_s > _ENCODER_DELAY_S else 0.0, width, height


def _decoded(path: Path) -> Iterator[tuple[float, VideoFrame]]:
    try:
        with av.open(f"file:{path}") as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            first: float | None = None
            for number, frame in enumerate(_progressive(container, stream)):
                stamp = (
                    float(frame.pts * frame.time_base)
                    if frame.pts is not None and frame.time_base
                    else number / float(stream.average_rate or FPS)
                )
                first = stamp if first is None else first
                yield stamp - first, frame
    except (av.FFmpegError, ValueError, IndexError, UnicodeError) as error:
        raise InputError(
            f"{path} is not a video that can be read ({type(error).__name__}); export it again"
            " as mp4"
        ) from error


def _progressive(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """Decoded pictures; of a file whose first one is interlaced (camcorders, broadcast) without
    combs: one picture for two fields.
    """
    graph: Graph | None = None
    for number, frame in enumerate(container.decode(stream)):
        if number == 0 and frame.interlaced_frame:
            graph = _deinterlacer(stream)
        if graph is None:
            yield frame
            continue
        graph.vpush(frame)
        yield from _pulled(graph)
    if graph is not None:
        graph.vpush(None)
        yield from _pulled(graph)


def _deinterlacer(stream: VideoStream) -> Graph:
    graph = Graph()
    # send_frame: one picture for a frame; deint: frames that are not interlaced stay as they are
    graph.link_nodes(
        graph.add_buffer(template=stream),
        graph.add("yadif", "mode=send_frame:deint=interlaced"),
        graph.add("buffersink"),
    ).configure()
    return graph


def _pulled(graph: Graph) -> Iterator[VideoFrame]:
    """What the filters have ready."""
    while True:
        try:
            yield graph.vpull()
        except (av.BlockingIOError, av.EOFError):
            return


def _upright(frame: VideoFrame) -> UInt8[ndarray, "height width 3"]:
    """RGB, turned as the file says that it should be shown (telephones film sideways)."""
    # The rotation is in degrees, by quarters.
    turns = round(getattr(frame, "rotation", 0) / 90) % 4
    return np.ascontiguousarray(np.rot90(frame.to_ndarray(format="rgb24"), turns))


def clock(seconds: float) -> str:
    """A place in a video as people read it: 1:02.4."""
    return f"{int(seconds // 60)}:{seconds % 60:04.1f}"
