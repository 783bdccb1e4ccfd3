"""What all requests share: the data folder, the database, workers, jobs."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import logging
import os
from pathlib import Path
from typing import Annotated, Literal

from fastapi import Depends
from starlette.requests import HTTPConnection

from motet.config import JsonValue
from motet.registry import DEFAULT
from motet.serve.folder import DataFolder
from motet.serve.jobs import Jobs
from motet.serve.limits import Limits
from motet.serve.live_rooms import LiveRooms
from motet.serve.pool import TaskFailed, WorkerPool
from motet.serve.problems import Refusal
from motet.serve.results import finish
from motet.serve.store import Store

log = logging.getLogger("motet.serve")


@dataclasses.dataclass(frozen=True)
class ServerOptions:
    """How the server runs."""

    data: Path
    """Folder of its data."""
    workers: int = max(1, (os.cpu_count() or 2) - 1)
    """Processes that generate takes and exports."""
    warm: tuple[str, ...] = (DEFAULT,)
    """Methods that they load before their first job."""
    limits: Limits = dataclasses.field(default_factory=Limits)


class Studio:
    """The server without its HTTP side.

    Two pools compute: one takes jobs, the other answers short questions (peaks, curves, checks), so
    that these never wait behind a video.
    """

    def __init__(self, options: ServerOptions) -> None:
        self.options, self.limits = options, options.limits
        # Paths inside messages are recognised by this root, so it is absolute.
        self.folder = DataFolder(options.data.expanduser().absolute())
        self.folder.make()
        self.store = Store(self.folder.database())
        root = self.folder.root
        self.pool = WorkerPool(root, options.workers, options.warm)
        self.quick = WorkerPool(root, 1, ("house",))
        self.jobs = Jobs(
            self.store, self.pool, self.limits, lambda job, made: finish(self, job, made)
        )
        self.rooms = LiveRooms(self.folder, self.limits)
        self.state: Literal["loading", "ready", "failed"] = "loading"
        self.problem = ""
        self._loading: asyncio.Task[None] | None = None
        self._making: dict[Path, asyncio.Lock] = {}

    async def start(self) -> None:
        """Mark what an earlier server left unfinished, and start the workers in the background."""
        self.jobs.recover()
        self._loading = asyncio.create_task(self._load())

    async def close(self) -> None:
        """Let running jobs finish for a moment, then end the workers."""
        await self.rooms.close()
        await self.jobs.close()
        if self._loading is not None:
            self._loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._loading
        await asyncio.gather(self.pool.close(), self.quick.close())
        self.store.close()

    async def cached(
        self, task: str, name: dict[str, JsonValue], ending: str, **more: JsonValue
    ) -> Path:
        """A file that a task makes when it is not there yet; simultaneous requests make it once.

        Args:
            name: arguments of the task that decide what the file holds.
            more: arguments that do not.

        Raises:
            Refusal: the task failed.
        """
        path = self.folder.cached({"task": task, **name}, ending)
        async with self._making.setdefault(path, asyncio.Lock()):
            if not path.is_file():
                await self.quick.ask(task, {**name, **more, "out": path.stem})
        self._making.pop(path, None)
        return path

    async def _load(self) -> None:
        try:
            await asyncio.gather(self.pool.warm(), self.quick.warm())
            self.state = "ready"
        except TaskFailed as error:
            self.state, self.problem = "failed", error.problem.detail
            log.error("the workers do not start: %s", error.problem.detail)


def studio_of(connection: HTTPConnection) -> Studio:
    """The studio of a request."""
    studio = connection.app.state.studio
    if not isinstance(studio, Studio):
        raise Refusal(503, "the server is starting; try again in a moment")
    return studio


Shared = Annotated[Studio, Depends(studio_of)]
"""Parameter of a route: the studio."""
