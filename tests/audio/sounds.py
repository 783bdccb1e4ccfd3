"""Sounds and sound files made in code."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import soundfile
import torch
from scipy.signal import correlate, lfilter

from motet.audio.speech_level import measure_blocks

RATE = 16_000
DEMO = Path(__file__).parents[2] / "examples" / "demo.flac"


def speechlike(samples: int, rate: int, channels: int = 1, seed: int = 0) -> np.ndarray:
    """Noise with the spectrum and the syllable rhythm of speech, (channels, samples) float32 below
    0.6."""
    noise = np.random.default_rng(seed).standard_normal((channels, samples))
    coloured = lfilter([1.0], [1.0, -1.8, 0.9], noise, axis=-1)
    rhythm = np.clip(np.sin(2 * np.pi * 4 * np.arange(samples) / rate), 0.05, 1)
    shaped = coloured * rhythm
    return (shaped / np.abs(shaped).max() * 0.6).astype(np.float32)


def encode(
    path: Path,
    sound: np.ndarray,
    rate: int,
    codec: str,
    *,
    delay_s: float = 0.0,
    picture_s: float = 0.0,
    options: dict[str, str] | None = None,
) -> Path:
    """Write a file through FFmpeg; with `picture_s` there is a video stream of that length too."""
    layout = {1: "mono", 2: "stereo"}[sound.shape[0]]
    with av.open(str(path), "w", options=options or {}) as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        if codec.startswith("wma"):
            stream.bit_rate = 64_000  # it has no rate of its own
        video = container.add_stream("libx264", rate=25) if picture_s else None
        if video is not None:
            video.width = video.height = 64
            for index in range(round(picture_s * 25)):
                picture = av.VideoFrame.from_ndarray(
                    np.full((64, 64, 3), index % 256, np.uint8), format="rgb24"
                )
                picture.pts = index
                container.mux(video.encode(picture))
            container.mux(video.encode(None))
        planar = "fltp" if codec != "flac" else "s16"
        values = (
            sound if planar == "fltp" else np.round(sound.T * 32767).astype(np.int16).reshape(1, -1)
        )
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(values), format=planar, layout=layout
        )
        frame.sample_rate, frame.time_base, frame.pts = (
            rate,
            Fraction(1, rate),
            round(delay_s * rate),
        )
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def lag(found: np.ndarray, wanted: np.ndarray) -> int:
    """Samples by which `found` comes later than `wanted`."""
    size = min(len(found), len(wanted))
    return int(correlate(found[:size], wanted[:size], mode="full", method="fft").argmax()) - (
        size - 1
    )


def encode_packed(
    path: Path, sound: np.ndarray, rate: int, codec: str, *, layout: str = ""
) -> Path:
    """Write a file of any number of channels through FFmpeg."""
    layout = layout or f"{sound.shape[0]}c"
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=rate)
        stream.layout = layout
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(sound.T).reshape(1, -1), format="flt", layout=layout
        )
        frame.sample_rate, frame.time_base, frame.pts = rate, Fraction(1, rate), 0
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def speech(start_s: float = 1.0, stop_s: float = 5.0) -> torch.Tensor:
    """A part of the demo recording."""
    samples, rate = soundfile.read(DEMO, dtype="float32")
    assert rate == RATE
    return torch.from_numpy(samples[int(start_s * RATE) : int(stop_s * RATE)])


def at_level(samples: torch.Tensor, db: float) -> torch.Tensor:
    """Samples whose voiced blocks have this mean level, as 16-bit sound."""
    blocks = measure_blocks([samples.double().numpy()])
    level = 10 * np.log10(np.mean(10 ** (blocks.level_db[blocks.voiced] / 10)))
    scaled = samples * 10 ** ((db - float(level)) / 20)
    return (scaled * 32768).round().clamp(-32768, 32767) / 32768


def noise(colour: float, db: float, seconds: float = 3.0) -> torch.Tensor:
    """Noise whose power falls with frequency to that power."""
    count = int(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(count))
    spectrum /= np.arange(len(spectrum)).clip(min=1) ** (colour / 2)
    samples = np.fft.irfft(spectrum, count)
    return torch.from_numpy(samples * 10 ** (db / 20) / samples.std()).float()


def hum(hz: float, db: float, harmonics: int, seconds: float = 3.0) -> torch.Tensor:
    """Mains hum, or any tone with harmonics that fall with their number."""
    time = torch.arange(int(seconds * RATE)) / RATE
    parts = [torch.sin(2 * torch.pi * hz * n * time + n * n) / n for n in range(1, harmonics + 1)]
    samples = torch.stack(parts).sum(0)
    return samples * 10 ** (db / 20) / samples.std()
