"""Write the cost of all methods into README and the page on speed, from a file of `motet bench`.

motet bench all --threads 1 --repeats 1 --no-video --no-process -o speed.json
python -m recipes.speed_page speed.json

Run it on a machine that does nothing else: a load over the number of cores is refused.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

from motet.config import JsonValue
from motet.errors import ConfigError

ROOT = Path(__file__).parents[1]
METHODS = ("artalk", "diffposetalk", "kmtalk", "mospa", "speech2lip")
SOUND_S = 10.0


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
    found = {
        result["subject"]: stage["cpu_s"]
        for result in report["results"]
        if result["sound_s"] == SOUND_S
        for stage in result["stages"]
        if stage["name"] in ("curves", "pictures")
    }
    missing = [name for name in METHODS if name not in found]
    if missing:
        raise ConfigError(f"no result of {', '.join(missing)} on {SOUND_S:g} s of sound")
    return {name: found[name] for name in METHODS}


def written(readme: str, page: str, report: dict[str, JsonValue]) -> tuple[str, str]:
    """README and page with these costs, and the machine's name on the page."""
    found = costs(report)
    for name, cost in found.items():
        row = rf"(\| \[`{name}`\]\([^)]*\) \| [^|]*\| )[\d.]+"
        readme = re.sub(row, rf"\g<1>{cost:.1f}", readme)
    cells = " | ".join(f"{cost:.1f}" for cost in found.values())
    row = re.compile(r"^\| curves or pictures, CPU-s \|.*$", re.MULTILINE)
    page = row.sub(f"| curves or pictures, CPU-s | {cells} |", page)
    machine = report["machine"]
    measured = f"{machine['cores']} cores of {machine['processor']}, load {machine['load']:g}"
    page = re.sub(
        r"\(the row of CPU-s[^;]*;",
        f"(the row of CPU-s, that of the README, is of {measured};",
        page,
    )
    return readme, page


def main() -> None:
    """Read the file that is named, write both pages."""
    report = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    files = ROOT / "README.md", ROOT / "docs" / "benchmarks" / "speed.md"
    texts = written(*(file.read_text(encoding="utf-8") for file in files), report)
    for file, text in zip(files, texts, strict=True):
        file.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
