"""Draw moments of takes, a row for each: the pictures of the methods.

python -m recipes.draw_takes out/moments.png
python -m recipes.draw_takes docs/diffposetalk_takes.jpg --method diffposetalk --style energetic
--takes 3 --moments 1.0 2.5 4.0 5.5 --size 300"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import numpy as np
import tyro


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is drawn."""

    out: Annotated[Path, tyro.conf.Positional]
    recording: Path = Path("examples/demo.flac")
    method: str = ""
    """The default method when left out."""
    style: str = "storyteller"
    takes: int = 1
    moments: tuple[float, ...] = (1.28, 1.68, 4.60, 3.00, 5.48)
    """Seconds."""
    size: int = 400
    """Height of the row in pixels."""


def main(arguments: Arguments) -> None:
    """Run the default method and draw."""
    from PIL import Image

    from motet.audio import read_audio
    from motet.registry import DEFAULT
    from motet.render.renderer import Renderer
    from motet.rigs.house import load_house
    from motet.session import load
    from motet.types import Motion

    loaded = load(arguments.method or DEFAULT)
    takes = loaded.run(
        read_audio(arguments.recording),
        {"style": arguments.style},
        seeds=tuple(range(arguments.takes)),
    )
    chosen = [round(moment * takes.space.fps) for moment in arguments.moments]
    renderer = Renderer(load_house(), int(0.72 * arguments.size), arguments.size)
    rows = [
        np.concatenate(list(renderer.frames(Motion(take[chosen], takes.space))), axis=1)
        for take in takes.values
    ]
    Image.fromarray(np.concatenate(rows)).save(arguments.out, optimize=True, quality=88)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
