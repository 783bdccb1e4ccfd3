"""Where a sound comes from, front and back told apart: what reaches the two ears is compared with
what a head lets through from everywhere.

Ears that keep still hear front and back with the same delay, but a pinna shades them differently:
above 1 kHz the level differences of the ears, band by band, are those of one direction. They do not
depend on the sound's own spectrum. Reflections fill them up, so they are compared at several shares
of diffuse sound.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float

from motet.audio.spatial.hrtf import kemar
from motet.audio.spatial.interaural import Direction, direction_of
from motet.audio.spatial.spatialise import place_of
from motet.errors import AudioError
from motet.types import Audio

AZIMUTHS_DEG = np.arange(-175.0, 181.0, 5.0)
ELEVATIONS_DEG = np.arange(-30.0, 41.0, 10.0)
EDGES_HZ = 800.0 * 2 ** (np.arange(26) / 6)
"""Of bands of a sixth of an octave; the last ends at 14.4 kHz."""
DIFFUSE = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Energy of reflections from everywhere, against that of the source straight ahead."""
WINDOW, HOP = 1024, 256
FLOOR_DB = 80.0
"""Bands that lie further below the loudest one say nothing."""
LEVEL_SPREAD_DB, DELAY_SPREAD_S, ELEVATION_SPREAD_DEG = 3.0, 60e-6, 30.0
PANNED_DB = 0.5
"""No head makes level differences so alike in all bands; a panning knob does."""
BANDS_WORTH = 12.0
"""Neighbouring bands are not independent: all together count like so many."""
BEHIND = -0.05
"""Logarithm of how much rarer sounds from behind are: where nothing tells them apart it comes from
the front."""


@dataclasses.dataclass(frozen=True)
class HeadTable:
    """What a head lets through, by direction (azimuths, and for each all elevations)."""

    azimuth_deg: Float[np.ndarray, "directions"]
    elevation_deg: Float[np.ndarray, "directions"]
    energy: Float[np.ndarray, "directions ears bands"]
    diffuse: Float[np.ndarray, "bands"]
    delay_s: Float[np.ndarray, "directions"]
    """How much earlier the left ear hears it."""


@functools.cache
def head_table() -> HeadTable:
    """Of the MIT KEMAR head."""
    azimuth, elevation = (
        grid.ravel() for grid in np.meshgrid(AZIMUTHS_DEG, ELEVATIONS_DEG, indexing="ij")
    )
    head = kemar()
    responses, delays = head.heard(place_of(azimuth, elevation, 1.0))
    energy = _bands(np.abs(np.fft.rfft(responses, 2048)) ** 2, head.sample_rate)
    share = np.cos(np.radians(elevation))
    diffuse = (energy * share[:, None, None]).sum(0).mean(0) / share.sum()
    return HeadTable(azimuth, elevation, energy, diffuse, delays[:, 1] - delays[:, 0])


def azimuth_by_head(audio: Audio) -> float:
    """Degrees counter-clockwise seen from above, -180 to 180, of the sound as a whole; ahead where
    there is nothing to go by.

    Stereo that was only panned (the same level difference in all bands) knows no behind: there the
    answer is that of `direction_of`.

    Raises:
        AudioError: not two channels.
    """
    rough = direction_of(audio)
    if audio.sample_rate < 2 * EDGES_HZ[6]:
        raise AudioError(
            f"at {audio.sample_rate} Hz nothing is left of what tells front from back; resample it"
            " or use direction_of"
        )
    levels = ear_levels(audio)
    heard = levels.max(0) > levels.max() - FLOOR_DB
    if rough.certainty == 0.0 or float(np.std((levels[0] - levels[1])[heard])) < PANNED_DB:
        return rough.azimuth_deg
    return float(AZIMUTHS_DEG[np.argmax(_chances(levels, heard, rough))])


def ear_levels(audio: Audio) -> Float[np.ndarray, "ears bands"]:
    """Level of each band at each ear, dB; from whole windows only, because the edge of a cut sounds
    in every band.
    """
    short = max(0, WINDOW - audio.samples.shape[-1])
    samples = np.pad(audio.samples.double().numpy(), ((0, 0), (0, short)))
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW, axis=1)[:, ::HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW))) ** 2
    return 10 * np.log10(_bands(power.mean(1), audio.sample_rate) + 1e-12)


def _chances(
    levels: Float[np.ndarray, "ears bands"], heard: Bool[np.ndarray, "bands"], rough: Direction
) -> Float[np.ndarray, "azimuths"]:
    """Logarithm of how likely each azimuth is, up to a constant; heavy tails, because single bands
    and delays may be far off.
    """
    table = head_table()
    difference = (levels[0] - levels[1])[heard]
    each = []
    for share in DIFFUSE:
        left, right = np.moveaxis(
            10 * np.log10(table.energy[:, :, heard] + share * table.diffuse[heard]), 1, 0
        )
        off = (difference - (left - right)) / LEVEL_SPREAD_DB
        each.append(-2 * np.log1p(off**2 / 3).sum(1) * min(1.0, BANDS_WORTH / max(heard.sum(), 1)))
    late = (rough.delay_s - table.delay_s) / DELAY_SPREAD_S
    whole = np.logaddexp.reduce(each) - 2 * np.log1p(late**2 / 3) * (1 + 4 * rough.certainty)
    whole += (
        BEHIND * (np.abs(table.azimuth_deg) > 90)
        - 0.5 * (table.elevation_deg / ELEVATION_SPREAD_DEG) ** 2
    )
    return np.logaddexp.reduce(whole.reshape(len(AZIMUTHS_DEG), len(ELEVATIONS_DEG)), 1)


def _bands(power: Float[np.ndarray, "*batch bins"], rate: int) -> Float[np.ndarray, "*batch bands"]:
    """Mean power of each band; nothing in those above half the rate."""
    hz = np.linspace(0, rate / 2, power.shape[-1])
    inside = ((hz >= EDGES_HZ[:-1, None]) & (hz < EDGES_HZ[1:, None])).astype(np.float64)
    return power @ (inside / inside.sum(1, keepdims=True).clip(1)).T
