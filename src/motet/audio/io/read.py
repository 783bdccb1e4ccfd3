"""Read audio files, sample-accurate in time.

WAV, AIFF, FLAC and Ogg Vorbis go through libsndfile, which is exact. Everything else (MP3, AAC in
M4A and MP4, Opus, WebM, the sound of any video) goes through FFmpeg: the encoder's priming and
padding are removed, and the sound is aligned with the picture. Files that declare neither keep them
unless the encoder is recognised (docs/reference/formats.md has the table).

What was read otherwise than declared is logged as a warning of the logger `motet.audio`.
"""

from __future__ import annotations

import contextlib
import dataclasses
import logging
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import torch

from motet.audio.io.container_checks import Header, inspect
from motet.audio.io.recording import Recording
from motet.audio.io.sound import Block, Gauge, Limits, Sound
from motet.audio_types import AudioSource
from motet.errors import AudioError
from motet.types import Audio, Layout

MAX_VALUES = 2**30
"""Samples times channels that are read at most: 4 GiB, six hours of 48 kHz mono."""
KEPT_VALUES = 2**23
"""Samples times channels of a sound that `open_audio` holds in memory: 32 MiB, nine minutes of
16 kHz mono."""
MAX_LEVEL = 100.0
"""Larger samples are integers that were stored as floats, or damage."""
RATES = (1_000, 1_000_000)
"""Lowest and highest accepted sample rate."""

_BLOCK_VALUES = 2**18
"""Samples times channels that are read at a time, so that a header's claim allocates nothing."""
log = logging.getLogger("motet.audio")

_LAYOUTS: dict[int, Layout] = {1: "mono", 2: "stereo"}
_FLAC_LAYOUTS: dict[int, Layout] = {3: "3.0", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
"""By RFC 9639, section 9.1.3."""


def read_audio(path: str | os.PathLike[str], *, track: int | None = None) -> Audio:
    """All channels of a file at its own rate: not resampled, mixed or normalised.

    One channel is `mono`, two are `stereo`, surround sound has its layout (`5.1`), anything else is
    `other`. Digital silence is sound; a file without samples is not.

    Args:
        track: sound track of a video with several, counted from 1. When left out, the track that is
            marked as default, or the one with speech if that is silent or not the only one marked.

    Raises:
        AudioError: the file is missing, unreadable, a folder, empty, damaged, truncated (the
            message says how much could be read), not a sound, has no such track, or its samples are
            not finite or out of all range.
    """
    return _open(Path(path), track, Limits(MAX_VALUES, MAX_VALUES)).load()


def open_audio(path: str | os.PathLike[str], *, track: int | None = None) -> AudioSource:
    """The same sound without holding a long one in memory: `Audio` of a short one, `Recording` of
    one with more than `KEPT_VALUES`. Both are checked to their end before this returns.

    Raises:
        AudioError: as `read_audio`.
    """
    return _open(Path(path), track, Limits(MAX_VALUES, KEPT_VALUES))


def _open(path: Path, track: int | None, limits: Limits) -> AudioSource:
    _check_file(path)
    header = inspect(path)
    if header.kind in ("wav", "aiff", "flac", "ogg", "sphere") and track in (None, 1):
        sound = _read_exactly(path, header, limits)
    else:
        sound = _decode(path, header, limits, track)
    source = _check_samples(path, sound)
    if header.corrections:
        log.warning(
            "%s does not declare its length (a stream?): read to its end, %.2f s",
            path,
            source.seconds,
        )
    return source


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder; name a sound file in it")
        if str(path) == "-":
            raise AudioError("sound from a pipe is for 'motet live'; write it into a file first")
        if not path.exists():
            raise AudioError(f"{path} does not exist; check the name")
        if not path.is_file():
            raise AudioError(
                f"{path} is not a regular file; raw sound from a pipe is for 'motet live'"
            )
        with path.open("rb") as file:
            if not file.read(1):
                raise AudioError(f"{path} is empty (0 bytes); record or copy it again")
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(
            f"{path} cannot be read: {reason}; check the name and its permissions"
        ) from error


def _read_exactly(path: Path, header: Header, limits: Limits) -> Sound:
    declared_s = 0.0
    try:
        with _opened(path, header) as file:
            if _needs_ffmpeg(file):
                return _decode(path, header, limits)
            declared_s = file.frames / file.samplerate
            _check_amount(path, file.frames * file.channels)
            gauge = Gauge(limits.keep, file.channels)
            for block in _blocks(file):
                gauge.add(block)
            sound = _sound(path, header, file.samplerate, gauge)
    except soundfile.LibsndfileError:
        # A codec that only FFmpeg knows (ADPCM flavours in WAV), or not a sound after all.
        sound = _decode(path, header, limits)
    readable_s = sound.length / sound.rate
    # half a sample of tolerance: the division above rounds
    if readable_s < declared_s - 0.5 / sound.rate:
        raise _truncated(path, declared_s, readable_s)
    if header.kind == "flac":
        sound = dataclasses.replace(sound, layout=_FLAC_LAYOUTS.get(sound.channels))
    return sound


def _sound(path: Path, header: Header, rate: int, gauge: Gauge) -> Sound:
    def read_again() -> Iterator[Block]:
        try:
            with _opened(path, header) as file:
                yield from _blocks(file)
        except soundfile.LibsndfileError as error:
            raise AudioError(f"{path} has changed while it was read; start again") from error

    samples = None
    if gauge.pieces is not None:
        nothing = np.zeros((gauge.channels, 0), np.float32)
        samples = np.concatenate([nothing, *gauge.pieces], axis=1)
        gauge.pieces = None
    measured = (gauge.channels, gauge.length, gauge.level, gauge.first_not_finite)
    return Sound(rate, *measured, samples, read_again, header.layout)


def _needs_ffmpeg(file: soundfile.SoundFile) -> bool:
    """Whether libsndfile cannot read this file exactly: Opus, Vorbis whose channels have an order
    of their own, a FLAC stream without a length, for which it reports more than any file holds, or
    MP3 in WAV, where it counts frames that are not there.
    """
    if file.subtype.startswith("MPEG"):
        return True
    is_vorbis = file.subtype == "VORBIS" and file.channels <= 2
    return (file.format == "OGG" and not is_vorbis) or not 0 <= file.frames < 2**40


@contextlib.contextmanager
def _opened(path: Path, header: Header) -> Iterator[soundfile.SoundFile]:
    if not header.corrections:
        with soundfile.SoundFile(path) as file:
            yield file
        return
    with path.open("rb") as raw, soundfile.SoundFile(_Corrected(raw, header.corrections)) as file:
        yield file


class _Corrected:
    """A file opened for reading, with bytes of its header replaced."""

    def __init__(self, file: BinaryIO, corrections: Mapping[int, bytes]) -> None:
        self._file, self._corrections = file, corrections

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset, whence)

    def tell(self) -> int:
        return self._file.tell()

    def read(self, size: int = -1) -> bytes:
        start = self._file.tell()
        data = bytearray(self._file.read(size))
        for offset, correction in self._corrections.items():
            for index, byte in enumerate(correction, offset - start):
                if 0 <= index < len(data):
                    data[index] = byte
        return bytes(data)


def _blocks(file: soundfile.SoundFile) -> Iterator[Block]:
    """All samples. Block by block: some codecs (GSM 6.10, G.721, NMS ADPCM) cannot be read
    otherwise, and memory grows with what is there, not with what is declared.
    """
    size = max(1, _BLOCK_VALUES // file.channels)
    while len(block := file.read(size, dtype="float32", always_2d=True)):
        # (time, channels) to (channels, time)
        yield block.T


def _decode(path: Path, header: Header, limits: Limits, track: int | None = None) -> Sound:
    from motet.audio.io.tracks import decode_track

    sound = decode_track(path, track, limits, header.frames)
    readable_s = sound.length / sound.rate
    if sound.declared_s is not None and readable_s < sound.declared_s:
        raise _truncated(path, sound.declared_s, readable_s)
    return sound


def _check_samples(path: Path, sound: Sound) -> AudioSource:
    rate, level = sound.rate, sound.level
    if not sound.length:
        raise AudioError(f"{path} holds no samples; record or export it again")
    if not RATES[0] <= rate <= RATES[1]:
        raise AudioError(
            f"{path} declares {rate} samples per second; between {RATES[0]} and {RATES[1]} are"
            " sound, export it again"
        )
    if sound.first_not_finite is not None:
        raise AudioError(
            f"{path} contains values that are not finite (NaN or infinity), first at"
            f" {sound.first_not_finite / rate:.3f} s; repair or re-export the recording"
        )
    if level > MAX_LEVEL:
        raise AudioError(
            f"{path} has samples as large as {level:.4g}, about 1 is full scale; export it with"
            " normalised samples"
        )
    layout = sound.layout or _LAYOUTS.get(sound.channels, "other")
    if sound.samples is None:
        return Recording(sound, rate, layout, path=path)
    tensor = torch.from_numpy(np.ascontiguousarray(sound.samples, dtype=np.float32))
    return Audio(tensor, rate, layout)


def _check_amount(path: Path, values: int) -> None:
    if values > MAX_VALUES:
        raise AudioError(
            f"{path} is too long: {values} values, at most {MAX_VALUES} are read at once; cut it"
            " into parts"
        )


def _truncated(path: Path, declared_s: float, readable_s: float) -> AudioError:
    return AudioError(
        f"{path} is truncated: it declares {declared_s:.2f} s, only {readable_s:.2f} s can be read;"
        " get the whole file or cut it cleanly"
    )
