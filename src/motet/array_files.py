"""The one reader of untrusted `.npy` and `.npz` files: no pickles, no bombs, no surprises.

Everything that a file states about itself (number of members, sizes, shapes, types) is compared
with the bytes that are there before memory is allocated.
"""

from __future__ import annotations

import io
import math
import zipfile
from collections.abc import Collection
from pathlib import Path
from typing import BinaryIO

import numpy as np

from motet.errors import AssetError

MAX_BYTES = 4 << 30
"""All arrays together, unpacked."""
MAX_MEMBERS = 1000
MAX_RATIO = 200
"""Unpacked to packed, for files that unpack to more than `FREE_BYTES`."""
FREE_BYTES = 256 << 20
"""Constant arrays pack 1000 to 1; up to this size that is no danger."""
_KINDS = "biufUS"
_HEADER_READERS = {
    (1, 0): np.lib.format.read_array_header_1_0,
    (2, 0): np.lib.format.read_array_header_2_0,
}
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_Header = tuple[tuple[int, ...], bool, np.dtype[np.generic]]


def read_arrays(path: str | Path, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """Arrays of an `.npz` by name.

    Args:
        names: only these, where they are there; the others are not unpacked.

    Raises:
        AssetError: not there, not an archive of plain arrays, damaged, encrypted, or larger than
            the bounds of this module when unpacked.
    """
    path = _checked(path)
    return _read_archive(path, path, path.stat().st_size, names)


def unpack_arrays(data: bytes, label: str) -> dict[str, np.ndarray]:
    """Arrays of an `.npz` that lies inside another file.

    Args:
        label: what it is, for messages.

    Raises:
        AssetError: as `read_arrays`.
    """
    return _read_archive(io.BytesIO(data), label, len(data), None)


def _read_archive(
    source: Path | BinaryIO, path: Path | str, packed: int, names: Collection[str] | None
) -> dict[str, np.ndarray]:
    try:
        with zipfile.ZipFile(source) as archive:
            members = {m.filename.removesuffix(".npy"): m for m in archive.infolist()}
            if names is not None:
                members = {name: m for name, m in members.items() if name in names}
            _check_members(list(members.values()), path, packed)
            return {
                name: _array(_unpacked(archive, member), path) for name, member in members.items()
            }
    except (AssetError, MemoryError):
        raise
    except Exception as error:  # damaged archives raise anything: zlib.error, struct.error, ...
        raise AssetError(
            f"{path} is damaged and cannot be read as plain arrays: {_line(error)}"
        ) from error


def read_array(path: str | Path, *, mapped: bool = False) -> np.ndarray:
    """The array of an `.npy`.

    Args:
        mapped: leave it on disk, read-only; for arrays larger than memory.

    Raises:
        AssetError: not there, not one plain array, damaged, or too large for memory.
    """
    path = _checked(path)
    try:
        with path.open("rb") as file:
            shape, fortran, dtype = _header(file, path)
            offset = file.tell()
            _check_size((shape, fortran, dtype), path.stat().st_size - offset, path)
            if mapped and math.prod(shape) and dtype.itemsize:
                order = "F" if fortran else "C"
                return np.memmap(path, dtype, "r", offset, shape, order)
            if path.stat().st_size > MAX_BYTES:
                raise AssetError(f"{path} has more than {MAX_BYTES >> 30} GiB and is refused")
            return _shaped(file.read(), 0, (shape, fortran, dtype))
    except (OSError, ValueError) as error:
        raise AssetError(f"{path} cannot be read as a NumPy array: {_line(error)}") from error


def _checked(path: str | Path) -> Path:
    """A path to a regular file: a pipe would be waited for."""
    path = Path(path)
    try:
        if path.is_file():
            return path
        there = path.exists()
    except (OSError, ValueError) as error:
        raise AssetError(f"{str(path)[:200]!r} cannot be read: {_line(error)}") from error
    raise AssetError(f"{path} {'is not a file' if there else 'does not exist'}")


def _check_members(members: list[zipfile.ZipInfo], path: Path | str, packed: int) -> None:
    size = sum(member.file_size for member in members)
    if len(members) > MAX_MEMBERS or size > MAX_BYTES:
        raise AssetError(
            f"{path} unpacks to more than {MAX_MEMBERS} arrays or {MAX_BYTES} bytes and is refused"
        )
    if size > FREE_BYTES and size > MAX_RATIO * packed:
        raise AssetError(
            f"{path} unpacks to {MAX_RATIO} times its size and is refused; save it with np.savez"
        )
    for member in members:
        if member.flag_bits & 1:
            raise AssetError(f"{path} is encrypted; save its arrays without a password")
        if member.compress_type not in _METHODS:
            raise AssetError(f"{path} is packed in a way that NumPy does not use; save it again")


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


def _array(data: bytes, path: Path | str) -> np.ndarray:
    stream = io.BytesIO(data)
    header = _header(stream, path)
    _check_size(header, len(data) - stream.tell(), path)
    return _shaped(data, stream.tell(), header)


def _header(stream: BinaryIO, path: Path | str) -> _Header:
    """Shape, order and type as the header states them."""
    try:
        return _HEADER_READERS[np.lib.format.read_magic(stream)](stream)
    except Exception as error:  # NumPy parses it as Python, which fails in many ways
        raise AssetError(
            f"{path} is damaged and cannot be read as plain arrays: no proper header of NumPy's"
        ) from error


def _check_size(header: _Header, size: int, path: Path | str) -> None:
    """Make sure that an array is plain and has exactly the bytes that its header declares."""
    shape, _, dtype = header
    count = math.prod(shape)
    is_plain = not dtype.hasobject and dtype.kind in _KINDS and min(shape, default=0) >= 0
    # Texts of no letters need no bytes however many they are.
    is_bounded = dtype.itemsize > 0 or count <= MAX_MEMBERS
    if not (is_plain and is_bounded and len(shape) <= 32 and count * dtype.itemsize == size):
        raise AssetError(
            f"{path} is damaged or unsafe: an array of type {str(dtype)[:40]} and shape"
            f" {str(shape)[:60]} in {size} bytes"
        )


def _shaped(data: bytes, offset: int, header: _Header) -> np.ndarray:
    shape, fortran, dtype = header
    if not dtype.itemsize or not math.prod(shape):
        return np.zeros(shape, dtype)
    array = np.frombuffer(data, dtype, offset=offset).copy()
    return array.reshape(shape, order="F" if fortran else "C")


def _line(error: BaseException) -> str:
    return " ".join(f"{error}".split())[:200] or type(error).__name__
