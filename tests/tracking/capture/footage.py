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


def uneven(path: Path, frames: list[np.ndarray]) -> Path:
    """A video in which every fifth picture lasts three times as long as the others."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS)
        stream.height, stream.width, stream.pix_fmt = *frames[0].shape[:2], "yuv420p"
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stamp = 0
        for number, picture in enumerate(frames):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts, frame.time_base = stamp, Fraction(1, 1000)
            container.mux(stream.encode(frame))
            stamp += 120 if number % 5 == 0 else 40
        container.mux(stream.encode(None))
    return path
