"""Pictures of a film above those of the figure that speaks its sound, at the same moments.

python -m recipes.draw_beside_film film.mp4 figure.mp4 docs/beside_film.webp --every 0.6
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import tyro
from PIL import Image


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is drawn."""

    film: Annotated[Path, tyro.conf.Positional]
    figure: Annotated[Path, tyro.conf.Positional]
    out: Annotated[Path, tyro.conf.Positional]
    start: float = 0.4
    """Seconds."""
    every: float = 0.6
    """Seconds between pictures."""
    count: int = 6
    size: int = 200
    """Pixels of each picture."""
    centre: tuple[float, float] = (0.5, 0.5)
    """Middle of the part of the film that is shown, as shares of its width and height."""
    zoom: float = 1.0
    """Share of the film's height that is shown."""


def main(arguments: Arguments) -> None:
    """Read both, cut squares, write."""
    times = arguments.start + arguments.every * np.arange(arguments.count)
    rows = []
    for path, centre, zoom in (
        (arguments.film, arguments.centre, arguments.zoom),
        (arguments.figure, (0.5, 0.47), 0.86),
    ):
        pictures = [_square(picture, centre, zoom) for picture in frames_at(path, times)]
        size = arguments.size, arguments.size
        rows.append(np.concatenate([np.asarray(p.resize(size)) for p in pictures], axis=1))
    Image.fromarray(np.concatenate(rows)).save(arguments.out, quality=80, method=6)


def frames_at(path: Path, times: np.ndarray) -> list[Image.Image]:
    """The pictures of a video that are shown at the given times."""
    shown: list[Image.Image] = []
    with av.open(str(path)) as video:
        for frame in video.decode(video=0):
            while len(shown) < len(times) and float(frame.time) >= times[len(shown)] - 1e-6:
                shown.append(frame.to_image())
    if len(shown) < len(times):
        raise SystemExit(f"{path} is shorter than {times[-1]:.1f} s; give less --count")
    return shown


def _square(picture: Image.Image, centre: tuple[float, float], zoom: float) -> Image.Image:
    half = zoom * picture.height / 2
    x, y = centre[0] * picture.width, centre[1] * picture.height
    return picture.crop((round(x - half), round(y - half), round(x + half), round(y + half)))


if __name__ == "__main__":
    main(tyro.cli(Arguments))
