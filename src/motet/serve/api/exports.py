"""`/exports` and `/takes/{id}/check`."""

from __future__ import annotations

import json
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import FileResponse

from motet.batch.ledger import values_digest
from motet.errors import ConfigError
from motet.export import check_ending
from motet.serve import answers, models
from motet.serve.api.takes import TakeId, file_stem
from motet.serve.problems import Refusal, required
from motet.serve.store import Json, TakeRow
from motet.serve.studio import Shared
from motet.serve.uploads import clean_name

router = APIRouter(tags=["exports"])
ExportId = Annotated[str, Path(pattern=models.ID_PATTERN)]
_MIME = {
    ".mp4": "video/mp4",
    ".glb": "model/gltf-binary",
    ".csv": "text/csv",
    ".json": "application/json",
}


@router.post("/exports", status_code=202)
async def export(body: models.ExportRequest, studio: Shared) -> models.Job:
    """Write a take in a format; the job's result has the address of the file."""
    row = required(studio.store.get(TakeRow, body.take), "take")
    ending = body.format if body.format.startswith(".") else f".{body.format}"
    if not 1 < len(ending) < 20 or "/" in ending:
        raise ConfigError("a format is the ending of a file, e.g. mp4; see formats of /api/health")
    check_ending(f"x{ending}")
    if row.facts.get("kind") != "motion":
        raise Refusal(409, "this take is a video already; download its file")
    is_video = ending == ".mp4"
    if body.size is not None and not is_video:
        raise ConfigError("size is for videos (.mp4); leave it out")
    stored_map = ""
    if body.avatar:
        required(_avatar_file(studio, body.avatar), "avatar")
        map_file = studio.folder.path("avatars", body.avatar, ".map")
        stored_map = map_file.read_text() if map_file.is_file() else ""
    request: Json = {
        "take": row.id,
        "format": ending,
        "fps": body.fps,
        "avatar": body.avatar,
        "size": body.size,
    }
    identity = values_digest({**request, "map": stored_map})
    name = f"{file_stem(row)}{ending}"
    arguments: Json = {**request, "export": identity, "name": name}
    return answers.job(studio.jobs.submit("export", arguments), studio.jobs)


def _avatar_file(studio: Shared, identity: str) -> object | None:
    return identity if studio.folder.path("avatars", identity).is_file() else None


@router.get("/exports/{identity}/{name}", response_class=FileResponse)
async def download(identity: ExportId, name: str, studio: Shared) -> FileResponse:
    """The file of an export. The name is only what the browser calls the download."""
    found = sorted((studio.folder.root / "renders").glob(f"{identity}.*"))
    path = required(found[0] if found else None, "export")
    path.touch()  # the exports that were used least recently are deleted first
    kind = _MIME.get(path.suffix, "application/octet-stream")
    return FileResponse(path, media_type=kind, filename=clean_name(name, path.name))


@router.get("/takes/{identity}/check")
async def check(identity: TakeId, studio: Shared) -> models.Check:
    """The report of `motet check`, with the place of each remark."""
    row = required(studio.store.get(TakeRow, identity), "take")
    if row.facts.get("kind") != "motion":
        raise Refusal(409, "this take is a video; check its file with motet check")
    path = await studio.cached("check", {"take": identity}, ".json")
    return models.Check.model_validate(json.loads(path.read_bytes()))
