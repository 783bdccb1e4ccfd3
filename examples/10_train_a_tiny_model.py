"""A training set, a training run and the trained model, in a minute.

Takes stand in for tracked motion here. `motet data track` makes clip files from videos.
"""

from pathlib import Path

import motet
from motet.cli import main
from motet.data.clip import Recording, RecordingFacts, save_clip

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
    save_clip(data / f"take{seed}.safetensors", Recording(facts, take.motion, take.audio))


def command(line: str) -> None:
    """Run a motet command as the shell would."""
    assert main(line.split()) == 0, line


command(f"data index {data}")
command(
    f"train artalk --data {data} --preset tiny --runs out/10_runs -o out/10_tiny.safetensors"
    " --optim.steps 4 --optim.batch 2"
)

take = motet.run("examples/demo.flac", weights="out/10_tiny.safetensors")
print("a take of the new model:", tuple(take.motion.values.shape))
