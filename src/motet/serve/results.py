"""What becomes of a job's result: rows of the database, and the answer to the client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from motet.serve.store import JobRow, Json, TakeRow, now

if TYPE_CHECKING:
    from motet.serve.studio import Studio


def finish(studio: Studio, job: JobRow, made: Json) -> Json:
    """Keep what a job made; returns the result that clients get."""
    if job.kind == "take":
        return _keep_take(studio, job, made)
    return made


def _keep_take(studio: Studio, job: JobRow, facts: Json) -> Json:
    request = {name: value for name, value in job.request.items() if name != "take"}
    identity, sound = str(job.request["take"]), str(job.request["sound"])
    studio.store.put(TakeRow(identity, sound, request, "made", "", facts, {}, now()))
    return {"take": identity}
