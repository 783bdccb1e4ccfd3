"""A video of a person. The shipped one is a rendered figure; `motet fit` makes others.

python examples/08_person_video.py FOLDER_OF_A_FITTED_PERSON
"""

import sys
from pathlib import Path

import motet

out = Path("out")
out.mkdir(exist_ok=True)

options = {"person": sys.argv[1]} if len(sys.argv) > 1 else {}
take = motet.run("examples/demo.flac", "speech2lip", options=options)
print("pictures:", tuple(take.frames.rgb.shape), "at", take.frames.fps, "fps")
print(take.save(out / "08_person.mp4").resolve())
