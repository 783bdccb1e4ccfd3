"""Binaural rendering of moving sources: distance, direction, reflections.

Each propagation path is delayed by its length and by the head (a delay line with a moving tap, so
that movement makes no clicks and Doppler shift arises by itself), attenuated by 1 / distance, and
filtered by the head's response to its direction. Filters change in blocks that overlap by half. The
blocks lie on an absolute grid, so streaming and offline rendering are equal, sample for sample.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float
from scipy import fft
from scipy.fft import next_fast_len
from torch import Tensor

from motet.audio.spatial.delay_line import HALF_TAPS, read_delayed
from motet.audio.spatial.hrtf import Head, kemar
from motet.audio.spatial.room import Room
from motet.errors import AudioError
from motet.types import Audio

SPEED_OF_SOUND = 343.0
"""Metres a second."""
NEAREST_M = 0.3
"""Nearer sources do not get louder."""
HOP = 512
"""Samples between changes of the filters."""
BLOCK = 2 * HOP
MAX_BLOCKS = 64
"""Blocks rendered at a time: bounds memory."""


@dataclasses.dataclass(frozen=True)
class Ray:
    """One propagation path to the head, sampled at times `k / fps`.

    Positions are interpolated linearly and stay after the last one.
    """

    place: Float[np.ndarray, "times 3"]
    """Position of the source, metres in the head's axes (+X left, +Y up, +Z front)."""
    fps: float
    gain: float = 1.0

    def at(self, seconds: Float[np.ndarray, " moments"]) -> Float[np.ndarray, "moments 3"]:
        """Positions at any moments."""
        time = np.arange(len(self.place)) / self.fps
        return np.stack([np.interp(seconds, time, axis) for axis in self.place.T], axis=1)


def position_from_angles(
    azimuth_deg: object, elevation_deg: object, distance_m: object
) -> Float[np.ndarray, "times 3"]:
    """Position in the head's axes from spherical coordinates; each may be a number or a curve.

    Azimuth is counter-clockwise seen from above: +90 is left. Elevation is upwards.

    Raises:
        AudioError: numbers that are not finite, a distance that is not positive, or curves of
            different lengths.
    """
    coordinates = (azimuth_deg, elevation_deg, distance_m)
    try:
        curves = [np.atleast_1d(np.asarray(values, np.float64)) for values in coordinates]
        azimuth, elevation, distance = np.broadcast_arrays(*curves)
    except ValueError as error:
        raise AudioError(
            "azimuth, elevation and distance are curves of different lengths; give them equally"
            " many values"
        ) from error
    is_finite = all(np.isfinite(values).all() for values in (azimuth, elevation, distance))
    if azimuth.ndim != 1 or not is_finite or (distance <= 0).any():
        raise AudioError(
            "a source needs a finite azimuth and elevation in degrees and a positive distance in"
            " metres"
        )
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    horizontal = np.cos(elevation)
    # +X left, +Y up, +Z front
    left, front = np.sin(azimuth) * horizontal, np.cos(azimuth) * horizontal
    return distance[:, None] * np.stack([left, np.sin(elevation), front], axis=1)


def spatialise(
    audio: Audio,
    azimuth_deg: object,
    elevation_deg: object = 0.0,
    distance_m: object = 1.5,
    *,
    fps: float = 30.0,
    head: Head | None = None,
) -> Audio:
    """Binaural rendering of a sound (mixed to one channel) from a direction, in the open.

    Args:
        azimuth_deg: 0 is the front, +90 the left; a number, or a curve at `fps` for a source that
            moves around the head.
        elevation_deg: +90 is above; number or curve.
        distance_m: at 1 m the level is that of the sound; number or curve.
        head: responses of another head; the MIT KEMAR set when left out.

    Raises:
        AudioError: a batch of sounds, or an impossible position.
    """
    ray = Ray(position_from_angles(azimuth_deg, elevation_deg, distance_m), fps)
    stream = SpatialStream([ray], audio.sample_rate, head)
    samples = torch.cat([stream.push(_mono(audio)), stream.finish()], dim=-1)
    return Audio(samples, audio.sample_rate, "binaural")


def spatialise_in_room(
    audio: Audio,
    source: Float[np.ndarray, "points 3"],
    listener: Float[np.ndarray, "points 3"],
    facing: Float[np.ndarray, "points 3 3"],
    fps: float,
    room: Room | None = None,
    head: Head | None = None,
) -> Audio:
    """Binaural rendering of a source in a room for a head that moves through it.

    Args:
        source: position, metres; one point if it stands still.
        listener: centre of the head, metres.
        facing: rotation of the head against the world.
        fps: points per second.
        room: reflecting walls; the open when left out.

    Raises:
        AudioError: a batch of sounds.
    """
    source = np.broadcast_to(source, listener.shape)
    sources = [(source, 1.0), *(room.images(source) if room is not None else [])]
    rays = [
        # The world offset in the head's axes: the transpose of its rotation.
        Ray(np.einsum("tji,tj->ti", facing, position - listener), fps, gain)
        for position, gain in sources
    ]
    samples = _mono(audio)
    stream = SpatialStream(rays, audio.sample_rate, head)
    binaural = torch.cat([stream.push(samples), stream.finish()], dim=-1)
    if room is not None and room.tail_s > 0:
        binaural = binaural + torch.from_numpy(_tail(samples.numpy(), room, audio.sample_rate))
    return Audio(binaural, audio.sample_rate, "binaural")


class SpatialStream:
    """Streaming binaural renderer; however the stream is cut, the output is the same.

    Args:
        rays: the propagation paths.
        sample_rate: of the sound.
        head: responses; the MIT KEMAR set when left out.
    """

    def __init__(self, rays: Sequence[Ray], sample_rate: int, head: Head | None = None) -> None:
        self._rays, self._rate = list(rays), sample_rate
        self._head = (head or kemar(sample_rate)).at_rate(sample_rate)
        taps = self._head.responses.shape[-1]
        self._size = next_fast_len(BLOCK + taps - 1, real=True)
        farthest = max(float(np.linalg.norm(ray.place, axis=1).max()) for ray in self._rays)
        longest_s = farthest / SPEED_OF_SOUND + float(self._head.delays_s.max())
        self._reach = int(np.ceil(longest_s * sample_rate)) + HALF_TAPS + 1
        # Input that later blocks still need; at first silence, for delays that reach before time 0.
        self._buffer = np.zeros(self._reach + HOP, np.float32)
        self._buffer_start = -len(self._buffer)
        self._received = self._emitted = 0  # samples
        # Block -1 only fades in; its first half lies before time 0 and is dropped.
        self._next_block, self._skip = -1, HOP
        self._overlap = np.zeros((2, self._size), np.float32)

    def push(self, samples: Float[Tensor, " time"]) -> Float[Tensor, "2 ready"]:
        """Render the next chunk; returns the samples that are finished."""
        chunk = samples.detach().cpu().numpy().astype(np.float32, copy=False)
        self._buffer = np.concatenate([self._buffer, chunk])
        self._received += len(chunk)
        return self._render((self._received - BLOCK - HALF_TAPS) // HOP + 1)

    def finish(self) -> Float[Tensor, "2 rest"]:
        """The remaining samples: as many as the input had in all."""
        padding = np.zeros(BLOCK + HALF_TAPS + HOP, np.float32)
        self._buffer = np.concatenate([self._buffer, padding])
        rest = self._render(-(-self._received // HOP) + 1)
        return rest[:, : rest.shape[1] - (self._emitted - self._received)]

    def _render(self, stop: int) -> Float[Tensor, "2 ready"]:
        """All blocks before index `stop`; block k covers the samples from k * HOP."""
        starts = range(self._next_block, stop, MAX_BLOCKS)
        pieces = [self._blocks(first, min(first + MAX_BLOCKS, stop)) for first in starts]
        if not pieces:
            return torch.zeros(2, 0)
        self._next_block = stop
        needed = stop * HOP - self._reach - HALF_TAPS
        self._buffer = self._buffer[max(0, needed - self._buffer_start) :]
        self._buffer_start = max(self._buffer_start, needed)
        ready = np.concatenate(pieces, axis=1)
        ready, self._skip = ready[:, self._skip :], max(0, self._skip - ready.shape[1])
        self._emitted += ready.shape[1]
        return torch.from_numpy(ready)

    def _blocks(self, first: int, stop: int) -> Float[np.ndarray, "2 ready"]:
        # squared sine: halves that overlap add up to one
        window = np.sin(np.pi * (np.arange(BLOCK) + 0.5) / BLOCK).astype(np.float32) ** 2
        spectrum = np.zeros((2, stop - first, self._size // 2 + 1), np.complex64)
        for ray in self._rays:
            # A block's middle is the start of the next: one set of times serves delays and filters.
            position = ray.at(np.arange(first, stop + 2) * HOP / self._rate)
            distance = np.linalg.norm(position, axis=1)
            responses, delays = self._head.heard(position)
            # samples: the way through the air and around the head
            delay = (distance[:, None] / SPEED_OF_SOUND + delays) * self._rate
            # 1 / distance, as of a point source
            gain = ray.gain / np.maximum(distance, NEAREST_M)
            start = first * HOP - self._buffer_start
            for ear in range(2):
                delayed = read_delayed(self._buffer, start, delay[:, ear], gain, HOP)
                rows = np.lib.stride_tricks.sliding_window_view(delayed, BLOCK)[::HOP] * window
                filters = fft.rfft(responses[1:-1, ear], self._size)
                spectrum[ear] += fft.rfft(rows, self._size) * filters
        blocks = fft.irfft(spectrum, self._size).astype(np.float32)
        return np.stack([self._overlap_add(ear, blocks[ear]) for ear in range(2)])

    def _overlap_add(
        self, ear: int, blocks: Float[np.ndarray, "blocks size"]
    ) -> Float[np.ndarray, " time"]:
        """Finished samples of one ear; the unfinished tail stays in `_overlap`."""
        finished = np.empty((len(blocks), HOP), np.float32)
        tail = self._overlap[ear]
        for row, block in enumerate(blocks):
            tail += block
            finished[row] = tail[:HOP]
            tail[:-HOP] = tail[HOP:].copy()
            tail[-HOP:] = 0
        return finished.reshape(-1)


def _mono(audio: Audio) -> Float[Tensor, " time"]:
    from motet.audio.downmix import to_mono

    if audio.samples.ndim != 2:
        raise AudioError(
            "one sound at a time can be spatialised, this has the shape"
            f" {tuple(audio.samples.shape)}; do it one by one"
        )
    return to_mono(audio).samples[0].detach().float().cpu()


def _tail(samples: np.ndarray, room: Room, rate: int) -> Float[np.ndarray, "2 time"]:
    from scipy.signal import fftconvolve

    ears = [fftconvolve(samples, response)[: len(samples)] for response in room.tail(rate)]
    return np.stack(ears).astype(np.float32)
