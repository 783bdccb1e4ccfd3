"""`/sounds`: upload, the original bytes, peaks of the waveform."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path, Query, UploadFile
from starlette.responses import FileResponse, Response

from motet.serve import answers, models
from motet.serve.problems import required
from motet.serve.store import SoundRow, now
from motet.serve.studio import Shared, Studio
from motet.serve.uploads import clean_name, keep

router = APIRouter(prefix="/sounds", tags=["sounds"])
SoundId = Annotated[str, Path(pattern=models.ID_PATTERN)]
IMMUTABLE = {"Cache-Control": "private, max-age=31536000, immutable"}


@router.post("", status_code=201)
async def upload(file: UploadFile, studio: Shared, response: Response) -> models.Sound:
    """Upload a sound or a video with sound. The same bytes give the same id (200)."""
    identity = await keep(file, "sounds", studio, studio.limits.max_sound_mb, "--max-sound-mb")
    known = studio.store.get(SoundRow, identity)
    if known is not None:
        response.status_code = 200
        return answers.sound(known)
    arguments = {"sound": identity, "max_minutes": studio.limits.max_sound_minutes}
    try:
        facts = await studio.quick.ask("inspect_sound", arguments)
    except BaseException:
        studio.folder.sound(identity).unlink(missing_ok=True)
        raise
    row = SoundRow(identity, clean_name(file.filename, "sound"), facts, now())
    studio.store.put(row)
    return answers.sound(row)


@router.get("")
async def listing(studio: Shared) -> models.Sounds:
    """The newest sounds."""
    return models.Sounds(sounds=[answers.sound(row) for row in studio.store.sounds()])


@router.get("/{identity}", response_class=FileResponse)
async def original(identity: SoundId, studio: Shared) -> FileResponse:
    """The bytes as they were uploaded; `Range` is honoured."""
    row = _row(identity, studio)
    headers = {**IMMUTABLE, "Content-Disposition": "inline"}
    path = studio.folder.sound(identity)
    return FileResponse(path, media_type=str(row.facts["mime"]), headers=headers)


@router.get("/{identity}/playable", response_class=FileResponse)
async def playable(identity: SoundId, studio: Shared) -> FileResponse:
    """The sound as WAV with one or two channels, which every browser plays."""
    _row(identity, studio)
    path = await studio.cached("playable", {"sound": identity}, ".wav")
    return FileResponse(path, media_type="audio/wav", headers=IMMUTABLE)


@router.get("/{identity}/peaks", response_class=FileResponse)
async def peaks(
    identity: SoundId, studio: Shared, px: Annotated[int, Query(ge=1, le=20_000)] = 2000
) -> FileResponse:
    """Smallest and largest sample of `px` equal stretches: int8 pairs, 127 is full scale."""
    _row(identity, studio)
    path = await studio.cached("peaks", {"sound": identity, "px": px}, ".peaks")
    return FileResponse(path, media_type="application/octet-stream", headers=IMMUTABLE)


@router.post("/{identity}/phones")
async def phones(identity: SoundId, body: models.Transcript, studio: Shared) -> models.Phones:
    """Times of the words and phones of a transcript (English), by forced alignment."""
    _row(identity, studio)
    aligned = await studio.quick.ask("align", {"sound": identity, "text": body.text})
    return models.Phones.model_validate(aligned)


def _row(identity: str, studio: Studio) -> SoundRow:
    return required(studio.store.get(SoundRow, identity), "sound")
