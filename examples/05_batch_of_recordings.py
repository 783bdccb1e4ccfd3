"""Many recordings: run it again, and only what is missing is made.

python examples/05_batch_of_recordings.py recordings/*.wav

`motet run RECORDINGS -o FOLDER --formats csv npz` does the same from the command line and also
notices changed recordings and options.
"""

import sys
from pathlib import Path

import motet
from motet.errors import MotetError

out = Path("out/05_batch")
out.mkdir(parents=True, exist_ok=True)

recordings = [Path(name) for name in sys.argv[1:]] or sorted(Path("examples").glob("*.flac"))
for recording in recordings:
    target = out / f"{recording.stem}.csv"
    if target.exists():
        print(f"{target}  exists")
        continue
    try:
        take = motet.run(recording, seed=0)  # weights are loaded once
    except MotetError as error:  # one broken file does not end the batch
        print(f"{recording}: {error}", file=sys.stderr)
        continue
    print(f"{take.save(target)}  {take.motion.seconds:.1f} s")
