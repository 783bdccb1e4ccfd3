"""A worker process: `python -m motet.serve.worker FOLDER WARM...`, one JSON line a message.

It reads `{"task": ..., "arguments": {...}}` from stdin and answers on stdout with any number of
`{"progress": {...}}` and one `{"result": {...}}` or `{"problem": {...}}`. Methods stay loaded, so
only the first job of a method waits for it. When stdin closes, the server has gone and the worker
ends at once, whatever it is doing.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import sys
import threading
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TextIO

from motet.config import JsonValue
from motet.errors import MotetError
from motet.serve.folder import DataFolder


def main(arguments: Sequence[str]) -> None:
    """Serve tasks until stdin closes.

    Args:
        arguments: the data folder, then what to load before the first task: names of methods, or
            `house` for the figure.
    """
    output = _own_stdout()
    folder = DataFolder(Path(arguments[0]))
    tasks: queue.SimpleQueue[str] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(tasks,), daemon=True).start()
    _send(output, {"ready": _warm(arguments[1:])})
    while True:
        message = json.loads(tasks.get())
        _send(output, _answer(message["task"], message["arguments"], folder, output))


def _own_stdout() -> TextIO:
    """The pipe to the server. What libraries print goes to stderr, the server's log."""
    pipe = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return os.fdopen(pipe, "w", encoding="utf-8")


def _read(tasks: queue.SimpleQueue[str]) -> None:
    for line in sys.stdin:
        tasks.put(line)
    os._exit(0)  # a computation cannot be waited for: nobody would take its result


def _warm(names: Sequence[str]) -> list[JsonValue]:
    """Load methods or the figure; what cannot be loaded is left to the first task that needs it."""
    from motet.rigs.house import load_house
    from motet.session import load

    loaded: list[JsonValue] = []
    for name in names:
        with contextlib.suppress(MotetError):
            _ = load_house() if name == "house" else load(name)
            loaded.append(name)
    return loaded


def _answer(
    task: str, arguments: Mapping[str, JsonValue], folder: DataFolder, output: TextIO
) -> dict[str, JsonValue]:
    from motet.serve.tasks import TASKS

    def report(stage: str, done: int = 0, total: int = 0) -> None:
        _send(output, {"progress": {"stage": stage, "done": done, "total": total}})

    try:
        return {"result": TASKS[task](arguments, folder, report)}
    except MotetError as error:
        return {"problem": {"kind": type(error).__name__, "detail": folder.scrub(str(error))}}
    except Exception as error:
        traceback.print_exc()
        return {"problem": {"kind": "internal", "detail": f"{type(error).__name__}: {error}"}}


def _send(output: TextIO, message: Mapping[str, JsonValue]) -> None:
    output.write(json.dumps(message) + "\n")
    output.flush()


if __name__ == "__main__":
    main(sys.argv[1:])
