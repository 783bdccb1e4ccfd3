"""What is measured, inside one process that does nothing else."""

from __future__ import annotations

import dataclasses
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from motet.errors import ConfigError, nearest
from motet.evaluation.bench.clock import timed
from motet.evaluation.bench.report import Drawing, Result, Stage, Streaming

if TYPE_CHECKING:
    from motet.types import Audio, Frames, Motion

T = TypeVar("T")
UNIT_MB = 1e-6 if sys.platform == "darwin" else 1.024e-3
"""Megabytes in the unit in which the system counts peak memory (bytes or KiB)."""


@dataclasses.dataclass(frozen=True)
class BenchSubject:
    """What to measure, by name, so that a fresh process can load it."""

    name: str
    """A method or a baseline."""
    kind: Literal["method", "baseline"] = "method"
    weights: str = ""
    """A motet checkpoint; the shipped one when empty."""
    device: str = "cpu"
    """Where the networks run."""


@dataclasses.dataclass(frozen=True)
class BenchConfig:
    """How it is measured."""

    threads: int = 0
    """Threads of the arithmetic; as many as the subject takes by itself when 0."""
    repeats: int = 3
    """Runs of which the median counts."""
    chunk_ms: float = 20.0
    """Length of the pieces when streaming."""
    video: bool = False
    """Also write an mp4."""

    def __post_init__(self) -> None:
        if self.threads < 0 or self.repeats < 1 or not 1.0 <= self.chunk_ms <= 10_000.0:
            raise ConfigError(
                "a bench needs threads >= 0, repeats >= 1 and pieces of 1 to 10000 ms, not"
                f" {self.threads}, {self.repeats}, {self.chunk_ms:g}"
            )


@dataclasses.dataclass(frozen=True)
class _Worker:
    """A loaded subject."""

    run: Callable[[Audio], Motion]
    stream: Callable[[Audio], Iterator[list[Motion | Frames]]] | None
    """One list of outputs for each piece of sound, the last for the end."""
    precision: str
    parameters: int
    draw: Callable[[Audio], Iterator[Any]] | None = None
    """Pictures one by one, of a method that draws; `run` is not used then."""
    threads: int = 0
    """Threads that the subject computes on; 0 for PyTorch's own number."""


def measure(subject: BenchSubject, sound: Path, config: BenchConfig) -> Result:
    """Load the subject and take all numbers of it.

    Call it in a fresh process: loading time and memory are only true there.

    Args:
        sound: a file of one channel.

    Raises:
        ConfigError: the subject does not exist.
        MotetError: it cannot be loaded, or cannot work on this sound.
    """
    # A fresh process: loading is cold, and peak memory is this subject's own.
    load_stage, worker = _timed("load", lambda: _load(subject, config))
    audio = _read(sound)
    if worker.draw is not None:
        return _drawn(subject, worker, worker.draw, audio, load_stage, config)
    first_stage, _ = _timed(
        "first run, 1 s of sound", lambda: worker.run(audio.slice(0, audio.sample_rate))
    )
    runs = [_timed("curves", lambda: worker.run(audio)) for _ in range(config.repeats)]
    # The median run: the mean would follow whatever else the machine does.
    runs.sort(key=lambda pair: pair[0].wall_s)
    curves, motion = runs[len(runs) // 2]
    stages = [load_stage, first_stage, curves]
    streaming = (
        None
        if worker.stream is None
        else _streaming(worker.stream(audio), motion.space.fps, config.chunk_ms, audio.seconds)
    )
    if config.video:
        stages.append(_video(audio, motion))
    threads = worker.threads or sys.modules["torch"].get_num_threads()
    return Result(
        subject.name,
        audio.seconds,
        motion.frames,
        threads,
        worker.precision,
        worker.parameters,
        tuple(stages),
        streaming,
    )


def _drawn(
    subject: BenchSubject,
    worker: _Worker,
    draw: Callable[[Audio], Iterator[Any]],
    audio: Audio,
    load_stage: Stage,
    config: BenchConfig,
) -> Result:
    """The numbers of a method that draws pictures.

    No picture is stored: an hour takes no more memory than a second.
    """
    first_stage, _ = _timed(
        "first run, 1 s of sound", lambda: _pulled(draw(audio.slice(0, audio.sample_rate)))
    )
    runs = [_timed("pictures", lambda: _pulled(draw(audio))) for _ in range(config.repeats)]
    runs.sort(key=lambda pair: pair[0].wall_s)
    stage, (frames, (height, width), first_s) = runs[len(runs) // 2]
    streaming = (
        None
        if worker.stream is None
        else _streaming(
            worker.stream(audio), frames / audio.seconds, config.chunk_ms, audio.seconds
        )
    )
    drawing = Drawing(width, height, frames / stage.wall_s, 1000.0 * stage.cpu_s / frames, first_s)
    threads = worker.threads or sys.modules["torch"].get_num_threads()
    stages = (load_stage, first_stage, stage)
    return Result(
        subject.name,
        audio.seconds,
        frames,
        threads,
        worker.precision,
        worker.parameters,
        stages,
        streaming,
        drawing,
    )


def _pulled(pictures: Iterator[Any]) -> tuple[int, tuple[int, int], float]:
    """Number and size of pictures, and the seconds until the first was there.

    Raises:
        ConfigError: none came.
    """
    start_s, count, size, first_s = time.perf_counter(), 0, (0, 0), 0.0
    for picture in pictures:
        first_s = first_s if count else time.perf_counter() - start_s
        count, size = count + 1, picture.shape[:2]
    if not count:
        raise ConfigError("the method drew no picture of this sound; give a longer one")
    return count, size, first_s


def _read(sound: Path) -> Audio:
    import soundfile
    import torch

    from motet.types import Audio

    samples, rate = soundfile.read(sound, dtype="float32")
    return Audio.mono(torch.from_numpy(samples), rate)


def _load(subject: BenchSubject, config: BenchConfig) -> _Worker:
    import torch

    if config.threads:
        torch.set_num_threads(config.threads)
    return _method(subject, config) if subject.kind == "method" else _baseline(subject)


def _baseline(subject: BenchSubject) -> _Worker:
    from motet.evaluation.baselines import baselines

    known = baselines()
    if subject.name not in known:
        raise ConfigError(f"no baseline {subject.name!r}; {nearest(subject.name, known)}")
    predict = known[subject.name]
    return _Worker(lambda audio: predict(audio, 0), None, "none", 0)


def _method(subject: BenchSubject, config: BenchConfig) -> _Worker:
    from motet.session import load
    from motet.types import Motion

    loaded = load(subject.name, subject.weights or None, subject.device)

    def run(audio: Audio) -> Motion:
        motion = loaded.run(audio)
        return Motion(motion.values[0], motion.space)

    def stream(audio: Audio) -> Iterator[list[Motion | Frames]]:
        session, prepared = loaded.stream(), loaded.prepare(audio)
        piece = max(1, round(prepared.sample_rate * config.chunk_ms / 1000.0))
        for start in range(0, prepared.samples.shape[-1], piece):
            yield list(session.push(prepared.slice(start, start + piece)))
        yield list(session.finish())

    draw = loaded.pictures if loaded.spec.output == "frames" else None
    return _Worker(run, stream, *_weights(loaded.method), draw, loaded.threads)


def _weights(method: Any) -> tuple[str, int]:
    """Types and number of parameters in a method's networks or its speaker's model."""
    from torch import nn

    speaker = getattr(method, "speaker", None)
    # The network may be an attribute of the method or of its speaker.
    held = [*vars(method).values(), getattr(speaker, "model", None)]
    networks = [value for value in held if isinstance(value, nn.Module)]
    parameters = {id(p): p for network in networks for p in network.parameters()}.values()
    types = sorted({str(p.dtype).removeprefix("torch.") for p in parameters})
    return ", ".join(types) or "none", sum(p.numel() for p in parameters)


def _streaming(
    pieces: Iterator[list[Motion | Frames]], fps: float, chunk_ms: float, seconds: float
) -> Streaming:
    """Time every chunk; its arrival time is part of the latency."""
    times, latencies, first = [], [], None
    frames, pushed = 0, 0.0
    while True:
        begin = time.perf_counter()
        motions = next(pieces, None)
        took = time.perf_counter() - begin
        if motions is None:
            break
        times.append(took)
        pushed = min(pushed + chunk_ms / 1000.0, seconds)
        # all frames of a piece arrive with it; frame k belongs to k / fps
        for _ in range(sum(motion.frames for motion in motions)):
            first = first or (pushed, took)
            latencies.append(max(pushed - frames / fps, 0.0) + took)
            frames += 1
    first = first or (seconds, 0.0)
    # The last piece is `finish`, not a piece of sound.
    milliseconds = sorted(1000.0 * took for took in times[:-1] or times)
    return Streaming(
        chunk_ms,
        _at(milliseconds, 0.5),
        _at(milliseconds, 0.95),
        milliseconds[-1],
        *first,
        _at(sorted(latencies), 0.5),
        _at(sorted(latencies), 0.95),
        sum(times) / seconds,
    )


def _video(audio: Audio, motion: Motion) -> Stage:
    from motet.types import Clip

    with tempfile.TemporaryDirectory() as folder:
        stage, _ = _timed("mp4", lambda: Clip(audio, motion).save(Path(folder) / "bench.mp4"))
    return stage


def _timed(name: str, work: Callable[[], T]) -> tuple[Stage, T]:
    result, elapsed = timed(work)
    return Stage(name, elapsed.wall_s, elapsed.cpu_s, peak_memory_mb()), result


def peak_memory_mb() -> float:
    """Most memory that this process has held so far (0 where the system does not tell).

    On Linux the resource usage of a process begins with that of the one that started it, so the
    kernel's own high-water mark is read.
    """
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            # in KiB
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1.024e-3
    except OSError:
        pass
    try:
        import resource
    except ImportError:
        return 0.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT_MB


def _at(ordered: list[float], share: float) -> float:
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)] if ordered else 0.0
