"""Front and back told apart by what a head does to a sound."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.audio.spatial.direction_of_arrival import azimuth_by_head, ear_levels
from motet.audio.spatial.interaural import estimate_direction, swapped
from motet.audio.spatial.room import Room
from motet.audio.spatial.spatialise import spatialise, spatialise_in_room
from motet.errors import AudioError
from motet.types import Audio

RATE = 30720


def coloured(seed: int, slope: float) -> Audio:
    """Noise whose spectrum falls (or rises) with frequency: the sound's own colour must not
    matter."""
    spectrum = np.fft.rfft(np.random.default_rng(seed).standard_normal(RATE // 2))
    shaped = spectrum * np.maximum(np.arange(len(spectrum)), 50) ** slope
    samples = np.fft.irfft(shaped)
    return Audio.mono(torch.from_numpy(0.1 * samples / samples.std()).float(), RATE)


def off(found: float, wanted: float) -> float:
    return abs((found - wanted + 180) % 360 - 180)


@pytest.mark.parametrize("azimuth", [0, 20, 50, 90, 130, 155, 200, 235, 290, 340])
@pytest.mark.parametrize("slope", [-1.0, 0.0])
def test_directions_all_round_are_heard_whatever_the_colour(azimuth: float, slope: float) -> None:
    received = spatialise(coloured(1, slope), azimuth, 0.0, 2.0)
    assert off(azimuth_by_head(received), azimuth) < 12


def test_reflections_hide_little() -> None:
    room, ears = Room(12, 11, 3.2, 0.5, 0.3), np.zeros((60, 3)) + [0, 1.5, 0]
    errors = []
    for azimuth in (30, 75, 120, 150, 215, 250, 325):
        source = np.array([[2 * np.sin(np.radians(azimuth)), 1.4, 2 * np.cos(np.radians(azimuth))]])
        received = spatialise_in_room(
            coloured(azimuth, -0.5),
            source,
            ears,
            np.broadcast_to(np.eye(3), (60, 3, 3)),
            30.0,
            room,
        )
        errors.append(off(azimuth_by_head(received), azimuth))
    assert np.median(errors) < 10 and sum(error < 30 for error in errors) >= 6


def test_exchanged_ears_hear_the_mirror() -> None:
    received = spatialise(coloured(3, -0.5), 140, 10.0, 2.0)
    assert azimuth_by_head(swapped(received)) == -azimuth_by_head(received)


def test_what_no_head_made_is_never_behind() -> None:
    samples = coloured(2, 0.0).samples[0]
    for left, right in ((1.0, 0.3), (1.0, 1.0), (0.5, 1.0), (0.0, 0.0)):
        panned = Audio(torch.stack([left * samples, right * samples]), RATE, "binaural")
        assert azimuth_by_head(panned) == estimate_direction(panned).azimuth_deg


def test_short_sounds_are_heard_and_dull_ones_refused() -> None:
    received = spatialise(coloured(4, 0.0), 60, 0.0, 2.0)
    assert np.isfinite(ear_levels(received.slice(0, 300))).all()
    with pytest.raises(AudioError, match="2000 Hz is too low"):
        azimuth_by_head(Audio(received.samples, 2000, "binaural"))
