"""Make speech with the 54 voices of Kokoro until enough is there; run it again to go on.

Usage: `python -m recipes.speech_kokoro.generate OUT DOWNLOADS --hours 10`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from recipes.speech_kokoro.plan import Job, jobs
from recipes.speech_kokoro.store import Store
from recipes.speech_kokoro.synthesis import RATE_HZ, Kokoro, Speech, Synthesiser

LICENCE = "Apache-2.0 (Kokoro-82M, voices of kokoro-js; text written by the motet authors)"
PEAK = 0.9


def generate(
    store: Store,
    synthesiser: Callable[[], Synthesiser],
    hours: float,
    seed: int = 54,
    report: Callable[[str], None] = print,
) -> float:
    """Fill `store` up to `hours` of sound; returns the hours there are.

    What is there is counted, not made again; the synthesiser is loaded when first needed.
    """
    speak: Synthesiser | None = None
    seconds, made, began = 0.0, 0.0, time.process_time()
    for job in jobs(seed):
        if seconds >= hours * 3600:
            break
        there = store.facts(job.index)
        if there is not None:
            seconds += there["samples"] / there["rate"]
            continue
        speak = speak or synthesiser()
        length = _make(store, job, speak, report)
        seconds, made = seconds + length, made + length
        if job.index % 20 == 0 and made:
            rate = (time.process_time() - began) / made
            report(f"{job.index} utterances, {seconds / 3600:.3f} h, {rate:.2f} CPU-s a second")
    return seconds / 3600


def _make(store: Store, job: Job, speak: Synthesiser, report: Callable[[str], None]) -> float:
    try:
        speech = speak(job)
    except KeyError as error:
        report(f"{job.name} left out, no sound for {error} in {job.text!r}")
        return 0.0
    samples = _levelled(speech.samples)
    store.add(job.index, samples, RATE_HZ, _facts(job, speech))
    return len(samples) / RATE_HZ


def _levelled(samples: np.ndarray) -> np.ndarray:
    """Turned down where it would clip."""
    peak = float(np.abs(samples).max(initial=0.0))
    return samples * (PEAK / peak) if peak > PEAK else samples


def _facts(job: Job, speech: Speech) -> dict[str, object]:
    timed = {"ipa": speech.ipa, "frames": speech.frames, "phones": speech.phones}
    return job.facts() | timed | {"licence": LICENCE, "recipe": 1}


def _stamped() -> Callable[[str], None]:
    def report(line: str) -> None:
        print(time.strftime("%F %T"), line, flush=True)

    return report


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("downloads", type=Path)
    parser.add_argument("--hours", type=float, default=3.0)
    parser.add_argument("--seed", type=int, default=54)
    given = parser.parse_args()
    store, report = Store(given.out), _stamped()
    with store.lock():
        hours = generate(store, lambda: Kokoro(given.downloads), given.hours, given.seed, report)
    report(f"done: {hours:.3f} h")


if __name__ == "__main__":
    main()
