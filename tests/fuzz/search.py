"""Workers that try inputs side by side, watched from outside: what crashes or hangs one is noted,
and another goes on behind it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.fuzz.worker import STATE

ROOT = Path(__file__).parents[2]
CORPUS = Path(__file__).parent / "corpus"
SILENT_S = 300
"""A worker that tries nothing new for so long hangs."""


@dataclasses.dataclass(frozen=True)
class Finding:
    """An input that broke a rule."""

    reader: str
    ending: str
    problem: str
    data: bytes

    @property
    def kind(self) -> str:
        """What findings with one cause share."""
        return f"{self.reader}: {self.problem.partition(':')[0]}"

    def keep(self, folder: Path = CORPUS) -> Path:
        """Put the input among those that every test run tries."""
        digest = hashlib.sha256(self.data).hexdigest()[:8]
        path = folder / f"{self.reader.replace(' ', '_')}-{digest}{self.ending}"
        path.write_bytes(self.data)
        return path


@dataclasses.dataclass
class Search:
    """What came out."""

    inputs: int = 0
    findings: list[Finding] = dataclasses.field(default_factory=list)


def search(seconds: int, seed: int, workers: int = 1, readers: str = "all") -> Search:
    """Try inputs for so long."""
    result = Search()
    end = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        threads = [
            threading.Thread(
                target=_run, args=(Path(folder) / str(k), seed, k, workers, end, readers, result)
            )
            for k in range(workers)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return result


def _run(
    scratch: Path, seed: int, first: int, stride: int, end: float, readers: str, result: Search
) -> None:
    scratch.mkdir()
    index, left = first, end - time.monotonic()
    while left > 0:
        numbers = (seed, index, stride, max(1, round(left)))
        arguments = [str(scratch), *map(str, numbers), readers]
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.fuzz.worker", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"},
            stdout=subprocess.PIPE,
            text=True,
        )
        hangs = threading.Event()
        watcher = threading.Thread(
            target=_watch, args=(process, scratch / STATE, hangs), daemon=True
        )
        watcher.start()
        with process:
            for line in process.stdout or ():
                _take(json.loads(line), result)
        code = process.returncode
        if code == 0:
            return
        if code == 1 or not (scratch / STATE).exists():
            raise RuntimeError("the fuzzer itself failed; its worker's error stands above")
        state = json.loads((scratch / STATE).read_text())
        path = Path(state["path"])
        problem = "hangs" if hangs.is_set() else f"ends the process with {code}"
        _take({**state, "problem": problem, "data": path.read_bytes().hex()}, result)
        result.inputs += (state["index"] - index) // stride + 1
        index, left = state["index"] + stride, end - time.monotonic()


def _watch(process: subprocess.Popen[str], state: Path, hangs: threading.Event) -> None:
    while process.poll() is None:
        time.sleep(1)
        if state.exists() and time.time() - state.stat().st_mtime > SILENT_S:
            hangs.set()
            process.kill()
            return


def _take(message: dict[str, object], result: Search) -> None:
    if "done" in message:
        result.inputs += int(str(message["done"]))
        return
    ending = "".join(Path(str(message["path"])).suffixes)
    data = bytes.fromhex(str(message["data"]))
    result.findings.append(Finding(str(message["reader"]), ending, str(message["problem"]), data))
