"""Decoding through FFmpeg: any container, hostile ones included, onto one clock.

Only formats that carry their own samples are opened: play lists and scripts that name other files
or addresses are not.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from motet.errors import AudioError

_FORMATS = """wav,w64,aiff,au,caf,flac,ogg,mp3,aac,ac3,eac3,amr,amrnb,amrwb,ape,tta,wv,opus,gsm,mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,asf,flv,
mpeg,mpegts,dv,rm,mxf,nut,voc,sox""".replace("\n", "")
_OPTIONS = {"protocol_whitelist": "file", "format_whitelist": _FORMATS}
_TOLERANCE_S = 0.15
"""How much earlier than its container promises a sound may end: an encoder's last frames."""
_MAX_LATE_S = 3600.0
"""A sound that claims to begin later than this after its picture is taken to begin with it."""


@dataclasses.dataclass
class _Decoded:
    """What came out of the decoder so far."""

    pieces: list[np.ndarray]
    rate: int = 0
    channels: int = 0
    first_s: float = 0.0
    frames: int = 0
    values: int = 0
    last_s: float = 0.0
    """End of the last packet of any stream."""
    failure: str = ""


def decode(
    path: Path, max_values: int, encoded_frames: int | None = None
) -> tuple[np.ndarray, int, float | None]:
    """The first sound stream of a file.

    Args:
        max_values: samples times channels that are accepted.
        encoded_frames: frames that the file's own header promises, where known.

    Returns:
        Samples (channels, time), their rate, and the seconds that the file promises when it holds
        less than that.

    Raises:
        AudioError: not a sound, without sound, damaged or too long.
    """
    try:
        with av.open(f"file:{path}", options=_OPTIONS, metadata_errors="replace") as container:
            if not container.streams.audio:
                raise AudioError(f"{path} has no sound: {_contents(container)}")
            stream = container.streams.audio[0]
            found = _collect(container, stream, path, max_values)
            samples = _on_clock(container, stream, found)
            promised = _promised(container, stream, found, encoded_frames)
    except (av.FFmpegError, ValueError, IndexError, UnicodeError) as error:
        raise AudioError(
            f"{path} is not a sound that can be read ({_reason(error)}); give wav, flac, ogg, mp3,"
            " m4a, mp4, webm or the like"
        ) from error
    if found.failure and samples.shape[1]:
        raise AudioError(
            f"{path} is damaged after {samples.shape[1] / found.rate:.2f} s ({found.failure}); get"
            " an intact file or cut it before that"
        )
    if not samples.shape[1]:
        raise AudioError(
            f"{path} holds no sound that can be"
            f" decoded{f' ({found.failure})' if found.failure else ''}; record or export it again"
        )
    return samples, found.rate, promised


def _collect(container: Any, stream: AudioStream, path: Path, max_values: int) -> _Decoded:
    found = _Decoded([])
    for frame in _frames(container, stream, found):
        values = frame.to_ndarray()
        if not found.pieces:
            found.rate, found.channels = frame.sample_rate, values.shape[0]
            found.first_s = (
                float(frame.pts * frame.time_base)
                if frame.pts is not None and frame.time_base
                else 0.0
            )
        if (frame.sample_rate, values.shape[0]) != (found.rate, found.channels):
            raise AudioError(
                f"{path} changes its rate or channels midway; convert it to a plain recording first"
            )
        found.values += values.size
        if found.values > max_values:
            raise AudioError(
                f"{path} is too long: more than {max_values} values; cut it into parts"
            )
        found.pieces.append(values)
    return found


def _frames(container: Any, stream: AudioStream, found: _Decoded) -> Iterator[AudioFrame]:
    """Decoded frames as planar floats; a decoding failure ends them and is noted."""
    converter = None
    others = [s for s in container.streams if s.type in ("audio", "video")]
    try:
        for packet in container.demux(others):
            if packet.pts is not None and packet.time_base:
                found.last_s = max(
                    found.last_s, float((packet.pts + (packet.duration or 0)) * packet.time_base)
                )
            if packet.stream.index != stream.index:
                continue
            found.frames += packet.size > 0
            for frame in packet.decode():
                if converter is None:
                    converter = av.AudioResampler(
                        format="fltp", layout=frame.layout, rate=frame.sample_rate
                    )
                yield from converter.resample(frame) if frame.format.name != "fltp" else [frame]
    except av.FFmpegError as error:
        found.failure = _reason(error)


def _on_clock(container: Any, stream: AudioStream, found: _Decoded) -> np.ndarray:
    """All samples, cut to the stream's stated end; a sound that begins after its picture gets
    silence before it.
    """
    if not found.pieces:
        return np.zeros((1, 0), np.float32)
    samples = np.concatenate(found.pieces, axis=1)
    if "mp4" in container.format.name and stream.duration and stream.time_base:
        # The edit list states what is to be heard; FFmpeg takes the priming away but not the
        # padding at the end.
        stated = round(float(stream.duration * stream.time_base) * found.rate)
        samples = (
            samples[:, : max(stated, 0)] if 0 < samples.shape[1] - stated < 2 * 2048 else samples
        )
    if not container.streams.video:
        return samples
    late = round((found.first_s - (container.start_time or 0) / av.time_base) * found.rate)
    return np.pad(samples, ((0, 0), (late, 0))) if 0 < late < _MAX_LATE_S * found.rate else samples


def _promised(
    container: Any, stream: AudioStream, found: _Decoded, encoded_frames: int | None
) -> float | None:
    """Seconds that the file promises, when clearly more than it holds."""
    if not found.pieces:
        return None
    if encoded_frames is not None:
        if found.frames >= encoded_frames:
            return None
        return encoded_frames * found.values / found.channels / found.frames / found.rate
    stated = None
    if "mp4" in container.format.name and stream.duration and stream.time_base:
        stated = float(stream.duration * stream.time_base)
        held = found.values / found.channels / found.rate
    elif "matroska" in container.format.name and container.duration:
        stated, held = container.duration / av.time_base, found.last_s
    return stated if stated is not None and held < stated - _TOLERANCE_S else None


def _contents(container: Any) -> str:
    kinds = sorted({stream.type for stream in container.streams if stream.type})
    return f"it holds only {', '.join(kinds)}" if kinds else "it holds nothing that is known"


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error)
    return " ".join(str(text).split())[:120]
