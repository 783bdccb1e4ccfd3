"""Speech made with the 54 voices of Kokoro-82M, in eight languages, with phone times (Apache-2.0).

`python -m recipes.speech_kokoro.generate DATA/speech_kokoro54 DOWNLOADS` makes it and may still be
running: what is there is taken.
"""

from __future__ import annotations

from collections.abc import Iterator

from motet.data.speech.utterance import Utterance
from motet.errors import AssetError
from motet.phonetics.phones import PhoneSpan
from recipes.speech.packages import SpeechPackages
from recipes.speech_kokoro.pack import stored_utterances
from recipes.speech_kokoro.store import Store
from recipes.speech_kokoro.timing import timed_phones

FOLDER = "speech_kokoro54"


def utterances(packages: SpeechPackages) -> Iterator[Utterance]:
    """All utterances that have been made; those of the five voices kept apart are `validation`.

    Raises:
        AssetError: nothing has been made.
    """
    folder = packages.data / FOLDER
    if not folder.is_dir():
        raise AssetError(
            f"{folder} is missing; make it with 'python -m recipes.speech_kokoro.generate {folder}"
            " DOWNLOADS'"
        )
    for facts, pcm in stored_utterances(Store(folder), float("inf")):
        phones = timed_phones(facts["ipa"], facts["frames"], facts["language"])
        yield Utterance(
            facts["name"],
            "kokoro54",
            pcm.astype("float32") / 32768.0,
            facts["language"],
            facts["speaker"],
            facts["licence"],
            tuple(PhoneSpan(*phone) for phone in phones),
            facts["text"],
            facts["split"],
        )
