"""Checks of audio containers: the length a header declares against the bytes that follow.

Decoders are generous: a WAV file cut in half, an Ogg stream without its end or an MP3 that lost its
tail all decode without an error. A recording that silently lost its second half would give a motion
that silently stops.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import BinaryIO, Literal

from motet.errors import AudioError
from motet.types import SURROUND, Layout

_LAYOUT_OF_MASK: dict[int, Layout] = {
    0x07: "3.0", 0x37: "5.0", 0x607: "5.0", 0x3F: "5.1", 0x60F: "5.1",
    0x13F: "6.1", 0x70F: "6.1", 0x63F: "7.1", 0xFF: "7.1",
}  # fmt: skip
"""Loudspeaker layouts by the channel mask of an extensible WAV format."""
Kind = Literal["wav", "aiff", "flac", "ogg", "mp3", "sphere", "other"]
_PLACEHOLDER_BYTES = 1_900_000_000
"""Programs that write the header before the sound declare 0 or about the largest size they know:
2e9, 0x7FFFF000, 0x7FFFFFFF, 0xFFFFFFFF less a header, or 2^63 and more in 64 bits."""


@dataclasses.dataclass(frozen=True)
class Header:
    """What the header of a file declares."""

    kind: Kind
    frames: int | None = None
    """Encoded frames (MP3) that the file declares, if it does."""
    corrections: Mapping[int, bytes] = dataclasses.field(default_factory=dict)
    """Bytes by offset that make a placeholder of a length the length to the end of the file."""
    layout: Layout | None = None
    """Surround layout that the file declares, if it does."""


def inspect(path: Path) -> Header:
    """Recognise a file by its first bytes and check its declared length.

    Raises:
        AudioError: no channels, an impossible length, or fewer bytes than declared.
    """
    try:
        with path.open("rb") as file:
            return _inspect(file, path)
    except (OSError, struct.error, OverflowError) as error:
        raise AudioError(f"{path} has a damaged header; export it again") from error


def _inspect(file: BinaryIO, path: Path) -> Header:
    start = file.read(12)
    if start[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and start[8:12] == b"WAVE":
        order = ">" if start[:4] == b"RIFX" else "<"
        corrections = _check_chunks(file, path, "WAV", order, b"data", _wav_format)
        return Header("wav", None, corrections, _wav_layout(file, order))
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        return Header("aiff", None, _check_chunks(file, path, "AIFF", ">", b"SSND", _aiff_format))
    if start[:4] == b"fLaC":
        return Header("flac")
    if start[:4] == b"OggS":
        _check_ogg_end(file, path)
        return Header("ogg")
    # MPEG's frame sync of eleven set bits, and layer III
    if start[:3] == b"ID3" or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2):
        return Header("mp3", _mp3_frames(file))
    if start[:7] == b"NIST_1A":
        return Header("sphere")
    return Header("other")


def _check_chunks(
    file: BinaryIO,
    path: Path,
    kind: str,
    byte_order: str,
    data_chunk: bytes,
    read_format: Callable[[bytes, Path, str], int],
) -> dict[int, bytes]:
    """Check the chunks of a RIFF or AIFF file up to the one with the samples.

    Returns:
        `Header.corrections`, if the length of the samples is a placeholder.
    """
    size = os.fstat(file.fileno()).st_size
    file.seek(12)
    sizes_64: tuple[int, int] | None = None  # offset of the 64-bit sizes, bytes of sound
    bytes_per_second = 0
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack(f"{byte_order}4sI", head)
        start = file.tell()
        if name == b"ds64" and length >= 24:
            sizes_64 = start, struct.unpack("<QQQ", file.read(24))[1]
        elif name in (b"fmt ", b"COMM"):
            bytes_per_second = read_format(file.read(min(length, 64)), path, byte_order)
        elif name == data_chunk:
            present = size - start
            declared = sizes_64[1] if sizes_64 and length == 0xFFFFFFFF else length
            if _is_placeholder(file, byte_order, declared, present):
                # RF64 keeps its lengths in the chunk `ds64`: RIFF size, data size, samples.
                if sizes_64 and length == 0xFFFFFFFF:
                    return {sizes_64[0]: struct.pack("<QQQ", size - 8, present, 0)}
                return {start - 4: struct.pack(f"{byte_order}I", min(present, 2**32 - 2))}
            _check_length(path, kind, declared, present, bytes_per_second)
            return {}
        file.seek(start + length + length % 2)  # chunks are padded to even lengths
    raise AudioError(
        f"{path} is a {kind} file without sound: it ends before its {data_chunk.decode()!r} part;"
        " export it again"
    )


def _is_placeholder(file: BinaryIO, byte_order: str, declared: int, present: int) -> bool:
    if present < 2:
        return False
    # A length of 0 is a placeholder only if sound and no further chunk follows.
    if declared == 0:
        return not _is_chunk_list(file, byte_order, file.tell() + present)
    return declared >= _PLACEHOLDER_BYTES and declared > present


def _is_chunk_list(file: BinaryIO, byte_order: str, size: int) -> bool:
    """Whether the rest of the file is a list of chunks that ends with the file."""
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack(f"{byte_order}4sI", head)
        end = file.tell() + length
        if not (name.isascii() and name.decode("ascii").isprintable()) or end > size:
            return False
        file.seek(end + length % 2)
    return not head


def _check_length(
    path: Path, kind: str, declared: int, present: int, bytes_per_second: int
) -> None:
    if declared == 0:
        raise AudioError(f"{path} is empty: a {kind} header without any samples; record again")
    if declared > present:
        second = 1.0 / bytes_per_second if bytes_per_second else 0.0
        raise AudioError(
            f"{path} is truncated: its header declares {declared * second:.2f} s, only"
            f" {max(0, present) * second:.2f} s can be read; get the whole file or cut it cleanly"
        )


def _wav_format(data: bytes, path: Path, byte_order: str) -> int:
    """Bytes per second."""
    if len(data) < 16:
        raise AudioError(
            f"{path} is a damaged WAV file: its format part is too short; export it again"
        )
    _, channels, rate, bytes_per_second = struct.unpack(f"{byte_order}HHII", data[:12])
    _check_numbers(path, channels, rate)
    return bytes_per_second


def _wav_layout(file: BinaryIO, byte_order: str) -> Layout | None:
    """Surround layout by the channel mask, if the format chunk comes first and has one."""
    file.seek(12)
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack(f"{byte_order}4sI", head)
        if name == b"data":
            return None
        if name == b"fmt ":
            data = file.read(min(length, 24))
            # 0xFFFE: WAVE_FORMAT_EXTENSIBLE; its channel mask lies at byte 20
            if len(data) < 24 or struct.unpack(f"{byte_order}H", data[:2])[0] != 0xFFFE:
                return None
            channels = struct.unpack(f"{byte_order}H", data[2:4])[0]
            layout = _LAYOUT_OF_MASK.get(struct.unpack(f"{byte_order}I", data[20:24])[0])
            return layout if layout and SURROUND[layout] == channels else None
        file.seek(length + length % 2, os.SEEK_CUR)
    return None


def _aiff_format(data: bytes, path: Path, byte_order: str) -> int:
    """Bytes per second. The rate is an 80-bit float: sign and exponent, then the mantissa."""
    if len(data) < 18:
        raise AudioError(
            f"{path} is a damaged AIFF file: its format part is too short; export it again"
        )
    channels, _, bits = struct.unpack(">hIh", data[:8])
    exponent, mantissa = struct.unpack(">HQ", data[8:18])
    exponent &= 0x7FFF
    # 80-bit float: bias 16383, and 63 fractional bits; from 2^67 on the rate is damage
    rate = mantissa * 2.0 ** (exponent - 16383 - 63) if exponent < 16450 else 0.0
    _check_numbers(path, channels, int(rate))
    return int(channels * rate * ((bits + 7) // 8))


def _check_numbers(path: Path, channels: int, rate: int) -> None:
    if channels < 1:
        raise AudioError(
            f"{path} declares {channels} channels; at least one is needed, export it again"
        )
    if rate < 1:
        raise AudioError(f"{path} declares {rate} samples per second; export it again")


def _check_ogg_end(file: BinaryIO, path: Path) -> None:
    """The last page of an Ogg file must be whole and carry the end-of-stream flag."""
    size = os.fstat(file.fileno()).st_size
    tail_size = min(size, 2 * 65_307)  # two pages of the largest size
    file.seek(size - tail_size)
    tail = file.read(tail_size)
    last = tail.rfind(b"OggS")
    page = tail[last:] if last >= 0 else b""
    # Byte 5 holds the flags, byte 26 the number of segments, whose sizes follow.
    segments = page[27 : 27 + page[26]] if len(page) >= 27 else b""
    is_whole = len(page) >= 27 and len(page) >= 27 + page[26] + sum(segments)
    # page[5] & 4: end of stream
    if not is_whole or not page[5] & 4:
        raise AudioError(
            f"{path} is truncated: the Ogg stream has no end; get the whole file, or convert it"
            " once to accept what is there"
        )


def _mp3_frames(file: BinaryIO) -> int | None:
    """Frames declared by the Xing or Info header of an MP3 file, without the header's own frame."""
    file.seek(0)
    head = file.read(10)
    start = 0
    if head[:3] == b"ID3" and len(head) == 10:
        # The tag's size has seven bits in each of four bytes.
        shifts = (21, 14, 7, 0)
        start = 10 + sum((byte & 0x7F) << n for byte, n in zip(head[6:10], shifts, strict=True))
    file.seek(start)
    first = file.read(256)
    for name in (b"Xing", b"Info"):
        offset = first.find(name, 0, 64)
        if offset >= 0 and len(first) >= offset + 12:
            flags, frames = struct.unpack(">II", first[offset + 4 : offset + 12])
            return frames if flags & 1 else None
    return None
