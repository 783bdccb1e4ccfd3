"""Footage made in code: the house figure saying something, and what spoils it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import torch

from motet.export.video import write_video
from motet.render.renderer import Renderer
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space

SIZE, FPS = 224, 25


def motion(frames: int) -> Motion:
    """A head that nods, shakes and tilts by a few degrees while its jaw works."""
    time = torch.arange(frames) / FPS
    values = torch.zeros(frames, 55)
    values[:, ARKIT_SHAPES.index("jawOpen")] = 0.25 * (2 * torch.pi * 2.3 * time).sin().clamp(min=0)
    values[:, 52] = 0.07 * (2 * torch.pi * 0.37 * time).sin()
    values[:, 53] = 0.10 * (2 * torch.pi * 0.23 * time).sin()
    values[:, 54] = 0.05 * (2 * torch.pi * 0.31 * time).sin()
    return Motion(values, arkit_space(FPS))


def pictures(frames: int) -> list[np.ndarray]:
    """The figure moving so."""
    return list(Renderer(load_house(), SIZE, SIZE).frames(motion(frames)))


def voice(seconds: float) -> Audio:
    """Noise as loud as the mouth is open."""
    time = torch.arange(round(seconds * 16_000)) / 16_000
    loud = (2 * torch.pi * 2.3 * time).sin().clamp(min=0)
    return Audio.mono(
        0.2 * loud * torch.randn(len(time), generator=torch.Generator().manual_seed(0)), 16_000
    )


def film(
    path: Path, frames: list[np.ndarray], audio: Audio | None = None, fps: float = FPS
) -> Path:
    """A video file of pictures, with a voice unless another sound is given."""
    return write_video(
        path, frames, fps, audio=audio or voice(len(frames) / fps), credentials=False
    )


def uneven(count: int, every: int, long_s: float) -> np.ndarray:
    """Times of pictures (s) that last 40 ms, each so many a longer time."""
    length = np.where(np.arange(1, count) % every == 0, long_s, 0.04)
    return np.concatenate([[0.0], np.cumsum(length)])


def timed(
    path: Path,
    frames: list[np.ndarray],
    stamps: np.ndarray,
    audio: Audio | None = None,
    codec: str = "libx264",
    kind: str = "yuv420p",
    fields: bool = False,
) -> Path:
    """A video whose pictures are shown at these times (s); `kind` is FFmpeg's name of the pixel
    format, `fields` marks it as interlaced.
    """
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], kind
        if codec in ("libx264", "libx265"):
            stream.options = {"preset": "ultrafast"}
        # MPEG-2 counts time in frames
        unit = Fraction(1, FPS if fields else 1000)
        stream.time_base = stream.codec_context.time_base = unit
        if fields:
            stream.bit_rate = 8_000_000
            stream.options = {"flags": "+ildct+ilme", "top": "1"}
        sound = None if audio is None else container.add_stream("aac", rate=audio.sample_rate)
        for stamp, picture in zip(stamps, frames, strict=False):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(format=kind)
            frame.pts, frame.time_base = round(stamp / unit), unit
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if sound is not None and audio is not None:
            values = audio.samples[:1].numpy()
            for first in range(0, values.shape[1], 1024):
                piece = np.ascontiguousarray(values[:, first : first + 1024])
                block = av.AudioFrame.from_ndarray(piece, format="fltp", layout="mono")
                block.sample_rate, block.pts = audio.sample_rate, first
                block.time_base = Fraction(1, audio.sample_rate)
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return path
