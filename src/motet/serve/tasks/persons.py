"""Persons: a face learnt from videos, by the command `motet fit`."""

from __future__ import annotations

import ctypes
import signal
import subprocess
import sys
import threading
import time

from motet.errors import InputError
from motet.serve.folder import DataFolder
from motet.serve.tasks.task import Arguments, Json, Report, number, text

LEARNING = "learning for"
"""Beginning of the line with which `motet fit` ends capturing and begins to learn."""
EVERY_S = 2.0
_PR_SET_PDEATHSIG = 1


def fit_person(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Learn the `person` from the `videos`; goes on where an earlier job of it ended.

    Raises:
        InputError: what `motet fit` answers when it cannot.
    """
    videos = arguments.get("videos")
    assert isinstance(videos, list)
    minutes = number(arguments, "minutes") or 0.0
    words = [str(folder.root / "persons" / str(name)) for name in videos]
    words += ["-o", str(folder.path("persons", text(arguments, "person")))]
    words += [f"--consent={text(arguments, 'consent')}", f"--name={text(arguments, 'name')}"]
    report("looking for the face")
    lines, problem = _fit([*words, f"--minutes={minutes:g}"], report, 60.0 * minutes)
    if problem:
        raise InputError(problem)
    return {"lines": [folder.scrub(line) for line in lines if "--person" not in line]}


def _fit(words: list[str], report: Report, learning_s: float) -> tuple[list[str], str]:
    """Run the command; the lines that it prints, and why it failed."""
    process = subprocess.Popen(
        [sys.executable, "-P", "-m", "motet.cli", "fit", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=_end_with_parent if sys.platform == "linux" else None,
    )
    assert process.stdout is not None and process.stderr is not None
    errors: list[str] = []
    reader = threading.Thread(target=errors.extend, args=(process.stderr,), daemon=True)
    reader.start()
    clock = _Clock(report, learning_s)
    lines = []
    for line in process.stdout:
        if line.startswith(LEARNING):
            clock.begin()
        elif line.strip():
            lines.append(line.strip())
    code = process.wait()
    clock.end()
    reader.join()
    error_lines = [line.strip() for line in errors if line.strip()]
    last = error_lines[-1] if error_lines else f"motet fit ended with {code}"
    return lines, last.removeprefix("motet: ") if code else ""


def _end_with_parent() -> None:
    """The command ends with its worker, which is how a job is cancelled."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


class _Clock:
    """Reports the time of learning while it lasts."""

    def __init__(self, report: Report, learning_s: float) -> None:
        self._report, self._learning_s = report, learning_s
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def begin(self) -> None:
        """Learning has begun."""
        self._began_s = time.monotonic()
        self._thread = threading.Thread(target=self._tell, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """It has ended."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def _tell(self) -> None:
        while not self._ended.wait(EVERY_S):
            done = min(time.monotonic() - self._began_s, self._learning_s)
            self._report("learning", round(done), round(self._learning_s))
