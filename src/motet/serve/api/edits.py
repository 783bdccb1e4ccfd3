"""`/takes/{id}/edits` and `/takes/{id}/reroll`."""

from __future__ import annotations

import json
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Header, Response

from motet.batch.ledger import values_digest
from motet.config import JsonValue
from motet.serve import answers, models
from motet.serve.api.takes import TakeId, file_stem
from motet.serve.problems import Refusal, required
from motet.serve.results import drop_edits, keep_edits
from motet.serve.store import Json, TakeRow
from motet.serve.studio import Shared, Studio

router = APIRouter(prefix="/takes", tags=["edits"])


@router.get("/{identity}/edits")
async def current(identity: TakeId, studio: Shared, response: Response) -> models.Edits:
    """The layers of a take. `ETag` identifies them, for `If-Match`."""
    row = _face(identity, studio)
    response.headers["ETag"] = _etag(row)
    return _edits(row)


@router.get("/{identity}/edits/file")
async def file_of(identity: TakeId, studio: Shared) -> Response:
    """The edits as a file for `motet run --edits`."""
    row = _face(identity, studio)
    layers, seeds = _layers(row), {}
    for layer in layers:
        if isinstance(layer, dict) and layer.get("type") == "take":
            other = studio.store.get(TakeRow, str(layer["take_id"]))
            if other is not None:
                seeds[other.id] = other.request.get("seed") or 0
    name = f"{file_stem(row)}.edits.json"
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    content = json.dumps({"layers": layers, "seeds": seeds}, indent=1)
    return Response(content, media_type="application/json", headers=headers)


@router.put("/{identity}/edits")
async def save(
    identity: TakeId,
    body: models.EditRequest,
    studio: Shared,
    response: Response,
    if_match: Annotated[str, Header()] = "*",
) -> models.Edits:
    """Replace the layers of a take; answers with the edited version. 412 if another tab saved
    first.
    """
    row = _face(identity, studio)
    if if_match not in ("*", _etag(row)):
        raise Refusal(412, "another tab has saved edits of this take; load them, or save with *")
    row = await apply_layers(studio, row, [dict(layer) for layer in body.layers])
    response.headers["ETag"] = _etag(row)
    return _edits(row)


@router.post("/{identity}/reroll", status_code=202)
async def reroll(identity: TakeId, body: models.RerollRequest, studio: Shared) -> models.Job:
    """Generate a stretch of some groups with another seed; all other values stay bit-identical.
    The job adds a `take` layer to the edits.
    """
    row = _face(identity, studio)
    if row.state != "made":
        raise Refusal(409, "only takes that were generated here can be rolled again; choose one")
    if body.t1 < body.t0:
        raise Refusal(422, "t1 lies before t0; swap them", field="t1")
    request: Json = {**row.request, "seed": body.seed}
    other: Json = {**request, "take": values_digest(request)}
    layer: Json = {
        "type": "take",
        "t0": body.t0,
        "t1": body.t1,
        "groups": list(body.groups),
        "take_id": str(other["take"]),
        "fade": body.fade,
    }
    layers = [*_layers(row), layer]
    arguments: Json = {
        "base": row.id,
        "take": _edited_id(row.id, layers),
        "layers": layers,
        "other": other,
    }
    return answers.job(studio.jobs.submit("reroll", arguments), studio.jobs)


async def apply_layers(studio: Studio, row: TakeRow, layers: list[Json]) -> TakeRow:
    """Write the edited version of a take; returns the row of the base with its edits."""
    listed: list[JsonValue] = [*layers]
    if not layers:
        return drop_edits(studio.store, studio.folder, row)
    identity = _edited_id(row.id, listed)
    arguments: Json = {"base": row.id, "take": identity, "layers": listed}
    facts = await studio.quick.ask("edit", arguments)
    return keep_edits(studio.store, studio.folder, row, identity, facts)


def _edited_id(base: str, layers: list[JsonValue]) -> str:
    return values_digest({"base": base, "layers": layers})


def _layers(row: TakeRow) -> list[JsonValue]:
    layers = row.edits.get("layers")
    return list(layers) if isinstance(layers, list) else []


def _etag(row: TakeRow) -> str:
    return f'"{values_digest({"layers": _layers(row)})}"'


def _edits(row: TakeRow) -> models.Edits:
    return models.Edits.model_validate(
        {"base": row.id, "take": row.edits.get("take") or "", "layers": _layers(row)}
    )


def _face(identity: str, studio: Studio) -> TakeRow:
    row = required(studio.store.get(TakeRow, identity), "take")
    if row.facts.get("space") != "arkit":
        raise Refusal(409, "only takes of a face can be edited; choose one")
    return row
