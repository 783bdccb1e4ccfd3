"""`/exports` and `/takes/{id}/check`."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import FileResponse

from motet.batch.ledger import values_digest
from motet.errors import ConfigError
from motet.export import check_ending
from motet.export.picture import DEFAULT_SIZE, check_written, picture_options
from motet.serve import answers, models
from motet.serve.api.takes import TakeId, file_stem
from motet.serve.problems import Refusal, required
from motet.serve.store import Json, TakeRow
from motet.serve.studio import Shared
from motet.serve.uploads import clean_name

router = APIRouter(tags=["exports"])
ExportId = Annotated[str, Path(pattern=models.ID_PATTERN)]
DRAWN = ("size", "background", "camera", "captions", "figure")
_MIME = {
    ".html": "text/html",
    ".mov": "video/quicktime",
    ".mp4": "video/mp4",
    ".srt": "application/x-subrip",
    ".usdz": "model/vnd.usdz+zip",
    ".vrma": "model/gltf-binary",
    ".vtt": "text/vtt",
    ".webm": "video/webm",
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
    if ending in answers.MANY_FILES:
        raise ConfigError(
            f"{ending} is many files; motet export TAKE.npz -o NAME{ending} writes them"
        )
    _check_drawing(body, ending)
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
        **{name: str(value) for name in DRAWN if (value := getattr(body, name))},
    }
    identity = values_digest({**request, "map": stored_map})
    name = f"{file_stem(row)}{ending}"
    arguments: Json = {**request, "export": identity, "name": name}
    return answers.job(studio.jobs.submit("export", arguments), studio.jobs)


def _check_drawing(body: models.ExportRequest, ending: str) -> None:
    """Refuse picture options that cannot be honoured, before a job is queued."""
    if body.captions.lower().endswith((".txt", ".srt", ".vtt")):
        raise ConfigError("captions are the text itself; files of the server are not read")
    picture = picture_options(
        body.size or DEFAULT_SIZE,
        body.background,
        body.camera or "head",
        body.captions,
        body.figure,
    )
    check_written([FilePath(f"x{ending}")], picture, None)


def _avatar_file(studio: Shared, identity: str) -> object | None:
    return identity if studio.folder.path("avatars", identity).is_file() else None


@router.get("/exports/{identity}/{name}", response_class=FileResponse)
async def download(identity: ExportId, name: str, studio: Shared) -> FileResponse:
    """The file of an export. The name is only what the browser calls the download."""
    files = sorted((studio.folder.root / "renders").glob(f"{identity}.*"))
    path = required(files[0] if files else None, "export")
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
