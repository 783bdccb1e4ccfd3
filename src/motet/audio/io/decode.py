"""Decoding of any container through FFmpeg, safe against hostile files.

Only formats that carry their own samples are opened: no play lists or scripts, which could name
other files or addresses.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from motet.audio.io.sound import Sound
from motet.errors import AudioError
from motet.types import SURROUND, Layout

_FORMATS = (
    "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,ac3,eac3,amr,amrnb,amrwb,ape,tta,wv,opus,gsm,voc,sox,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpeg,mpegts,dv,rm,mxf,nut"
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
_TOLERANCE_S = 0.15
"""A sound may end this much before the declared duration: an encoder's last frames."""
_MAX_LATE_S = 3600.0
"""A declared start later than this after the picture is not believed."""


@dataclasses.dataclass
class _Decoded:
    """Output of the decoder so far."""

    pieces: list[np.ndarray]
    """Floats, each (channels, time)."""
    rate: int = 0
    channels: int = 0
    layout: Layout | None = None
    first_s: float = 0.0
    """Time stamp of the first frame."""
    packets: int = 0
    """Encoded frames of the sound stream that are not empty."""
    values: int = 0
    """Samples times channels."""
    last_s: float = 0.0
    """End of the last packet of any stream."""
    failure: str = ""


def decode(path: Path, max_values: int, encoded_frames: int | None = None, track: int = 0) -> Sound:
    """Decode one sound stream of a file.

    Args:
        max_values: samples times channels that are accepted.
        encoded_frames: frames that the file's own header declares, where known.
        track: index among the sound streams.

    Raises:
        AudioError: not a sound, without sound, without that stream, damaged or too long.
    """
    with opened(path) as container:
        stream = container.streams.audio[track]
        decoded = _collect(container, stream, path, max_values)
        samples = _align(container, stream, decoded)
        declared_s = _missing_duration(container, stream, decoded, encoded_frames)
    if not samples.shape[1]:
        reason = f" ({decoded.failure})" if decoded.failure else ""
        raise AudioError(
            f"{path} holds no sound that can be decoded{reason}; record or export it again"
        )
    if decoded.failure:
        raise AudioError(
            f"{path} is damaged after {samples.shape[1] / decoded.rate:.2f} s ({decoded.failure});"
            " get an intact file or cut it before that"
        )
    return Sound(samples, decoded.rate, decoded.layout, declared_s)


@contextlib.contextmanager
def opened(path: Path) -> Iterator[Any]:
    """The container of a file that has sound.

    Raises:
        AudioError: not a sound, or without sound; also for failures while it is open.
    """
    try:
        with av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise AudioError(f"{path} has no sound: {_contents(container)}")
            yield container
    except (av.FFmpegError, ValueError, IndexError, UnicodeError, MemoryError) as error:
        raise AudioError(
            f"{path} is not a sound that can be read ({_reason(error)}); give wav, flac, ogg, mp3,"
            " m4a, mp4, webm or the like"
        ) from error


def _collect(container: Any, stream: AudioStream, path: Path, max_values: int) -> _Decoded:
    decoded = _Decoded([])
    for frame in _frames(container, stream, decoded):
        # Packed: PyAV reads beyond the planes of frames with eight planar channels or more.
        values = frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T
        if not decoded.pieces:
            decoded.rate, decoded.channels = frame.sample_rate, values.shape[0]
            decoded.layout = _surround(frame.layout.name, decoded.channels)
            if frame.pts is not None and frame.time_base:
                decoded.first_s = float(frame.pts * frame.time_base)
        if (frame.sample_rate, values.shape[0]) != (decoded.rate, decoded.channels):
            raise AudioError(
                f"{path} changes its rate or channels midway; convert it to a plain recording first"
            )
        decoded.values += values.size
        if decoded.values > max_values:
            raise AudioError(
                f"{path} is too long: more than {max_values} values; cut it into parts"
            )
        decoded.pieces.append(values)
    return decoded


def _frames(container: Any, stream: AudioStream, decoded: _Decoded) -> Iterator[AudioFrame]:
    """Decoded frames as packed floats; a decoding failure ends them and is noted."""
    converter = None
    timed = [s for s in container.streams if s.type in ("audio", "video")]
    try:
        for packet in container.demux(timed):
            if packet.pts is not None and packet.time_base:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                decoded.last_s = max(decoded.last_s, end_s)
            if packet.stream.index != stream.index:
                continue
            decoded.packets += packet.size > 0
            for frame in packet.decode():
                converter = converter or av.AudioResampler(
                    format="flt", layout=frame.layout, rate=frame.sample_rate
                )
                yield from converter.resample(frame) if frame.format.name != "flt" else [frame]
    except av.FFmpegError as error:
        decoded.failure = _reason(error)


def _align(container: Any, stream: AudioStream, decoded: _Decoded) -> np.ndarray:
    """All samples, cut to the declared end, with silence before a sound that starts late."""
    if not decoded.pieces:
        return np.zeros((1, 0), np.float32)
    samples = np.concatenate(decoded.pieces, axis=1)
    declared_s = _mp4_duration(container, stream)
    if declared_s:
        # The edit list declares the duration; FFmpeg removes the encoder's priming but not its
        # padding at the end, at most two frames.
        declared = round(declared_s * decoded.rate)
        if 0 < samples.shape[1] - declared < 2 * 2048:
            samples = samples[:, : max(declared, 0)]
    if container.streams.video:
        start_s = (container.start_time or 0) / av.time_base
        late = round((decoded.first_s - start_s) * decoded.rate)
        if 0 < late < _MAX_LATE_S * decoded.rate:
            samples = np.pad(samples, ((0, 0), (late, 0)))
    return samples


def _mp4_duration(container: Any, stream: AudioStream) -> float | None:
    if "mp4" in container.format.name and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def _missing_duration(
    container: Any, stream: AudioStream, decoded: _Decoded, encoded_frames: int | None
) -> float | None:
    """Declared seconds, if clearly more than the file holds; else None."""
    if not decoded.pieces:
        return None
    held_s = decoded.values / decoded.channels / decoded.rate
    if encoded_frames is not None:
        is_whole = decoded.packets >= encoded_frames
        return None if is_whole else held_s * encoded_frames / decoded.packets
    declared_s = _mp4_duration(container, stream)
    if declared_s is None and "matroska" in container.format.name and container.duration:
        declared_s, held_s = container.duration / av.time_base, decoded.last_s
    return declared_s if declared_s is not None and held_s < declared_s - _TOLERANCE_S else None


def _surround(name: str, channels: int) -> Layout | None:
    """Surround layout by FFmpeg's name for it: `5.1(side)` and `5.1` are the same here."""
    plain = name.partition("(")[0]
    if name == "3.0(back)" or SURROUND.get(plain) != channels:
        return None
    return cast(Layout, plain)


def _contents(container: Any) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type})
    return f"it holds only {', '.join(kinds)}" if kinds else "it holds nothing that is known"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:120]
