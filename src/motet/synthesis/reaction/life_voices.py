"""Further scenes of the corpus of long scenes, in which many people talk: to the figure from where
they stand, walking past or here and then there, after another sound, or as the figure itself.
"""

from __future__ import annotations

import numpy as np

from motet.reaction_families import FAMILY_OF
from motet.synthesis.reaction.scene import CorpusScene, PlacedSound, passing, straight
from motet.synthesis.soundscape.voices import VoiceLibrary

VOICE_SCENES = 96
KINDS = ("stands", "walks", "jumps", "follows", "stands", "walks", "jumps", "own")
"""Kinds of scenes, over and over."""
FIRST_NUMBER = 100_000
"""Scenes with voices have numbers from here on, so that their rooms are their own."""
FIRST_VARIANT = 1000
"""And their speech has variants from here on."""


def draw_voice_scenes(count: int, seed: int, voices: VoiceLibrary) -> list[CorpusScene]:
    """Scenes with balanced kinds and sides; all of them are for training."""
    return [_draw(number, seed, voices) for number in range(count)]


def _draw(number: int, seed: int, voices: VoiceLibrary) -> CorpusScene:
    # 37: another stream than the scenes without voices (31)
    random = np.random.default_rng([seed, 37, number])
    start, length = random.uniform(0.0, 1.5), random.uniform(8.5, 14.0)
    # both sides for each kind
    side = 1.0 if number // len(KINDS) % 2 else -1.0
    kind = KINDS[number % len(KINDS)]
    sounds = _SOUNDS[kind](random, number, side, start, start + length, voices)
    stop = max(sound.stop_s for sound in sounds)
    seconds = stop + random.uniform(0.5, 2.5)
    return CorpusScene(f"v{number:04d}", "train", seconds, tuple(sounds), FIRST_NUMBER + number)


def _voice(
    number: int, start: float, stop: float, path: np.ndarray, voices: VoiceLibrary, *, own: bool
) -> PlacedSound:
    return PlacedSound("speech", FIRST_VARIANT + number, start, stop, path, own, voices)


def _at(random: np.random.Generator, azimuth: float) -> np.ndarray:
    return straight(azimuth, random.uniform(1.2, 3.5), random.uniform(1.3, 1.75))


def _stands(random, number, side, start, stop, voices) -> list[PlacedSound]:
    path = _at(random, side * random.uniform(0, 180))
    return [_voice(number, start, stop, path, voices, own=False)]


def _walks(random, number, side, start, stop, voices) -> list[PlacedSound]:
    """Along an arc at a walker's pace."""
    begin, swept = side * random.uniform(30, 150), -side * random.uniform(60, 260)
    near, height = random.uniform(1.5, 3.0), random.uniform(1.4, 1.7)
    path = passing(start, stop, begin, begin + swept, near, height)
    return [_voice(number, start, stop, path, voices, own=False)]


def _jumps(random, number, side, start, stop, voices) -> list[PlacedSound]:
    """One voice here, then another there."""
    middle, begin = 0.5 * (start + stop), side * random.uniform(20, 120)
    after = begin - side * random.uniform(70, 170)
    return [
        # two people, so two numbers of a voice
        _voice(2 * number, start, middle, _at(random, begin), voices, own=False),
        _voice(2 * number + 1, middle, stop, _at(random, after), voices, own=False),
    ]


def _follows(random, number, side, start, stop, voices) -> list[PlacedSound]:
    """Another sound, then somebody talks from another side."""
    names = sorted(name for name in FAMILY_OF if name != "speech")
    name = names[int(random.integers(len(names)))]
    middle = start + random.uniform(3.0, 5.0)
    path = _at(random, side * random.uniform(0, 180))
    first = PlacedSound(name, int(random.integers(4)), start, middle, path)
    path = _at(random, -side * random.uniform(0, 180))
    begin = middle + random.uniform(-0.3, 1.5)
    return [first, _voice(number, begin, stop + 2.0, path, voices, own=False)]


def _own(random, number, side, start, stop, voices) -> list[PlacedSound]:
    """The figure itself talks."""
    del random, side
    path = straight(0.0, 1.0, 1.5)
    return [_voice(number, start, stop + 2.0, path, voices, own=True)]


_SOUNDS = {
    "stands": _stands,
    "walks": _walks,
    "jumps": _jumps,
    "follows": _follows,
    "own": _own,
}
