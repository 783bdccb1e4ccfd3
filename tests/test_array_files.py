"""Every way in which a foreign array file can be wrong is one typed line, without a peak."""

from __future__ import annotations

import io
import re
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

import motet
from motet.array_files import read_array, read_arrays
from motet.errors import AssetError

SOURCES = Path(motet.__file__).parent


def npy(header: str | None = None, body: bytes = bytes(48)) -> bytes:
    """An `.npy` with any text as its header; a good one by default."""
    if header is None:
        header = "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }"
    text = header.encode("latin-1").ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + body


def shaped(shape: str, descr: str = "'<f8'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}"


HEADERS = {
    "more than there is": npy(shaped("(200000000000,)")),
    "less than there is": npy(shaped("(2,)")),
    "negative": npy(shaped("(-2, -3)")),
    "overflow": npy(shaped("(4294967296, 4294967296, 0)")),
    "endless empty texts": npy(shaped("(1099511627776,)", "'<U0'"), b""),
    "objects": npy(shaped("(6,)", "'|O'")),
    "dates": npy(shaped("(6,)", "'<M8[s]'")),
    "records": npy(shaped("(6,)", "[('a', '<f8')]")),
    "sub-arrays": npy(shaped("(6,)", "('<f8', (1,))")),
    "no type": npy(shaped("(6,)", "'nonsense'")),
    "a number": npy("7"),
    "no end": npy("{'descr': '<f8', 'shape': ("),
    "deep": npy("(" * 110),
    "not closed": npy("'''"),
    "nothing": b"",
    "cut": npy()[:9],
    "newer": b"\x93NUMPY\x09\x00" + npy()[8:],
    "text": b"hello, this is no array at all",
}


@pytest.mark.parametrize("data", HEADERS.values(), ids=HEADERS)
def test_headers_that_lie(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npy").write_bytes(data)
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("x.npy", data)
    tracemalloc.start()
    for read, name in ((read_array, "a.npy"), (read_arrays, "a.npz")):
        with pytest.raises(AssetError) as caught:
            read(tmp_path / name)
        assert "\n" not in str(caught.value) and name in str(caught.value)
    assert tracemalloc.get_traced_memory()[1] < 10e6
    tracemalloc.stop()


def packed(data: bytes, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        archive.writestr("x.npy", data)
    return buffer.getvalue()


def with_flag(data: bytes, offsets: tuple[int, int], value: int) -> bytes:
    """A field of the local header and of the central directory set to a value."""
    changed = bytearray(data)
    struct.pack_into("<H", changed, data.index(b"PK\x03\x04") + offsets[0], value)
    struct.pack_into("<H", changed, data.index(b"PK\x01\x02") + offsets[1], value)
    return bytes(changed)


ARCHIVES = {
    "encrypted": with_flag(packed(npy()), (6, 8), 1),
    "lzma": packed(npy(), zipfile.ZIP_LZMA),
    "bzip2": packed(npy(), zipfile.ZIP_BZIP2),
    "unknown method": with_flag(packed(npy()), (8, 10), 97),
    "cut": packed(npy())[:-30],
    "damaged": packed(npy())[:60] + b"\xff" * 20 + packed(npy())[80:],
    "nothing": b"",
    "an array": npy(),
}


@pytest.mark.parametrize("data", ARCHIVES.values(), ids=ARCHIVES)
def test_archives_that_are_damaged(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.npz").write_bytes(data)
    with pytest.raises(AssetError) as caught:
        read_arrays(tmp_path / "a.npz")
    assert "\n" not in str(caught.value) and "a.npz" in str(caught.value)


def test_bombs_are_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("motet.array_files.FREE_BYTES", 1 << 20)
    body = bytes(4 << 20)
    header = shaped(f"({len(body)},)", "'|u1'")
    (tmp_path / "a.npz").write_bytes(packed(npy(header, body)))
    tracemalloc.start()
    with pytest.raises(AssetError, match="200 times its size"):
        read_arrays(tmp_path / "a.npz")
    assert tracemalloc.get_traced_memory()[1] < 1e6
    tracemalloc.stop()
    # One that is not asked for costs nothing.
    assert read_arrays(tmp_path / "a.npz", ["y"]) == {}


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("kind", ["<f4", ">f8", "|b1", "<i8", "<U3", "|S4"])
def test_plain_arrays_come_back(tmp_path: Path, order: str, kind: str) -> None:
    array = np.asarray(np.arange(6).reshape(2, 3).astype(kind), order=order)
    np.save(tmp_path / "a.npy", array)
    np.savez_compressed(tmp_path / "a.npz", x=array, scalar=np.array(3.5), empty=np.zeros((0, 4)))
    found = read_arrays(tmp_path / "a.npz")
    for result in (read_array(tmp_path / "a.npy"), found["x"]):
        assert result.dtype == array.dtype and (result == array).all()
        result[0, 0] = result[1, 1]  # writable
    assert (read_array(tmp_path / "a.npy", mapped=True) == array).all()
    assert found["scalar"] == 3.5 and found["empty"].shape == (0, 4)


def test_pipes_and_folders_are_not_waited_for(tmp_path: Path) -> None:
    import os

    os.mkfifo(tmp_path / "pipe.npz")
    for name in ("pipe.npz", "missing.npz", ".", "x" * 300, "a\0b"):
        for read in (read_array, read_arrays):
            with pytest.raises(AssetError):
                read(tmp_path / name)


def test_nothing_else_reads_array_files() -> None:
    reads = re.compile(r"np\.(load|fromfile|memmap)\(|numpy\.load\(")
    found = {
        str(path.relative_to(SOURCES))
        for path in SOURCES.rglob("*.py")
        if reads.search(path.read_text(encoding="utf-8"))
    }
    assert found == {"array_files.py"}
