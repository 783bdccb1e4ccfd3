"""`/avatars`: upload, what is driven, assignment of names, channels for players."""

from __future__ import annotations

import json
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Path, UploadFile
from starlette.responses import FileResponse, Response

from motet.atomic_write import write_bytes
from motet.config import JsonValue
from motet.serve import models
from motet.serve.problems import required
from motet.serve.store import Json, now
from motet.serve.studio import Shared, Studio
from motet.serve.uploads import clean_name, keep

router = APIRouter(prefix="/avatars", tags=["avatars"])
AvatarId = Annotated[str, Path(pattern=models.ID_PATTERN)]
AnyAvatar = Annotated[str, Path(pattern=r"^(house|[0-9a-f]{24})$")]


@router.get("")
async def listing(studio: Shared) -> models.Avatars:
    """The house figure and the uploaded avatars, the newest first."""
    files = sorted((studio.folder.root / "avatars").glob("*.json"), key=_age)
    stored = [_read(path) for path in files]
    return models.Avatars(avatars=[await _house(studio), *stored])


@router.post("", status_code=201)
async def upload(file: UploadFile, studio: Shared, response: Response) -> models.Avatar:
    """Upload a GLB or VRM. The same bytes give the same id (200)."""
    identity = await keep(file, "avatars", studio, studio.limits.max_avatar_mb, "--max-avatar-mb")
    facts_file = studio.folder.path("avatars", identity, ".json")
    if facts_file.is_file():
        response.status_code = 200
        return _read(facts_file)
    try:
        return await _inspect(identity, clean_name(file.filename, "avatar"), {}, studio)
    except BaseException:
        studio.folder.path("avatars", identity).unlink(missing_ok=True)
        raise


@router.get("/{identity}/profile", response_class=FileResponse)
async def profile(identity: AnyAvatar, studio: Shared) -> FileResponse:
    """Channels that a player sets, in the order of a frame's numbers, and the frame at rest."""
    name: dict[str, JsonValue] = {"avatar": identity}
    if identity != "house":
        _exists(identity, studio)
        name["map"] = stored_map(identity, studio)
    path = await studio.cached("profile", name, ".json")
    return FileResponse(path, media_type="application/json", headers={"Cache-Control": "no-cache"})


@router.get("/{identity}", response_class=FileResponse)
async def file_of(identity: AvatarId, studio: Shared) -> FileResponse:
    """The file as it was uploaded."""
    _exists(identity, studio)
    headers = {"Cache-Control": "private, max-age=31536000, immutable"}
    path = studio.folder.path("avatars", identity)
    return FileResponse(path, media_type="model/gltf-binary", headers=headers)


@router.put("/{identity}/mapping")
async def assign(identity: AvatarId, body: models.AvatarMapping, studio: Shared) -> models.Avatar:
    """Assign names of the avatar by hand: its shape to an ARKit shape or viseme, null to leave it
    still; an empty object returns to what motet finds.
    """
    known = _exists(identity, studio)
    values: Json = dict(body.shapes)
    if body.bones:
        values["bones"] = dict(body.bones)
    facts = await _inspect(identity, known.name, values, studio)
    map_file = studio.folder.path("avatars", identity, ".map")
    write_bytes(map_file, json.dumps(values, sort_keys=True).encode())
    return facts


@router.delete("/{identity}", status_code=204)
async def delete(identity: AvatarId, studio: Shared) -> None:
    """Delete an avatar."""
    _exists(identity, studio)
    for ending in (".json", ".map", ""):
        studio.folder.path("avatars", identity, ending).unlink(missing_ok=True)


def stored_map(identity: str, studio: Studio) -> str:
    """The assignment of an avatar as text; empty: none."""
    path = studio.folder.path("avatars", identity, ".map")
    return path.read_text(encoding="utf-8") if path.is_file() else ""


async def _inspect(identity: str, name: str, by_hand: Json, studio: Studio) -> models.Avatar:
    facts = await studio.quick.ask("inspect_avatar", {"avatar": identity, "map": by_hand})
    record = {**facts, "id": identity, "name": name, "made": now(), "mapping": by_hand}
    avatar = models.Avatar.model_validate(record)
    data = avatar.model_dump_json().encode()
    write_bytes(studio.folder.path("avatars", identity, ".json"), data)
    return avatar


async def _house(studio: Studio) -> models.Avatar:
    path = await studio.cached("profile", {"avatar": "house"}, ".json")
    channels = json.loads(path.read_bytes())["channels"]
    shapes = [one["target"] for one in channels if one["kind"] == "morph"]
    bones = [one["node"] for one in channels if one["kind"] == "rotation"]
    return models.Avatar(
        id="house", name="house figure", kind="house", matched=shapes, missed=[], ignored=[],
        bones=bones, mouth="ARKit shapes", suggestions={}, made=0.0, mapping={},
    )  # fmt: skip


def _exists(identity: str, studio: Studio) -> models.Avatar:
    path = studio.folder.path("avatars", identity, ".json")
    return _read(required(path if path.is_file() else None, "avatar"))


def _read(path: FilePath) -> models.Avatar:
    return models.Avatar.model_validate_json(path.read_bytes())


def _age(path: FilePath) -> float:
    return -path.stat().st_mtime
