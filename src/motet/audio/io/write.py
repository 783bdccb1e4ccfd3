"""Write audio files."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterable
from pathlib import Path
from typing import BinaryIO

import numpy as np
import soundfile
import torch
from jaxtyping import Num

from motet.atomic_write import appearing
from motet.errors import AudioError
from motet.types import Audio

_SUBTYPE = {".flac": "PCM_24", ".wav": "FLOAT"}


def write_audio(audio: Audio, path: str | Path, *, subtype: str | None = None) -> Path:
    """Write `.flac` (24 bits, clipped at full scale) or `.wav` (32-bit float, exact).

    Args:
        subtype: another sample format of libsndfile, e.g. `PCM_16`.

    Raises:
        AudioError: another ending, a batch of sounds, or a sample format that the file type does
            not have.
    """
    path = Path(path)
    ending = path.suffix.lower()
    if ending not in _SUBTYPE:
        raise AudioError(f"sound is written as .flac or .wav, not as {path.name!r}")
    if audio.samples.ndim != 2:
        raise AudioError(
            "one file holds one sound (channels, time), not the shape"
            f" {tuple(audio.samples.shape)}; write them one by one"
        )
    subtype = subtype or _SUBTYPE[ending]
    if not soundfile.check_format(ending[1:].upper(), subtype):
        raise AudioError(f"{ending} files have no sample format {subtype!r}")
    with appearing(path) as beside:
        _encode(audio.pieces(), beside, ending[1:].upper(), subtype)
    return path


def encode_flac(samples: torch.Tensor, sample_rate: int, bits: int) -> bytes:
    """Sound (channels, time) in [-1, 1) as the bytes of a FLAC file of 16 or 24 bits."""
    buffer = io.BytesIO()
    _encode([Audio(samples, sample_rate, "other")], buffer, "FLAC", f"PCM_{bits}")
    return buffer.getvalue()


def write_flac(pieces: Iterable[Audio], target: BinaryIO, bits: int) -> None:
    """The pieces of one sound in [-1, 1) as a FLAC file of 16 or 24 bits."""
    _encode(pieces, target, "FLAC", f"PCM_{bits}")


def _encode(pieces: Iterable[Audio], target: Path | BinaryIO, kind: str, subtype: str) -> None:
    rest = iter(pieces)
    first = next(rest)
    channels, rate = first.channels, first.sample_rate
    try:
        with soundfile.SoundFile(target, "w", rate, channels, subtype, format=kind) as file:
            for piece in itertools.chain([first], rest):
                file.write(_quantised(piece, subtype))
    except (soundfile.LibsndfileError, ValueError, TypeError) as error:
        what = f"{channels} channel(s) at {rate} Hz"
        raise AudioError(f"{kind} cannot hold {what}: {error}") from error


def _quantised(audio: Audio, subtype: str) -> Num[np.ndarray, "time channels"]:
    frames = audio.samples.detach().cpu().numpy().T.astype(np.float64)
    # Quantise here: libsndfile scales floats by 2^n - 1, which is not exact on reading.
    bits = {"PCM_16": 16, "PCM_24": 24, "PCM_32": 32}.get(subtype)
    if bits:
        full_scale = 2.0 ** (bits - 1)
        scaled = np.clip(np.round(frames * full_scale), -full_scale, full_scale - 1)
        frames = (scaled.astype(np.int64) << (32 - bits)).astype(np.int32)
    return np.ascontiguousarray(frames)
