"""Files and folders of a command line, checked before anything heavy is imported."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from motet.errors import AssetError, CheckpointError


def check_files(files_by_flag: Mapping[str, Path | None]) -> None:
    """Make sure that every file is there that was given; a folder is fine where the flag takes one.

    Args:
        files_by_flag: flag to path, None where it was left out.

    Raises:
        AssetError: names the first that is not there (of weights a `CheckpointError`).
    """
    for flag, path in files_by_flag.items():
        if path is not None and not path.exists():
            kind = CheckpointError if flag in ("--weights", "--start") else AssetError
            raise kind(f"{path} does not exist; give {flag} a file that is there")


def check_folder(flag: str, path: Path, holds: str) -> None:
    """Make sure that a folder is there.

    Args:
        flag: as it is typed; empty for what is given by position.
        holds: what the folder holds, as the end of a sentence.

    Raises:
        AssetError: it is a file, or there is nothing.
    """
    if path.is_dir():
        return
    problem = "is a file, not a folder" if path.exists() else "does not exist"
    subject = f"{flag} the folder" if flag else "the folder"
    raise AssetError(f"{path} {problem}; give {subject} {holds}")


def check_some_exist(paths: Sequence[Path]) -> None:
    """Make sure that at least one of the named files is there; the others are named one by one.

    Raises:
        AssetError: none is.
    """
    if paths and not any(path.exists() for path in paths):
        raise AssetError(f"{paths[0]} does not exist; check the path")
