"""Jobs: what workers compute, kept in the database from the request to the result."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import time
from collections.abc import AsyncIterator, Callable

from motet.serve.limits import Limits
from motet.serve.pool import TaskFailed, WorkerPool
from motet.serve.problems import Refusal, internal_problem, required
from motet.serve.store import UNFINISHED, JobRow, Json, Store, now

PROGRESS_EVERY_S = 0.1
"""Shortest time between two progress events of a job."""
SHUTDOWN_S = 5.0
"""How long the end of the server waits for running jobs."""


class Jobs:
    """Starts, cancels and announces jobs.

    Args:
        store: where they are kept.
        pool: who computes them.
        limits: how many may wait, and how long one may run.
        finish: keeps what a worker made, and gives the result that clients see.
    """

    def __init__(
        self, store: Store, pool: WorkerPool, limits: Limits, finish: Callable[[JobRow, Json], Json]
    ) -> None:
        self._store, self._pool, self._limits, self._finish = store, pool, limits, finish
        self._running: dict[str, asyncio.Task[None]] = {}
        self._changed = asyncio.Event()
        self._closing = False

    def recover(self) -> None:
        """Mark jobs that an earlier server left unfinished; they can be restarted."""
        for job in self._store.jobs_in(UNFINISHED):
            self._store.put_job(dataclasses.replace(job, state="interrupted", ended=now()))

    def submit(self, kind: str, request: Json) -> JobRow:
        """Queue a job; one that is queued or running with the same request is shared.

        Raises:
            Refusal: too many are waiting (429), or the server is stopping (503).
        """
        if self._closing:
            raise Refusal(503, "the server is stopping; try again when it has started")
        pending = self._store.jobs_in(UNFINISHED)
        for job in pending:
            if (job.kind, job.request) == (kind, request):
                return job
        if len(pending) >= self._limits.max_queued + self._pool.size:
            text = f"{len(pending)} jobs are waiting already; try again when some are done"
            raise Refusal(429, text, headers={"Retry-After": "10"})
        return self._start(JobRow(_new_id(), kind, request, "queued", made=now()))

    def restart(self, identity: str) -> JobRow:
        """Queue a job again that failed, was cancelled, or was interrupted.

        Raises:
            Refusal: there is no such job, or it is queued, running or done.
        """
        job = required(self._store.get(JobRow, identity), "job")
        if job.state in (*UNFINISHED, "done"):
            raise Refusal(409, f"the job is {job.state}; nothing is to be restarted")
        fresh = JobRow(job.id, job.kind, job.request, "queued", made=job.made)
        return self._start(fresh)

    def cancel(self, identity: str) -> JobRow:
        """End a job; one that has ended stays as it is.

        Raises:
            Refusal: there is no such job.
        """
        job = required(self._store.get(JobRow, identity), "job")
        if task := self._running.get(identity):
            task.cancel()
        elif job.state == "interrupted":
            job = self._save(dataclasses.replace(job, state="cancelled", ended=now()))
        return job

    def place(self, job: JobRow) -> int:
        """How many jobs are before a queued one."""
        queued = self._store.jobs_in(("queued",))
        return sum(other.made < job.made for other in queued) if job.state == "queued" else 0

    async def events(self, after: int, job: str = "") -> AsyncIterator[JobRow]:
        """Jobs as they change, beginning with those that changed after that event."""
        while True:
            changed = self._changed
            for row in self._store.jobs_after(after, job):
                after = row.event
                yield row
            if self._closing:
                return
            await changed.wait()

    async def close(self) -> None:
        """Let running jobs finish for a moment, then end them; they count as interrupted."""
        self._closing = True
        self._announce()
        if self._running:
            await asyncio.wait([*self._running.values()], timeout=SHUTDOWN_S)
        for task in [*self._running.values()]:
            task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(*self._running.values(), return_exceptions=True)

    def _start(self, job: JobRow) -> JobRow:
        job = self._save(job)
        task = asyncio.get_running_loop().create_task(self._run(job))
        self._running[job.id] = task
        task.add_done_callback(lambda _: self._running.pop(job.id, None))
        return job

    async def _run(self, job: JobRow) -> None:
        last_event_s = 0.0

        def begun() -> None:
            nonlocal job
            job = self._save(dataclasses.replace(job, state="running", started=now()))

        def progress(stage: str, done: int, total: int) -> None:
            nonlocal job, last_event_s
            is_new_stage = stage != job.stage
            job = dataclasses.replace(job, stage=stage, done=done, total=total)
            if is_new_stage or time.monotonic() - last_event_s > PROGRESS_EVERY_S:
                last_event_s = time.monotonic()
                job = self._save(job)

        timeout_s = 60.0 * self._limits.max_job_minutes
        try:
            made = await self._pool.run(
                job.kind, job.request, progress=progress, begun=begun, timeout_s=timeout_s
            )
            result = self._finish(job, made)
            self._save(dataclasses.replace(job, state="done", result=result, ended=now()))
        except TaskFailed as error:
            problem = error.problem.model_dump()
            self._save(dataclasses.replace(job, state="failed", problem=problem, ended=now()))
        except asyncio.CancelledError:
            state = "interrupted" if self._closing else "cancelled"
            self._save(dataclasses.replace(job, state=state, ended=now()))
        except Exception as error:  # a job that nobody ends would be waited for forever
            problem = internal_problem(error).model_dump()
            self._save(dataclasses.replace(job, state="failed", problem=problem, ended=now()))

    def _save(self, job: JobRow) -> JobRow:
        saved = self._store.put_job(job)
        self._announce()
        return saved

    def _announce(self) -> None:
        # Listeners that wait hold the old event; those that come later get the new one.
        self._changed.set()
        self._changed = asyncio.Event()


def _new_id() -> str:
    """An id that sorts by time: 24 hex digits."""
    return f"{time.time_ns() // 1_000_000:012x}{secrets.token_hex(6)}"
