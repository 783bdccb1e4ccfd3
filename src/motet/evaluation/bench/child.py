"""The fresh process of one subject: read the task, measure, write the result file.

Imports almost nothing, so that the time to load includes every library that the subject needs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from motet.config import from_json, to_json
from motet.errors import MotetError
from motet.evaluation.bench.measure import BenchConfig, BenchSubject, measure


def main(task: Path, result_file: Path) -> None:
    """Measure one subject; an error of motet's own is a result too."""
    work = json.loads(task.read_text())
    try:
        result = to_json(
            measure(
                from_json(BenchSubject, work["subject"]),
                Path(work["sound"]),
                from_json(BenchConfig, work["config"]),
            )
        )
    except MotetError as error:
        result = {"error": str(error), "kind": type(error).__name__}
    result_file.write_text(json.dumps(result))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
