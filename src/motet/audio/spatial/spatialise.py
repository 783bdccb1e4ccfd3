"""A sound at a place, as two ears hear it: distance, direction, reflections, movement.

Everything reaches an ear as a ray: delayed by its path and by the head (a delay line with a moving
tap, so movement makes no clicks and Doppler comes by itself), weakened by 1 / distance, filtered by
the head's response to its direction. Filters change in blocks that overlap by half. Blocks lie on
an absolute grid, so a sound rendered in pieces is the sound rendered whole, sample for sample.
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
"""Nearer sources get no louder."""
HOP = 512
"""Samples between changes of the filters."""
BLOCK = 2 * HOP


@dataclasses.dataclass(frozen=True)
class Ray:
    """One way of the sound to the head, at times `k / fps`; between them positions go straight,
    after the last they stay.
    """

    place: Float[np.ndarray, "times 3"]
    """Where it comes from, metres in the head's axes (+X left, +Y up, +Z front)."""
    fps: float
    gain: float = 1.0

    def at(self, seconds: Float[np.ndarray, "moments"]) -> Float[np.ndarray, "moments 3"]:
        """Places at any moments."""
        clock = np.arange(len(self.place)) / self.fps
        return np.stack(
            [np.interp(seconds, clock, self.place[:, axis]) for axis in range(3)], axis=1
        )


def place_of(
    azimuth_deg: object, elevation_deg: object, distance_m: object
) -> Float[np.ndarray, "times 3"]:
    """Place in the head's axes; each number may be a curve. Azimuth counter-clockwise seen from
    above: +90 is left; elevation up.

    Raises:
        AudioError: numbers that are not finite, a distance that is not positive, or curves of
            different lengths.
    """
    try:
        azimuth, elevation, distance = np.broadcast_arrays(
            *(
                np.atleast_1d(np.asarray(v, np.float64))
                for v in (azimuth_deg, elevation_deg, distance_m)
            )
        )
    except ValueError as error:
        raise AudioError(
            "azimuth, elevation and distance are curves of different lengths; give them equally"
            " many values"
        ) from error
    if (
        azimuth.ndim != 1
        or not all(np.isfinite(v).all() for v in (azimuth, elevation, distance))
        or (distance <= 0).any()
    ):
        raise AudioError(
            "a source needs a finite azimuth and elevation in degrees and a positive distance in"
            " metres"
        )
    azimuth, elevation = np.radians(azimuth), np.radians(elevation)
    flat = np.cos(elevation)
    return distance[:, None] * np.stack(
        [np.sin(azimuth) * flat, np.sin(elevation), np.cos(azimuth) * flat], axis=1
    )


def spatialise(
    audio: Audio,
    azimuth_deg: object,
    elevation_deg: object = 0.0,
    distance_m: object = 1.5,
    *,
    fps: float = 30.0,
    head: Head | None = None,
) -> Audio:
    """The sound (mixed to one channel) from a direction and distance, as two ears hear it in the
    open.

    Args:
        azimuth_deg: 0 is the front, +90 the left; a number, or a curve at `fps` for a source that
            moves round the head.
        elevation_deg: +90 is above; number or curve.
        distance_m: at 1 m the level is that of the sound; number or curve.
        head: responses of another head; the MIT KEMAR set when left out.

    Raises:
        AudioError: a batch of sounds, or an impossible place.
    """
    stream = SpatialStream(
        [Ray(place_of(azimuth_deg, elevation_deg, distance_m), fps)], audio.sample_rate, head
    )
    samples = _mono(audio)
    return Audio(
        torch.cat([stream.push(samples), stream.finish()], dim=-1), audio.sample_rate, "binaural"
    )


def spatialise_in_room(
    audio: Audio,
    source: Float[np.ndarray, "points 3"],
    listener: Float[np.ndarray, "points 3"],
    facing: Float[np.ndarray, "points 3 3"],
    fps: float,
    room: Room | None = None,
    head: Head | None = None,
) -> Audio:
    """The sound of a source in a room, as heard by a head that moves through it.

    Args:
        source: where it is, metres; one point if it stands still.
        listener: middle of the head, metres.
        facing: rotation of the head against the world.
        fps: points a second.
        room: with walls that reflect; without, the open.

    Raises:
        AudioError: a batch of sounds.
    """
    source = np.broadcast_to(source, listener.shape)
    ways = [(source, 1.0), *(room.images(source) if room is not None else [])]
    rays = [
        Ray(np.einsum("tji,tj->ti", facing, place - listener), fps, gain) for place, gain in ways
    ]
    samples = _mono(audio)
    stream = SpatialStream(rays, audio.sample_rate, head)
    heard = torch.cat([stream.push(samples), stream.finish()], dim=-1)
    if room is not None and room.tail_s > 0:
        heard = heard + torch.from_numpy(_tail(samples.numpy(), room, audio.sample_rate))
    return Audio(heard, audio.sample_rate, "binaural")


class SpatialStream:
    """Rays to both ears, in pieces: for every cutting the pieces put together are the same samples.

    Args:
        rays: the ways of the sound.
        sample_rate: of the sound.
        head: responses; the MIT KEMAR set when left out.
    """

    def __init__(self, rays: Sequence[Ray], sample_rate: int, head: Head | None = None) -> None:
        self._rays, self._rate = list(rays), sample_rate
        self._head = (head or kemar(sample_rate)).at_rate(sample_rate)
        taps = self._head.responses.shape[-1]
        self._size = next_fast_len(BLOCK + taps - 1, real=True)
        farthest = max(float(np.linalg.norm(ray.place, axis=1).max()) for ray in self._rays)
        self._reach = (
            int(
                np.ceil(
                    (farthest / SPEED_OF_SOUND + float(self._head.delays_s.max())) * sample_rate
                )
            )
            + HALF_TAPS
            + 1
        )
        # Silence before the beginning, for delays that reach back there.
        self._kept = np.zeros(self._reach + HOP, np.float32)
        self._first = -len(self._kept)
        self._taken = self._given = 0
        self._next, self._early = -1, HOP
        self._carry = np.zeros((2, self._size), np.float32)

    def push(self, samples: Float[Tensor, "time"]) -> Float[Tensor, "2 ready"]:
        """The next piece of the sound; answers what is ready."""
        self._kept = np.concatenate(
            [self._kept, samples.detach().cpu().numpy().astype(np.float32, copy=False)]
        )
        self._taken += len(samples)
        return self._render((self._taken - BLOCK - HALF_TAPS) // HOP + 1)

    def finish(self) -> Float[Tensor, "2 rest"]:
        """The rest: as many samples come out as went in."""
        total = self._taken
        self._kept = np.concatenate([self._kept, np.zeros(BLOCK + HALF_TAPS + HOP, np.float32)])
        rest = self._render(-(-total // HOP) + 1)
        return rest[:, : rest.shape[1] - (self._given - total)]

    def _render(self, stop: int) -> Float[Tensor, "2 ready"]:
        """All blocks before number `stop`; block k covers the samples from k HOP."""
        pieces = [
            self._blocks(first, min(first + 64, stop)) for first in range(self._next, stop, 64)
        ]
        if not pieces:
            return torch.zeros(2, 0)
        self._next = stop
        keep = self._next * HOP - self._reach - HALF_TAPS
        self._kept, self._first = self._kept[max(0, keep - self._first) :], max(self._first, keep)
        ready = np.concatenate(pieces, axis=1)
        # The block before the first sample only fades in; its first half lies before the beginning.
        ready, self._early = ready[:, self._early :], max(0, self._early - ready.shape[1])
        self._given += ready.shape[1]
        return torch.from_numpy(ready)

    def _blocks(self, first: int, stop: int) -> Float[np.ndarray, "2 ready"]:
        window = np.sin(np.pi * (np.arange(BLOCK) + 0.5) / BLOCK).astype(np.float32) ** 2
        spectrum = np.zeros((2, stop - first, self._size // 2 + 1), np.complex64)
        for ray in self._rays:
            # A block's middle is the beginning of the next: one set of moments serves delays and
            # filters.
            place = ray.at(np.arange(first, stop + 2) * HOP / self._rate)
            distance = np.linalg.norm(place, axis=1)
            responses, delays = self._head.heard(place)
            delay = (distance[:, None] / SPEED_OF_SOUND + delays) * self._rate
            gain = ray.gain / np.maximum(distance, NEAREST_M)
            for ear in range(2):
                heard = read_delayed(
                    self._kept, first * HOP - self._first, delay[:, ear], gain, HOP
                )
                rows = np.lib.stride_tricks.sliding_window_view(heard, BLOCK)[::HOP] * window
                spectrum[ear] += fft.rfft(rows, self._size) * fft.rfft(
                    responses[1:-1, ear], self._size
                )
        blocks = fft.irfft(spectrum, self._size).astype(np.float32)
        return np.stack([self._overlapped(ear, blocks[ear]) for ear in range(2)])

    def _overlapped(
        self, ear: int, blocks: Float[np.ndarray, "blocks size"]
    ) -> Float[np.ndarray, "time"]:
        """Finished samples of one ear: each block adds to what those before it left over."""
        out = np.empty((len(blocks), HOP), np.float32)
        rest = self._carry[ear]
        for row, block in enumerate(blocks):
            rest += block
            out[row] = rest[:HOP]
            rest[:-HOP] = rest[HOP:].copy()
            rest[-HOP:] = 0
        return out.reshape(-1)


def _mono(audio: Audio) -> Float[Tensor, "time"]:
    from motet.audio.downmix import to_mono

    if audio.samples.ndim != 2:
        raise AudioError(
            f"one sound at a time can be placed, this has the shape {tuple(audio.samples.shape)};"
            " place them one by one"
        )
    return to_mono(audio).samples[0].detach().float().cpu()


def _tail(samples: np.ndarray, room: Room, rate: int) -> Float[np.ndarray, "2 time"]:
    from scipy.signal import fftconvolve

    return np.stack([fftconvolve(samples, ear)[: len(samples)] for ear in room.tail(rate)]).astype(
        np.float32
    )
