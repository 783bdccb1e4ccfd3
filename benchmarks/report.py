"""How every benchmark runs: one thread, one JSON file with the machine it was measured on.

    python -m benchmarks.artalk -o artalk.json

CPU seconds and not wall time, because they hardly depend on what else the machine does. Weights are
random: the arithmetic does not depend on their values.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import torch

from motet.atomic_write import write_bytes
from motet.config import to_json
from motet.evaluation.bench.machine import describe_machine


def run(name: str, measure: Callable[[], Mapping[str, object]]) -> None:
    """The command line of a benchmark."""
    parser = argparse.ArgumentParser(prog=f"python -m benchmarks.{name}")
    parser.add_argument("-o", "--out", type=Path, help="JSON file; standard output when left out")
    out = parser.parse_args().out
    torch.set_num_threads(1)
    report = {
        "format": "motet-benchmark/1",
        "benchmark": name,
        "threads": 1,
        "machine": to_json(describe_machine()),
        "results": measure(),
    }
    text = json.dumps(report, indent=1) + "\n"
    if out is None:
        sys.stdout.write(text)
    else:
        write_bytes(out, text.encode())
