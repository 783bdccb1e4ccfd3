"""A training set, a training run and the trained model, in a minute.

Takes stand in for tracked motion here. `motet data track` makes training sets from videos.
"""

from pathlib import Path

import motet
from motet.cli import main
from motet.data.clip import Recording, RecordingFacts
from motet.data.corpus import save_indexed

data = Path("out/10_data")

for seed in (1, 2):
    take = motet.run("examples/demo.flac", seed=seed)
    facts = RecordingFacts(
        name=f"take{seed}",
        licence="CC0-1.0",  # clips without an open licence are not used
        source="motet",
        speaker="demo",
        maker="synthesised",
    )
    save_indexed(data / f"take{seed}.safetensors", Recording(facts, take.motion, take.audio))


# The same as: motet train artalk --data out/10_data ... Four steps prove the chain, nothing more.
line = (
    f"train artalk --data {data} --runs out/10_runs -o out/10_tiny.safetensors"
    " --optim.steps 4 --optim.batch 2"
)
assert main(line.split()) == 0

take = motet.run("examples/demo.flac", weights="out/10_tiny.safetensors")
print("a take of the new model:", tuple(take.motion.values.shape))
