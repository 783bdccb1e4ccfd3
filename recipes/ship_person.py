"""A fitted person made small enough to ship: what speaking needs, no more.

    python recipes/ship_person.py house motet/weights/house_person --seconds 40

Writes the footage's first seconds at a usual quality for viewing, poses without landmarks, the
canonical view, and the trained model as `speech2lip.safetensors` beside the folder. A person that
lies there already goes: nothing old stays among the new. Sound, features and landmarks stay behind:
the shipped person speaks, it is not trained on."""

from __future__ import annotations

import argparse
import dataclasses
import shutil
from pathlib import Path

from motet import config as settings
from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.errors import AssetError
from motet.methods.speech2lip.config import Speech2LipConfig
from motet.methods.speech2lip.exemplar.speaker import MOUTHS
from motet.methods.speech2lip.person.folder import (
    CROPS,
    FACTS,
    FPS,
    SCENE,
    Person,
    Track,
    write_facts,
    write_geometry,
    write_track,
)
from motet.methods.speech2lip.person.footage import Footage, write_footage
from motet.methods.speech2lip.person.mouth_region import Mouth

SHIPPED = "speech2lip.safetensors"


def ship(person: Person, folder: Path, seconds: float, quality: int) -> int:
    """Write the folder and the weights beside it; answers the number of frames kept.

    Raises:
        AssetError: the folder holds something else than a person.
    """
    _emptied(folder)
    facts, track, geometry = person.facts, person.track, person.geometry
    frames = min(facts.frames, max(round(seconds * FPS), facts.canonical + 1))
    for name, pictures in ((CROPS, person.crops), (SCENE, person.scene)):
        if (person.folder / name).exists():
            write_footage(folder / name, (pictures.frame(k) for k in range(frames)), quality)
    write_track(
        folder,
        Track(
            track.rotation[:frames],
            track.translation[:frames],
            track.landmarks[:frames, :0],
            track.seen[:frames],
        ),
    )
    write_geometry(folder, dataclasses.replace(geometry, depth=geometry.depth.half()))
    kept = dataclasses.replace(
        facts,
        frames=frames,
        train_frames=min(frames, facts.train_frames),
        cuts=tuple(cut for cut in facts.cuts if cut < frames),
    )
    write_facts(folder, kept)
    result = read_checkpoint(person.weights)
    config = settings.from_json(Speech2LipConfig, result.config)
    if config.exemplar is not None:
        _ship_mouths(person, config, result.tensors["frames"].tolist(), folder, frames, quality)
    save_checkpoint(
        folder.parent / SHIPPED,
        result.tensors,
        config,
        {**result.facts, "footage": folder.name},
        half=True,
    )
    return frames


def _ship_mouths(
    person: Person,
    config: Speech2LipConfig,
    exemplars: list[int],
    folder: Path,
    frames: int,
    quality: int,
) -> None:
    """The pictures of the exemplars, smaller."""
    if max(exemplars) >= frames:
        raise AssetError(
            f"exemplars lie after the {frames / FPS:.0f} s that are shipped; fit the person from"
            " that part alone"
        )
    width, height = Mouth(person, config).size
    mouths = Footage(person.folder / MOUTHS, len(exemplars), (height, width))
    write_footage(folder / MOUTHS, iter(mouths), quality)


def _emptied(folder: Path) -> None:
    """An empty folder where the person shipped before may have been."""
    if folder.exists() and any(folder.iterdir()) and not (folder / FACTS).exists():
        raise AssetError(f"{folder} is no person's folder; give a new one")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("person", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=40.0)
    parser.add_argument("--quality", type=int, default=20)
    given = parser.parse_args()
    frames = ship(Person(given.person), given.folder, given.seconds, given.quality)
    total = sum(
        path.stat().st_size for path in [*given.folder.iterdir(), given.folder.parent / SHIPPED]
    )
    print(f"{given.folder}: {frames} frames, {total / 1e6:.2f} MB with the weights")


if __name__ == "__main__":
    main()
