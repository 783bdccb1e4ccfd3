"""Recorded telephone prompts of Debian's Asterisk packages: one voice each, no transcript inside.

Only `asterisk_ru` (CC BY 3.0) and `armelle_fr` (BSD) may shape shipped weights. The English,
Spanish, French and Italian core sounds are CC BY-SA: they serve for evaluation on voices and
languages never trained on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from motet.data.speech.utterance import SPEECH_RATE_HZ, Utterance
from recipes.speech.decode import read_speech
from recipes.speech.packages import SpeechPackages

_PROMPTS: Mapping[str, tuple[str, str, str, str]] = {
    "asterisk_ru": (
        "asterisk-core-sounds-ru-g722",
        "g722",
        "ru",
        "CC BY 3.0 (Digium; voice IvrvoiceRU)",
    ),
    "armelle_fr": (
        "asterisk-prompt-fr-armelle",
        "gsm",
        "fr",
        "BSD-3 (M. Gutierrez; voice Armelle Desjardins)",
    ),
    "asterisk_en": ("asterisk-core-sounds-en-g722", "g722", "en", "CC BY-SA 3.0: evaluation only"),
    "asterisk_es": ("asterisk-core-sounds-es-g722", "g722", "es", "CC BY-SA 3.0: evaluation only"),
    "asterisk_fr": ("asterisk-core-sounds-fr-g722", "g722", "fr", "CC BY-SA 3.0: evaluation only"),
    "asterisk_it": ("asterisk-core-sounds-it-g722", "g722", "it", "CC BY-SA 3.0: evaluation only"),
}
_SHORTEST_S = 0.6


def utterances(packages: SpeechPackages, source: str) -> Iterator[Utterance]:
    """All prompts of one source that are long enough to hold a word."""
    package, container, language, licence = _PROMPTS[source]
    root = packages.debian(package) / "usr/share/asterisk/sounds"
    for path in sorted(root.rglob(f"*.{container}")):
        samples = read_speech(path, container)
        if len(samples) >= _SHORTEST_S * SPEECH_RATE_HZ:
            name = "_".join(path.relative_to(root).with_suffix("").parts[1:])
            yield Utterance(name, source, samples, language, source, licence)
