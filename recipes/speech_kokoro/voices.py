"""The 54 style tables of Kokoro-82M and who speaks which utterance."""

from __future__ import annotations

import dataclasses
import itertools
import random
import tarfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

ENGLISH: Sequence[str] = (
    "af_alloy", "af_aoede", "af_bella", "af_heart", "af_jessica", "af_kore", "af_nicole", "af_nova",
    "af_river", "af_sarah", "af_sky",
    "am_adam", "am_echo", "am_eric", "am_fenrir", "am_liam", "am_michael", "am_onyx", "am_puck",
    "am_santa",
    "bf_alice", "bf_emma", "bf_isabella", "bf_lily",
    "bm_daniel", "bm_fable", "bm_george", "bm_lewis",
)  # fmt: skip
"""American and British voices."""
OTHERS: Mapping[str, Sequence[str]] = {
    "es": ("ef_dora", "em_alex", "em_santa"),
    "fr": ("ff_siwis",),
    "it": ("if_sara", "im_nicola"),
    "pt": ("pf_dora", "pm_alex", "pm_santa"),
    "hi": ("hf_alpha", "hf_beta", "hm_omega", "hm_psi"),
    "zh": (
        "zf_xiaobei", "zf_xiaoni", "zf_xiaoxiao", "zf_xiaoyi",
        "zm_yunjian", "zm_yunxi", "zm_yunxia", "zm_yunyang",
    ),
    "ja": ("jf_alpha", "jf_gongitsune", "jf_nezumi", "jf_tebukuro", "jm_kumo"),
}  # fmt: skip
"""Voices of other languages."""
VALIDATION = frozenset(["af_nova", "am_onyx", "bm_lewis", "hm_psi", "zf_xiaoni"])
"""Voices kept out of training and out of every blend."""
TOKENS_MAX, STYLE = 510, 256
Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Speaker:
    """Who speaks: one voice, or a blend that makes a new one."""

    language: str
    accent: str
    """`us` or `gb` for English, else the language itself."""
    weights: Mapping[str, float]
    """Shares of the style tables; they sum to one."""

    @property
    def name(self) -> str:
        """One name a speaker, e.g. `af_sky` or `af_sky-40_bm_fable-60`."""
        if len(self.weights) == 1:
            return next(iter(self.weights))
        return "_".join(f"{v}-{round(w * 100)}" for v, w in self.weights.items())

    @property
    def split(self) -> str:
        """`validation` for the voices that are kept out, else `train`."""
        return "validation" if VALIDATION & set(self.weights) else "train"


def speakers(seed: int) -> Iterator[Speaker]:
    """An endless, seeded order in which every prefix is balanced.

    Of ten speakers six are single English voices, one is a blend of English voices, two speak
    their own language (alone or blended), one speaks English with the voice of another language.
    """
    chance = random.Random(f"speakers {seed}")
    english = deck(ENGLISH, chance)
    native, foreign = deck(tuple(OTHERS), chance), deck(tuple(OTHERS), chance)
    of = {language: deck(voices, chance) for language, voices in OTHERS.items()}
    makers: Sequence[Callable[[], Speaker]] = (
        lambda: _single(next(english)),
        lambda: _blend(chance),
        lambda: _native(language := next(native), next(of[language]), chance),
        lambda: Speaker("en", chance.choice(["us", "gb"]), {next(of[next(foreign)]): 1.0}),
    )
    while True:
        ten = [0] * 6 + [1, 2, 2, 3]
        chance.shuffle(ten)
        yield from (makers[kind]() for kind in ten)


def deck(items: Sequence[Item], chance: random.Random) -> Iterator[Item]:
    """Endless rounds through all items, each round in a new order."""
    for _ in itertools.count():
        yield from chance.sample(items, len(items))


def _single(voice: str) -> Speaker:
    return Speaker("en", accent_of(voice), {voice: 1.0})


def accent_of(voice: str) -> str:
    """`us`, `gb`, or the language of a voice of another language."""
    if voice[0] in "ab":
        return "us" if voice[0] == "a" else "gb"
    return next(language for language, voices in OTHERS.items() if voice in voices)


def _blend(chance: random.Random) -> Speaker:
    pool = [v for v in ENGLISH if v not in VALIDATION]
    pool += [v for voices in OTHERS.values() for v in voices if v not in VALIDATION]
    first = chance.choice([v for v in pool if v[0] in "ab"])
    return Speaker("en", accent_of(first), _shares(first, [v for v in pool if v != first], chance))


def _native(language: str, voice: str, chance: random.Random) -> Speaker:
    if voice in VALIDATION or chance.random() < 0.6:
        return Speaker(language, language, {voice: 1.0})
    pool = [v for v in (*ENGLISH, *OTHERS[language]) if v != voice and v not in VALIDATION]
    return Speaker(language, language, _shares(voice, pool, chance))


def _shares(first: str, pool: Sequence[str], chance: random.Random) -> dict[str, float]:
    second = chance.choice(pool)
    share = chance.randint(50, 75) / 100
    return {first: share, second: round(1 - share, 2)}


class StyleTables:
    """The style rows of all voices, from the npm package `kokoro-js`."""

    def __init__(self, archive: Path) -> None:
        self._tables: dict[str, np.ndarray] = {}
        with tarfile.open(archive) as tar:
            for member in tar:
                name = Path(member.name)
                file = tar.extractfile(member) if name.suffix == ".bin" else None
                if file is not None:
                    table = np.frombuffer(file.read(), np.float32)
                    self._tables[name.stem] = table.reshape(TOKENS_MAX, STYLE)

    def row(self, weights: Mapping[str, float], letters: int) -> np.ndarray:
        """The style of a speaker for a text of so many letters, shape (1, 256)."""
        row = sum(w * self._tables[v][letters] for v, w in weights.items())
        return np.asarray(row, np.float32)[None]
