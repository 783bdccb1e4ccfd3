"""Safe reading of an untrusted `.npz`: no pickles, no decompression bombs."""

from __future__ import annotations

import io
import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from motet.errors import AssetError

MAX_BYTES = 4 << 30
"""All arrays together, unpacked."""
MAX_MEMBERS = 1000
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}


def read_members(path: Path) -> dict[str, np.ndarray]:
    """All arrays by name.

    Every array must have exactly the bytes that its header declares, before memory is allocated.
    Arrays of Python objects are refused.

    Raises:
        AssetError: not an archive of plain arrays, damaged, or larger than `MAX_BYTES` when
            unpacked.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or size > MAX_BYTES:
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
        # One byte more than declared reveals a false declaration.
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
        shape, fortran, dtype = _HEADER_READERS[version](stream)
    except (KeyError, ValueError, SyntaxError, TypeError, RecursionError, MemoryError) as error:
        raise AssetError(f"{path} is damaged: an array without a proper header") from error
    body = data[stream.tell() :]
    count = math.prod(shape)
    is_plain = not dtype.hasobject and dtype.kind in "biufU"
    if not is_plain or count < 0 or count * dtype.itemsize != len(body):
        raise AssetError(
            f"{path} is damaged or unsafe: an array of type {str(dtype)[:40]} and shape"
            f" {str(shape)[:60]} in {len(body)} bytes"
        )
    array = np.frombuffer(body, dtype).copy() if dtype.itemsize else np.zeros(count, dtype)
    return array.reshape(shape, order="F" if fortran else "C")
