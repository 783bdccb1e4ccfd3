"""The 52 ARKit curves and the head, for other programs and for NumPy."""

from pathlib import Path

import numpy as np

import motet

out = Path("out")
out.mkdir(exist_ok=True)

take = motet.run("examples/demo.flac", seed=3, fps=60.0)
take.save(out / "01_live_link.csv")  # Unreal's Live Link Face importer, Blender add-ons
take.save(out / "01_audio2face.json")  # pipelines built for Audio2Face
take.save(out / "01_take.npz")  # everything, for Python

# The same numbers without a file: (frames, 52) weights in 0..1, (frames, 3) axis-angle in radians.
weights, head = take.motion["blendshapes"].numpy(), take.motion["head"].numpy()
names = take.motion.space.track("blendshapes").channels
for index in np.argsort(weights.std(axis=0))[::-1][:5]:
    curve = weights[:, index]
    print(f"{names[index]:>18}  mean {curve.mean():.3f}  max {curve.max():.3f}")
print(f"head turns by up to {np.degrees(np.linalg.norm(head, axis=1).max()):.1f} degrees")
