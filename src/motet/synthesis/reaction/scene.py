"""Scenes of a corpus: which sounds, when, from where; and what two ears at the start hear of them.

The ears stay where the figure stands at first: users bring recordings whose microphones do not
follow the figure.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import torch
from jaxtyping import Float

from motet.audio.spatial.hrtf import Head
from motet.audio.spatial.room import Room
from motet.audio.spatial.spatialise import spatialise_in_room
from motet.synthesis.soundscape.classes import FLOOR, MadeSound, make_sound
from motet.synthesis.soundscape.tones import RATE as SOUND_RATE
from motet.synthesis.soundscape.tones import banded, noise
from motet.synthesis.soundscape.voices import VoiceLibrary
from motet.types import Audio

EAR_HEIGHT_M = 1.51
EAR_GAIN = 0.6
PATH_RATE = 30.0
TAIL_S = 0.5
"""Sound goes on for so long in the room."""


@dataclasses.dataclass(frozen=True)
class PlacedSound:
    """A sound of a scene."""

    name: str
    """Class of the sound."""
    variant: int
    start_s: float
    """The sound's own silence before its onset included."""
    stop_s: float
    path: Float[np.ndarray, "points 4"]
    """Seconds of the scene and position, metres; straight between the points."""
    is_own_voice: bool = False
    """The figure itself speaks."""
    voices: VoiceLibrary | None = None
    """Recordings of speech; None: those that ship."""

    def at(self, time: Float[np.ndarray, " moments"]) -> Float[np.ndarray, "moments 3"]:
        """Positions at moments of the scene."""
        axes = [np.interp(time, self.path[:, 0], self.path[:, axis]) for axis in (1, 2, 3)]
        return np.stack(axes, 1)

    def made(self, seed: int) -> MadeSound:
        """Samples, onset, events and beats, from the start of this sound."""
        seconds = self.stop_s - self.start_s
        return make_sound(self.name, seconds, (seed, self.variant), self.voices)


@dataclasses.dataclass(frozen=True)
class CorpusScene:
    """One scene, performed once for each genre."""

    name: str
    """Id without the genre digit."""
    split: str
    seconds: float
    sounds: tuple[PlacedSound, ...]
    number: int

    @property
    def role(self) -> str:
        """`speaker` where the figure itself speaks."""
        return "speaker" if any(sound.is_own_voice for sound in self.sounds) else "listener"


def straight(azimuth_deg: float, distance_m: float, height_m: float) -> np.ndarray:
    """A path that rests."""
    angle = np.radians(azimuth_deg)
    return np.array(
        [[0.0, distance_m * np.sin(angle), height_m, distance_m * np.cos(angle)]], np.float64
    )


def passing(
    start_s: float, stop_s: float, from_deg: float, to_deg: float, nearest_m: float, height_m: float
) -> np.ndarray:
    """A path around the figure at a steady rate, farther away at its ends."""
    share = np.linspace(0, 1, max(2, int((stop_s - start_s) * 4)))
    angle = np.radians(from_deg + share * (to_deg - from_deg))
    # from 1.6 times the distance at the ends to the nearest in the middle
    distance = nearest_m * (1 + 0.6 * np.abs(2 * share - 1) ** 2)
    return np.stack(
        [
            start_s + share * (stop_s - start_s),
            distance * np.sin(angle),
            np.full_like(share, height_m),
            distance * np.cos(angle),
        ],
        1,
    )


def render_scene(scene: CorpusScene, seed: int, head: Head | None = None) -> Audio:
    """What the ears hear."""
    # 77: another stream than performances of the same seed
    random = np.random.default_rng([seed, 77, scene.number])
    count = round(scene.seconds * SOUND_RATE)
    ears = np.zeros((2, count))
    # width, depth, height (m), absorption, reverberation (s)
    room = Room(
        random.uniform(11, 15),
        random.uniform(10, 14),
        random.uniform(2.9, 3.6),
        random.uniform(0.3, 0.6),
        random.uniform(0.2, 0.4),
    )
    for sound in scene.sounds:
        first = round(sound.start_s * SOUND_RATE)
        samples = sound.made(seed).samples
        samples = np.concatenate([samples, np.zeros(round(TAIL_S * SOUND_RATE), np.float32)])
        rendered = _heard(sound, samples, room, head)[:, : count - first]
        ears[:, first : first + rendered.shape[1]] += rendered
    if random.random() < 0.8:  # the rest are as clean as files that were cut and gated
        floor = FLOOR * random.uniform(0.3, 3.0)
        ears += floor * banded(noise(random, 2 * count), 60, 8000).reshape(2, count)
    return Audio(torch.from_numpy(ears.astype(np.float32)), SOUND_RATE, "binaural")


def _heard(
    sound: PlacedSound, samples: Float[np.ndarray, " time"], room: Room, head: Head | None
) -> Float[np.ndarray, "2 time"]:
    if sound.is_own_voice:  # a recording of a voice, in the middle
        return np.stack([samples, samples])
    moments = sound.start_s + np.arange(int(len(samples) / SOUND_RATE * PATH_RATE) + 2) / PATH_RATE
    mono = Audio.mono(torch.from_numpy(EAR_GAIN * samples), SOUND_RATE)
    # The head stays at the origin and looks to +Z.
    middle = np.tile([0.0, EAR_HEIGHT_M, 0.0], (len(moments), 1))
    facing = np.tile(np.eye(3), (len(moments), 1, 1))
    audio = spatialise_in_room(mono, sound.at(moments), middle, facing, PATH_RATE, room, head)
    return audio.samples.double().numpy()
