"""Where live sound comes from, besides standard input: a microphone, or a file at its own pace."""

from __future__ import annotations

import queue
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import numpy as np
import torch
from jaxtyping import Float

from motet.audio import read_audio
from motet.errors import AudioError, require

CHUNK_S = 0.02
Samples = Float[torch.Tensor, "channels time"]


class FileSource:
    """A recording, as if somebody spoke it now.

    Args:
        path: in any common format.
        in_real_time: give each chunk when its last sample would have been spoken; else at once.

    Raises:
        AudioError: the file cannot be read.
    """

    def __init__(self, path: Path, *, in_real_time: bool) -> None:
        audio = read_audio(path)
        self._samples, self._in_real_time = audio.samples, in_real_time
        self.rate, self.channels = audio.sample_rate, audio.samples.shape[0]

    def chunks(self) -> Iterator[Samples]:
        """Samples until the end."""
        size = max(1, round(CHUNK_S * self.rate))
        began = time.monotonic()
        for start in range(0, self._samples.shape[1], size):
            if self._in_real_time:
                spoken_s = began + (start + size) / self.rate
                time.sleep(max(0.0, spoken_s - time.monotonic()))
            yield self._samples[:, start : start + size]


class MicrophoneSource:
    """The default microphone of this machine, one channel, until the program is stopped.

    Args:
        rate: samples a second.

    Raises:
        MissingDependency: the package `sounddevice` is not installed.
        AudioError: there is no microphone, or it does not open.
    """

    channels = 1

    def __init__(self, rate: int = 48_000) -> None:
        self.rate = rate
        device: ModuleType = _sounddevice()
        self._chunks: queue.SimpleQueue[bytes] = queue.SimpleQueue()

        def received(data: object, frames: int, when: object, status: object) -> None:
            self._chunks.put(bytes(data))  # type: ignore[call-overload]  # a buffer of PortAudio's

        try:
            self._stream = device.RawInputStream(
                samplerate=rate,
                channels=1,
                dtype="int16",
                blocksize=round(CHUNK_S * rate),
                callback=received,
            )
            self._stream.start()
        except (device.PortAudioError, ValueError) as error:
            raise AudioError(
                f"the microphone cannot be opened: {error}; connect one, or pipe a recorder into"
                " --from stdin"
            ) from error

    def chunks(self) -> Iterator[Samples]:
        """Samples as they are recorded."""
        while True:
            numbers = np.frombuffer(self._chunks.get(), "<i2").astype(np.float32) / 32768
            yield torch.from_numpy(numbers).unsqueeze(0)


def _sounddevice() -> ModuleType:
    try:
        return require("sounddevice", "live")
    except OSError as error:  # the package is there, the library of the system is not
        raise AudioError(
            f"sound devices cannot be used: {error}; install PortAudio, or pipe a recorder into"
            " --from stdin"
        ) from error
