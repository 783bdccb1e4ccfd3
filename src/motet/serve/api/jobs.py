"""`/jobs` and `/events`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Header, Path, Query
from sse_starlette import EventSourceResponse, ServerSentEvent

from motet.serve import answers, models
from motet.serve.problems import required
from motet.serve.store import JobRow
from motet.serve.studio import Shared, Studio

router = APIRouter(tags=["jobs"])
JobId = Annotated[str, Path(pattern=models.ID_PATTERN)]
PING_S = 15
"""A comment is sent after this silence, so that proxies keep the connection."""
OPEN = ("queued", "running", "interrupted")


@router.get("/jobs")
async def listing(studio: Shared) -> models.Jobs:
    """Jobs that are queued or running, and those that an earlier server left interrupted."""
    rows = studio.store.jobs_in(OPEN)
    return models.Jobs(jobs=[answers.job(row, studio.jobs) for row in rows])


@router.get("/jobs/{identity}")
async def one(identity: JobId, studio: Shared) -> models.Job:
    """A job."""
    row = required(studio.store.get(JobRow, identity), "job")
    return answers.job(row, studio.jobs)


@router.post("/jobs/{identity}/restart", status_code=202)
async def restart(identity: JobId, studio: Shared) -> models.Job:
    """Run a job again that was interrupted, cancelled, or failed."""
    return answers.job(studio.jobs.restart(identity), studio.jobs)


@router.delete("/jobs/{identity}", status_code=202)
async def cancel(identity: JobId, studio: Shared) -> models.Job:
    """End a job."""
    return answers.job(studio.jobs.cancel(identity), studio.jobs)


@router.get("/events", response_class=EventSourceResponse)
async def events(
    studio: Shared,
    job: Annotated[str, Query(pattern=r"^([0-9a-f]{24})?$")] = "",
    last_event_id: Annotated[str, Header()] = "",
) -> EventSourceResponse:
    """Changes of jobs as server-sent events: `progress`, `done`, `failed`, `cancelled`,
    `interrupted`; the data is a job. `Last-Event-ID` resumes; without it, a listener to one job
    first gets its present state.
    """
    default = 0 if job else studio.store.last_event
    after = int(last_event_id) if last_event_id.isdecimal() else default
    return EventSourceResponse(_stream(studio, min(after, 2**62), job), ping=PING_S)


async def _stream(studio: Studio, after: int, job: str) -> AsyncIterator[ServerSentEvent]:
    async for row in studio.jobs.events(after, job):
        kind = "progress" if row.state in ("queued", "running") else row.state
        data = answers.job(row, studio.jobs).model_dump_json()
        yield ServerSentEvent(data, event=kind, id=str(row.event))
