"""`/scenes`: sounds around a figure as one sound for two ears."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import FileResponse

from motet.serve import answers, models
from motet.serve.api.sounds import SoundId
from motet.serve.problems import required
from motet.serve.scene_models import SceneRequest
from motet.serve.store import Json, SoundRow, now
from motet.serve.studio import Shared
from motet.serve.uploads import clean_name

router = APIRouter(tags=["scenes"])


@router.post("/scenes", status_code=201)
async def make(body: SceneRequest, studio: Shared) -> models.Sound:
    """Render a scene. The same events give the same sound. Takes of body methods get its path with
    the option `source` = `path:ID`.
    """
    events: Json = {"events": []}
    for event in body.events:
        required(studio.store.get(SoundRow, event.sound), "sound")
    events["events"] = [event.model_dump() for event in body.events]
    facts = await studio.quick.ask("make_scene", events)
    identity = str(facts.pop("id"))
    known = studio.store.get(SoundRow, identity)
    row = known or SoundRow(identity, clean_name(body.name, "scene.flac"), facts, now())
    studio.store.put(row)
    return answers.sound(row)


@router.get("/sounds/{identity}/path", response_class=FileResponse)
async def path_of(identity: SoundId, studio: Shared) -> FileResponse:
    """The path of a scene's newest sound: rows of seconds, x, y, z (metres, +X left, +Z front)."""
    row = required(studio.store.get(SoundRow, identity), "sound")
    path = studio.folder.path("sounds", identity, ".csv")
    required(path if path.is_file() else None, "path of a scene")
    name = f"{row.name.rpartition('.')[0] or row.name}.path.csv"
    return FileResponse(path, media_type="text/csv", filename=name)
