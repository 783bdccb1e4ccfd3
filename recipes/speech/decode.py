"""Speech files of the sources as 16 kHz mono float32."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import soundfile
import soxr
from jaxtyping import Float

from motet.data.speech.utterance import SPEECH_RATE_HZ


def read_speech(path: Path, container: str | None = None) -> Float[np.ndarray, " time"]:
    """Decode a file; `container` names formats that carry no header (`g722`, `gsm`)."""
    if container is None and path.suffix in (".wav", ".flac"):
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        return at_speech_rate(samples.mean(1), rate)
    with av.open(str(path), format=container) as file:
        stream = file.streams.audio[0]
        resampler = av.AudioResampler(format="flt", layout="mono")
        parts = [
            f.to_ndarray()[0] for frame in file.decode(stream) for f in resampler.resample(frame)
        ]
        rate = stream.codec_context.sample_rate
    return at_speech_rate(np.concatenate(parts) if parts else np.zeros(0, np.float32), rate)


def at_speech_rate(samples: Float[np.ndarray, " time"], rate: int) -> Float[np.ndarray, " time2"]:
    """Resample to 16 kHz, float32."""
    if rate != SPEECH_RATE_HZ:
        samples = soxr.resample(samples, rate, SPEECH_RATE_HZ)
    return np.ascontiguousarray(samples, dtype=np.float32)
