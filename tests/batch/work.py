"""Work of the tests that other processes run: they import it from here."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from motet.atomic_write import write_bytes
from motet.batch.jobs import Job
from motet.errors import AudioError


def copy_upper(job: Job) -> None:
    """Write the source in capitals; sources can ask for a fault by what they hold."""
    text = Path(job.source).read_text()
    if text == "bad":
        raise AudioError("not a sound")
    marker = Path(job.source).with_suffix(".died")
    if text == "dies once" and not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "sleeps" or (
        text == "sleeps once" and not Path(job.source).with_suffix(".pid").exists()
    ):
        Path(job.source).with_suffix(".pid").write_text(str(os.getpid()))
        time.sleep(600)
    write_bytes(Path(job.outputs[0]), text.upper().encode())


def make_jobs(folder: Path, *contents: str) -> list[Job]:
    """One job for each content."""
    jobs = []
    for number, content in enumerate(contents):
        source = folder / f"{number}.txt"
        source.write_text(content)
        jobs.append(Job(source, (folder / f"{number}.out",)))
    return jobs
