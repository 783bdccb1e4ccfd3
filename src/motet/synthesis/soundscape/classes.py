"""The 27 classes of sounds by name, and how loud each is."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable

import numpy as np
from jaxtyping import Float

from motet.errors import ConfigError, nearest
from motet.synthesis.soundscape import creatures, machines
from motet.synthesis.soundscape.tones import RATE, banded, noise
from motet.synthesis.soundscape.voices import VoiceLibrary

LOUDNESS: dict[str, float] = {
    "aircraft": 0.55, "bark": 0.5, "bicycle_bell": 0.3, "bird": 0.28, "cat": 0.3,
    "church_bell": 0.4, "cough": 0.35, "crowd_yell": 0.6, "drum": 0.6,
    "engine": 0.5, "explosion": 0.95, "fire_alarm": 0.6, "firework": 0.9, "gunshot": 0.95,
    "insect": 0.2, "instrument": 0.4, "laughter": 0.4,
    "music": 0.55, "phone": 0.35, "shout": 0.6, "sing": 0.4, "siren": 0.6, "speech": 0.4,
    "thunder": 0.9, "vehicle": 0.55, "wind": 0.4, "rain": 0.35,
}  # fmt: skip
"""Peak at one metre."""
FLOOR = 3e-4
"""Noise of a quiet room."""


@dataclasses.dataclass(frozen=True)
class MadeSound:
    """A sound with what happens in it."""

    samples: Float[np.ndarray, " time"]
    onset_s: float
    events_s: tuple[float, ...]
    beats_s: tuple[float, ...]


@functools.lru_cache(maxsize=32)
def make_sound(
    name: str, seconds: float, seed: tuple[int, ...], voices: VoiceLibrary | None = None
) -> MadeSound:
    """One variant of a class at `RATE` samples a second: silence, then the sound from its onset on.

    Args:
        voices: recordings that speech is taken from, instead of those that ship.

    Raises:
        ConfigError: there is no such class.
    """
    if name not in LOUDNESS:
        raise ConfigError(f"no sound {name!r}; {nearest(name, LOUDNESS)}")
    # the class' own stream: adding a class at the end changes no other
    random = np.random.default_rng([*seed, sorted(LOUDNESS).index(name)])
    onset = float(random.uniform(0.35, 1.1))
    maker: Callable = getattr(machines, name, None) or getattr(creatures, name)
    if voices is not None and name == "speech":
        made, events, beats = voices.reading(random, seconds - onset), [0.0], []
    else:
        made, events, beats = maker(random, seconds - onset)
    # no offset, which a loudspeaker could not play
    made = made - made.mean()
    made = made * (LOUDNESS[name] * random.uniform(0.75, 1.0) / max(np.abs(made).max(), 1e-9))
    count = round(seconds * RATE)
    samples = (
        np.concatenate([np.zeros(count - len(made)), made]) if len(made) < count else made[:count]
    )
    samples = samples + FLOOR * banded(noise(random, count), 60, 8000)
    # events and beats count from the onset
    shifted = [
        tuple(float(v) + onset for v in values if v + onset < seconds) for values in (events, beats)
    ]
    return MadeSound(samples.astype(np.float32), onset, *shifted)
