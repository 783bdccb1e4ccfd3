"""What the first and last bytes of a sound file promise, so that a broken promise can be told from
a short recording.

Decoders are generous: a WAV file cut in half, an Ogg stream without its end or an MP3 that lost its
tail all decode without a word. A recording that silently lost its second half gives a take that
silently stops, so the promises are read here.
"""

from __future__ import annotations

import dataclasses
import os
import struct
from pathlib import Path
from typing import BinaryIO, Literal

from motet.errors import AudioError

Kind = Literal["wav", "aiff", "flac", "ogg", "mp3", "other"]
_UNKNOWN = (0xFFFFFFFF, 0x7FFFFFFF)


@dataclasses.dataclass(frozen=True)
class Promise:
    """What a file says about itself."""

    kind: Kind
    frames: int | None = None
    """Encoded frames (MP3) that the file should hold, where it says so."""


def inspect(path: Path) -> Promise:
    """Recognise a file by its first bytes and check what its structure promises.

    Raises:
        AudioError: no channels, a header that speaks of no or of impossible amounts of sound, or
            fewer bytes than promised.
    """
    try:
        with path.open("rb") as file:
            return _inspect(file, path)
    except (OSError, struct.error, OverflowError) as error:
        raise AudioError(f"{path} has a damaged header; export it again") from error


def _inspect(file: BinaryIO, path: Path) -> Promise:
    start = file.read(12)
    if start[:4] in (b"RIFF", b"RF64", b"BW64", b"RIFX") and start[8:12] == b"WAVE":
        _check_chunks(file, path, "WAV", ">" if start[:4] == b"RIFX" else "<", b"data", _wav_format)
        return Promise("wav")
    if start[:4] == b"FORM" and start[8:12] in (b"AIFF", b"AIFC"):
        _check_chunks(file, path, "AIFF", ">", b"SSND", _aiff_format)
        return Promise("aiff")
    if start[:4] == b"fLaC":
        return Promise("flac")
    if start[:4] == b"OggS":
        _check_ogg_end(file, path)
        return Promise("ogg")
    if start[:3] == b"ID3" or (len(start) > 1 and start[0] == 0xFF and start[1] & 0xE6 == 0xE2):
        return Promise("mp3", _mp3_frames(file))
    return Promise("other")


def _check_chunks(
    file: BinaryIO, path: Path, kind: str, order: str, wanted: bytes, check_format: object
) -> None:
    size = os.fstat(file.fileno()).st_size
    file.seek(12)
    real_data_size: int | None = None
    bytes_a_second = 0
    while len(head := file.read(8)) == 8:
        name, length = struct.unpack(f"{order}4sI", head)
        here = file.tell()
        if name == b"ds64" and length >= 24:
            real_data_size = struct.unpack("<QQQ", file.read(24))[1]
        elif name in (b"fmt ", b"COMM"):
            bytes_a_second = check_format(file.read(min(length, 64)), path, order)  # type: ignore[operator]
        elif name == wanted:
            if length == 0xFFFFFFFF and real_data_size is not None:
                length = real_data_size
            _check_data(path, kind, length, size - here, bytes_a_second)
            return
        file.seek(here + length + length % 2)
    raise AudioError(
        f"{path} is a {kind} file without sound: it ends before its {wanted.decode()!r} part;"
        " export it again"
    )


def _check_data(path: Path, kind: str, promised: int, present: int, bytes_a_second: int) -> None:
    if promised in _UNKNOWN and present < promised or (promised == 0 and present > 1):
        says = "no sound at all" if promised == 0 else "an unknown amount of sound"
        what = f"a {kind} header that speaks of {says} though {present} bytes follow"
        raise AudioError(
            f"{path} has {what} (an unfinished recording?); repair it by converting it once"
        )
    if promised == 0:
        raise AudioError(f"{path} is empty: a {kind} header without any samples; record again")
    if promised > present:
        unit = 1.0 / bytes_a_second if bytes_a_second else 0.0
        what = (
            f"its header promises {promised * unit:.2f} s, only {max(0, present) * unit:.2f} s can"
            " be read"
        )
        raise AudioError(f"{path} is truncated: {what}; get the whole file or cut it cleanly")


def _wav_format(data: bytes, path: Path, order: str) -> int:
    if len(data) < 16:
        raise AudioError(
            f"{path} is a damaged WAV file: its format part is too short; export it again"
        )
    _, channels, rate, bytes_a_second = struct.unpack(f"{order}HHII", data[:12])
    _check_numbers(path, channels, rate)
    return bytes_a_second


def _aiff_format(data: bytes, path: Path, order: str) -> int:
    if len(data) < 18:
        raise AudioError(
            f"{path} is a damaged AIFF file: its format part is too short; export it again"
        )
    channels, _, bits = struct.unpack(">hIh", data[:8])
    exponent, mantissa = struct.unpack(">HQ", data[8:18])
    rate = (
        mantissa * 2.0 ** ((exponent & 0x7FFF) - 16383 - 63) if exponent & 0x7FFF < 16450 else 0.0
    )
    _check_numbers(path, channels, int(rate))
    return int(channels * rate * ((bits + 7) // 8))


def _check_numbers(path: Path, channels: int, rate: int) -> None:
    if channels < 1:
        raise AudioError(
            f"{path} says it has {channels} channels; at least one is needed, export it again"
        )
    if rate < 1:
        raise AudioError(f"{path} says it has {rate} samples a second; export it again")


def _check_ogg_end(file: BinaryIO, path: Path) -> None:
    """Every logical stream of an Ogg file ends with a page that says so, and the last page is
    whole.
    """
    size = os.fstat(file.fileno()).st_size
    reach = min(size, 2 * 65_307)
    file.seek(size - reach)
    tail = file.read(reach)
    last = tail.rfind(b"OggS")
    page = tail[last:] if last >= 0 else b""
    whole = (
        len(page) >= 27
        and len(page) >= 27 + page[26]
        and len(page) >= 27 + page[26] + sum(page[27 : 27 + page[26]])
    )
    if not whole or not page[5] & 4:
        raise AudioError(
            f"{path} is truncated: the Ogg stream has no end; get the whole file, or convert it"
            " once to accept what is there"
        )


def _mp3_frames(file: BinaryIO) -> int | None:
    """Frames that the Xing or Info header of an MP3 file promises, the header's own frame not
    counted.
    """
    file.seek(0)
    head = file.read(10)
    begin = 0
    if head[:3] == b"ID3" and len(head) == 10:
        begin = 10 + sum(
            (byte & 0x7F) << shift for byte, shift in zip(head[6:10], (21, 14, 7, 0), strict=True)
        )
    file.seek(begin)
    first = file.read(256)
    for name in (b"Xing", b"Info"):
        at = first.find(name, 0, 64)
        if at >= 0 and len(first) >= at + 12:
            flags, frames = struct.unpack(">II", first[at + 4 : at + 12])
            return frames if flags & 1 else None
    return None
