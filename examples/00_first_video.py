"""A talking video from a recording: the shortest way."""

from pathlib import Path

import motet

out = Path("out")
out.mkdir(exist_ok=True)

take = motet.run("examples/demo.flac", seed=3)
video = take.save(out / "00_talk.mp4")
print(f"{video.resolve()}  {take.motion.seconds:.1f} s at {take.motion.space.fps:g} fps")
