"""Writes the golden net: `python -m tests.golden.make`.

Run it again only when a change alters results on purpose, and say why in the commit. A change
that only moves or tidies code must pass `test_golden.py` without it. `--only NAME` (may be
repeated) measures those cases and pictures alone and keeps all others.

`--files` writes the committed files of today (`files/`) and the digests of the weights anew. They
stand for what users have on disk and must keep loading, so this is right only when motet gives up
reading them.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import numpy as np

import motet
from tests.golden import shipped, sounds, store
from tests.golden.cases import CASES, MOUTHS, MOVING, PICTURES
from tests.golden.measure import FILES, measured, mouth_picture, picture, run_line


def make_files() -> None:
    """Small takes of one second, a keys file with one edited pose, and digests of weights."""
    for method in MOVING:
        name = "both" if "," in method else method
        motet.run(sounds.sound("second"), method, seed=7).save(FILES / f"{name}.npz")
    with tempfile.TemporaryDirectory() as folder:
        run_line("keys {second} --quiet -o {out}/keys.json", Path(folder))
        keys = json.loads((Path(folder) / "out" / "keys.json").read_text())
    key = keys["keys"][len(keys["keys"]) // 2]
    key["edited"] = True
    key["pose"]["jawOpen"] = 0.9
    (FILES / "kmtalk.keys.json").write_text(json.dumps(keys, separators=(",", ":")) + "\n")
    (FILES / "weights.json").write_text(json.dumps(shipped.found(), indent=1) + "\n")


def make_cases(only: list[str]) -> None:
    """Measure the cases and write them beside those that stay."""
    found = store.read() if only else {}
    for case in CASES:
        if not only or case.name in only:
            with tempfile.TemporaryDirectory() as folder:
                found[case.name] = measured(case, Path(folder))
    store.write(found)


def make_pictures(only: list[str]) -> None:
    """Draw the pictures."""
    drawn: dict[str, np.ndarray] = {}
    for case in PICTURES:
        if not only or case.name in only:
            drawn[case.name] = picture(case)
    for name, frame in MOUTHS.items():
        if not only or name in only:
            drawn[name] = mouth_picture(frame)
    for name, pixels in drawn.items():
        store.write_picture(name, pixels)


def main() -> None:
    """Write what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", default=[], metavar="NAME")
    parser.add_argument("--files", action="store_true")
    asked = parser.parse_args()
    if asked.files:
        make_files()
        return
    make_cases(asked.only)
    make_pictures(asked.only)


if __name__ == "__main__":
    main()
