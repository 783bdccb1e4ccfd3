"""Persons: a face learnt from videos, by what `motet fit` does."""

from __future__ import annotations

import contextlib
import io
import threading
import time

from motet.cli.fit import Fit
from motet.serve.folder import DataFolder
from motet.serve.tasks.task import Arguments, Json, Report, number, text

LEARNING = "learning for"
"""Beginning of the line with which `motet fit` ends capturing and begins to learn."""
EVERY_S = 2.0


def fit_person(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Learn the `person` from the `videos`; goes on where an earlier job of it ended.

    Raises:
        InputError: no usable face in the videos.
        MissingDependency: the tracker is not installed.
    """
    videos = arguments.get("videos")
    assert isinstance(videos, list)
    minutes = number(arguments, "minutes") or 0.0
    report("looking for the face")
    lines = _Lines(report, 60.0 * minutes)
    command = Fit(
        video=tuple(folder.root / "persons" / str(name) for name in videos),
        out=folder.path("persons", text(arguments, "person")),
        consent=text(arguments, "consent"),
        name=text(arguments, "name"),
        minutes=minutes,
    )
    with lines.reporting(), contextlib.redirect_stdout(lines):
        command.execute()
    return {"lines": [folder.scrub(line) for line in lines.all if "--person" not in line]}


class _Lines(io.TextIOBase):
    """Takes what the command prints, and reports how far it is."""

    def __init__(self, report: Report, learning_s: float) -> None:
        self.all: list[str] = []
        self._report, self._learning_s = report, learning_s
        self._rest, self._began_s = "", 0.0
        self._ended = threading.Event()

    def write(self, text: str) -> int:
        """Called by print."""
        *whole, self._rest = (self._rest + text).split("\n")
        for line in whole:
            if line.startswith(LEARNING):
                self._began_s = time.monotonic()
            elif line.strip():
                self.all.append(line.strip())
        return len(text)

    @contextlib.contextmanager
    def reporting(self):  # noqa: ANN201  # a context manager without value
        """Report the time of learning while it lasts."""
        thread = threading.Thread(target=self._tell, daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _tell(self) -> None:
        while not self._ended.wait(EVERY_S):
            if self._began_s:
                done = min(time.monotonic() - self._began_s, self._learning_s)
                self._report("learning", round(done), round(self._learning_s))
