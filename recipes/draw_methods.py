"""Draw the small pictures of the method pages: boxes with the data that flows between them.

python -m recipes.draw_methods docs/methods
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated
from xml.sax.saxutils import escape

import tyro

WIDTH, HEIGHT, GAP, MARGIN = 132, 54, 34, 8
"""Pixels: a box, the room for an arrow, the border."""


@dataclasses.dataclass(frozen=True)
class Drawing:
    """One method as boxes from left to right."""

    boxes: tuple[str, ...]
    entering: tuple[int, str]
    """What enters a box from above: its number, a label."""
    caption: str


DRAWINGS = {
    "artalk": Drawing(
        (
            "audio\n16 kHz",
            "audio encoder\n50 Hz features",
            "transformer\nscale by scale",
            "codec decoder\nbits to motion",
            "52 curves, head\n25 fps",
        ),
        (2, "style, past motion"),
        "each window is generated coarse to fine; the first 12 frames are emitted",
    ),
    "diffposetalk": Drawing(
        (
            "audio\n16 kHz",
            "audio encoder\n50 Hz features",
            "denoiser\n12 steps",
            "52 curves, head\n25 fps",
        ),
        (2, "noise (seed), style vector"),
        "guidance scales for audio and style; the last 10 frames condition the next window",
    ),
    "kmtalk": Drawing(
        (
            "audio, text",
            "phoneme times\nforced alignment",
            "key-motion\ndecoder",
            "motion completion\nbetween keys",
            "52 curves, head\n25 fps",
        ),
        (3, "audio features, edited keys"),
        "key poses are predicted at phoneme boundaries, then infilled",
    ),
    "mospa": Drawing(
        (
            "spatial audio",
            "features, source\nposition",
            "denoiser\n12 steps",
            "foot contact\ncorrection",
            "25 joints\n30 fps",
        ),
        (2, "noise (seed), genre"),
        "windows of 8 s; the last 2 s are imposed on the next window",
    ),
    "speech2lip": Drawing(
        (
            "audio\n16 kHz",
            "lip network\ncanonical view",
            "warp by depth\nand head pose",
            "Blend-Net",
            "video\n25 fps",
        ),
        (2, "filmed frames of the person"),
        "only the mouth region is generated; head, eyes and background are the footage",
    ),
}


@dataclasses.dataclass(frozen=True)
class Arguments:
    """Where the pictures go."""

    folder: Annotated[Path, tyro.conf.Positional]


def main(arguments: Arguments) -> None:
    """Write one SVG for each method."""
    for name, drawing in DRAWINGS.items():
        (arguments.folder / f"{name}.svg").write_text(picture(drawing), encoding="utf-8")


def picture(drawing: Drawing) -> str:
    """The SVG of one method."""
    boxes, top = drawing.boxes, 44
    width = 2 * MARGIN + len(boxes) * WIDTH + (len(boxes) - 1) * GAP
    parts: list[str] = []
    for number, label in enumerate(boxes):
        left = MARGIN + number * (WIDTH + GAP)
        parts.append(
            f'<rect x="{left}" y="{top}" width="{WIDTH}" height="{HEIGHT}" rx="6"'
            ' fill="#f4f4f2" stroke="#3a3a40"/>'
        )
        parts += text(label, left + WIDTH / 2, top + HEIGHT / 2)
        if number:
            y = top + HEIGHT / 2
            parts.append(arrow(left - GAP + 3, y, left - 4, y))
    number, label = drawing.entering
    x = MARGIN + number * (WIDTH + GAP) + WIDTH / 2
    parts += [*text(label, x, 12), arrow(x, 22, x, top - 4)]
    parts += text(drawing.caption, width / 2, top + HEIGHT + 24)
    height = top + HEIGHT + 40
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}"'
        f' height="{height}" font-family="sans-serif" font-size="13">\n'
        '<defs><marker id="head" markerWidth="8" markerHeight="8" refX="6" refY="4" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#3a3a40"/></marker></defs>\n'
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def text(label: str, x: float, y: float) -> list[str]:
    """Centred lines."""
    lines = label.split("\n")
    first = y - 8 * (len(lines) - 1)
    return [
        f'<text x="{x:g}" y="{first + 16 * number:g}" text-anchor="middle"'
        f' dominant-baseline="middle" fill="#28282c">{escape(line)}</text>'
        for number, line in enumerate(lines)
    ]


def arrow(x1: float, y1: float, x2: float, y2: float) -> str:
    """A line with a head at its end."""
    return (
        f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" stroke="#3a3a40"'
        ' stroke-width="1.5" marker-end="url(#head)"/>'
    )


if __name__ == "__main__":
    main(tyro.cli(Arguments))
