"""The GLB container: header, JSON, one block of bytes. Reading checks every number."""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

from motet.errors import AssetError

_MAGIC, _JSON, _BIN = 0x46546C67, 0x4E4F534A, 0x004E4942
MAX_BYTES = 1 << 31
MAX_JSON_BYTES = 256 << 20


def pack_glb(content: dict[str, Any], data: bytes) -> bytes:
    """A GLB file."""
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).encode()
    # Chunks are aligned to four bytes: JSON is filled with spaces, bytes with zeros.
    text += b" " * (-len(text) % 4)
    data += b"\0" * (-len(data) % 4)
    chunks = struct.pack("<II", len(text), _JSON) + text
    if data:
        chunks += struct.pack("<II", len(data), _BIN) + data
    return struct.pack("<III", _MAGIC, 2, 12 + len(chunks)) + chunks


def read_glb(path: Path) -> tuple[dict[str, Any], bytes]:
    """The JSON and the bytes of a GLB (or VRM) file.

    Raises:
        AssetError: missing, not a GLB of version 2, cut off, too large, or its JSON is not an
            object.
    """
    try:
        if not path.is_file():
            raise AssetError(
                f"{path} {'is not a file' if path.exists() else 'does not exist'}; give a .glb or"
                " .vrm file"
            )
        size = path.stat().st_size
        if size > MAX_BYTES:
            raise AssetError(f"{path} is larger than {MAX_BYTES} bytes and is not read")
        raw = path.read_bytes()
    except (OSError, ValueError) as error:
        raise AssetError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error
    if raw[:4] != b"glTF" or len(raw) < 20:
        hint = "; save it as binary glTF (.glb)" if raw[:1] == b"{" else ""
        raise AssetError(f"{path} is not a GLB or VRM file{hint}")
    _, version, length = struct.unpack_from("<III", raw)
    if version != 2:
        raise AssetError(f"{path} is a GLB of version {version}; version 2 is read")
    if length > len(raw) or length < 20:
        raise AssetError(f"{path} is cut off: it declares {length} bytes and has {len(raw)}")
    chunks = _chunks(raw[:length], path)
    if not chunks or chunks[0][0] != _JSON:
        raise AssetError(f"{path} is damaged: its first block is not JSON")
    data = next((body for kind, body in chunks[1:] if kind == _BIN), b"")
    return _parsed(chunks[0][1], path), data


def _chunks(raw: bytes, path: Path) -> list[tuple[int, bytes]]:
    """Kind and bytes of every chunk after the header of 12 bytes."""
    chunks, position = [], 12
    while position + 8 <= len(raw):
        length, kind = struct.unpack_from("<II", raw, position)
        start, position = position + 8, position + 8 + length
        if position > len(raw):
            raise AssetError(
                f"{path} is damaged: a block of {length} bytes does not fit into the file"
            )
        chunks.append((kind, raw[start:position]))
    return chunks


def _parsed(text: bytes, path: Path) -> dict[str, Any]:
    if len(text) > MAX_JSON_BYTES:
        raise AssetError(f"{path} has a description of {len(text)} bytes and is refused")
    try:
        content = json.loads(text.rstrip(b"\0 "), parse_constant=_no_constant)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError, ValueError) as error:
        raise AssetError(
            f"{path} is damaged: its JSON cannot be read ({str(error)[:80]})"
        ) from error
    if not isinstance(content, dict):
        raise AssetError(f"{path} is damaged: its JSON is not an object")
    return content


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")
