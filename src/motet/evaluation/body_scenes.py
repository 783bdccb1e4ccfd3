"""Scenes whose takes are measured: sounds of the kinds that users bring, with seeds that no corpus
uses.

`SCENES` are looked at while a method is developed. `HELD_OUT` and `TWO_EVENTS` are not: other
directions, other classes, other lengths, other seeds.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import torch
from jaxtyping import Float

from motet.audio.spatial.spatialise import spatialise
from motet.synthesis.soundscape.classes import make_sound
from motet.synthesis.soundscape.tones import RATE, banded, noise
from motet.types import Audio

UNSEEN = 90_000
"""Seed of the sounds of `SCENES`; corpora use small ones."""
BLIND = 170_000
"""Seed of the sounds of the held-out scenes."""
EAR_HEIGHT_M = 1.51
PEAK = 0.4
BACKGROUND = 0.03
"""Level of what goes on behind the events of a film track."""


@dataclasses.dataclass(frozen=True)
class SoundEvent:
    """A sound of a scene and where it comes from."""

    sound: str
    """A class of `motet.synthesis.soundscape`, or `burst` (a short burst of noise)."""
    start_s: float
    seconds: float
    azimuth_deg: tuple[float, ...]
    """One direction, or several that the source passes at a steady rate."""
    distance_m: float = 2.0


@dataclasses.dataclass(frozen=True)
class Scene:
    """A sound as a user would bring it, and the options that it is run with."""

    name: str
    seconds: float
    events: tuple[SoundEvent, ...]
    source_given: bool = False
    """The position is given (`--source`) instead of estimated."""
    panned: bool = False
    """Stereo by level alone, like a film track."""
    background: str = ""
    """A class of sounds that goes on in both channels alike, softer."""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict)
    seed: int = UNSEEN


SCENES: tuple[Scene, ...] = (
    Scene("bursts ahead", 12, (SoundEvent("burst", 0.8, 10, (0,)),), source_given=True),
    Scene("bursts left", 12, (SoundEvent("burst", 0.8, 10, (90,)),)),
    Scene("siren behind", 12, (SoundEvent("siren", 0.5, 11, (180,)),), source_given=True),
    Scene("siren left", 12, (SoundEvent("siren", 0.5, 11, (90,)),)),
    Scene("phone, behind right", 12, (SoundEvent("phone", 0.5, 11, (-120,)),), source_given=True),
    Scene("music ahead", 20, (SoundEvent("music", 0.3, 19.5, (0,)),), source_given=True),
    Scene("music, behind right", 20, (SoundEvent("music", 0.3, 19.5, (-120,)),)),
    Scene("drums, 40 s", 40, (SoundEvent("drum", 0.3, 39.5, (30,)),), source_given=True),
    Scene("speech ahead", 20, (SoundEvent("speech", 0.3, 19.5, (0,)),), source_given=True),
    Scene("speech right", 20, (SoundEvent("speech", 0.3, 19.5, (-90,)),)),
    Scene(
        "vehicle passing",
        16,
        (SoundEvent("vehicle", 0.3, 15.5, (-80, 0, 80), 3.0),),
        source_given=True,
    ),
    Scene(
        "engine circling",
        20,
        (SoundEvent("engine", 0.3, 19.5, (0, 180, 360), 2.5),),
        source_given=True,
    ),
    Scene(
        "bark, then phone",
        18,
        (SoundEvent("bark", 1.5, 3.5, (-90,)), SoundEvent("phone", 9.0, 8.5, (120,))),
    ),
    Scene(
        "bell, then bang",
        18,
        (SoundEvent("bicycle_bell", 2.0, 4.0, (60,)), SoundEvent("gunshot", 10.0, 2.0, (-60,))),
    ),
    Scene(
        "film: rain, then a bang",
        16,
        (SoundEvent("explosion", 6.0, 4.0, (-50,)),),
        panned=True,
        background="rain",
    ),
)


def _held_out(name: str, seconds: float, *events: SoundEvent, **facts: Any) -> Scene:
    return Scene(name, seconds, events, seed=BLIND, **facts)


def _two(first: SoundEvent, second: SoundEvent) -> Scene:
    """Two events from different sides."""
    name = f"{first.sound} {first.azimuth_deg[0]:.0f}, {second.sound} {second.azimuth_deg[0]:.0f}"
    return _held_out(name, second.start_s + second.seconds + 2.0, first, second)


HELD_OUT: tuple[Scene, ...] = (
    _held_out("one burst, 35", 6, SoundEvent("burst", 1.4, 1.2, (35,))),
    _held_out("bursts, -155", 14, SoundEvent("burst", 1.1, 12, (-155,), 1.4), source_given=True),
    _held_out("siren, 60", 10, SoundEvent("siren", 0.2, 9.5, (60,))),
    _held_out("siren, -100", 16, SoundEvent("siren", 2.0, 9, (-100,), 3.0), source_given=True),
    _held_out("fire alarm, -35", 9, SoundEvent("fire_alarm", 0.4, 8, (-35,))),
    _held_out("music, 40", 25, SoundEvent("music", 0.2, 24.5, (40,)), source_given=True),
    _held_out("music, -60", 12, SoundEvent("music", 0.6, 11, (-60,))),
    _held_out("drums, 150", 30, SoundEvent("drum", 0.2, 29.5, (150,)), source_given=True),
    _held_out("speech, -45", 24, SoundEvent("speech", 0.3, 23, (-45,))),
    _held_out("speech, 140", 13, SoundEvent("speech", 0.3, 12, (140,)), source_given=True),
    _held_out(
        "vehicle, 100 to -100",
        18,
        SoundEvent("vehicle", 0.4, 17, (100, 0, -100)),
        source_given=True,
    ),
    _held_out(
        "bird circling", 22, SoundEvent("bird", 0.3, 21, (30, -150, -330), 3.0), source_given=True
    ),
    _held_out(
        "film: wind, then a shot",
        14,
        SoundEvent("gunshot", 5.0, 2.0, (40,)),
        panned=True,
        background="wind",
    ),
    _held_out(
        "film: music, then a bang",
        20,
        SoundEvent("explosion", 9.0, 4.0, (-35,)),
        panned=True,
        background="instrument",
    ),
    _held_out(
        "film: rain, then thunder",
        40,
        SoundEvent("thunder", 17.0, 5.0, (45,)),
        panned=True,
        background="rain",
    ),
    _held_out("speaks, 20 s", 20, SoundEvent("speech", 0.4, 19, (0,)), options={"role": "speaker"}),
)
"""Sounds of the kinds of `SCENES` that were not looked at."""
TWO_EVENTS: tuple[Scene, ...] = (
    _two(SoundEvent("bark", 1.0, 4, (-70,)), SoundEvent("siren", 7.0, 6, (50,))),
    _two(SoundEvent("phone", 0.8, 5, (40,)), SoundEvent("gunshot", 8.0, 2, (-110,))),
    _two(SoundEvent("bird", 1.2, 5, (95,)), SoundEvent("crowd_yell", 6.0, 5, (-30,))),
    _two(SoundEvent("engine", 0.5, 6, (-140,)), SoundEvent("shout", 7.5, 4, (60,))),
    _two(SoundEvent("thunder", 1.0, 4, (20,)), SoundEvent("cat", 8.0, 5, (-80,))),
    _two(SoundEvent("church_bell", 0.6, 6, (-50,)), SoundEvent("laughter", 9.0, 5, (115,))),
    _two(SoundEvent("speech", 0.5, 7, (70,)), SoundEvent("explosion", 8.0, 3, (-60,))),
    _two(SoundEvent("music", 0.4, 8, (-30,)), SoundEvent("fire_alarm", 8.2, 6, (100,))),
    _two(SoundEvent("firework", 1.0, 4, (150,)), SoundEvent("bicycle_bell", 7.0, 5, (-20,))),
    _two(SoundEvent("insect", 0.5, 6, (-90,)), SoundEvent("vehicle", 7.0, 6, (45,))),
    _two(SoundEvent("cough", 0.7, 4, (10,)), SoundEvent("bark", 6.5, 5, (-120,))),
    _two(SoundEvent("rain", 0.3, 6, (-25,)), SoundEvent("phone", 7.5, 5, (75,))),
)
"""Takes with a second event, none of them ever trained on or looked at."""


@dataclasses.dataclass(frozen=True)
class MadeScene:
    """What a method is given, and what is known of the sound."""

    audio: Audio
    onsets_s: tuple[float, ...]
    """First audible moment of each event."""
    sources: tuple[Float[np.ndarray, "3"], ...]
    """Position of each event at its onset, metres."""
    beats_s: tuple[float, ...]
    path: Float[np.ndarray, "points 4"]
    """Seconds and position of the source that is given."""


Sounds = Callable[[str, float, tuple[int, ...]], tuple[np.ndarray, float, tuple[float, ...]]]
"""(kind, seconds, seed) -> samples at the synthesis rate, onset and beats in seconds."""


def make_scene(scene: Scene, number: int, sounds: Sounds | None = None) -> MadeScene:
    """The sound of a scene for two ears in the open, at the synthesis rate.

    Args:
        sounds: makes the sounds of the events, instead of the soundscapes.
    """
    random = np.random.default_rng([scene.seed, number])
    count = round(scene.seconds * RATE)
    # the noise floor of a quiet room
    ears = 2e-4 * banded(noise(random, 2 * count), 60, 8000).reshape(2, count)
    if scene.background:
        behind = make_sound(scene.background, scene.seconds, (scene.seed, number))
        ears += BACKGROUND * behind.samples[:count]
    onsets, sources, beats, paths = [], [], [], []
    for place, event in enumerate(scene.events):
        seed = (scene.seed, number, place)
        if sounds is None:
            samples, onset, own_beats = _event_samples(event, seed)
        else:
            samples, onset, own_beats = sounds(event.sound, event.seconds, seed)
        start = round(event.start_s * RATE)
        mono = np.zeros(count, np.float32)
        mono[start : start + len(samples)] = samples[: count - start]
        azimuth = np.interp(
            # 30 positions a second
            np.arange(round(scene.seconds * 30) + 1) / 30,
            event.start_s + np.linspace(0, event.seconds, len(event.azimuth_deg)),
            event.azimuth_deg,
        )
        ears = ears + _two_channels(mono, azimuth, event.distance_m, panned=scene.panned)
        path = _path(azimuth, event.distance_m)
        onsets.append(event.start_s + onset)
        # rows at 30 a second; the first column is the time
        sources.append(path[round(onsets[-1] * 30), 1:])
        beats += [event.start_s + beat for beat in own_beats]
        paths.append(path)
    # one level for all scenes: loudness is not what is tested
    ears *= PEAK / np.abs(ears).max()
    layout = "stereo" if scene.panned else "binaural"
    return MadeScene(
        Audio(torch.from_numpy(ears.astype(np.float32)), RATE, layout),
        tuple(onsets),
        tuple(sources),
        tuple(beats),
        paths[0],
    )


def _event_samples(
    event: SoundEvent, seed: tuple[int, ...]
) -> tuple[Float[np.ndarray, " time"], float, tuple[float, ...]]:
    """Samples, onset and beats of one event, seconds from its start."""
    if event.sound != "burst":
        made = make_sound(event.sound, event.seconds, seed)
        return made.samples, made.onset_s, made.beats_s
    random = np.random.default_rng(seed)
    count = round(event.seconds * RATE)
    time = np.arange(count) / RATE
    # A burst of 80 ms every 1.3 s.
    envelope = np.exp(-(((time % 1.3) / 0.08) ** 2))
    return (0.5 * envelope * banded(noise(random, count), 200, 9000)).astype(np.float32), 0.0, ()


def _two_channels(
    mono: Float[np.ndarray, " time"],
    azimuth_deg: Float[np.ndarray, " times"],
    distance_m: float,
    *,
    panned: bool,
) -> Float[np.ndarray, "2 time"]:
    if panned:
        # constant-power panning: -90 to 90 degrees onto the quarter circle
        angle = np.pi / 4 * (1 + np.sin(np.radians(azimuth_deg[0])))
        return np.stack([np.sin(angle) * mono, np.cos(angle) * mono])
    audio = Audio.mono(torch.from_numpy(mono), RATE)
    return spatialise(audio, azimuth_deg, 0.0, distance_m).samples.numpy()


def _path(
    azimuth_deg: Float[np.ndarray, " times"], distance_m: float
) -> Float[np.ndarray, "times 4"]:
    """Rows of seconds, x, y, z."""
    angle, time = np.radians(azimuth_deg), np.arange(len(azimuth_deg)) / 30
    x, z = distance_m * np.sin(angle), distance_m * np.cos(angle)
    return np.stack([time, x, np.full_like(x, EAR_HEIGHT_M), z], 1)
