"""What utterance number n is: speaker, kind of text, words, speed. Nothing here makes sound."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Iterator
from typing import Any

from recipes.speech_kokoro.grammar import grammar
from recipes.speech_kokoro.voices import Speaker, deck, speakers

PACES = ("normal",) * 5 + ("fast",) * 3 + ("slow",) * 2
_SPEEDS = {"normal": (0.9, 1.2), "fast": (1.3, 1.6), "slow": (0.7, 0.85)}


@dataclasses.dataclass(frozen=True)
class Job:
    """One utterance to be made."""

    index: int
    seed: int
    speaker: Speaker
    kind: str
    text: str
    pace: str
    speed: float

    @property
    def name(self) -> str:
        """Unique in the corpus; safe as a file name."""
        return f"kokoro54_{self.index:06d}"

    def facts(self) -> dict[str, Any]:
        """What is kept beside the sound."""
        facts = dataclasses.asdict(self) | {"name": self.name}
        voice = facts.pop("speaker")
        voice["voices"] = voice.pop("weights")
        return facts | voice | {"speaker": self.speaker.name, "split": self.speaker.split}


def jobs(seed: int) -> Iterator[Job]:
    """All utterances in their order; the same seed gives the same ones."""
    chance = random.Random(f"plan {seed}")
    kinds = {"en": deck(grammar("en").kinds, chance)}
    paces = deck(PACES, chance)
    for index, speaker in enumerate(speakers(seed)):
        language = speaker.language
        if language not in kinds:
            kinds[language] = deck(grammar(language).kinds, chance)
        yield _job(index, seed, speaker, next(kinds[language]), next(paces))


def _job(index: int, seed: int, speaker: Speaker, kind: str, pace: str) -> Job:
    chance = random.Random(f"{seed} {index}")
    text = _text(speaker.language, kind, chance)
    speed = round(chance.uniform(*_SPEEDS[pace]), 3)
    return Job(index, seed, speaker, kind, text, pace, speed)


def _text(language: str, kind: str, chance: random.Random) -> str:
    """One sentence, or two or three of mixed kinds, so that pauses and longer runs occur."""
    rules = grammar(language)
    text = rules.sentence(kind, chance)
    while kind not in ("long", "reply") and len(text) < 90 and chance.random() < 0.4:
        text += " " + rules.sentence(chance.choice(rules.kinds), chance)
    return text
