"""Read audio files, sample-accurate in time.

WAV, AIFF, FLAC and Ogg Vorbis go through libsndfile, which is exact. Everything else (MP3, AAC in
M4A and MP4, Opus, WebM, the sound of any video) goes through FFmpeg: the encoder's priming and
padding are removed, and the sound is aligned with the picture. Raw AAC streams (.aac) do not
declare their priming and keep it (20 to 50 ms).
"""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import torch

from motet.audio.io.container_checks import Header, inspect
from motet.errors import AudioError
from motet.types import Audio, Layout

MAX_VALUES = 2**30
"""Samples times channels that are read at most: 4 GiB, six hours of 48 kHz mono."""
MAX_LEVEL = 100.0
"""Larger samples are integers that were stored as floats, or damage."""
RATES = (1_000, 1_000_000)
"""Lowest and highest accepted sample rate."""

_LAYOUTS: dict[int, Layout] = {1: "mono", 2: "stereo"}


def read_audio(path: str | os.PathLike[str]) -> Audio:
    """All channels of a file at its own rate: not resampled, mixed or normalised.

    One channel is `mono`, two are `stereo`, more are `other`. Digital silence is sound; a file
    without samples is not.

    Raises:
        AudioError: the file is missing, unreadable, a folder, empty, damaged, truncated (the
            message says how much could be read), not a sound, or its samples are not finite or out
            of all range.
    """
    path = Path(path)
    _check_file(path)
    header = inspect(path)
    if header.kind in ("wav", "aiff", "flac", "ogg"):
        samples, rate = _read_exactly(path, header)
    else:
        samples, rate = _decode(path, header)
    return _check_samples(path, samples, rate)


def _check_file(path: Path) -> None:
    try:
        if path.is_dir():
            raise AudioError(f"{path} is a folder; name a sound file in it")
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


def _read_exactly(path: Path, header: Header) -> tuple[np.ndarray, int]:
    import soundfile

    try:
        with soundfile.SoundFile(path) as file:
            if file.format == "OGG" and file.subtype != "VORBIS":
                return _decode(path, header)
            declared = file.frames
            if not 0 <= declared < 2**40:  # a FLAC stream that does not know its length
                return _decode(path, header)
            _check_amount(path, declared * file.channels)
            samples = file.read(dtype="float32", always_2d=True)
            rate = file.samplerate
    except soundfile.LibsndfileError:
        # A codec that only FFmpeg knows (GSM, ADPCM flavours in WAV), or not a sound after all.
        return _decode(path, header)
    if len(samples) < declared:
        raise _truncated(path, declared / rate, len(samples) / rate)
    return samples.T, rate


def _decode(path: Path, header: Header) -> tuple[np.ndarray, int]:
    from motet.audio.io.decode import decode

    samples, rate, declared_s = decode(path, MAX_VALUES, header.frames)
    readable_s = samples.shape[1] / rate
    if declared_s is not None and readable_s < declared_s:
        raise _truncated(path, declared_s, readable_s)
    return samples, rate


def _check_samples(path: Path, samples: np.ndarray, rate: int) -> Audio:
    if samples.shape[1] == 0:
        raise AudioError(f"{path} holds no samples; record or export it again")
    if not RATES[0] <= rate <= RATES[1]:
        raise AudioError(
            f"{path} declares {rate} samples per second; between {RATES[0]} and {RATES[1]} are"
            " sound, export it again"
        )
    level = float(np.abs(samples).max())
    if not np.isfinite(level):
        first = int(np.argmin(np.isfinite(samples).all(axis=0)))
        raise AudioError(
            f"{path} contains values that are not finite (NaN or infinity), first at"
            f" {first / rate:.3f} s; repair or re-export the recording"
        )
    if level > MAX_LEVEL:
        raise AudioError(
            f"{path} has samples as large as {level:.4g}, about 1 is full scale; export it with"
            " normalised samples"
        )
    layout = _LAYOUTS.get(samples.shape[0], "other")
    tensor = torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32))
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
