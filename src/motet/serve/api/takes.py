"""`/takes`: generate, import, list, curves."""

from __future__ import annotations

import functools
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Form, Path, Query, UploadFile
from starlette.responses import FileResponse, Response

from motet.batch.ledger import content_digest, values_digest
from motet.config import JsonValue
from motet.errors import ConfigError
from motet.method import MethodSpec
from motet.method_options import option_names
from motet.registry import specs_of
from motet.serve import answers, models
from motet.serve.api.avatars import stored_map
from motet.serve.option_schema import checked_options, checked_postprocess
from motet.serve.problems import Refusal, required
from motet.serve.store import Json, SoundRow, TakeRow, now
from motet.serve.studio import Shared, Studio
from motet.serve.uploads import clean_name, keep

Options = dict[str, bool | int | float | str]
router = APIRouter(prefix="/takes", tags=["takes"])
TakeId = Annotated[str, Path(pattern=models.ID_PATTERN)]
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}
MIME = {".npz": "application/octet-stream", ".mp4": "video/mp4"}
READABLE = (".npz", ".csv", ".json", ".bvh")


@router.post("", status_code=202, responses={200: {"model": models.TakeOrJob}})
async def generate(
    body: models.TakeRequest, studio: Shared, response: Response
) -> models.TakeOrJob:
    """Generate a take: 202 with a job, or 200 with the take if the same was generated before."""
    request = _job_request(body, studio)
    if (row := studio.store.get(TakeRow, str(request["take"]))) is not None:
        response.status_code = 200
        return models.TakeOrJob(take=answers.take(row))
    job = studio.jobs.submit("take", request)
    return models.TakeOrJob(job=answers.job(job, studio.jobs))


def _job_request(body: models.TakeRequest, studio: Studio) -> Json:
    """The request with everything that decides the bytes of the take, and the take's id."""
    sound = required(studio.store.get(SoundRow, body.sound), "sound")
    if len(body.text) > studio.limits.max_text:
        raise Refusal(413, f"the text has more than {studio.limits.max_text} characters; cut it")
    options = dict(body.options)
    specs = specs_of(body.method)
    for name, value in (("source", body.source), ("text", body.text)):
        if value and any(name in option_names(spec) for spec in specs):
            options[name] = value
        elif value:
            raise ConfigError(f"{body.method} has no {name}; leave it out")
    options = checked_options(body.method, options)
    _check_stored(options, studio)
    request: Json = {
        "sound": sound.id,
        "name": sound.name,
        "method": body.method,
        "options": options,
        "seed": body.seed,
        "postprocess": checked_postprocess(body.method, body.postprocess),
        "fps": body.fps,
        "weights": [_weights_digest(spec, options, studio) for spec in specs],
    }
    if body.fps is not None and specs[0].output == "frames":
        raise ConfigError(f"{body.method} draws at the rate of its footage; leave fps out")
    return {**request, "take": values_digest(request)}


def _check_stored(options: Options, studio: Studio) -> None:
    """Make sure that takes, paths and persons that options name are there."""
    for value in options.values():
        kind, _, identity = value.partition(":") if isinstance(value, str) else ("", "", "")
        match kind:
            case "take":
                required(studio.store.get(TakeRow, identity), "take (style)")
            case "path":
                required(_stored(studio.folder.path("sounds", identity, ".csv")), "path")
            case "person":
                person = studio.folder.path("persons", identity, ".json")
                required(_stored(person), "person")


def _weights_digest(spec: MethodSpec, options: Options, studio: Studio) -> str:
    person = str(options.get("person", ""))
    path = spec.shipped()
    if person.startswith("person:") and spec.person_weights:
        folder = studio.folder.path("persons", person.removeprefix("person:"))
        path = spec.weights_of_person(folder)
    if not path.is_file():
        raise ConfigError(f"{spec.name} ships no weights; choose another method")
    return _digest_at(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=32)
def _digest_at(path: FilePath, changed_ns: int) -> str:
    del changed_ns  # part of the key only
    return content_digest(path)


@router.get("")
async def listing(
    studio: Shared,
    cursor: Annotated[float, Query(ge=0)] = 1e12,
    count: Annotated[int, Query(ge=1, le=200)] = 50,
) -> models.Takes:
    """The newest takes, or those before a cursor."""
    rows = studio.store.takes(cursor, count)
    following = repr(rows[-1].made) if len(rows) == count else ""
    return models.Takes(takes=[answers.take(row) for row in rows], cursor=following)


@router.post("/import", status_code=201)
async def import_file(
    file: UploadFile, studio: Shared, sound: Annotated[str, Form(pattern=r"^([0-9a-f]{24})?$")] = ""
) -> models.Imported:
    """A take from a file of curves (.npz .csv .json .bvh), with its own sound or another."""
    name = clean_name(file.filename, "curves")
    ending = FilePath(name).suffix.lower()
    if ending not in READABLE:
        raise Refusal(415, f"{name} is no file of curves; choose one of {', '.join(READABLE)}")
    if sound:
        required(studio.store.get(SoundRow, sound), "sound")
    maximum = studio.limits.max_sound_mb
    upload = await keep(file, "cache", studio, maximum, "--max-sound-mb", ending)
    identity = values_digest({"import": upload, "ending": ending, "sound": sound})
    arguments: Json = {"upload": upload, "ending": ending, "sound": sound, "take": identity}
    try:
        facts = await studio.quick.ask("import_take", arguments)
    finally:
        studio.folder.path("cache", upload, ending).unlink(missing_ok=True)
    own = facts.pop("sound", None)
    if isinstance(own, dict):
        sound = str(own.pop("id"))
        known = studio.store.get(SoundRow, sound)
        stem = FilePath(name).stem
        studio.store.put(known or SoundRow(sound, f"{stem}.flac", own, now()))
    request: Json = {"name": name, "method": facts.get("method") or "", "seed": 0}
    row = TakeRow(identity, sound, request, "imported", "", facts, {}, now())
    studio.store.put(row)
    return models.Imported(take=answers.take(row), remarks=[])


@router.get("/{identity}")
async def one(identity: TakeId, studio: Shared) -> models.Take:
    """A take."""
    return answers.take(_row(identity, studio))


@router.get("/{identity}/file", response_class=FileResponse)
async def file_of(identity: TakeId, studio: Shared) -> FileResponse:
    """The take as motet keeps it: `.npz`, or `.mp4` of methods that draw."""
    row = _row(identity, studio)
    ending = ".npz" if row.facts.get("kind") == "motion" else ".mp4"
    path = studio.folder.take(identity, ending)
    name = f"{file_stem(row)}{ending}" if ending == ".npz" else None
    return FileResponse(path, media_type=MIME[ending], headers=IMMUTABLE, filename=name)


@router.get("/{identity}/curves", response_class=FileResponse)
async def curves(
    identity: TakeId,
    studio: Shared,
    avatar: Annotated[str, Query(pattern=r"^(house|raw|[0-9a-f]{24})$")] = "house",
    fps: Annotated[float | None, Query(ge=1, le=240)] = None,
) -> FileResponse:
    """Curves in the channels of the house figure (`house`), of an avatar (its id), or the take's
    own numbers (`raw`). Binary: length of the header (uint32), header (JSON), float32 frame by
    frame.
    """
    row = _row(identity, studio)
    if row.facts.get("kind") != "motion":
        raise Refusal(409, "this take is a video and has no curves; play its file instead")
    name: dict[str, JsonValue] = {"take": identity, "avatar": avatar, "fps": fps}
    if avatar not in ("house", "raw"):
        required(_stored(studio.folder.path("avatars", avatar)), "avatar")
        name["map"] = stored_map(avatar, studio)
    path = await studio.cached("curves", name, ".curves")
    return FileResponse(path, media_type="application/octet-stream", headers=IMMUTABLE)


def file_stem(row: TakeRow) -> str:
    """Name of a download: sound, method, seed."""
    name = FilePath(str(row.request.get("name") or "take")).stem
    method = str(row.request.get("method") or "take").replace(",", "-")
    return f"{name}-{method}-{row.request.get('seed') or 0}"


def _stored(path: FilePath) -> FilePath | None:
    return path if path.is_file() else None


def _row(identity: str, studio: Studio) -> TakeRow:
    return required(studio.store.get(TakeRow, identity), "take")
