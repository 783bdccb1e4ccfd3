"""Measuring in fresh processes: one a subject, and whole command-line runs."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import soundfile

from motet import errors
from motet.config import from_json, to_json
from motet.errors import ConfigError, MotetError
from motet.evaluation.bench.machine import describe_machine
from motet.evaluation.bench.measure import UNIT_MB, BenchConfig, BenchSubject
from motet.evaluation.bench.report import BenchReport, Result, Stage
from motet.registry import method_spec
from motet.types import Audio

_LAUNCHER = """
import json, os, resource, sys, time
began = time.perf_counter()
silent = [(os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0)]
child = os.posix_spawn(sys.argv[1], sys.argv[1:], os.environ, file_actions=silent)
_, status, usage = os.wait4(child, 0)
wall, cpu = time.perf_counter() - began, usage.ru_utime + usage.ru_stime
print(json.dumps({"wall": wall, "cpu": cpu, "peak": usage.ru_maxrss}))
sys.exit(os.waitstatus_to_exitcode(status))
"""
"""A small process in between: the peak memory of a process begins with that of the one that starts
it, and ours is large."""


def bench(
    subjects: Sequence[BenchSubject],
    audio: Audio,
    config: BenchConfig | None = None,
    *,
    reference: str = "",
    whole_process: bool = False,
    on_progress: Callable[[str, int, int], None] | None = None,
) -> BenchReport:
    """Measure every subject in a process of its own, one after the other.

    Args:
        audio: one mono sound; what the methods need of rate is converted inside the measurement, as
            for a user.
        reference: name of the subject to whose CPU time the others are compared.
        whole_process: also run the command line on each method, from start to exit.

    Raises:
        ConfigError: no subjects, no method of that name, or the reference is not among them.
        MotetError: whatever a subject raised while it was measured.
    """
    config = config or BenchConfig()
    names = [subject.name for subject in subjects]
    if not names or (reference and reference not in names):
        raise ConfigError(
            f"a bench needs subjects, the reference {reference!r} among them; given were"
            f" {', '.join(names) or 'none'}"
        )
    for subject in subjects:
        if subject.kind == "method":
            method_spec(subject.name)
    machine, results = describe_machine(), []
    with tempfile.TemporaryDirectory() as folder:
        sound = Path(folder) / "bench.wav"
        soundfile.write(
            sound,
            audio.expect(audio.sample_rate, "mono").samples.reshape(-1).numpy(),
            audio.sample_rate,
            subtype="FLOAT",
        )
        for done, subject in enumerate(subjects):
            if on_progress:
                on_progress(subject.name, done, len(subjects))
            result = _in_fresh_process(subject, sound, config, Path(folder))
            if whole_process and subject.kind == "method":
                endings = (
                    ("mp4",) if result.drawing else ("npz", "mp4") if config.video else ("npz",)
                )
                result = dataclasses.replace(
                    result,
                    process=weigh_command_line(
                        subject.name, sound, endings, subject.weights, config.threads
                    ),
                )
            results.append(result)
    return BenchReport(machine, tuple(results), reference)


def weigh(name: str, command: Sequence[str], threads: int = 0) -> Stage:
    """Wall time, CPU time and peak memory of a program, from start to exit.

    Raises:
        ConfigError: the program failed; the message carries its last line.
    """
    launcher = [sys.executable, "-I", "-S", "-c", _LAUNCHER, *command]
    # -I -S: without user site and site packages, the launcher stays small.
    done = subprocess.run(launcher, env=_environment(threads), capture_output=True, text=True)
    lines = done.stdout.strip().splitlines()
    if done.returncode or not lines:
        raise ConfigError(
            f"{name} failed with exit code {done.returncode}:"
            f" {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    # in the unit in which the system counts, as `wait4` returns it
    result = json.loads(lines[-1])
    return Stage(name, result["wall"], result["cpu"], result["peak"] * UNIT_MB)


def weigh_command_line(
    method: str, sound: Path, endings: Sequence[str] = ("npz",), weights: str = "", threads: int = 0
) -> tuple[Stage, ...]:
    """`motet run` on a sound, once for each ending of the output."""
    result = []
    with tempfile.TemporaryDirectory() as folder:
        for ending in endings:
            out = Path(folder) / f"bench.{ending}"
            command = [
                sys.executable,
                "-m",
                "motet.cli",
                "run",
                str(sound),
                "-m",
                method,
                "-o",
                str(out),
                "--quiet",
            ]
            result.append(
                weigh(
                    f"motet run -o .{ending}",
                    command + (["--weights", weights] if weights else []),
                    threads,
                )
            )
    return tuple(result)


def read_result(path: Path) -> Result:
    """What a fresh process wrote.

    Raises:
        MotetError: the error that the process met, of the same kind.
    """
    result = json.loads(path.read_text())
    if "error" in result:
        kind = getattr(errors, result["kind"], MotetError)
        # The same kind of error as the child met: its remedy is for the user.
        raise (kind if isinstance(kind, type) and issubclass(kind, MotetError) else MotetError)(
            result["error"]
        )
    return from_json(Result, result)


def _in_fresh_process(
    subject: BenchSubject, sound: Path, config: BenchConfig, folder: Path
) -> Result:
    task, result_file = folder / "task.json", folder / "result.json"
    task.write_text(
        json.dumps({"subject": to_json(subject), "config": to_json(config), "sound": str(sound)})
    )
    # A result of an earlier subject must not be read for this one.
    result_file.unlink(missing_ok=True)
    done = subprocess.run(
        [sys.executable, "-m", "motet.evaluation.bench.child", str(task), str(result_file)],
        env=_environment(config.threads),
        capture_output=True,
        text=True,
    )
    if not result_file.exists():
        raise MotetError(
            f"measuring {subject.name} ended with code {done.returncode}:"
            f" {(done.stderr.strip().splitlines() or ['no message'])[-1]}"
        )
    return read_result(result_file)


def _environment(threads: int) -> dict[str, str]:
    """Environment with the number of threads, which libraries read when they load."""
    # the package of this checkout, wherever the child is started
    path = os.pathsep.join(
        [str(Path(__file__).parents[3]), *filter(None, [os.environ.get("PYTHONPATH")])]
    )
    counts = (
        {name: str(threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")}
        if threads
        else {}
    )
    return {**os.environ, "PYTHONPATH": path, **counts}
