"""Draw the picture of docs/benchmarks/reactions.md: three reactions, a few moments of each,
straight from the corpus maker.

python recipes/draw_reactions.py [--mocap FOLDER]
"""

import argparse
import sys
from pathlib import Path

import numpy as np
import torch

from motet.body.skeleton import body_motion  # noqa: E402
from motet.export.gltf.texture import png  # noqa: E402
from motet.render.body import draw_still  # noqa: E402
from motet.synthesis.reaction.corpus import canonical  # noqa: E402
from motet.synthesis.reaction.idle import IdleLibrary  # noqa: E402
from motet.synthesis.reaction.perform import perform  # noqa: E402
from motet.synthesis.reaction.policies import react  # noqa: E402
from motet.synthesis.reaction.stimulus import Cue  # noqa: E402
from motet.synthesis.soundscape.classes import make_sound  # noqa: E402

SHOWN = (
    ("phone", 60.0, 3.5, "attend", (0.9, 1.9, 2.5, 3.1, 5.0)),
    ("siren", -25.0, 2.2, "cover", (0.9, 1.5, 2.1, 2.7, 5.0)),
    ("music", 20.0, 2.5, "dance", (0.9, 4.0, 4.3, 4.6, 4.9)),
)
SIZE, CROP = 320, slice(64, 256)


def strip(
    sound: str,
    azimuth: float,
    distance: float,
    policy: str,
    moments: tuple[float, ...],
    library: IdleLibrary,
) -> np.ndarray:
    angle = np.radians(azimuth)
    source = np.array([distance * np.sin(angle), 1.4, distance * np.cos(angle)])
    made = make_sound(sound, 10.0, (0, 0))
    for seed in range(50):
        random = np.random.default_rng(seed)
        reaction = react(
            sound, Cue(made.onset_s, made.events_s, made.beats_s, source, 2, random), 1200
        )
        if reaction.policy == policy:
            break
    body, source = canonical(perform(reaction.plan, library.draw(1200, random)), source)
    motion = body_motion(
        torch.from_numpy(body.root[::4]).float(), torch.from_numpy(body.rotations[::4]).float()
    )
    pictures = [draw_still(motion, round(moment * 30), SIZE, SIZE, source) for moment in moments]
    return np.concatenate([picture[:, CROP] for picture in pictures], axis=1)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--mocap", type=Path)
    parser.add_argument(
        "--out", type=Path, default=Path(__file__).parent.parent / "docs" / "reactions.png"
    )
    arguments = parser.parse_args()
    library = IdleLibrary(arguments.mocap)
    rows = [strip(*shown, library) for shown in SHOWN]
    arguments.out.write_bytes(png(np.concatenate(rows, axis=0)))
    sys.stdout.write(f"{arguments.out}  {arguments.out.stat().st_size / 1e3:.0f} kB\n")


if __name__ == "__main__":
    main()
