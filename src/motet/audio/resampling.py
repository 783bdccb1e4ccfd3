"""Resampling with libsoxr; offline and streaming give the same samples."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator

import numpy as np
import soxr
import torch
from jaxtyping import Float
from torch import Tensor

from motet.errors import AudioError
from motet.types import Audio

QUALITY = "HQ"
"""20 bits; the pass band ends at 0.91 of the lower Nyquist frequency."""


def resampled_length(samples: int, from_rate: int, to_rate: int) -> int:
    """Samples after resampling: the same duration, rounded to the nearest sample, halves up."""
    return (2 * samples * to_rate + from_rate) // (2 * from_rate)


def resample(audio: Audio, rate: int) -> Audio:
    """The same sound at another rate.

    Sample i lies at i / rate seconds, and the duration is kept to half a sample.

    Raises:
        AudioError: the rate is not positive.
    """
    if rate == audio.sample_rate:
        return audio
    *batch, channels, time = audio.samples.shape
    rows = math.prod(batch) * channels
    if not rows or not time:
        length = resampled_length(time, audio.sample_rate, rate)
        return dataclasses.replace(
            audio, samples=audio.samples.new_zeros(*batch, channels, length), sample_rate=rate
        )
    stream = StreamResampler(audio.sample_rate, rate, rows)
    flat = audio.samples.reshape(rows, time)
    done = torch.cat([stream.push(flat), stream.finish()], dim=-1)
    return dataclasses.replace(
        audio, samples=done.reshape(*batch, channels, -1).to(audio.samples), sample_rate=rate
    )


def resample_pieces(pieces: Iterable[Audio], rate: int) -> Iterator[Audio]:
    """The pieces of one sound at another rate, together the same samples as of `resample`."""
    resampler: StreamResampler | None = None
    for piece in pieces:
        if piece.sample_rate == rate:
            yield piece
            continue
        *batch, channels, time = piece.samples.shape
        rows = math.prod(batch) * channels
        resampler = resampler or StreamResampler(piece.sample_rate, rate, rows)
        yield _shaped(piece, rate, resampler.push(piece.samples.reshape(rows, time)))
    if resampler is not None:  # the filter still holds the last milliseconds
        yield _shaped(piece, rate, resampler.finish())


def _shaped(like: Audio, rate: int, samples: Float[Tensor, "rows time"]) -> Audio:
    shape = (*like.samples.shape[:-1], samples.shape[-1])
    return dataclasses.replace(like, samples=samples.reshape(shape), sample_rate=rate)


class StreamResampler:
    """Streaming resampler: chunks of any length in, finished samples out.

    However the stream is cut, the concatenated output equals `resample` of the whole. The filter's
    delay is compensated; about 20 ms of sound are buffered until more arrives.

    Raises:
        AudioError: a rate or the number of channels is not positive.
    """

    def __init__(self, from_rate: int, to_rate: int, channels: int = 1) -> None:
        if from_rate <= 0 or to_rate <= 0 or channels <= 0:
            raise AudioError(
                f"rates and channels must be positive, not {from_rate}, {to_rate} and {channels}"
            )
        self._from, self._to, self._channels = from_rate, to_rate, channels
        # One state for each channel, because soxr limits the channels of one state.
        self._states = [
            soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=QUALITY)
            for _ in range(channels)
        ]
        self._received = self._emitted = 0  # samples

    def push(self, samples: Float[Tensor, "channels time"]) -> Float[Tensor, "channels time"]:
        """Resample the next chunk.

        Raises:
            AudioError: another number of channels than this stream has.
        """
        if samples.ndim != 2 or samples.shape[0] != self._channels:
            raise AudioError(
                f"this stream has {self._channels} channel(s), the chunk has the shape"
                f" {tuple(samples.shape)}"
            )
        self._received += samples.shape[1]
        return self._run(samples.detach().cpu().numpy().astype(np.float32, copy=False), last=False)

    def finish(self) -> Float[Tensor, "channels time"]:
        """The remaining samples, so that the duration equals that of the input."""
        rest = self._run(np.zeros((self._channels, 0), np.float32), last=True)
        missing = resampled_length(self._received, self._from, self._to) - self._emitted
        if missing <= 0:
            return rest[:, : rest.shape[1] + missing] if missing else rest
        return torch.nn.functional.pad(rest, (0, missing))

    def _run(self, samples: np.ndarray, *, last: bool) -> Float[Tensor, "channels time"]:
        output = samples
        if self._from != self._to:
            channels = zip(self._states, np.ascontiguousarray(samples), strict=True)
            output = np.stack([state.resample_chunk(row, last=last) for state, row in channels])
        # Never more than the duration allows: emitted samples cannot be taken back in finish().
        allowed = resampled_length(self._received, self._from, self._to) - self._emitted
        output = output[:, : max(0, allowed)]
        self._emitted += output.shape[1]
        return torch.from_numpy(output.copy())
