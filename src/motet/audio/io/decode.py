"""Decoding of any container through FFmpeg, safe against hostile files.

Only formats that carry their own samples are opened: no play lists or scripts, which could name
other files or addresses.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any, cast

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.codec.context import Flags2

from motet.audio.io.sound import Block, Gauge, Limits, Sound, aligned
from motet.errors import AudioError
from motet.types import SURROUND, Layout

_FORMATS = (
    "wav,w64,aiff,au,caf,flac,ogg,mp3,aac,ac3,eac3,amr,amrnb,amrwb,ape,tta,wv,opus,gsm,voc,sox,"
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,mpeg,mpegts,dv,rm,mxf,nut"
)
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
_TOLERANCE_S = 0.15
"""A sound may end this much before the declared duration: an encoder's last frames."""
_LAVC_PRIMING = 1024
"""Samples that FFmpeg's AAC encoder puts before a sound."""
_MAX_LATE_S = 3600.0
"""A declared start later than this after the picture is not believed."""


@dataclasses.dataclass
class _Decoded:
    """Output of the decoder so far."""

    gauge: Gauge
    rate: int = 0
    layout: Layout | None = None
    first_s: float = 0.0
    """Time stamp of the first frame."""
    delay: int = 0
    """Samples that the encoder, if it is recognised, puts before the sound."""
    priming: int = 0
    """So many of them as the file does not declare."""
    dropped: int = 0
    """How many of them are dropped so far."""
    packets: int = 0
    """Encoded frames of the sound stream that are not empty."""
    last_s: float = 0.0
    """End of the last packet of any stream."""
    failure: str = ""

    def without_priming(self, values: Block) -> Block:
        """The next samples, less what is left of the priming."""
        count = min(self.priming - self.dropped, values.shape[1])
        self.dropped += count
        return values[:, count:]


def decode(path: Path, limits: Limits, encoded_frames: int | None = None, track: int = 0) -> Sound:
    """Decode one sound stream of a file.

    Args:
        encoded_frames: frames that the file's own header declares, where known.
        track: index among the sound streams.

    Raises:
        AudioError: not a sound, without sound, without that stream, damaged or too long.
    """
    with opened(path) as container:
        stream = container.streams.audio[track]
        decoded = _collect(container, stream, path, limits)
        late, length = _alignment(container, stream, decoded)
        declared_s = _missing_duration(container, stream, decoded, encoded_frames)
    gauge = decoded.gauge
    if not length:
        reason = f" ({decoded.failure})" if decoded.failure else ""
        raise AudioError(
            f"{path} holds no sound that can be decoded{reason}; record or export it again"
        )
    if decoded.failure:
        raise AudioError(
            f"{path} is damaged after {length / decoded.rate:.2f} s ({decoded.failure});"
            " get an intact file or cut it before that"
        )
    samples = None
    if gauge.pieces is not None:
        samples = np.concatenate(list(aligned(iter(gauge.pieces), late, length)), axis=1)
    return Sound(
        decoded.rate,
        gauge.channels,
        length,
        gauge.level,
        gauge.first_not_finite,
        samples,
        partial(_read_again, path, track, late, length),
        decoded.layout,
        declared_s,
    )


def _read_again(path: Path, track: int, late: int, length: int) -> Iterator[Block]:
    with opened(path) as container:
        stream = container.streams.audio[track]
        decoded = _Decoded(Gauge(0))
        frames = _frames(container, stream, decoded)
        blocks = (decoded.without_priming(_values(frame)) for frame in frames)
        yield from aligned(blocks, late, length)


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


def _collect(container: Any, stream: AudioStream, path: Path, limits: Limits) -> _Decoded:
    gauge = Gauge(limits.keep)
    decoded = _Decoded(gauge)
    for frame in _frames(container, stream, decoded):
        values = _values(frame)
        if not decoded.rate:
            # The first frame fixes rate, channels and start.
            decoded.rate, gauge.channels = frame.sample_rate, values.shape[0]
            decoded.layout = _surround(frame.layout.name, gauge.channels)
            if frame.pts is not None and frame.time_base:
                decoded.first_s = float(frame.pts * frame.time_base)
        if (frame.sample_rate, values.shape[0]) != (decoded.rate, gauge.channels):
            raise AudioError(
                f"{path} changes its rate or channels midway; convert it to a plain recording first"
            )
        # The limit counts what is decoded, not what is declared: it stops a decompression bomb.
        if gauge.length * gauge.channels + values.size > limits.accept:
            raise AudioError(
                f"{path} is too long: more than {limits.accept} values; cut it into parts"
            )
        gauge.add(decoded.without_priming(values))
    return decoded


def _values(frame: AudioFrame) -> Block:
    """Samples of a packed frame: PyAV reads beyond the planes of those with eight planar channels
    or more.
    """
    return frame.to_ndarray().reshape(-1, frame.layout.nb_channels).T


def _frames(container: Any, stream: AudioStream, decoded: _Decoded) -> Iterator[AudioFrame]:
    """Decoded frames as packed floats; a decoding failure ends them and is noted."""
    converter = None
    starts_late = _is_wma_of_ffmpeg(container, stream)
    if starts_late:
        stream.codec_context.flags2 |= Flags2.skip_manual
    timed = [s for s in container.streams if s.type in ("audio", "video")]
    try:
        for packet in container.demux(timed):
            if packet.pts is not None and packet.time_base:
                end_s = float((packet.pts + (packet.duration or 0)) * packet.time_base)
                decoded.last_s = max(decoded.last_s, end_s)
            if packet.stream.index != stream.index:
                continue
            if packet.size and not decoded.packets:
                decoded.delay = _encoder_delay(stream, packet)
                # A file that declares it places this packet before time 0.
                decoded.priming = 0 if (packet.pts or 0) < 0 else decoded.delay
            decoded.packets += packet.size > 0
            for frame in packet.decode():
                if starts_late and not decoded.delay:
                    decoded.delay = decoded.priming = frame.samples
                converter = converter or av.AudioResampler(
                    format="flt", layout=frame.layout, rate=frame.sample_rate
                )
                yield from converter.resample(frame) if frame.format.name != "flt" else [frame]
    except av.FFmpegError as error:
        decoded.failure = _reason(error)


def _alignment(container: Any, stream: AudioStream, decoded: _Decoded) -> tuple[int, int]:
    """Samples of silence before a sound that starts late, and samples up to the declared end,
    these included.
    """
    length = decoded.gauge.length
    if not length:
        return 0, 0
    declared_s, counted = _mp4_duration(container, stream), decoded.priming
    if declared_s is None and decoded.delay:
        declared_s, counted = _matroska_duration(stream), decoded.delay
    if declared_s:
        # FFmpeg removes declared priming but not the padding at the end, at most two frames.
        declared = round(declared_s * decoded.rate) - counted
        if 0 < length - declared < 2 * 2048:
            length = max(declared, 0)
    late = 0
    if container.streams.video:
        start_s = (container.start_time or 0) / av.time_base
        late = round((decoded.first_s - start_s) * decoded.rate)
        # Time stamps count from the priming.
        late = late + decoded.priming if 0 < late < _MAX_LATE_S * decoded.rate else 0
    return late, late + length


def _encoder_delay(stream: AudioStream, first: Any) -> int:
    """Priming by the first packet, in which FFmpeg's AAC encoder leaves its name."""
    codec = stream.codec_context  # None: FFmpeg does not know it
    is_aac = codec is not None and codec.name in ("aac", "aac_latm")
    return _LAVC_PRIMING if is_aac and b"Lavc" in bytes(first)[:64] else 0


def _is_wma_of_ffmpeg(container: Any, stream: AudioStream) -> bool:
    """WMA has one frame of priming when FFmpeg wrote it; its decoder drops the two of others."""
    codec = stream.codec_context
    is_wma = codec is not None and codec.name in ("wmav1", "wmav2")
    return is_wma and container.metadata.get("encoder", "").startswith("Lavf")


def _mp4_duration(container: Any, stream: AudioStream) -> float | None:
    if "mp4" in container.format.name and stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return None


def _matroska_duration(stream: AudioStream) -> float | None:
    """Seconds from the encoder's priming to its padding, by the tag `DURATION` that FFmpeg writes
    for each track, e.g. 00:00:02.064000000.
    """
    parts = stream.metadata.get("DURATION", "").split(":")
    try:
        hours, minutes, seconds = map(float, parts)
    except ValueError:
        return None
    total = 3600 * hours + 60 * minutes + seconds
    return total + 0.001 if 0 < total < math.inf else None  # it is cut to milliseconds


def _missing_duration(
    container: Any, stream: AudioStream, decoded: _Decoded, encoded_frames: int | None
) -> float | None:
    """Declared seconds, if clearly more than the file holds; else None."""
    if not decoded.gauge.length:
        return None
    held_s = decoded.gauge.length / decoded.rate
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
