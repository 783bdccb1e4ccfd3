"""Search for inputs that break a rule: python -m tests.fuzz --seconds 3600"""

from __future__ import annotations

import argparse
import sys
import time

from tests.fuzz.search import search


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=3600)
    parser.add_argument(
        "--seed", type=int, default=int(time.time()), help="the same seed, the same inputs"
    )
    parser.add_argument("--workers", type=int, default=1, help="processes side by side")
    parser.add_argument("--readers", default="all", help="names with commas")
    given = parser.parse_args()
    result = search(given.seconds, given.seed, given.workers, given.readers)
    kinds = {finding.kind: finding for finding in result.findings}
    for kind, finding in kinds.items():
        print(f"{finding.problem}\n  {finding.keep()}  ({kind.partition(':')[0]})")
    counts = f"{result.inputs} inputs, {len(result.findings)} findings of {len(kinds)} kinds"
    print(f"{counts}, seed {given.seed}")
    return 1 if kinds else 0


if __name__ == "__main__":
    sys.exit(main())
