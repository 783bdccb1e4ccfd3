"""Write the cost of all methods into README, the page on speed and the pages of the methods.

    python -m recipes.speed_page                 # measures (2 to 4 minutes) and writes
    python -m recipes.speed_page speed.json      # writes from a file of `motet bench all`

What is measured goes to `docs/benchmarks/speed.json`. Run it on a machine that does nothing else: a
load over the number of cores is refused.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from motet.config import JsonValue
from motet.errors import ConfigError

ROOT = Path(__file__).parents[1]
METHODS = ("artalk", "diffposetalk", "kmtalk", "mospa", "speech2lip")
SOUND_S = 10.0
LINE = "**Speed of today's weights**:"
"""Begins the line on the page of a method."""


def costs(report: dict[str, JsonValue]) -> dict[str, float]:
    """CPU seconds of curves or pictures for 10 s of sound, by method.

    Raises:
        ConfigError: a method is missing, or the machine was busy.
    """
    machine = report["machine"]
    if machine["load"] > machine["cores"]:
        raise ConfigError(
            f"the machine was busy (load {machine['load']:g} on {machine['cores']} cores);"
            " measure again when nothing else runs"
        )
    measured = {
        result["subject"]: stage["cpu_s"]
        for result in report["results"]
        if result["sound_s"] == SOUND_S
        for stage in result["stages"]
        if stage["name"] in ("curves", "pictures")
    }
    missing = [name for name in METHODS if name not in measured]
    if missing:
        raise ConfigError(f"no result of {', '.join(missing)} on {SOUND_S:g} s of sound")
    return {name: measured[name] for name in METHODS}


def written(readme: str, page: str, report: dict[str, JsonValue]) -> tuple[str, str]:
    """README and page with these costs, and the machine's name on the page."""
    measured = costs(report)
    for name, cost in measured.items():
        row = rf"(\| \[`{name}`\]\([^)]*\) \| [^|]*\| )[\d.]+"
        readme = re.sub(row, rf"\g<1>{cost:.1f}", readme)
    cells = " | ".join(f"{cost:.1f}" for cost in measured.values())
    row = re.compile(r"^\| curves or pictures, CPU-s \|.*$", re.MULTILINE)
    page = row.sub(f"| curves or pictures, CPU-s | {cells} |", page)
    machine = report["machine"]
    where = f"{machine['cores']} cores of {machine['processor']}, load {machine['load']:g}"
    page = re.sub(
        r"\(the row of CPU-s[^;]*;",
        f"(the row of CPU-s, that of the README, is of {where};",
        page,
    )
    return readme, page


def method_line(name: str, report: dict[str, JsonValue]) -> str:
    """The line about a method's shipped weights on its page."""
    result = next(
        result
        for result in report["results"]
        if result["subject"] == name and result["sound_s"] == SOUND_S
    )
    machine, streaming = report["machine"], result["streaming"]
    peak = max(stage["peak_mb"] for stage in result["stages"])
    live = (
        f", a stream in pieces of {streaming['chunk_ms']:g} ms"
        f" {streaming['real_time_factor']:.2f} s of wall time a second of sound"
        if streaming
        else ""
    )
    return (
        f"{LINE} {costs(report)[name]:.1f} CPU-s for {SOUND_S:g} s of speech on"
        f" {result['threads']} thread(s){live}; {peak:.0f} MB at most ({machine['cores']} cores of"
        f" {machine['processor']}, load {machine['load']:g}; `python -m recipes.speed_page`)."
    )


def with_line(page: str, line: str) -> str:
    """A method's page with this line: in the place of the last one, else before the first
    paragraph on speed.
    """
    if LINE in page:
        return re.sub(rf"^{re.escape(LINE)}.*$", lambda _: line, page, flags=re.MULTILINE)
    at = page.index("**Speed")
    return f"{page[:at]}{line}\n\n{page[at:]}"


def measure(path: Path) -> None:
    """`motet bench` over all methods, into a file.

    Raises:
        ConfigError: the machine is busy, or the bench failed.
    """
    load, cores = os.getloadavg()[0], os.cpu_count() or 1
    if load > cores:
        raise ConfigError(
            f"the machine is busy (load {load:.1f} on {cores} cores); measure again when nothing"
            " else runs"
        )
    options = ["--threads", "1", "--repeats", "1", "--no-video", "--no-process", "--quiet"]
    command = [sys.executable, "-m", "motet.cli", "bench", "all", *options, "-o", str(path)]
    if subprocess.run(command, check=False).returncode:
        raise ConfigError(f"motet {' '.join(command[3:])} failed; its error stands above")


def main() -> None:
    """Measure unless a file is named, and write all pages."""
    path = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "docs" / "benchmarks" / "speed.json"
    if len(sys.argv) == 1:
        measure(path)
    report = json.loads(path.read_text(encoding="utf-8"))
    files = ROOT / "README.md", ROOT / "docs" / "benchmarks" / "speed.md"
    texts = written(*(file.read_text(encoding="utf-8") for file in files), report)
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")
    for name in METHODS:
        page = ROOT / "src" / "motet" / "methods" / name / "README.md"
        text = with_line(page.read_text(encoding="utf-8"), method_line(name, report))
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
