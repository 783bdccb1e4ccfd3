"""Key poses of `kmtalk`: write them, change one, and let the motion pass through it."""

import json
from pathlib import Path

import motet
from motet.cli import main

out = Path("out")
out.mkdir(exist_ok=True)
recording, keys = "examples/demo.flac", out / "09_keys.json"

assert main(["keys", recording, "-o", str(keys)]) == 0  # the same as: motet keys RECORDING -o FILE
document = json.loads(keys.read_text(encoding="utf-8"))
print(f"{len(document['keys'])} key poses; the first phonemes:")
for key in document["keys"][:5]:
    print(f"  frame {key['frame']:3d}  {' to '.join(map(str, key['phones']))}")

key = document["keys"][len(document["keys"]) // 2]
key["pose"]["browInnerUp"] = 0.8  # raise the brows there
key["edited"] = True
keys.write_text(json.dumps(document), encoding="utf-8")

before = motet.run(recording, "kmtalk")
after = motet.run(recording, "kmtalk", options={"keys": str(keys)})
for take, name in ((before, "before"), (after, "after")):
    brows = float(take.motion.channel("blendshapes", "browInnerUp")[key["frame"]])
    print(f"{name}: brows at frame {key['frame']} are {brows:.2f}")
after.save(out / "09_edited.csv")
