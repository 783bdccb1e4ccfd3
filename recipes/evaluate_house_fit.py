"""How well a fit of rendered footage found head pose and depth, whose truth is known.

python recipes/render_house_footage.py house.mp4 --speech CORPUS/speech --seconds 75
motet fit house.mp4 -o house --consent "a rendered character" --minutes 0
python recipes/evaluate_house_fit.py house house.npz
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from motet.export import read_take
from motet.methods.speech2lip.person.folder import Person
from motet.render.scene import figure_camera
from motet.rigs.house import load_house
from recipes.rendered_ground_truth import fit_error


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("person", type=Path)
    parser.add_argument("take", type=Path)
    given = parser.parse_args()
    take, shaped = read_take(given.take), load_house().shaped()
    assert take.motion is not None
    result = fit_error(Person(given.person), shaped, figure_camera(shaped, "head"), take.motion)
    for name, value in dataclasses.asdict(result).items():
        print(f"{name:<18} {value:.2f}")


if __name__ == "__main__":
    main()
