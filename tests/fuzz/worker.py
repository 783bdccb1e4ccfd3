"""One process that tries inputs; it may be killed by them. Findings are JSON lines on its output.

python -m tests.fuzz.worker SCRATCH SEED FIRST STRIDE SECONDS READERS
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import random
import resource
import signal
import sys
import time
import traceback
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from motet.errors import MotetError
from tests.fuzz.readers import READERS, Reader

CPU_S = 10
"""Processor time that one small file may cost."""
EXTRA_BYTES = 1 << 30
"""Address space that reading one may take beyond what the process has when it begins."""
STATE = "current.json"
Seeds = Mapping[str, Sequence[Path]]


class TooSlow(BaseException):
    """An input took more than `CPU_S`; nothing may catch it."""


def make_seeds(folder: Path, readers: Sequence[Reader]) -> Seeds:
    """Intact files of every reader, each of which must be read without an error."""
    seeds = {}
    for reader in readers:
        place = folder / reader.name.replace(" ", "_")
        place.mkdir(parents=True)
        seeds[reader.name] = reader.seeds(place)
        for path in seeds[reader.name]:
            reader.read(path)
    return seeds


def made_input(reader: Reader, seeds: Sequence[Path], rng: random.Random) -> tuple[str, bytes]:
    """Ending and content of an input: a seed with one to three changes."""
    seed = rng.choice(seeds)
    data = seed.read_bytes()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        data = rng.choice(reader.mutations)(rng, data)
    return "".join(seed.suffixes), data


def problem_of(reader: Reader, path: Path) -> str:
    """Read a file; what is wrong with how it went, or nothing."""
    try:
        with _timed():
            reader.read(path)
    except MotetError as error:
        return "" if "\n" not in str(error) else f"error of several lines: {error!r}"[:200]
    except TooSlow:
        return f"more than {CPU_S} s at {_place(sys.exc_info()[2])}"
    except BaseException as error:
        text = " ".join(str(error).split())[:100]
        return f"{type(error).__name__} at {_place(error.__traceback__)}: {text}"
    return ""


@contextlib.contextmanager
def _timed() -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TooSlow

    signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, CPU_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _place(trace: object) -> str:
    """The innermost line of motet's own code."""
    frames = [f for f in traceback.extract_tb(trace) if "motet" in f.filename]  # type: ignore[arg-type]
    return f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "?"


def limit_memory() -> None:
    """From here on the process may grow by `EXTRA_BYTES` only."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + EXTRA_BYTES
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def quiet() -> None:
    """Notes of the readers are not of interest here."""
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")


def main(arguments: Sequence[str]) -> None:
    scratch, chosen = Path(arguments[0]), arguments[5].split(",")
    seed, first, stride, seconds = map(int, arguments[1:5])
    quiet()
    readers = [reader for reader in READERS if arguments[5] == "all" or reader.name in chosen]
    seeds = make_seeds(scratch / f"seeds{os.getpid()}", readers)
    place = scratch / "input"
    place.mkdir(exist_ok=True)
    limit_memory()
    index, end = first, time.monotonic() + seconds
    while time.monotonic() < end:
        reader = readers[index // stride % len(readers)]
        ending, data = made_input(reader, seeds[reader.name], random.Random(f"{seed} {index}"))
        path = place / f"input{ending}"
        path.write_bytes(data)
        state = {"index": index, "reader": reader.name, "path": str(path)}
        (scratch / STATE).write_text(json.dumps(state))
        problem = problem_of(reader, path)
        if problem:
            print(json.dumps({**state, "problem": problem, "data": data.hex()}), flush=True)
        path.unlink()
        index += stride
    print(json.dumps({"done": (index - first) // stride}), flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
