"""Uploads into the data folder, named by the digest of their bytes."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from pathlib import Path, PurePosixPath

from fastapi import UploadFile
from starlette.concurrency import run_in_threadpool

from motet.serve.limits import MB
from motet.serve.problems import Refusal
from motet.serve.studio import Studio

_PIECE = 1 << 20
LONGEST_NAME = 120


async def keep(
    file: UploadFile, kind: str, studio: Studio, max_mb: int, flag: str, ending: str = ""
) -> str:
    """Write an upload under the digest of its bytes; returns the digest.

    Raises:
        Refusal: it is empty (400) or too large (413).
    """
    if file.size == 0:
        raise Refusal(400, f"{clean_name(file.filename, 'the file')} is empty; choose another")
    if file.size is None or file.size > max_mb * MB:
        raise Refusal(
            413, f"the file is larger than {max_mb} MB; cut it, or start the server with {flag}"
        )
    return await run_in_threadpool(_write, file, studio.folder.root / kind, ending)


def _write(file: UploadFile, folder: Path, ending: str) -> str:
    state = hashlib.sha256()
    file.file.seek(0)
    handle, beside = tempfile.mkstemp(".part", ".upload-", folder)
    try:
        with os.fdopen(handle, "wb") as out:
            while piece := file.file.read(_PIECE):
                state.update(piece)
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        identity = state.hexdigest()[:24]
        os.replace(beside, folder / f"{identity}{ending}")
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
    return identity


def clean_name(name: str | None, default: str) -> str:
    """The last part of a client's file name, for people; never used as a path."""
    last = PurePosixPath((name or "").replace("\\", "/")).name
    last = re.sub(r"[\x00-\x1f\x7f\u202a-\u202e\u2066-\u2069]", "", last).strip()
    stem, dot, ending = last.rpartition(".")
    if dot and len(last) > LONGEST_NAME:
        last = stem[: LONGEST_NAME - len(ending) - 1] + dot + ending
    return last[:LONGEST_NAME] or default
