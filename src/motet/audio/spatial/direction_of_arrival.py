"""Azimuth of a binaural sound, front and back separated by the spectral cues of a head.

Front and back have the same interaural delay, but the pinna shades them differently: above 1 kHz
the level differences between the ears, band by band, are characteristic of one direction and do
not depend on the sound's own spectrum. Reflections reduce them, so they are compared at several
levels of diffuse sound.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np
from jaxtyping import Bool, Float

from motet.audio.spatial.hrtf import kemar
from motet.audio.spatial.interaural import Direction, estimate_direction
from motet.audio.spatial.spatialise import position_from_angles
from motet.errors import AudioError
from motet.types import Audio

AZIMUTHS_DEG = np.arange(-175.0, 181.0, 5.0)
ELEVATIONS_DEG = np.arange(-30.0, 41.0, 10.0)
EDGES_HZ = 800.0 * 2 ** (np.arange(26) / 6)
"""Edges of bands of a sixth of an octave; the last ends at 14.4 kHz."""
DIFFUSE = (0.02, 0.05, 0.1, 0.2, 0.4, 0.8)
"""Energy of diffuse reflections relative to the source straight ahead."""
WINDOW, HOP = 1024, 256
FLOOR_DB = 80.0
"""Bands further below the loudest one are ignored."""
LEVEL_SPREAD_DB, DELAY_SPREAD_S, ELEVATION_SPREAD_DEG = 3.0, 60e-6, 30.0
PANNED_DB = 0.5
"""Standard deviation over bands of the level difference: below this the sound was panned."""
BANDS_WORTH = 12.0
"""Effective number of independent bands: neighbours are correlated."""
BEHIND = -0.05
"""Log prior of sounds from behind; without evidence the front is chosen."""


@dataclasses.dataclass(frozen=True)
class HeadTable:
    """Band energies at the ears by direction, the elevations of one azimuth after the other."""

    azimuth_deg: Float[np.ndarray, " directions"]
    elevation_deg: Float[np.ndarray, " directions"]
    energy: Float[np.ndarray, "directions ears bands"]
    diffuse: Float[np.ndarray, " bands"]
    delay_s: Float[np.ndarray, " directions"]
    """Time by which the left ear leads."""


@functools.cache
def head_table() -> HeadTable:
    """The table of the MIT KEMAR head."""
    grids = np.meshgrid(AZIMUTHS_DEG, ELEVATIONS_DEG, indexing="ij")
    azimuth, elevation = (grid.ravel() for grid in grids)
    head = kemar()
    responses, delays = head.heard(position_from_angles(azimuth, elevation, 1.0))
    energy = _bands(np.abs(np.fft.rfft(responses, 2048)) ** 2, head.sample_rate)
    # rings near the poles stand for less of the sphere
    area = np.cos(np.radians(elevation))  # of the sphere, for each direction
    diffuse = (energy * area[:, None, None]).sum(0).mean(0) / area.sum()
    return HeadTable(azimuth, elevation, energy, diffuse, delays[:, 1] - delays[:, 0])


def azimuth_by_head(audio: Audio) -> float:
    """Azimuth of the whole sound, degrees counter-clockwise seen from above, -180 to 180.

    0 where there is no evidence. Stereo that was only panned (the same level difference in all
    bands) has no spectral cues; there the result is that of `estimate_direction`.

    Raises:
        AudioError: not two channels.
    """
    lateral = estimate_direction(audio)
    if audio.sample_rate < 2 * EDGES_HZ[6]:
        raise AudioError(
            f"{audio.sample_rate} Hz is too low to separate front from back, which needs the band"
            f" above {EDGES_HZ[6]:.0f} Hz; record at 16 kHz or more, or use estimate_direction"
        )
    levels = ear_levels(audio)
    audible = levels.max(0) > levels.max() - FLOOR_DB
    is_panned = float(np.std((levels[0] - levels[1])[audible])) < PANNED_DB
    if lateral.certainty == 0.0 or is_panned:
        return lateral.azimuth_deg
    return float(AZIMUTHS_DEG[np.argmax(_log_likelihood(levels, audible, lateral))])


def ear_levels(audio: Audio) -> Float[np.ndarray, "ears bands"]:
    """Level of each band at each ear, dB.

    Only whole windows count, because a cut at the edge has energy in every band.
    """
    missing = max(0, WINDOW - audio.samples.shape[-1])
    samples = np.pad(audio.samples.double().numpy(), ((0, 0), (0, missing)))
    windows = np.lib.stride_tricks.sliding_window_view(samples, WINDOW, axis=1)[:, ::HOP]
    power = np.abs(np.fft.rfft(windows * np.hanning(WINDOW))) ** 2
    return 10 * np.log10(_bands(power.mean(1), audio.sample_rate) + 1e-12)


def _log_likelihood(
    levels: Float[np.ndarray, "ears bands"], audible: Bool[np.ndarray, " bands"], lateral: Direction
) -> Float[np.ndarray, " azimuths"]:
    """Log-likelihood of each azimuth up to a constant.

    Student's t errors (3 degrees of freedom): single bands and delays may be far off.
    """
    table = head_table()
    difference = (levels[0] - levels[1])[audible]
    # Neighbouring bands are correlated: all of them together count as BANDS_WORTH.
    band_weight = min(1.0, BANDS_WORTH / max(audible.sum(), 1))
    by_diffuse = []
    for diffuse in DIFFUSE:
        # (directions, ears, bands)
        energy = table.energy[:, :, audible] + diffuse * table.diffuse[audible]
        left, right = np.moveaxis(10 * np.log10(energy), 1, 0)
        error = (difference - (left - right)) / LEVEL_SPREAD_DB
        # Student's t with 3 degrees of freedom: -(3 + 1) / 2 * ln(1 + x^2 / 3)
        by_diffuse.append(-2 * np.log1p(error**2 / 3).sum(1) * band_weight)
    delay_error = (lateral.delay_s - table.delay_s) / DELAY_SPREAD_S
    # The diffuse level is unknown: marginalised, each level as likely as the next.
    total = np.logaddexp.reduce(by_diffuse)
    total -= 2 * np.log1p(delay_error**2 / 3) * (1 + 4 * lateral.certainty)
    total += BEHIND * (np.abs(table.azimuth_deg) > 90)
    total -= 0.5 * (table.elevation_deg / ELEVATION_SPREAD_DEG) ** 2
    # The elevation is marginalised.
    return np.logaddexp.reduce(total.reshape(len(AZIMUTHS_DEG), len(ELEVATIONS_DEG)), 1)


def _bands(power: Float[np.ndarray, "*batch bins"], rate: int) -> Float[np.ndarray, "*batch bands"]:
    """Mean power of each band; 0 in bands above the Nyquist frequency."""
    hz = np.linspace(0, rate / 2, power.shape[-1])
    inside = ((hz >= EDGES_HZ[:-1, None]) & (hz < EDGES_HZ[1:, None])).astype(np.float64)
    return power @ (inside / inside.sum(1, keepdims=True).clip(1)).T
