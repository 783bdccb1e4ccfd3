"""Your own character: which of its shapes match, and a copy of it that talks.

python examples/02_own_avatar.py my_character.glb

The file needs morph targets with ARKit, Oculus-viseme or VRM names. Without an argument the figure
of motet stands in for it.
"""

import sys
from pathlib import Path

import motet
from motet.export.gltf.avatar import inspect_avatar

out = Path("out")
out.mkdir(exist_ok=True)

take = motet.run("examples/demo.flac", seed=3)
avatar = Path(sys.argv[1]) if len(sys.argv) > 1 else take.save(out / "02_figure.glb")

report = inspect_avatar(avatar)
print(f"{len(report.matched)} shapes match, {len(report.missed)} ARKit shapes are missing")
print("missing:", ", ".join(report.missed) or "none")
print("bones that turn the head:", ", ".join(report.bones) or "none")

print(take.save(out / "02_talking_avatar.glb", avatar=avatar).resolve())
