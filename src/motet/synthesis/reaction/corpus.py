"""The open substitute for the SAM data set, in SAM's own file layout.

::

    audio/<id>_l.wav  <id>_r.wav     what each ear hears, 30,720 Hz
    motion/<id>.npz                  betas (300,), poses (frames, 55, 3) axis-angle, trans (frames,
    3), sound_source (frames, 3), 120 fps splits/crossmodal_{train,val,test,sector}.txt
    ignore_list.txt (empty)   audio.txt (id, class)   subject_ids.txt   ssl.npy (subjects, 4, 3):
    the loudspeakers of each subject reactions.jsonl                  not in SAM: what each reaction
    set out to do

The last character of an id is the genre: 0 dull, 1 neutral, 2 sensitive. `sound_source` is the
source in the axes of the pelvis, as in SAM. The reactions are scripted: numbers measured on them
compare our own runs with each other, not with the paper.

Held out: one variant of every class (`test`), and with it a sector of directions in which no source
of the training lies (`sector`); there the sounds are those of the test.
"""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch

from motet.atomic_write import write_bytes
from motet.audio.spatial.hrtf import Head
from motet.audio.spatial.room import Room
from motet.audio.spatial.spatialise import spatialise_in_room
from motet.config import parse_json
from motet.errors import ConfigError, InputError, nearest
from motet.reaction_families import FAMILY_OF
from motet.synthesis.reaction.corpus_files import (
    SUBJECTS,
    Listed,
    claim_folder,
    write_lists,
    write_sequence,
)
from motet.synthesis.reaction.idle import IdleLibrary
from motet.synthesis.reaction.perform import AT, Performance, perform
from motet.synthesis.reaction.policies import Reaction, react
from motet.synthesis.reaction.steps import RATE
from motet.synthesis.reaction.stimulus import Cue
from motet.synthesis.soundscape.classes import LOUDNESS, MadeSound, make_sound
from motet.synthesis.soundscape.tones import RATE as SOUND_RATE
from motet.types import Audio

SECONDS = 10.0
SECTOR_DEG = (90.0, 135.0)  # degrees to the left
"""Directions (to the left, somewhat behind) from which no sound of the training comes."""
EARS = np.array([0.0, 0.025, 0.012])
"""The middle between the ears, from the joint `head`."""
EAR_GAIN = 0.6
"""What an ear hears of a source straight ahead at one metre is louder than the source; this leaves
room."""


@dataclasses.dataclass(frozen=True)
class Size:
    """How much is made; genres are always all three."""

    sounds: tuple[str, ...]
    variants: int
    """Sounds of every class."""
    placements: int
    """For every variant."""
    held_out: int = -1
    """The variant that is not trained on; -1: the last one."""

    @property
    def unheard(self) -> int:
        """Number of the variant that is held out."""
        return self.held_out % self.variants


ALL = tuple(sorted(LOUDNESS))
SIZES = {
    "test": Size(("drum", "gunshot", "phone", "siren"), 2, 2),
    "ci": Size(ALL, 5, 2),
    "wide": Size(ALL, 18, 1, held_out=4),
    "full": Size(ALL, 4, 12),
}


@dataclasses.dataclass(frozen=True)
class Item:
    """One sequence to be made."""

    sound: str
    variant: int
    placement: int
    genre: int
    azimuth_deg: float
    distance_m: float
    height_m: float
    split: str

    @property
    def name(self) -> str:
        """The id: class, variant, placement, genre."""
        return f"c{ALL.index(self.sound):02d}v{self.variant}p{self.placement:02d}g{self.genre}"


@dataclasses.dataclass(frozen=True)
class CorpusChoice:
    """What is built and from what."""

    out: Path
    size: str = "test"
    seed: int = 0
    mocap: Path | None = None
    """Folder of open motion captures; without it standing about is made up."""
    limit: int | None = None
    """Only the first so many sequences."""
    voices: Path | None = None
    """With `life`: folder of a speech corpus whose speakers talk in further scenes."""


def items(size: Size, seed: int) -> Iterator[Item]:
    """All sequences; random numbers of one do not depend on the others.

    Held-out ones come early, so that a corpus stopped halfway has some of everything.
    """
    # `-1 % variants` is the last one; the held-out variant comes third.
    trained = [variant for variant in range(size.variants) if variant != size.unheard]
    for variant in [*trained[:2], size.unheard, *trained[2:]]:
        for placement in range(size.placements):
            for sound in size.sounds:
                random = np.random.default_rng([seed, ALL.index(sound), variant, placement])
                split = _split(size, variant, placement)
                azimuth = _azimuth(random, split == "sector")
                position = (
                    azimuth,
                    float(random.uniform(1.2, 4.5)),
                    float(random.uniform(0.5, 2.5)),
                )
                for genre in range(3):
                    yield Item(sound, variant, placement, genre, *position, split)


def _split(size: Size, variant: int, placement: int) -> str:
    if variant == size.unheard:
        return "sector" if placement % 2 else "test"
    last = size.variants - (2 if size.unheard == size.variants - 1 else 1)
    return (
        "val"
        if variant == last
        and placement == size.placements - 1
        and size.placements * (size.variants - 1) >= 8
        else "train"
    )


def _azimuth(random: np.random.Generator, sector: bool) -> float:
    """One of 16 directions with jitter, inside the held-out sector or outside it."""
    if sector:
        return float(random.uniform(SECTOR_DEG[0] + 3, SECTOR_DEG[1] - 3))
    while True:
        # 16 directions, 22.5 degrees apart, with jitter
        azimuth = float((random.integers(16) * 22.5 + random.uniform(-11, 11) + 180) % 360 - 180)
        if not SECTOR_DEG[0] <= azimuth <= SECTOR_DEG[1]:
            return azimuth


def build_sam(
    choice: CorpusChoice, report: Callable[[int, int], None] | None = None, head: Head | None = None
) -> int:
    """Make every missing sequence and return their number; an interrupted run continues.

    Raises:
        ConfigError: an unknown size.
        InputError: the folder holds a corpus of other choices.
    """
    if choice.size not in SIZES:
        raise ConfigError(f"no corpus of size {choice.size!r}; {nearest(choice.size, SIZES)}")
    requested = list(items(SIZES[choice.size], choice.seed))[: choice.limit]
    claim_folder(
        choice.out,
        {"size": choice.size, "seed": choice.seed, "mocap": choice.mocap is not None},
    )
    library = IdleLibrary(choice.mocap)
    lines = []
    for number, item in enumerate(requested):
        truth = choice.out / "motion" / f".{item.name}.json"
        if not truth.is_file():
            made = make_item(item, choice.seed, library, head)
            write_sequence(
                choice.out, item.name, made.binaural, made.performance, made.source[None]
            )
            write_bytes(truth, json.dumps(made.truth, sort_keys=True).encode())
        lines.append(truth.read_text())
        if (number + 1) % 27 == 0:
            # What there is so far can be trained on already.
            write_lists(choice.out, _listed(requested[: number + 1]), lines)
        if report is not None:
            report(number + 1, len(requested))
    write_lists(choice.out, _listed(requested), lines)
    return len(requested)


@dataclasses.dataclass(frozen=True)
class MadeItem:
    """One finished sequence."""

    binaural: Audio
    performance: Performance
    source: np.ndarray
    """Metres in the world of the performance."""
    truth: dict[str, object]


def make_item(item: Item, seed: int, library: IdleLibrary, head: Head | None = None) -> MadeItem:
    """Sound, reaction, body, and what its ears hear."""
    sound = make_sound(item.sound, SECONDS, (seed, item.variant))
    # A checksum and not `hash`, which differs between processes.
    random = np.random.default_rng([seed, zlib.crc32(item.name.encode())])
    angle = np.radians(item.azimuth_deg)
    source = np.array(
        # azimuth 0 is ahead (+Z), +90 to the left (+X)
        [item.distance_m * np.sin(angle), item.height_m, item.distance_m * np.cos(angle)]
    )
    frames = round(SECONDS * RATE)
    reaction = react(
        item.sound,
        Cue(sound.onset_s, sound.events_s, sound.beats_s, source, item.genre, random),
        frames,
    )
    body, source = canonical(perform(reaction.plan, library.draw(frames, random)), source)
    binaural = _heard(sound, body, source, item, random, head)
    return MadeItem(binaural, body, source, _truth(item, sound, reaction, source))


def canonical(body: Performance, source: np.ndarray) -> tuple[Performance, np.ndarray]:
    """At the first frame the pelvis stands over the origin and faces +Z, as in SAM."""
    first = body.rotations[0, 0]
    # heading of the pelvis' own +Z axis
    turn = np.arctan2(first[0, 2], first[2, 2])
    # rotation by minus the heading about Y
    back = np.array([[np.cos(turn), 0, -np.sin(turn)], [0, 1, 0], [np.sin(turn), 0, np.cos(turn)]])
    shift = body.root[0] * [1, 0, 1]
    rotations = body.rotations.copy()
    rotations[:, 0] = back @ rotations[:, 0]
    moved = dataclasses.replace(
        body,
        root=(body.root - shift) @ back.T,
        rotations=rotations,
        positions=(body.positions - shift) @ back.T,
        world=back @ body.world,
    )
    return moved, back @ (source - shift)


def _heard(
    sound: MadeSound,
    body: Performance,
    source: np.ndarray,
    item: Item,
    random: np.random.Generator,
    head: Head | None,
) -> Audio:
    # Every fourth row of 120 fps: 30 positions a second are enough for an ear.
    every = 4
    facing = body.world[::every, AT["head"]]
    middle = body.positions[::every, AT["head"]] + facing @ EARS
    # width, depth, height (m), absorption, reverberation (s)
    room = Room(
        random.uniform(11, 15),
        random.uniform(10, 14),
        random.uniform(2.9, 3.6),
        random.uniform(0.3, 0.6),
        random.uniform(0.2, 0.4),
    )
    mono = Audio.mono(torch.from_numpy(EAR_GAIN * sound.samples), SOUND_RATE)
    return spatialise_in_room(mono, source[None], middle, facing, RATE / every, room, head)


def _truth(
    item: Item, sound: MadeSound, reaction: Reaction, source: np.ndarray
) -> dict[str, object]:
    return {
        "id": item.name,
        "class": item.sound,
        "family": FAMILY_OF[item.sound],
        "genre": item.genre,
        "split": item.split,
        "policy": reaction.policy,
        "onset_s": round(sound.onset_s, 4),
        "start_s": round(reaction.start_s, 4),
        "travel_deg": reaction.travel_deg,
        "looks": reaction.looks,
        "covers_ears": reaction.covers_ears,
        "source": [round(float(v), 4) for v in source],
        "azimuth_deg": item.azimuth_deg,
        "beats_s": [round(v, 4) for v in sound.beats_s],
        "events_s": [round(v, 4) for v in sound.events_s],
    }


def _listed(made: list[Item]) -> list[Listed]:
    return [Listed(item.name, item.split, item.sound, _subject(item)) for item in made]


def _subject(item: Item) -> int:
    return (ALL.index(item.sound) * 5 + item.variant * 7 + item.placement) % SUBJECTS


def summary(folder: Path) -> list[str]:
    """Lines about what is in a corpus.

    Raises:
        InputError: its list of reactions is damaged.
    """
    try:
        truths = [
            parse_json(line) for line in (folder / "reactions.jsonl").read_text().splitlines()
        ]
        counts = {
            key: Counter(str(truth[key]) for truth in truths)
            for key in ("split", "family", "policy", "genre")
        }
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{folder / 'reactions.jsonl'} is damaged ({error}); make the corpus again with 'motet"
            " data sam'"
        ) from error
    lines = [
        f"{key}: " + ", ".join(f"{value} {number}" for value, number in sorted(count.items()))
        for key, count in counts.items()
    ]
    total = sum(float(truth.get("seconds", SECONDS)) for truth in truths)
    return [*lines, f"{len(truths)} sequences, {total / 3600:.2f} h"]


def seconds_made(count: int) -> float:
    """Length of so many sequences."""
    return count * SECONDS
