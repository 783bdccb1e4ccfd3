"""Worker processes and what they are asked to do; see `motet.serve.worker` for the protocol.

A task is cancelled by ending its process: methods know nothing of cancelling, and a new process
takes the place of the old one.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from motet.config import JsonValue
from motet.serve.problems import STATUS_OF, Problem, Refusal, internal_problem, problem

log = logging.getLogger("motet.serve")
Json = dict[str, JsonValue]
Progress = Callable[[str, int, int], None]
"""Called with the stage and how many of how many steps are done."""
LONGEST_LINE = 1 << 24
"""Bytes of an answer at most."""


class TaskFailed(Exception):
    """A task ended with a problem."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.detail)
        self.problem = problem


class Worker:
    """One process and its place in the pool.

    Args:
        root: the data folder.
        warm: what it loads before its first task.
    """

    def __init__(self, root: Path, warm: Sequence[str]) -> None:
        self._root = root
        self._command = [sys.executable, "-P", "-m", "motet.serve.worker", str(root), *warm]
        self._process: Process | None = None
        self._starting = asyncio.Lock()

    async def start(self) -> None:
        """Start the process, if it does not run, and wait until it is ready.

        Raises:
            TaskFailed: it ended before it was ready.
        """
        async with self._starting:  # a job may come while the pool is being warmed
            if self._process is None or self._process.returncode is not None:
                await self._start()

    async def _start(self) -> None:
        # One thread a worker: their number is chosen by the number of cores. It works in the data
        # folder, so that a name without a path means nothing of the user's.
        environment = {"OMP_NUM_THREADS": "1", **os.environ}
        paths = filter(None, environment.get("PYTHONPATH", "").split(os.pathsep))
        environment["PYTHONPATH"] = os.pathsep.join(map(os.path.abspath, paths))
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=PIPE,
            stdout=PIPE,
            limit=LONGEST_LINE,
            env=environment,
            cwd=self._root,
            start_new_session=True,  # Ctrl-C goes to the server, which lets running jobs finish
        )
        try:
            await self._receive()
        except BaseException:
            self.kill()
            raise

    async def run(self, task: str, arguments: Mapping[str, JsonValue], progress: Progress) -> Json:
        """The result of a task. A cancelled call ends the process.

        Raises:
            TaskFailed: the task failed, or the process ended.
        """
        try:
            await self.start()
            assert self._process is not None and self._process.stdin is not None
            line = json.dumps({"task": task, "arguments": arguments}) + "\n"
            self._process.stdin.write(line.encode())
            await self._process.stdin.drain()
            while True:
                message = await self._receive()
                if isinstance(step := message.get("progress"), dict):
                    progress(str(step["stage"]), _whole(step["done"]), _whole(step["total"]))
                elif isinstance(problem := message.get("problem"), dict):
                    raise TaskFailed(_problem(problem))
                elif isinstance(result := message.get("result"), dict):
                    return result
        except TaskFailed:
            raise
        except (BrokenPipeError, ConnectionResetError) as error:
            self.kill()
            raise TaskFailed(_ended()) from error
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """End the process now."""
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        self._process = None

    async def close(self) -> None:
        """End the process and wait for it."""
        process = self._process
        self.kill()
        if process is not None:
            await process.wait()

    async def _receive(self) -> Json:
        assert self._process is not None and self._process.stdout is not None
        line = await self._process.stdout.readline()
        if not line:
            self.kill()
            raise TaskFailed(_ended())
        message = json.loads(line)
        assert isinstance(message, dict)
        return message


class WorkerPool:
    """Workers that take tasks in the order in which they come.

    Args:
        root: the data folder.
        size: number of processes.
        warm: what each loads before its first task.
    """

    def __init__(self, root: Path, size: int, warm: Sequence[str]) -> None:
        self.size = size
        self._workers = [Worker(root, warm) for _ in range(size)]
        self._idle: asyncio.LifoQueue[Worker] = asyncio.LifoQueue()
        for worker in self._workers:
            self._idle.put_nowait(worker)

    async def warm(self) -> None:
        """Start all processes, one after the other, and wait until they are ready.

        Raises:
            TaskFailed: one ended before it was ready.
        """
        for worker in self._workers:
            await worker.start()

    async def run(
        self,
        task: str,
        arguments: Mapping[str, JsonValue],
        *,
        progress: Progress = lambda stage, done, total: None,
        begun: Callable[[], None] = lambda: None,
        timeout_s: float,
    ) -> Json:
        """The result of a task by the next free worker.

        Args:
            begun: called when a worker takes the task.
            timeout_s: a task that takes longer is ended.

        Raises:
            TaskFailed: the task failed, took too long, or its process ended.
        """
        worker = await self._idle.get()
        try:
            begun()
            await worker.start()  # the first start loads much and counts for no time limit
            async with asyncio.timeout(timeout_s):
                return await worker.run(task, arguments, progress)
        except TimeoutError as error:
            text = f"it took longer than {timeout_s / 60:g} minutes and was ended; use a shorter"
            raise TaskFailed(problem(413, f"{text} sound")) from error
        finally:
            self._idle.put_nowait(worker)

    async def ask(
        self, task: str, arguments: Mapping[str, JsonValue], *, timeout_s: float = 120.0
    ) -> Json:
        """The result of a short task, for the answer of the request that is running.

        Raises:
            Refusal: the task failed.
        """
        try:
            return await self.run(task, arguments, timeout_s=timeout_s)
        except TaskFailed as error:
            refusal = Refusal(error.problem.status, "")
            refusal.problem = error.problem
            raise refusal from error

    async def close(self) -> None:
        """End all processes."""
        await asyncio.gather(*(worker.close() for worker in self._workers))


def _problem(fields: Mapping[str, JsonValue]) -> Problem:
    kind, detail = str(fields["kind"]), str(fields["detail"])
    if kind == "internal":
        return internal_problem(RuntimeError(detail))
    return problem(STATUS_OF.get(kind, 400), detail)


def _ended() -> Problem:
    text = "the worker process ended unexpectedly, perhaps for lack of memory; try a shorter sound"
    return problem(500, text)


def _whole(value: JsonValue) -> int:
    return value if isinstance(value, int) else 0
