"""Changes to files: of single bytes, and of the structures of each format."""

from __future__ import annotations

import ast
import io
import json
import random
import struct
import zipfile
from collections.abc import Callable
from typing import Any

Mutation = Callable[[random.Random, bytes], bytes]
INTEGERS = (0, 1, 2, 3, 127, 128, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1)
MOST_REPEATED = 1 << 20
"""Bytes that a change may add by repetition."""
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 1, 0.5, 2**31, 2**63, 10**400, -1e308, 1e999, "", "x", "é\0", [], {}, [[]],
    [0] * 50, {"a": 1}, "../../etc/passwd", "data:,", "NaN",
)  # fmt: skip
SHAPES: tuple[Any, ...] = ((), (-1,), (0,), (2**62, 4), (10**30,), (1,) * 40, "x", (2.5,))
PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA)
TOKENS = (
    "", "0", "-1", "1e999", "nan", "inf", "9" * 40, "0x10", ",", ";", "\t", "\n", "{", "}", '"',
    "\0", "é", "ﬁ", "0:00:00:00", "99:99:99:99", "-0.0", "1,5", " " * 50,
)  # fmt: skip


def flip(rng: random.Random, data: bytes) -> bytes:
    """Change a few bytes."""
    changed = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 4, 16))):
        if changed:
            changed[rng.randrange(len(changed))] = rng.randrange(256)
    return bytes(changed)


def resize(rng: random.Random, data: bytes) -> bytes:
    """Cut off, cut out, repeat or insert a stretch."""
    start = rng.randrange(len(data) + 1)
    stop = min(len(data), start + rng.choice((1, 2, 4, 8, 64, 512, 4096)))
    kind = rng.randrange(4)
    if kind == 0:
        return data[:start]
    if kind == 1:
        return data[:start] + data[stop:]
    if kind == 2:
        return data[:stop] + data[start:stop] * rng.choice((1, 2, 20)) + data[stop:]
    return data[:start] + rng.randbytes(stop - start) + data[start:]


def integer(rng: random.Random, data: bytes) -> bytes:
    """Put a number of a limit's size somewhere, in either byte order; most often near the start."""
    size = rng.choice((1, 2, 4, 8))
    if len(data) < size:
        return data
    last = len(data) - size
    offset = rng.randrange(min(last, 256) + 1) if rng.random() < 0.6 else rng.randrange(last + 1)
    value = rng.choice(INTEGERS) + rng.choice((-1, 0, 0, 1))
    number = (value % 256**size).to_bytes(size, rng.choice(("little", "big")))
    return data[:offset] + number + data[offset + size :]


def _copies(expected: int, size: int) -> int:
    """How often a part of a file is repeated: three changes that each repeat the whole would make
    files of gigabytes."""
    return max(1, min(expected, MOST_REPEATED // max(size, 1)))


PLAIN: tuple[Mutation, ...] = (flip, resize, integer)


def _blocks(data: bytes, offset: int, order: str, size_first: bool) -> list[tuple[int, int]]:
    """Start and end of the blocks of a RIFF, AIFF or MP4 file behind `offset`."""
    found = []
    while offset + 8 <= len(data):
        size = struct.unpack_from(f"{order}I", data, offset + (0 if size_first else 4))[0]
        length = size if size_first else 8 + size + size % 2
        if length < 8:
            break
        found.append((offset, min(offset + length, len(data))))
        offset += length
    return found


def _changed_blocks(
    rng: random.Random, data: bytes, blocks: list[tuple[int, int]], order: str, size_at: int
) -> bytes:
    if not blocks:
        return flip(rng, data)
    start, stop = rng.choice(blocks)
    kind = rng.randrange(5)
    if kind == 0:
        size = rng.choice((*INTEGERS, stop - start + rng.choice((-9, -1, 1, 8))))
        number = struct.pack(f"{order}I", size % 2**32)
        return data[: start + size_at] + number + data[start + size_at + 4 :]
    if kind == 1:
        return data[:start] + data[stop:]
    if kind == 2:
        return data[:stop] + data[start:stop] + data[stop:]
    if kind == 3:
        first, last = rng.choice(blocks)
        return data[:first] + data[start:stop] + data[first:start] + data[max(stop, first) :]
    inside = start + 8 + rng.randrange(max(1, min(stop - start - 8, 64)))
    return data[:inside] + rng.randbytes(4) + data[inside + 4 :]


def chunks(rng: random.Random, data: bytes) -> bytes:
    """RIFF and AIFF: sizes, order and number of chunks."""
    order = ">" if data[:4] == b"FORM" else "<"
    return _changed_blocks(rng, data, _blocks(data, 12, order, False), order, 4)


def boxes(rng: random.Random, data: bytes) -> bytes:
    """MP4: sizes, order and number of boxes at every depth."""
    found = _blocks(data, 0, ">", True)
    for start, stop in found:
        if data[start + 4 : start + 8] in (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts"):
            found += [(a, b) for a, b in _blocks(data[:stop], start + 8, ">", True)]
    return _changed_blocks(rng, data, found, ">", 0)


def changed_tree(rng: random.Random, tree: Any) -> Any:
    """A JSON value with one node replaced, removed, doubled, renamed or nested deeply."""
    places: list[tuple[Any, Any]] = []

    def walk(value: Any) -> None:
        keys = value if isinstance(value, dict) else range(len(value))
        for key in list(keys):
            places.append((value, key))
            if isinstance(value[key], dict | list):
                walk(value[key])

    if isinstance(tree, dict | list):
        walk(tree)
    if not places:
        return rng.choice(VALUES)
    holder, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0 and isinstance(holder[key], int | float) and not isinstance(holder[key], bool):
        try:
            holder[key] = rng.choice((-1, 2, 1000, 10**9)) * holder[key] + rng.choice((-1, 0, 1))
        except OverflowError:
            holder[key] = 0
    elif kind == 1:
        del holder[key]
    elif kind == 2 and isinstance(holder, list):
        copies = _copies(rng.choice((1, 3, 200)), len(_text(holder[key])))
        holder[key:key] = [holder[key]] * copies
    elif kind == 3 and isinstance(holder, dict):
        holder[rng.choice(("", "x", *map(str, holder)))] = holder.pop(key)
    elif kind == 4:
        other, place = rng.choice(places)
        holder[key] = json.loads(_text(other[place])) if place in _keys(other) else None
    else:
        holder[key] = rng.choice(VALUES)
    return tree


def _keys(holder: Any) -> Any:
    return holder if isinstance(holder, dict) else range(len(holder))


def _text(tree: Any) -> str:
    try:
        return json.dumps(tree)
    except RecursionError:  # copies of copies
        return "null"


def tree(rng: random.Random, data: bytes) -> bytes:
    """JSON: values of other types, limits, missing and doubled entries; now and then a depth that
    exhausts a recursive reader."""
    try:
        value = json.loads(data)
    except (ValueError, RecursionError):
        return flip(rng, data)
    if rng.random() < 0.01:
        depth = rng.choice((900, 5000, 100_000))
        return b"[" * depth + b"]" * (depth if rng.random() < 0.5 else 0)
    return _text(changed_tree(rng, value)).encode()


def glb(rng: random.Random, data: bytes) -> bytes:
    """GLB: the JSON inside changed, with sizes that fit again."""
    try:
        size = struct.unpack_from("<I", data, 12)[0]
        text, rest = data[20 : 20 + size], data[20 + size :]
    except struct.error:
        return flip(rng, data)
    text = tree(rng, text)
    text += b" " * (-len(text) % 4)
    head = struct.pack("<IIIII", 0x46546C67, 2, 20 + len(text) + len(rest), len(text), 0x4E4F534A)
    return head + text + rest


def safetensors(rng: random.Random, data: bytes) -> bytes:
    """Safetensors: the JSON of the header changed, with a size that fits again; texts that hold
    JSON are changed inside."""
    try:
        size = struct.unpack_from("<Q", data)[0]
        head = json.loads(data[8 : 8 + size])
    except (struct.error, ValueError, RecursionError):
        return flip(rng, data)
    facts = head.get("__metadata__") if isinstance(head, dict) else None
    inner = [k for k, v in facts.items() if str(v)[:1] in "{["] if isinstance(facts, dict) else []
    if inner and rng.random() < 0.6:
        key = rng.choice(inner)
        facts[key] = tree(rng, str(facts[key]).encode()).decode("utf-8", "replace")
    else:
        head = changed_tree(rng, head)
    text = _text(head).encode()
    return struct.pack("<Q", len(text)) + text + data[8 + size :]


def npy_header(rng: random.Random, data: bytes) -> bytes:
    """NPY: another type, order or shape, or a text that is no header."""
    try:
        size = struct.unpack_from("<H", data, 8)[0]
        fields = ast.literal_eval(data[10 : 10 + size].decode("latin1"))
    except (struct.error, ValueError, SyntaxError, MemoryError, RecursionError):
        return flip(rng, data)
    if not isinstance(fields, dict) or not fields:  # no array, or changed before
        return flip(rng, data)
    kind = rng.randrange(5)
    if kind == 0:
        fields["descr"] = rng.choice(("|O", "<f8", "<U9", "|S0", "|V8", "<U0", "x", "<M8[s]", 5))
    elif kind == 1:
        fields["shape"] = rng.choice(SHAPES)
    elif kind == 2:
        fields["fortran_order"] = rng.choice((True, 0, None))
    elif kind == 3:
        fields.pop(rng.choice(sorted(fields)))
    text = "(" * 3000 if kind == 4 and rng.random() < 0.2 else repr(fields)
    text = text.ljust(-(-(len(text) + 11) // 64) * 64 - 11) + "\n"
    head = data[:8] + struct.pack("<H", len(text) % 65536)
    return head + text.encode("latin1") + data[10 + size :]


def archive(rng: random.Random, data: bytes) -> bytes:
    """NPZ: members changed, left out, renamed, packed otherwise; false sizes in the directory."""
    out = io.BytesIO()
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(out, "w") as new:
            names = old.namelist()
            chosen, kind = rng.choice(names), rng.randrange(5)
            for name in names:
                content, packing = old.read(name), old.getinfo(name).compress_type
                if name == chosen and kind == 0:
                    continue
                if name == chosen and kind == 1:
                    name = rng.choice(("x.npy", "../x.npy", "", *names))
                if name == chosen and kind == 2:
                    packing = rng.choice(PACKINGS)
                if name == chosen and kind > 2:
                    content = rng.choice((npy_header, npy_header, *PLAIN))(rng, content)
                new.writestr(zipfile.ZipInfo(name), content, packing)
    except Exception:  # an archive that an earlier change has damaged
        return integer(rng, data)
    made = out.getvalue()
    if rng.random() < 0.3:
        made = _false_directory(rng, made)
    return made


def _false_directory(rng: random.Random, data: bytes) -> bytes:
    entry = data.find(b"PK\1\2")
    if entry < 0:
        return data
    offset = entry + rng.choice((8, 10, 16, 20, 24, 28, 42))
    return data[:offset] + struct.pack("<I", rng.choice(INTEGERS)) + data[offset + 4 :]


def words(rng: random.Random, data: bytes) -> bytes:
    """Texts: cells, lines and numbers replaced, removed, doubled."""
    text = data.decode("utf-8", "replace")
    separator = rng.choice((",", "\n", " ", ";", "\t", ":"))
    parts = text.split(separator)
    index = rng.randrange(len(parts))
    kind = rng.randrange(5)
    if kind == 0:
        parts[index] = rng.choice(TOKENS)
    elif kind == 1:
        del parts[index]
    elif kind == 2:
        parts[index:index] = [parts[index]] * _copies(rng.choice((1, 2, 500)), len(parts[index]))
    elif kind == 3:
        other = rng.randrange(len(parts))
        parts[index], parts[other] = parts[other], parts[index]
    else:
        parts.insert(index, rng.choice(TOKENS))
    encoding = rng.choice(("utf-8", "utf-8", "utf-8", "utf-16", "latin1"))
    return separator.join(parts).encode(encoding, "replace")
