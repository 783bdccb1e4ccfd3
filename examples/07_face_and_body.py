"""Face and body from one recording, on one figure and one clock."""

from pathlib import Path

import motet

out = Path("out")
out.mkdir(exist_ok=True)

take = motet.run(
    "examples/demo.flac",
    "artalk,mospa",
    seed=1,
    options={"style": "warm", "source": "45,0,2"},  # each method takes the options it has
)
print(f"{take.motion.frames} frames at {take.motion.space.fps:g} fps:")
print("tracks:", ", ".join(track.name for track in take.motion.space.tracks))
take.save(out / "07_face_and_body.glb")
take.save(out / "07_body.bvh")
take.save(out / "07_face.csv")
