"""`/speech`: a text as a sound, spoken by a voice that is installed beside the server."""

from __future__ import annotations

from fastapi import APIRouter

from motet.serve import answers, models
from motet.serve.store import SoundRow, now
from motet.serve.studio import Shared

router = APIRouter(tags=["sounds"])
NAME_CHARACTERS = 40
"""Of the text that become the sound's name."""


@router.post("/speech", status_code=201)
async def speech(body: models.SpeechRequest, studio: Shared) -> models.Speech:
    """Speak a text: the sound, and the times of its words and phones (English).

    501 where no voice is installed; the remedy says how to get one.
    """
    spoken = await studio.quick.ask("speak", {"text": body.text, "voice": body.voice})
    facts, phones = spoken["sound"], spoken["phones"]
    assert isinstance(facts, dict)
    identity = str(facts.pop("id"))
    row = studio.store.get(SoundRow, identity)
    if row is None:
        row = SoundRow(identity, f"{_short(body.text)}.flac", facts, now())
        studio.store.put(row)
    return models.Speech(sound=answers.sound(row), phones=models.Phones.model_validate(phones))


def _short(text: str) -> str:
    """The first words of a text as a file name."""
    plain = "".join(one if one.isalnum() or one in " '-" else " " for one in text)
    words = " ".join(plain.split())
    if len(words) <= NAME_CHARACTERS:
        return words or "speech"
    return words[:NAME_CHARACTERS].rpartition(" ")[0] or words[:NAME_CHARACTERS]
