"""The corpus of long scenes: several events, gaps, moving sources, dancing, speech by the figure.

Same file layout as the short one (`corpus.py`). Each scene is performed three times, once for each
genre, and its sound is the same for all three. `motion/<id>.npz` also holds `attended`: whether a
source is attended to in each frame; `reactions.jsonl` also holds `role` and `events`.

Held out: one variant of every class (`test`), and with it a sector of directions (`sector`).
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable

import numpy as np

from motet.atomic_write import write_bytes
from motet.audio.spatial.hrtf import Head
from motet.reaction_families import FAMILIES, FAMILY_OF
from motet.synthesis.reaction.corpus import CorpusChoice
from motet.synthesis.reaction.corpus_files import (
    LIFE,
    SUBJECTS,
    Listed,
    claim_folder,
    write_lists,
    write_sequence,
)
from motet.synthesis.reaction.episode import Episode, act
from motet.synthesis.reaction.idle import IdleLibrary, invented_idle
from motet.synthesis.reaction.life import from_standing_pose
from motet.synthesis.reaction.life_voices import VOICE_SCENES, draw_voice_scenes
from motet.synthesis.reaction.perform import Performance, perform
from motet.synthesis.reaction.scene import (
    CorpusScene,
    PlacedSound,
    passing,
    render_scene,
    straight,
)
from motet.synthesis.soundscape.voices import VoiceLibrary
from motet.types import Audio

SCENES = 480
VARIANTS, HELD_OUT = 18, 4
SECTOR_DEG = (90.0, 135.0)
KINDS = (
    "one", "two", "dance", "one", "moving", "two", "speaker", "one", "listener", "two",
    "one", "dance", "two", "one", "idle", "moving", "speaker", "two", "one", "three",
)  # fmt: skip
"""Kinds of scenes, over and over."""
MOVES = ("vehicle", "engine", "aircraft", "bird", "insect", "siren", "speech", "bark")
DANCES = FAMILIES["dance"]


@dataclasses.dataclass(frozen=True)
class MadeScene:
    """One finished performance."""

    binaural: Audio
    performance: Performance
    episode: Episode
    truth: dict[str, object]


def draw_scenes(count: int, seed: int) -> list[CorpusScene]:
    """Scenes with balanced kinds, classes and sides; one does not depend on the others."""
    return [_draw(number, seed) for number in range(count)]


def _split(number: int) -> str:
    # of 24 scenes one each for test, sector and validation
    return {3: "test", 15: "sector", 9: "val"}.get(number % 24, "train")


def _draw(number: int, seed: int) -> CorpusScene:
    random = np.random.default_rng([seed, 31, number])
    # These kinds choose their own directions, which would leave the sector.
    split, kind = _split(number), KINDS[number % len(KINDS)]
    if split == "sector" and kind in ("moving", "speaker", "idle"):
        kind = "one"
    drawer = _Drawer(random, split, number)
    length, sounds = getattr(drawer, kind)()
    return CorpusScene(f"s{number:04d}", split, length, tuple(sounds), number)


class _Drawer:
    """Draws the sounds of a scene; each kind is a method: (seconds of the scene, sounds)."""

    def __init__(self, random: np.random.Generator, split: str, number: int) -> None:
        self.random, self.split, self.number = random, split, number
        # sides alternate over the scenes, so both are equally frequent
        self.side = 1.0 if number % 2 else -1.0
        self.names = sorted(FAMILY_OF)

    def one(self) -> tuple[float, list[PlacedSound]]:
        """A sound and what follows."""
        start, length = self.random.uniform(0.0, 2.5), self.random.uniform(3.0, 14.0)
        rest = self.random.uniform(1.5, 6.0)
        sound = self._sound(self._name(), start, start + length)
        return max(9.0, start + length + rest), [sound]

    def two(self) -> tuple[float, list[PlacedSound]]:
        """Two events with a gap, from other sides."""
        return self._several(2)

    def three(self) -> tuple[float, list[PlacedSound]]:
        """Three events."""
        return self._several(3)

    def _several(self, count: int) -> tuple[float, list[PlacedSound]]:
        sounds, start = [], self.random.uniform(0.3, 2.0)
        for _ in range(count):
            stop = start + self.random.uniform(2.5, 7.0)
            sounds.append(self._sound(self._name(), start, stop))
            self.side = -self.side
            start = stop + self.random.uniform(-0.5, 5.0)
        return min(40.0, start + self.random.uniform(1.0, 4.0)), sounds

    def moving(self) -> tuple[float, list[PlacedSound]]:
        """A source that passes or circles."""
        start, length = self.random.uniform(0.2, 1.5), self.random.uniform(8.0, 18.0)
        begin = self.side * self.random.uniform(40, 150)
        swept = -self.side * self.random.uniform(80, 300)
        path = passing(
            start,
            start + length,
            begin,
            begin + swept,
            self.random.uniform(1.6, 3.5),
            self.random.uniform(0.6, 2.0),
        )
        name = str(self.random.choice(MOVES))
        sound = PlacedSound(name, self._variant(), start, start + length, path)
        return start + length + self.random.uniform(1.0, 3.0), [sound]

    def dance(self) -> tuple[float, list[PlacedSound]]:
        """Music for long."""
        start, length = self.random.uniform(0.0, 1.5), self.random.uniform(12.0, 36.0)
        sound = self._sound(DANCES[self.number // 7 % len(DANCES)], start, start + length)
        return start + length + self.random.uniform(0.5, 2.5), [sound]

    def listener(self) -> tuple[float, list[PlacedSound]]:
        """Somebody speaks to the figure for long."""
        start, length = self.random.uniform(0.0, 1.5), self.random.uniform(10.0, 30.0)
        sound = self._sound("speech", start, start + length)
        return start + length + self.random.uniform(0.5, 2.5), [sound]

    def speaker(self) -> tuple[float, list[PlacedSound]]:
        """The figure speaks."""
        start, length = self.random.uniform(-0.3, 0.8), self.random.uniform(10.0, 34.0)
        start = max(0.0, start)
        voice = PlacedSound(
            "speech", self._variant(), start, start + length, straight(0, 1, 1.5), True
        )
        return start + length + self.random.uniform(0.3, 1.5), [voice]

    def idle(self) -> tuple[float, list[PlacedSound]]:
        """Nothing to hear."""
        return self.random.uniform(9.0, 20.0), []

    def _name(self) -> str:
        return self.names[int(self.random.integers(len(self.names)))]

    def _variant(self) -> int:
        if self.split in ("test", "sector"):
            return HELD_OUT
        variant = int(self.random.integers(VARIANTS - 1))
        # skips the held-out variant
        return variant + (variant >= HELD_OUT)

    def _sound(self, name: str, start: float, stop: float) -> PlacedSound:
        path = straight(
            self._azimuth(), self.random.uniform(1.2, 4.0), self.random.uniform(0.5, 2.2)
        )
        return PlacedSound(name, self._variant(), start, stop, path)

    def _azimuth(self) -> float:
        if self.split == "sector":
            return float(self.random.uniform(SECTOR_DEG[0] + 3, SECTOR_DEG[1] - 3))
        while True:
            azimuth = self.side * float(self.random.uniform(0, 180))
            if not SECTOR_DEG[0] <= azimuth <= SECTOR_DEG[1]:
                return azimuth


def perform_scene(
    scene: CorpusScene, genre: int, seed: int, library: IdleLibrary, binaural: Audio
) -> MadeScene:
    """One person's performance of a scene."""
    name = f"{scene.name}g{genre}"
    random = np.random.default_rng([seed, zlib.crc32(name.encode())])
    episode = act(scene, genre, seed, random)
    frames = episode.plan.frames
    # The recordings show people who wait, with folded arms; whoever speaks has free hands.
    waits = scene.role == "listener"
    idle = library.draw(frames, random) if waits else invented_idle(frames, random)
    performance = perform(episode.plan, from_standing_pose(idle))
    return MadeScene(binaural, performance, episode, _truth(name, scene, genre, episode, seed))


def scene_audio(scene: CorpusScene, seed: int, head: Head | None) -> Audio:
    """What the ears hear, without clipping."""
    audio = render_scene(scene, seed, head)
    peak = float(audio.samples.abs().max())
    if peak <= 0.99:
        return audio
    # The same factor for both ears and all genres keeps level differences.
    return dataclasses.replace(audio, samples=audio.samples * (0.99 / peak))


def _truth(
    name: str, scene: CorpusScene, genre: int, episode: Episode, seed: int
) -> dict[str, object]:
    events = [
        {
            "class": event.sound.name,
            "family": FAMILY_OF[event.sound.name],
            "policy": event.reaction.policy,
            "onset_s": round(event.onset_s, 4),
            "start_s": round(event.start_s, 4),
            "travel_deg": event.travel_deg,
            "looks": event.reaction.looks,
            "covers_ears": event.reaction.covers_ears,
            "source": event.sound.at(np.array([event.onset_s]))[0].round(4).tolist(),
            "beats_s": [
                round(event.sound.start_s + beat, 4) for beat in event.sound.made(seed).beats_s
            ],
        }
        for event in episode.events
    ]
    nothing = {
        "class": "speech" if scene.role == "speaker" else "",
        "family": "speak" if scene.role == "speaker" else "idle",
        "policy": "speak" if scene.role == "speaker" else "ignore",
        "onset_s": 0.0,
        "start_s": 0.0,
        "travel_deg": None,
        "looks": False,
        "covers_ears": False,
        "source": [0.0, 1.5, 1.0],
        "beats_s": [],
    }
    first = events[0] if events else nothing
    azimuth = float(np.degrees(np.arctan2(first["source"][0], first["source"][2])))
    return {
        "id": name,
        "genre": genre,
        "split": scene.split,
        "role": scene.role,
        "seconds": round(scene.seconds, 4),
        "azimuth_deg": round(azimuth, 2),
        "events_s": [],
        **first,
        "events": events,
    }


def build_life(
    choice: CorpusChoice, report: Callable[[int, int], None] | None = None, head: Head | None = None
) -> tuple[int, float]:
    """Make every missing sequence; an interrupted run continues.

    Args:
        choice: `limit` counts sequences, three of each scene.

    Returns:
        Number of sequences, and their length in seconds.

    Raises:
        InputError: the folder holds a corpus of other choices.
    """
    facts: dict[str, object] = {"size": LIFE, "seed": choice.seed, "mocap": bool(choice.mocap)}
    if choice.voices is not None:
        facts["voices"] = True
    claim_folder(choice.out, facts)
    library, lines, listed = IdleLibrary(choice.mocap), [], []
    scenes = draw_scenes(SCENES, choice.seed)
    if choice.voices is not None:
        scenes += draw_voice_scenes(VOICE_SCENES, choice.seed, VoiceLibrary(choice.voices))
    total = min(choice.limit or len(scenes) * 3, len(scenes) * 3)
    # ceiling: a last scene may have fewer than three genres
    for scene in scenes[: -(-total // 3)]:
        binaural: Audio | None = None
        for genre in range(3):
            if len(lines) == total:
                break
            name = f"{scene.name}g{genre}"
            truth = choice.out / "motion" / f".{name}.json"
            if not truth.is_file():
                binaural = binaural or scene_audio(scene, choice.seed, head)
                made = perform_scene(scene, genre, choice.seed, library, binaural)
                write_sequence(
                    choice.out,
                    name,
                    binaural,
                    made.performance,
                    made.episode.attended,
                    made.episode.is_attended,
                    # The genres share one sound: the files are linked.
                    f"{scene.name}g0" if genre else "",
                )
                write_bytes(truth, json.dumps(made.truth, sort_keys=True).encode())
            lines.append(truth.read_text())
            label = str(json.loads(lines[-1])["class"]) or "nothing"
            listed.append(Listed(name, scene.split, label, scene.number % SUBJECTS))
            if report is not None:
                report(len(lines), total)
        if scene.number % 8 == 7:  # what there is so far can be trained on already
            write_lists(choice.out, listed, lines)
    write_lists(choice.out, listed, lines)
    return len(lines), sum(float(json.loads(line)["seconds"]) for line in lines)
