"""Styles, the style of another take, and takes that differ only by their seed."""

from pathlib import Path

import motet

out = Path("out")
out.mkdir(exist_ok=True)
recording = "examples/demo.flac"

for style in ("neutral", "warm", "energetic", "sad"):
    take = motet.run(recording, seed=3, options={"style": style})
    smile = float(take.motion.channel("blendshapes", "mouthSmileLeft").mean())
    jaw = float(take.motion.channel("blendshapes", "jawOpen").std())
    print(f"{style:>10}: smile {smile:.2f}, jaw movement {jaw:.3f}")

# A take as a style: the new recording gets the style of the saved one.
warm = motet.run(recording, seed=3, options={"style": "warm"}).save(out / "03_warm.npz")
motet.run(recording, seed=9, options={"style": str(warm)}).save(out / "03_like_the_take.csv")

# Seeds: the same lip sync, other head motion, brows and blinks.
for seed in (1, 2):
    take = motet.run(recording, seed=seed)
    print(f"seed {seed}: head ranges over {float(take.motion['head'].std()):.3f} rad")
    take.save(out / f"03_seed{seed}.csv")
