"""The upper bound of body scores: the scripted policy run once more.

The same person reacts to the same sound from the same position with another seed.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from motet.body.skeleton import body_motion
from motet.config import parse_json
from motet.errors import AssetError
from motet.synthesis.reaction.corpus import SECONDS, SIZES, canonical, items
from motet.synthesis.reaction.corpus_files import LIFE
from motet.synthesis.reaction.idle import IdleLibrary
from motet.synthesis.reaction.perform import perform
from motet.synthesis.reaction.policies import react
from motet.synthesis.reaction.steps import RATE
from motet.synthesis.reaction.stimulus import Cue
from motet.synthesis.soundscape.classes import make_sound
from motet.types import Motion

OTHER_DRAWS = 7919
"""Added to the corpus' seed for everything that is drawn anew."""
KEPT = 4


def policy_again(folder: Path) -> Callable[[str], Motion] | None:
    """A function from sequence id to the policy's reaction with another seed, 30 fps; None for
    corpora of long scenes, whose people do other things in between.

    The person may choose the other form of a reaction, start earlier or later and take other steps;
    standing about is made up.

    Raises:
        AssetError: not a corpus of `motet data sam`.
    """
    try:
        facts = parse_json((Path(folder) / "corpus.json").read_text(encoding="utf-8"))
        if facts["size"] == LIFE:
            return None
        size, seed = SIZES[facts["size"]], int(facts["seed"])
    except (OSError, KeyError, ValueError) as error:
        raise AssetError(
            f"{folder} was not made by 'motet data sam': its corpus.json cannot be read ({error})"
        ) from error
    made = {item.name: item for item in items(size, seed)}
    library = IdleLibrary(None)

    def again(name: str) -> Motion:
        if name not in made:
            raise AssetError(f"{name} is not in the corpus {folder}")
        item, frames = made[name], round(SECONDS * RATE)
        sound = make_sound(item.sound, SECONDS, (seed, item.variant))
        # another stream than the corpus' own, for everything that is drawn
        random = np.random.default_rng([seed + OTHER_DRAWS, zlib.crc32(name.encode())])
        angle = np.radians(item.azimuth_deg)
        source = np.array(
            [item.distance_m * np.sin(angle), item.height_m, item.distance_m * np.cos(angle)]
        )
        plan = react(
            item.sound,
            Cue(sound.onset_s, sound.events_s, sound.beats_s, source, item.genre, random),
            frames,
        ).plan
        body, _ = canonical(perform(plan, library.draw(frames, random)), source)
        return body_motion(
            torch.from_numpy(body.root[::KEPT]).float(),
            torch.from_numpy(body.rotations[::KEPT]).float(),
        )

    return again
