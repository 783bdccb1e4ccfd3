"""Changing the sample rate with libsoxr; whole sounds and streams give the same samples."""

from __future__ import annotations

import dataclasses
import math

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
    """The same sound at another rate; sample i still lies at i / rate seconds and the duration is
    kept to half a sample.

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


class StreamResampler:
    """Resampling of a stream: pieces of any length in, whatever is ready out.

    For every cutting of the stream the pieces put together are the samples of `resample` of the
    whole. The filter's delay is already taken out; about 20 ms of sound are held back until more
    arrives.

    Raises:
        AudioError: a rate or the number of channels is not positive.
    """

    def __init__(self, from_rate: int, to_rate: int, channels: int = 1) -> None:
        if from_rate <= 0 or to_rate <= 0 or channels <= 0:
            raise AudioError(
                f"rates and channels must be positive, not {from_rate}, {to_rate} and {channels}"
            )
        self._from, self._to, self._channels = from_rate, to_rate, channels
        # One state for each channel: soxr limits the channels of one state, a sound need not.
        self._states = [
            soxr.ResampleStream(from_rate, to_rate, 1, dtype="float32", quality=QUALITY)
            for _ in range(channels)
        ]
        self._taken = self._given = 0

    def push(self, samples: Float[Tensor, "channels time"]) -> Float[Tensor, "channels time"]:
        """The next piece of the stream.

        Raises:
            AudioError: another number of channels than this stream has.
        """
        if samples.ndim != 2 or samples.shape[0] != self._channels:
            raise AudioError(
                f"this stream has {self._channels} channel(s), the piece has the shape"
                f" {tuple(samples.shape)}"
            )
        self._taken += samples.shape[1]
        return self._run(samples.detach().cpu().numpy().astype(np.float32, copy=False), last=False)

    def finish(self) -> Float[Tensor, "channels time"]:
        """The rest, so that the whole has exactly the duration that came in."""
        rest = self._run(np.zeros((self._channels, 0), np.float32), last=True)
        missing = resampled_length(self._taken, self._from, self._to) - self._given
        if missing <= 0:
            return rest[:, : rest.shape[1] + missing] if missing else rest
        return torch.nn.functional.pad(rest, (0, missing))

    def _run(self, samples: np.ndarray, *, last: bool) -> Float[Tensor, "channels time"]:
        if self._from == self._to:
            done = samples
        else:
            done = np.stack(
                [
                    state.resample_chunk(np.ascontiguousarray(row), last=last)
                    for state, row in zip(self._states, samples, strict=True)
                ]
            )
        # Never more than the duration allows, or finish() would have to take samples back.
        allowed = resampled_length(self._taken, self._from, self._to) - self._given
        done = done[:, : max(0, allowed)]
        self._given += done.shape[1]
        return torch.from_numpy(done.copy())
