"""What becomes of a job's result: rows of the database, and the answer to the client."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING
from urllib.parse import quote

from motet.atomic_write import write_bytes
from motet.serve.folder import DataFolder
from motet.serve.limits import MB
from motet.serve.store import JobRow, Json, Store, TakeRow, TakeState, now

if TYPE_CHECKING:
    from motet.serve.studio import Studio


def finish(studio: Studio, job: JobRow, made: Json) -> Json:
    """Keep what a job made; returns the result that clients get."""
    if job.kind == "take":
        return _keep_take(studio, job.request, made, "made")
    if job.kind == "reroll":
        return _keep_reroll(studio, job.request, made)
    if job.kind == "fit_person":
        return _keep_person(studio, job.request, made)
    export = str(job.request["export"])
    written = studio.folder.path("renders", export, str(job.request["format"]))
    studio.folder.prune(studio.limits.max_disk_gb * 1000 * MB, written)
    url = f"/api/exports/{export}/{quote(str(job.request['name']))}"
    return {"url": url, "name": job.request["name"]}


def _keep_person(studio: Studio, request: Json, made: Json) -> Json:
    path = studio.folder.path("persons", str(request["person"]), ".json")
    facts = {**json.loads(path.read_bytes()), "quality": made["lines"]}
    write_bytes(path, json.dumps(facts).encode())
    return {"person": request["person"]}


def _keep_take(studio: Studio, job_request: Json, facts: Json, state: TakeState) -> Json:
    request = {name: value for name, value in job_request.items() if name != "take"}
    identity, sound = str(job_request["take"]), str(job_request["sound"])
    studio.store.put(TakeRow(identity, sound, request, state, "", facts, {}, now()))
    return {"take": identity}


def _keep_reroll(studio: Studio, asked: Json, made: Json) -> Json:
    other, facts = asked["other"], made.pop("other")
    if isinstance(other, dict) and isinstance(facts, dict) and facts:
        _keep_take(studio, other, facts, "rerolled")
    row = studio.store.get(TakeRow, str(asked["base"]))
    if row is not None:
        keep_edits(studio.store, studio.folder, row, str(asked["take"]), made)
    return {"take": asked["take"]}


def keep_edits(
    store: Store, folder: DataFolder, row: TakeRow, identity: str, facts: Json
) -> TakeRow:
    """Rows of an edited version and its base; the version before is deleted with its file, unless
    it is what was made now. Returns the row of the base.
    """
    layers = facts.pop("layers")
    store.put(TakeRow(identity, row.sound, row.request, "edited", row.id, facts, {}, now()))
    if row.edits.get("take") != identity:
        drop_edits(store, folder, row)
    row = dataclasses.replace(row, edits={"layers": layers, "take": identity})
    store.put(row)
    return row


def drop_edits(store: Store, folder: DataFolder, row: TakeRow) -> TakeRow:
    """Delete the edited version of a take. Returns the row of the base."""
    if before := str(row.edits.get("take") or ""):
        store.delete(TakeRow, before)
        folder.take(before).unlink(missing_ok=True)
    row = dataclasses.replace(row, edits={})
    store.put(row)
    return row
