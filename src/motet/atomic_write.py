"""Files that appear only when they are complete."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from motet.errors import InputError


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to, beside the one wanted; renamed to it when the block ends well, removed
    when it does not.

    The folder must exist: a mistyped folder is an error, not a new folder.

    Raises:
        InputError: the folder does not exist or cannot be written, or the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it first")
    # The ending stays last: some libraries choose the format by it.
    beside = path.with_name(f".{path.stem[:80]}.{os.getpid()}.part{path.suffix}")
    try:
        yield beside
        os.replace(beside, path)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        beside.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a whole file at once; it appears only when it is complete.

    Raises:
        InputError: it cannot be written there.
    """
    with appearing(path) as beside:
        beside.write_bytes(data)
    return Path(path)
