"""Files that appear only when they are complete and on disk."""

from __future__ import annotations

import errno
import hashlib
import itertools
import os
import re
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from motet.errors import InputError, UnwritableError

_UNWRITABLE = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_PROBE_BYTES = 1 << 16
_STALE_S = 86_400.0
"""Age at which an unfinished file of another machine counts as left behind."""
_UNFINISHED = re.compile(r"^\..*\.(?:(\w{6})-)?(\d+)(?:-\d+)?\.(?:part|signed)(?:\.\w+)?$")
_COUNT = itertools.count()
_swept: set[Path] = set()


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A path to write to, beside the one wanted; renamed to it when the block ends well, removed
    when it does not.

    The file is on disk when the block has ended. Unfinished files that processes which no longer
    run have left in the folder are removed first. The folder must exist: a mistyped folder is an
    error, not a new folder.

    Raises:
        UnwritableError: the file cannot be written; also where the library that writes it fails
            with an error of its own because the disk is full or read-only.
        InputError: the folder does not exist, or the path is a folder.
    """
    path = Path(path)
    if path.is_dir():
        raise InputError(f"{path} is a folder; name a file in it")
    if not path.parent.is_dir():
        raise InputError(f"the folder {path.parent} does not exist; make it first")
    _sweep_once(path.parent)
    # The ending stays last: some libraries choose the format by it.
    stem = path.stem.encode()[:80].decode(errors="ignore")
    owner = f"{_machine()}-{os.getpid()}-{next(_COUNT)}"
    beside = path.with_name(f".{stem}.{owner}.part{path.suffix}")
    try:
        yield beside
        _sync(beside)
        os.replace(beside, path)
        _sync(path.parent)
    except OSError as error:
        raise UnwritableError(path, error.strerror or str(error)) from error
    except UnwritableError as error:  # of a file from which this one would have been made
        raise UnwritableError(path, error.reason) from error
    except Exception as error:
        reason = _why_unwritable(beside)
        if reason is None:
            raise
        raise UnwritableError(path, reason) from error
    finally:
        with suppress(OSError):  # a read-only disk refuses even a file that is not there
            beside.unlink(missing_ok=True)


def write_bytes(path: Path, data: bytes) -> Path:
    """Write a whole file at once; it appears only when it is complete.

    Raises:
        InputError: it cannot be written there.
    """
    with appearing(path) as beside:
        beside.write_bytes(data)
    return Path(path)


def make_folder(folder: Path) -> Path:
    """Make a folder and those above it, if they are not there yet.

    Raises:
        UnwritableError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = "a file has that name" if folder.exists() else error.strerror or str(error)
        raise UnwritableError(folder, reason) from error
    return folder


def check_writable(paths: Iterable[Path]) -> None:
    """Make sure that files can be written, before anything is computed for them.

    Raises:
        UnwritableError: a folder has the name, a file stands where a folder must be, or there is
            no permission.
    """
    for path in paths:
        if path.is_dir():
            raise UnwritableError(path, "a folder has that name")
        above = next(folder for folder in path.absolute().parents if folder.exists())
        if not above.is_dir():
            raise UnwritableError(path, f"{above} is a file, not a folder")
        if not os.access(above, os.W_OK):
            raise UnwritableError(path, f"no permission in {above}")


def sweep(folder: Path) -> list[Path]:
    """Remove the unfinished files of processes that no longer run; returns them.

    Another machine's processes cannot be seen from here: its files count as left behind after a
    day without a change.
    """
    removed = []
    with suppress(OSError):
        for path in folder.iterdir():
            match = _UNFINISHED.match(path.name)
            if match is None or not path.is_file() or not _is_stale(path, *match.groups()):
                continue
            with suppress(OSError):
                path.unlink()
                removed.append(path)
    return removed


def _sweep_once(folder: Path) -> None:
    folder = folder.resolve()
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def _is_stale(path: Path, machine: str | None, process: str) -> bool:
    if machine not in (None, _machine()):
        return time.time() - path.stat().st_mtime > _STALE_S
    number = int(process)
    return number < 1 << 31 and not _runs(number)


def _runs(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # it runs and belongs to somebody else
        return True
    return True


def _machine() -> str:
    """Six hex digits that tell machines and containers apart, whose process numbers overlap."""
    try:
        space = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        space = 0
    return hashlib.sha256(f"{socket.gethostname()} {space}".encode()).hexdigest()[:6]


def _sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    try:
        handle = os.open(path, os.O_RDONLY)
    except PermissionError:  # folders cannot be opened on Windows, nor without leave to list them
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


def _why_unwritable(path: Path) -> str | None:
    """What the system answers to more bytes at the end of a file, when it is full or read-only."""
    try:
        with path.open("ab") as file:
            file.write(b"\0" * _PROBE_BYTES)
    except OSError as error:
        return os.strerror(error.errno) if error.errno in _UNWRITABLE else None
    return None
