"""Codecs of videos, by the ending of the file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from motet.errors import InputError

AAC_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 64000, 88200, 96000)
"""Sample rates of AAC; other sounds are resampled to the next higher one."""


@dataclasses.dataclass(frozen=True)
class Codec:
    """How one container is filled."""

    container: str
    """FFmpeg's name of it."""
    video: str
    options: Mapping[str, str]
    plain: str
    """Pixel format of opaque pictures."""
    alpha: str
    """Pixel format of pictures with opacity; empty: it has none."""
    sound: str
    rates: tuple[int, ...]
    """Sample rates of its sound; others are resampled to the next higher one."""


CODECS = {
    ".mp4": Codec(
        "mp4", "libx264", {"preset": "veryfast", "crf": "18"}, "yuv420p", "", "aac", AAC_RATES
    ),
    ".webm": Codec(
        "webm",
        "libvpx-vp9",
        {"crf": "24", "b": "0", "deadline": "realtime", "cpu-used": "6", "auto-alt-ref": "0"},
        "yuv420p",
        "yuva420p",
        "libopus",
        (8000, 12000, 16000, 24000, 48000),
    ),
    ".mov": Codec(
        "mov", "prores_ks", {"profile": "4444"}, "yuv444p10le", "yuva444p10le", "pcm_s16le",
        AAC_RATES,
    ),
}  # fmt: skip
"""By the ending of the file."""


MP4 = CODECS[".mp4"]


def codec_of(path: Path) -> Codec:
    """The codec of a video file.

    Raises:
        InputError: no video has that ending.
    """
    if path.suffix.lower() not in CODECS:
        raise InputError(f"videos are written as {', '.join(CODECS)}, not {path.suffix!r}")
    return CODECS[path.suffix.lower()]
