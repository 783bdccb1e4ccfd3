"""A body that reacts to where a sound is.

The position is azimuth (degrees to the left), elevation (degrees up) and distance (metres), seen
from the figure's first frame.
"""

from pathlib import Path

import numpy as np

import motet

out = Path("out")
out.mkdir(exist_ok=True)

for azimuth in (90, -90):
    take = motet.run(
        "examples/demo.flac",
        "mospa",
        seed=1,
        options={"source": f"{azimuth},0,2", "genre": "sensitive"},
    )
    joints = take.motion.space
    print(f"source {azimuth:+d} degrees: {take.motion.frames} frames in {joints.name}")
    for track in joints.tracks:
        print(f"  {track.name}: {tuple(take.motion[track.name].shape)}")
    side = "left" if azimuth > 0 else "right"
    take.save(out / f"06_sound_from_the_{side}.bvh")  # Blender, MotionBuilder
    take.save(out / f"06_sound_from_the_{side}.smplx.npz")

archive = np.load(out / "06_sound_from_the_left.smplx.npz")
print("keys of the SMPL-X archive:", ", ".join(archive.files))
