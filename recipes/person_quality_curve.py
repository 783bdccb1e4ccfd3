"""Quality against time of a fit, from the record that it keeps: a table, and a drawing of it
without any library.

    python recipes/person_quality_curve.py PERSON -o docs/fitting_curve

Writes `.csv` and `.svg`. CPU seconds are those of the learning, without cutting the footage; a fit
that was stopped goes on counting."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from motet.atomic_write import write_bytes

WIDTH, HEIGHT, LEFT, BOTTOM, TOP = 720, 360, 60, 50, 20
COLOURS = {"lips": "#1f6fb4", "face": "#c2571a"}


def trials(path: Path) -> list[dict]:
    """The record's lines, with times that go on over stops."""
    rows, before, offset = [], 0.0, 0.0
    for line in map(json.loads, path.read_text().splitlines()):
        offset += before if line["cpu_s"] < before else 0.0
        before = line["cpu_s"]
        rows.append(
            {
                "cpu_min": (offset + before) / 60,
                "stage": line["stage"],
                "error": 255 * line["error"],
                "best": 255 * line["best"],
            }
        )
    return rows


def table(rows: list[dict]) -> str:
    """Comma-separated values."""
    lines = [
        f"{row['cpu_min']:.2f},{row['stage']},{row['error']:.3f},{row['best']:.3f}" for row in rows
    ]
    return "\n".join(["cpu_minutes,stage,error_of_255,best_so_far", *lines]) + "\n"


def drawing(rows: list[dict]) -> str:
    """Error over CPU minutes as SVG, one dot a trial."""
    most, high = max(row["cpu_min"] for row in rows), 1.1 * max(row["error"] for row in rows)
    across = lambda minutes: LEFT + (WIDTH - LEFT - 20) * minutes / most  # noqa: E731
    up = lambda error: HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * error / high  # noqa: E731
    dots = [
        f'<circle cx="{across(r["cpu_min"]):.1f}" cy="{up(r["error"]):.1f}" r="3"'
        f' fill="{COLOURS[r["stage"]]}"/>'
        for r in rows
    ]
    marks = [
        f'<text x="{across(m):.0f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{m}</text>'
        for m in range(0, int(most) + 1)
    ]
    marks += [
        f'<text x="{LEFT - 8}" y="{up(e) + 4:.0f}" text-anchor="end">{e}</text>'
        f'<path d="M{LEFT} {up(e):.1f}H{WIDTH - 20}" stroke="#ddd"/>'
        for e in range(0, int(high) + 1)
    ]
    words = [
        (
            f'<text x="{WIDTH / 2}" y="{HEIGHT - 10}" text-anchor="middle">CPU minutes of one'
            " core</text>"
        ),
        (
            f'<text x="{LEFT + 10}" y="{TOP}">error of colours where the mouth is drawn, of 255, on'
            " frames that do not train; blue: lips, orange: face</text>"
        ),
    ]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}"'
        ' font-family="sans-serif" font-size="12">'
    )
    return (
        "\n".join(
            [
                head,
                '<rect width="100%" height="100%" fill="white"/>',
                *marks,
                *dots,
                *words,
                "</svg>",
            ]
        )
        + "\n"
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("person", type=Path)
    parser.add_argument("-o", "--out", type=Path, required=True)
    given = parser.parse_args()
    rows = trials(given.person / "training" / "trials.jsonl")
    write_bytes(given.out.with_suffix(".csv"), table(rows).encode())
    write_bytes(given.out.with_suffix(".svg"), drawing(rows).encode())
    print(
        f"{len(rows)} trials over {rows[-1]['cpu_min']:.1f} CPU minutes, best error"
        f" {rows[-1]['best']:.2f} of 255"
    )


if __name__ == "__main__":
    main()
