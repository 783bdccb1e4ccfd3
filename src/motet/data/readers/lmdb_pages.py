"""Check of an LMDB file before LMDB maps it: a crafted or truncated one would end the process.

LMDB trusts its file. It follows page numbers, node offsets and sizes through a memory map without
bounds, so a page beyond the end of the file is a bus error that no program can catch. This walks
the same pages (branches and leaves, not the values) and compares every number with the file.

Source: the on-disk structures of LMDB 0.9 (`MDB_meta`, `MDB_db`, `MDB_page`, `MDB_node`).
"""

from __future__ import annotations

import functools
import mmap
import struct
from pathlib import Path
from typing import Any

from motet.errors import AssetError, require

_PAGE = struct.Struct("<QHHHH")  # number, padding, flags, lower, upper
_META = struct.Struct("<IIQQ")  # magic, version, address, map size
_TREE = struct.Struct("<IHHQQQQQ")  # page size, flags, depth, three counts, entries, root
_NODE = struct.Struct("<HHHH")  # two halves of a size or page number, flags, size of the key
_BRANCH, _LEAF, _OVERFLOW, _META_PAGE, _DIRTY = 1, 2, 4, 8, 16
_MAGIC, _VERSION, _NO_PAGE, _BIG_VALUE = 0xBEEFC0DE, 1, 2**64 - 1, 1
_MAX_DEPTH = 32


def check_lmdb(path: Path) -> None:
    """Make sure that LMDB can read every page of a data base without leaving the file.

    Raises:
        AssetError: it is not an LMDB file, is cut short, or a page of it is damaged.
    """
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            _Walk(memoryview(data)).run()
    except (OSError, ValueError, struct.error) as error:
        raise AssetError(
            f"{path} is damaged or is not an LMDB data base: {error}; copy it again"
        ) from error


@functools.cache
def open_lmdb(folder: Path) -> Any:
    """A checked data base, open for reading. LMDB allows one handle a folder and process, so all
    splits share it.

    Raises:
        MissingDependency: the package `lmdb` is not installed.
        AssetError: not a data base, or a damaged one.
    """
    lmdb = require("lmdb", "tfhp")
    check_lmdb(folder / "data.mdb")
    try:
        return lmdb.open(str(folder), readonly=True, lock=False, readahead=False)
    except lmdb.Error as error:
        raise AssetError(f"{folder} cannot be opened as an LMDB data base: {error}") from error


class _Walk:
    """One walk over the newest tree of a file."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._seen: set[int] = set()

    def run(self) -> None:
        try:
            self._run()
        finally:
            self._data.release()

    def _run(self) -> None:
        first = self._meta(0)
        self._size = first[0]
        # a power of two
        if not 512 <= self._size <= 65536 or self._size & (self._size - 1):
            raise ValueError(f"pages of {self._size} bytes")
        second = self._meta(self._size)
        if second[0] != self._size:
            raise ValueError("its two headers differ")
        # LMDB alternates between two meta pages; the one of the later transaction counts.
        _, root, flags, self._last, _ = max(first, second, key=lambda meta: meta[4])
        if flags:
            raise ValueError("keys in an order that these data do not use")
        # no root: an empty data base
        pages = [] if root == _NO_PAGE else [(root, 1)]
        while pages:
            number, depth = pages.pop()
            if depth > _MAX_DEPTH:
                raise ValueError("its tree is too deep")
            pages += [(child, depth + 1) for child in self._page(number)]

    def _meta(self, offset: int) -> tuple[int, int, int, int, int]:
        """Page size, root, flags of the main tree, last page, transaction."""
        _, _, flags, _, _ = _PAGE.unpack_from(self._data, offset)
        offset += _PAGE.size
        magic, version, _, _ = _META.unpack_from(self._data, offset)
        # A file of another byte order has another magic number, too.
        if not flags & _META_PAGE or (magic, version) != (_MAGIC, _VERSION):
            raise ValueError("its header is not LMDB's")
        free = _TREE.unpack_from(self._data, offset + _META.size)
        main = _TREE.unpack_from(self._data, offset + _META.size + _TREE.size)
        # behind the two trees of 48 bytes each
        last, transaction = struct.unpack_from("<QQ", self._data, offset + _META.size + 96)
        return free[0], main[7], main[1], last, transaction

    def _start(self, number: int, count: int = 1) -> int:
        """Offset of a run of pages that lies in the file and was not met before."""
        end = number + count
        # Pages 0 and 1 are the meta pages.
        if not 2 <= number < end <= min(self._last + 1, len(self._data) // self._size):
            raise ValueError(f"page {number} lies beyond its end")
        # A loop in the tree would never end.
        if number in self._seen:
            raise ValueError(f"page {number} is used twice")
        self._seen.add(number)
        return number * self._size

    def _page(self, number: int) -> list[int]:
        """Check a page; the numbers of the pages below it."""
        start = self._start(number)
        own, _, flags, lower, upper = _PAGE.unpack_from(self._data, start)
        # The dirty flag says nothing about the kind of a page.
        kind = flags & ~_DIRTY
        if own != number or kind not in (_BRANCH, _LEAF):
            raise ValueError(f"page {number} is of another kind")
        # `lower` is where the list of 16-bit node offsets ends.
        keys = (lower - _PAGE.size) // 2
        # A branch has two keys at least, a leaf one.
        if not _PAGE.size + 2 * (2 if kind == _BRANCH else 1) <= lower <= upper <= self._size:
            raise ValueError(f"page {number} has impossible bounds")
        offsets = struct.unpack_from(f"<{keys}H", self._data, start + _PAGE.size)
        return [
            child
            for offset in offsets
            for child in self._node(start, offset, lower, kind == _BRANCH)
        ]

    def _node(self, start: int, offset: int, lower: int, branch: bool) -> list[int]:
        """Check a node; the page below it, if it is of a branch."""
        if not lower <= offset <= self._size - _NODE.size:
            raise ValueError("a node lies outside its page")
        low, high, flags, key = _NODE.unpack_from(self._data, start + offset)
        end = offset + _NODE.size + key
        if branch:
            if end > self._size:
                raise ValueError("a key reaches beyond its page")
            # A branch keeps the 48-bit number of its child in the size and flag fields.
            return [low | high << 16 | flags << 32]
        if flags & ~_BIG_VALUE:
            raise ValueError("a value of a kind that these data do not have")
        size = low | high << 16
        # A large value leaves the number of its first page (8 bytes) in place of itself.
        if end + (8 if flags else size) > self._size:
            raise ValueError("a value reaches beyond its page")
        if flags:
            self._overflow(struct.unpack_from("<Q", self._data, start + end)[0], size)
        return []

    def _overflow(self, number: int, size: int) -> None:
        """Check the run of pages that holds one large value."""
        # Only the first page of the run has a header.
        count = (_PAGE.size + size + self._size - 1) // self._size
        start = self._start(number, count)
        own, _, flags = struct.unpack_from("<QHH", self._data, start)
        if own != number or flags & ~_DIRTY != _OVERFLOW:
            raise ValueError(f"page {number} is of another kind")
