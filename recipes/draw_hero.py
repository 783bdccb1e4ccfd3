"""Draw the moving picture at the top of the README from the recording in `examples/`.

python -m recipes.draw_hero docs/hero.webp

The panels are the waveform, the figure of `artalk`, five of its 52 curves, and the body of
`artalk,mospa`. Only the public API is used, so the picture shows what a user gets.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import av
import numpy as np
import tyro
from PIL import Image, ImageDraw

import motet

CURVES = {
    "jawOpen": (43, 108, 176),
    "mouthFunnel": (214, 96, 48),
    "mouthSmileLeft": (56, 142, 90),
    "browInnerUp": (128, 90, 170),
    "eyeBlinkLeft": (110, 110, 110),
}
"""Blendshapes that are plotted, with their colours."""
PAPER, INK, GREY = (250, 250, 248), (40, 40, 44), (196, 198, 202)
FACE, BAND, BODY_WIDTH = 300, 76, 230
"""Sizes of the panels in pixels."""


@dataclasses.dataclass(frozen=True)
class Arguments:
    """What is drawn."""

    out: Annotated[Path, tyro.conf.Positional]
    recording: Path = Path("examples/demo.flac")
    seconds: float = 6.0
    fps: float = 12.5
    style: str = "storyteller"
    source: str = "70,0,2"
    """Position of the sound for the body: azimuth, elevation, distance."""
    quality: int = 62


def main(arguments: Arguments) -> None:
    """Run two methods and draw every frame."""
    style = {"style": arguments.style}
    face = motet.run(arguments.recording, seed=3, options=style)
    both = motet.run(
        arguments.recording, "artalk,mospa", seed=3, options={**style, "source": arguments.source}
    )
    times = np.arange(0.0, arguments.seconds, 1 / arguments.fps)
    panels = zip(pictures(face, times), pictures(both, times), times, strict=True)
    frames = [compose(face, *panel, arguments.seconds) for panel in panels]
    frames[0].save(
        arguments.out,
        save_all=True,
        append_images=frames[1:],
        duration=round(1000 / arguments.fps),
        loop=0,
        quality=arguments.quality,
        method=6,
    )
    print(f"{arguments.out}  {arguments.out.stat().st_size / 1e6:.2f} MB, {len(frames)} frames")


def pictures(take: object, times: np.ndarray) -> Iterator[Image.Image]:
    """The frames of a take's video that are shown at the given times."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "take.mp4"
        take.save(path)
        with av.open(str(path)) as video:
            stream = video.streams.video[0]
            shown = [frame.to_image() for frame in video.decode(stream)]
            rate = float(stream.average_rate)
    yield from (shown[min(int(time * rate), len(shown) - 1)] for time in times)


def compose(
    take: object, face: Image.Image, body: Image.Image, time: float, seconds: float
) -> Image.Image:
    """One frame of the moving picture."""
    page = Image.new("RGB", (FACE + 250 + BODY_WIDTH, BAND + FACE), PAPER)
    draw = ImageDraw.Draw(page)
    waveform(draw, take, (0, 0, page.width, BAND), time, seconds)
    page.paste(face.resize((FACE, FACE), Image.Resampling.LANCZOS), (0, BAND))
    curves(draw, take, (FACE + 12, BAND + 8, FACE + 238, BAND + FACE - 8), time)
    narrow = body.resize((FACE, FACE), Image.Resampling.LANCZOS)
    left = (FACE - BODY_WIDTH) // 2
    page.paste(narrow.crop((left, 0, left + BODY_WIDTH, FACE)), (FACE + 250, BAND))
    return page


def waveform(
    draw: ImageDraw.ImageDraw,
    take: object,
    box: tuple[int, int, int, int],
    time: float,
    seconds: float,
) -> None:
    """The recording as vertical bars; what has been spoken is dark."""
    left, top, right, bottom = box
    samples = take.audio.samples[0].numpy()[: round(seconds * take.audio.sample_rate)]
    columns = np.array_split(np.abs(samples), (right - left) // 3)
    middle, height = (top + bottom) / 2, (bottom - top) * 0.46
    for number, column in enumerate(columns):
        reach = max(1.0, height * min(1.0, 1.6 * float(column.max())))
        colour = INK if number / len(columns) <= time / seconds else GREY
        x = left + 3 * number
        draw.rectangle((x, middle - reach, x + 1, middle + reach), fill=colour)


def curves(
    draw: ImageDraw.ImageDraw, take: object, box: tuple[int, int, int, int], time: float
) -> None:
    """The last two seconds of some curves, newest at the right, each scaled to its maximum."""
    left, top, right, bottom = box
    fps, lane = take.motion.space.fps, (bottom - top) / len(CURVES)
    room = lane - 26
    for number, (name, colour) in enumerate(CURVES.items()):
        base = top + lane * (number + 1) - 4
        values = take.motion.channel("blendshapes", name).numpy()
        moments = np.linspace(time - 2.0, time, right - left)
        shown = np.interp(moments * fps, np.arange(len(values)), values, left=0.0)
        scale = room / max(float(values.max()), 0.05)
        points = [(left + column, base - scale * value) for column, value in enumerate(shown)]
        draw.text((left, base - lane + 8), name, fill=INK)
        draw.line((left, base, right, base), fill=GREY)
        draw.line(points, fill=colour, width=2)


if __name__ == "__main__":
    main(tyro.cli(Arguments))
