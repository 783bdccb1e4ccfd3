"""What two ears get of a recording, by where its source is."""

from __future__ import annotations

import numpy as np

from motet.audio import to_mono
from motet.types import SURROUND, Audio


def as_two_ears(audio: Audio, source: str) -> Audio:
    """A binaural sound; one channel is rendered at the position of its source, if that rests.

    Args:
        source: the option `source`: AZ,EL,DIST, a file with a path, or empty.
    """
    from motet.audio.spatial.interaural import as_binaural
    from motet.audio.spatial.spatialise import spatialise

    if audio.mix or audio.layout in SURROUND:
        audio = to_mono(audio)
    angles = _resting(source) if audio.samples.shape[:-1] == (1,) else None
    return as_binaural(audio) if angles is None else spatialise(audio, *angles)


def _resting(source: str) -> tuple[float, float, float] | None:
    """Azimuth, elevation and distance of a source that does not move; None for any other."""
    from motet.body.source_path import EAR_HEIGHT_M, parse_source
    from motet.errors import MotetError

    try:
        path = parse_source(source)
    except MotetError:  # the method's own message is better
        return None
    if path is None or path.local or np.ptp(path.positions, axis=0).max() > 0:
        return None
    x, y, z = path.positions[0]
    flat = float(np.hypot(x, z))
    azimuth, elevation = np.degrees([np.arctan2(x, z), np.arctan2(y - EAR_HEIGHT_M, flat)])
    distance = float(np.hypot(flat, y - EAR_HEIGHT_M))
    # Rounded, so that angles come back as they were given.
    return round(float(azimuth), 6), round(float(elevation), 6), round(distance, 6)
