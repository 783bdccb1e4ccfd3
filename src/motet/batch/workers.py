"""Jobs on all cores of this machine: processes that keep their models between jobs."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import types
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool

from motet.batch.jobs import Attempt, InTurn, Job, Work, attempt

ATTEMPTS = 3
"""How often a job is tried whose process ends under it (out of memory, killed)."""
WORKER_BYTES = 1 << 30
"""Memory to count on for a process: the shipped models and an hour of sound need 0.6 GB."""
_WAITING = 2
"""Jobs handed out for each process, so that none waits for the next one."""


def worker_count(jobs: int, requested: int = 0) -> int:
    """Number of processes for a batch: never more than jobs.

    Args:
        requested: 0 for one a core, as far as the free memory reaches.
    """
    if requested:
        return max(1, min(requested, jobs))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return max(1, min(cores or 1, jobs, _free_bytes() // WORKER_BYTES))


def _free_bytes() -> int:
    with contextlib.suppress(OSError, StopIteration, ValueError), open("/proc/meminfo") as file:
        line = next(line for line in file if line.startswith("MemAvailable"))
        return int(line.split()[1]) << 10
    return 1 << 62  # not Linux: the number of cores decides


class Workers:
    """An executor of `count` processes on this machine.

    Each computes on one thread. A process that ends under a job is replaced; the job is tried
    again, `ATTEMPTS` times in all.
    """

    def __init__(self, count: int) -> None:
        self.count = count

    @property
    def in_this_process(self) -> bool:
        """One worker needs no process of its own."""
        return self.count == 1

    def run(self, work: Work, jobs: Iterable[Job]) -> Iterator[Attempt]:
        """Try every job; those that end first come first."""
        if self.in_this_process:
            yield from InTurn().run(work, jobs)
            return
        source, again = iter(jobs), list[tuple[Job, int]]()
        while True:
            try:
                yield from self._run(work, source, again)
                return
            except BrokenProcessPool:  # `again` holds the jobs that were lost
                yield from _given_up(again)

    def _run(
        self, work: Work, source: Iterator[Job], again: list[tuple[Job, int]]
    ) -> Iterator[Attempt]:
        running: dict[Future[str], tuple[Job, int]] = {}
        pool = ProcessPoolExecutor(
            self.count, multiprocessing.get_context("spawn"), _prepare, (os.getpid(),)
        )
        try:
            while True:
                while len(running) < self._room(running, again):
                    job, tried = again.pop() if again else (next(source, None), 0)
                    if job is None:
                        break
                    try:
                        with _without_main_program():
                            running[pool.submit(attempt, work, job)] = (job, tried + 1)
                    except BrokenProcessPool:
                        again.append((job, tried))
                        raise
                if not running:
                    pool.shutdown()
                    return
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    job, _ = running[future]
                    yield job, future.result()
                    del running[future]
        except BrokenProcessPool:
            again += running.values()
            raise
        finally:
            _end(pool)

    def _room(
        self, running: Mapping[Future[str], tuple[Job, int]], again: list[tuple[Job, int]]
    ) -> int:
        """How many jobs may run: those that were lost run alone, so that the one that ends its
        process does not take others with it.
        """
        alone = again or any(tried > 1 for _, tried in running.values())
        return 1 if alone else _WAITING * self.count


def _given_up(lost: list[tuple[Job, int]]) -> Iterator[Attempt]:
    """Take those out of the lost jobs that were tried often enough."""
    for entry in [entry for entry in lost if entry[1] >= ATTEMPTS]:
        lost.remove(entry)
        yield (
            entry[0],
            f"its process ended {ATTEMPTS} times (killed, or out of memory?); try --workers 1",
        )


@contextlib.contextmanager
def _without_main_program() -> Iterator[None]:
    """Processes that start inside do not run the caller's main program again.

    Jobs and their work are motet's, so none needs it; and a program read from standard input, a
    notebook or a script without `if __name__ == "__main__"` could not be run again.
    """
    main = sys.modules["__main__"]
    sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _end(pool: ProcessPoolExecutor) -> None:
    """End the processes, also in the middle of their jobs."""
    processes = list((pool._processes or {}).values())
    pool.shutdown(wait=False, cancel_futures=True)
    for process in processes:
        process.terminate()
    for process in processes:
        process.join(10)
        if process.is_alive():
            process.kill()


def _prepare(parent: int) -> None:
    """In a new process: one thread, no Ctrl-C of its own, and an end when the parent ends."""
    os.environ["OMP_NUM_THREADS"] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    threading.Thread(target=_follow, args=(parent,), daemon=True).start()


def _follow(parent: int) -> None:
    process = multiprocessing.parent_process()
    if process is not None and process.pid == parent:
        process.join()
    os._exit(1)
