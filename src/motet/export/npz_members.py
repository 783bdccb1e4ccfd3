"""Reading the arrays of an `.npz` that somebody else may have crafted: no pickles, no bombs, no
surprises.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from pathlib import Path

import numpy as np

from motet.errors import AssetError

MAX_BYTES = 4 << 30
"""All arrays together, unpacked."""
MAX_MEMBERS = 1000


def read_members(path: Path) -> dict[str, np.ndarray]:
    """All arrays by name.

    Every array must have exactly the bytes that its header speaks of, before memory is taken for
    it; arrays of Python objects are refused, not loaded.

    Raises:
        AssetError: not an archive of plain arrays, damaged, or larger than `MAX_BYTES` when
            unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if (
                len(members) > MAX_MEMBERS
                or sum(member.file_size for member in members) > MAX_BYTES
            ):
                raise AssetError(
                    f"{path} unpacks to more than {MAX_MEMBERS} arrays or {MAX_BYTES} bytes and is"
                    " refused"
                )
            return {
                member.filename.removesuffix(".npy"): _array(_unpacked(archive, member), path)
                for member in members
            }
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,
        RuntimeError,
        UnicodeError,
        OverflowError,
    ) as error:
        raise AssetError(f"{path} is damaged or is not a NumPy archive: {error}") from error


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    with archive.open(member) as file:
        # One byte more than promised would show that the promise was false.
        data = file.read(member.file_size + 1)
    if len(data) != member.file_size:
        raise AssetError(
            f"{archive.filename} is damaged: {member.filename[:60]!r} does not have the size it"
            " states"
        )
    return data


def _array(data: bytes, path: Path) -> np.ndarray:
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        header = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        if version not in ((1, 0), (2, 0)):
            raise ValueError(f"version {version}")
        shape, fortran, dtype = header(stream)
    except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise AssetError(f"{path} is damaged: an array without a proper header") from error
    body = data[stream.tell() :]
    count = 1
    for size in shape:
        count *= size
    if (
        dtype.hasobject
        or dtype.kind not in "biufU"
        or count < 0
        or count * dtype.itemsize != len(body)
    ):
        raise AssetError(
            f"{path} is damaged or unsafe: an array of type {str(dtype)[:40]} and shape"
            f" {str(shape)[:60]} in {len(body)} bytes"
        )
    array = np.frombuffer(body, dtype).copy() if dtype.itemsize else np.zeros(count, dtype)
    return array.reshape(shape, order="F" if fortran else "C")
