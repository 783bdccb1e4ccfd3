"""`/persons`: people whose faces were learnt from videos, with their consent."""

from __future__ import annotations

import json
import secrets
from pathlib import Path as FilePath
from typing import Annotated

from fastapi import APIRouter, Form, Path, UploadFile
from starlette.responses import FileResponse

from motet.atomic_write import write_bytes
from motet.config import JsonValue
from motet.errors import ConfigError, MotetError
from motet.registry import method_spec
from motet.serve import answers, models
from motet.serve.person_models import Person, Persons
from motet.serve.problems import Refusal, required
from motet.serve.store import Json, now
from motet.serve.studio import Shared, Studio
from motet.serve.uploads import clean_name, keep

router = APIRouter(prefix="/persons", tags=["persons"])
PersonId = Annotated[str, Path(pattern=models.ID_PATTERN)]
METHOD = "speech2lip"
"""The method that draws persons."""
MOST_VIDEOS = 20
VIDEOS = (".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v", ".mpg")
CAPTURE_MINUTES = 10
"""Of a job's time, kept for finding the face before learning."""


@router.get("")
async def listing(studio: Shared) -> Persons:
    """Persons, the newest first."""
    files = sorted((studio.folder.root / "persons").glob("*.json"), key=_age)
    return Persons(persons=[_person(path.stem, studio) for path in files])


@router.post("", status_code=202)
async def fit(
    files: list[UploadFile],
    consent: Annotated[str, Form(min_length=3, max_length=2000)],
    studio: Shared,
    name: Annotated[str, Form(max_length=80)] = "",
    minutes: Annotated[float, Form(ge=0, le=240)] = 10,
) -> models.Job:
    """Learn a person from videos in which nobody else is seen. `consent` says who allowed this
    likeness to speak; it is kept with the person and named in every video.
    """
    most = studio.limits.max_job_minutes - CAPTURE_MINUTES
    if minutes > most:
        raise ConfigError(
            f"a person learns for at most {most} minutes here; more with --max-job-minutes"
        )
    if not 0 < len(files) <= MOST_VIDEOS:
        raise ConfigError(f"a person needs 1 to {MOST_VIDEOS} videos, not {len(files)}")
    if not consent.strip():
        raise ConfigError("say who allowed this likeness to speak")
    videos: list[JsonValue] = []
    for file in files:
        ending = FilePath(clean_name(file.filename, "video")).suffix.lower()
        if ending not in VIDEOS:
            raise Refusal(415, f"videos are {', '.join(VIDEOS)}, not {ending or 'this'}")
        maximum = studio.limits.max_video_mb
        videos.append(
            await keep(file, "persons", studio, maximum, "--max-video-mb", ending) + ending
        )
    identity = secrets.token_hex(12)
    facts: Json = {
        "person": identity,
        "name": clean_name(name.strip() or FilePath(str(files[0].filename)).stem, "person"),
        "consent": consent.strip(),
        "minutes": minutes,
        "videos": videos,
    }
    written = json.dumps({**facts, "made": now()}).encode()
    write_bytes(studio.folder.path("persons", identity, ".json"), written)
    return answers.job(studio.jobs.submit("fit_person", facts), studio.jobs)


@router.get("/{identity}")
async def one(identity: PersonId, studio: Shared) -> Person:
    """A person."""
    return _person(identity, studio)


@router.get("/{identity}/preview.png", response_class=FileResponse)
async def preview(identity: PersonId, studio: Shared) -> FileResponse:
    """The picture of the last trial: the film, what was drawn, and the difference."""
    path = studio.folder.path("persons", identity) / "training" / "preview.png"
    required(path if path.is_file() else None, "preview")
    return FileResponse(path, media_type="image/png", headers={"Cache-Control": "no-cache"})


@router.delete("/{identity}", status_code=204)
async def delete(identity: PersonId, studio: Shared) -> None:
    """Delete a person with their videos and everything that was learnt."""
    import shutil

    facts = _facts(identity, studio)
    videos = facts.get("videos")
    for name in videos if isinstance(videos, list) else []:
        (studio.folder.root / "persons" / str(name)).unlink(missing_ok=True)
    shutil.rmtree(studio.folder.path("persons", identity), ignore_errors=True)
    studio.folder.path("persons", identity, ".json").unlink(missing_ok=True)


def weights_of(identity: str, studio: Studio) -> FilePath:
    """The weights of a person.

    Raises:
        MotetError: nothing is learnt yet.
    """
    return method_spec(METHOD).weights_of_person(studio.folder.path("persons", identity))


def _person(identity: str, studio: Studio) -> Person:
    facts = _facts(identity, studio)
    try:
        ready = weights_of(identity, studio).is_file()
    except MotetError:
        ready = False
    folder = studio.folder.path("persons", identity)
    has_preview = (folder / "training" / "preview.png").is_file()
    quality = facts.get("quality")
    return Person(
        id=identity,
        name=str(facts["name"]),
        consent=str(facts["consent"]),
        ready=ready,
        preview_url=f"/api/persons/{identity}/preview.png" if has_preview else "",
        quality=[str(line) for line in quality] if isinstance(quality, list) else [],
        made=float(str(facts["made"])),
    )


def _facts(identity: str, studio: Studio) -> Json:
    path = studio.folder.path("persons", identity, ".json")
    required(path if path.is_file() else None, "person")
    facts = json.loads(path.read_bytes())
    assert isinstance(facts, dict)
    return facts


def _age(path: FilePath) -> float:
    return -path.stat().st_mtime
