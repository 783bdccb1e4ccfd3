"""Hearing where a sound is."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.audio.spatial.ambisonics import (
    binaural_from_ambisonics,
    encode_ambisonics,
    virtual_directions,
)
from motet.audio.spatial.interaural import as_binaural, estimate_direction, first_audible, swapped
from motet.audio.spatial.spatialise import spatialise
from motet.errors import AudioError
from motet.types import Audio

RATE = 30720


def noise(seconds: float = 0.7, seed: int = 0) -> torch.Tensor:
    burst = torch.randn(round(seconds * RATE), generator=torch.Generator().manual_seed(seed)) * 0.1
    return burst * (torch.arange(len(burst)) / RATE * 9).sin().clamp(min=0)


@pytest.mark.parametrize("azimuth", [-90, -60, -30, -10, 0, 20, 45, 75])
def test_a_place_in_front_is_found(azimuth: float) -> None:
    found = estimate_direction(spatialise(Audio.mono(noise(), RATE), azimuth, 0.0, 2.0))
    assert abs(found.azimuth_deg - azimuth) < 12
    assert found.certainty > 0.3


def test_exchanged_ears_mirror_the_direction() -> None:
    received = spatialise(Audio.mono(noise(), RATE), 50, 10, 1.0)
    there, back = estimate_direction(received), estimate_direction(swapped(received))
    assert abs(there.azimuth_deg + back.azimuth_deg) < 1
    assert there.delay_s > 0 > back.delay_s
    assert there.level_db > 0 > back.level_db


def test_the_back_is_heard_as_the_front() -> None:
    assert (
        abs(estimate_direction(spatialise(Audio.mono(noise(), RATE), 150, 0, 2.0)).azimuth_deg - 30)
        < 15
    )


def test_panned_stereo_goes_by_level() -> None:
    samples = noise()
    left = estimate_direction(Audio(torch.stack([samples, 0.3 * samples]), RATE, "binaural"))
    assert left.delay_s == 0
    assert left.azimuth_deg > 20


def test_silence_and_unrelated_ears_are_uncertain() -> None:
    assert estimate_direction(Audio(torch.zeros(2, 4000), RATE, "binaural")) == estimate_direction(
        Audio(torch.zeros(2, 9000), RATE, "binaural")
    )
    assert (
        estimate_direction(
            Audio(torch.stack([noise(seed=1), noise(seed=2)]), RATE, "binaural")
        ).certainty
        < 0.2
    )
    with pytest.raises(AudioError, match="two channels"):
        estimate_direction(Audio(torch.zeros(1, 100), RATE, "mono"))


@pytest.mark.parametrize("azimuth", [90, -90, 0])
def test_ambisonics_keep_the_side(azimuth: float) -> None:
    received = binaural_from_ambisonics(encode_ambisonics(noise(0.4), azimuth, 0.0, RATE))
    left, right = received.samples.square().mean(1).tolist()
    ratio_db = 10 * np.log10(left / right)
    assert (
        (ratio_db > 3) if azimuth > 0 else (ratio_db < -3) if azimuth < 0 else abs(ratio_db) < 0.5
    )
    with pytest.raises(AudioError, match="four channels"):
        binaural_from_ambisonics(Audio(torch.zeros(2, 100), RATE, "binaural"))


def test_virtual_directions_are_even_and_mirror_each_other() -> None:
    directions = virtual_directions()
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1)
    np.testing.assert_allclose(directions.T @ directions, 4 * np.eye(3), atol=1e-9)
    mirror = {tuple(np.round(row * [-1, 1, 1], 6) + 0.0) for row in directions}
    assert mirror == {tuple(np.round(row, 6) + 0.0) for row in directions}


def test_layouts_become_two_ears_or_are_refused() -> None:
    batch = Audio(torch.randn(3, 4, 2000) * 0.1, RATE, "foa")
    assert as_binaural(batch).samples.shape == (3, 2, 2000)
    assert torch.equal(as_binaural(Audio.mono(torch.ones(5), RATE)).samples, torch.ones(2, 5))
    with pytest.raises(AudioError, match="3 channels"):
        as_binaural(Audio(torch.zeros(3, 10), RATE, "other"))


def test_a_listener_who_turns_to_the_sound_goes_by_its_beginning() -> None:
    side, ahead = (
        spatialise(Audio.mono(noise(), RATE), azimuth, 0.0, 2.0).samples for azimuth in (80, 0)
    )
    quiet = torch.zeros(2, RATE // 2)
    turned = Audio(
        torch.cat([quiet, side[:, : round(0.6 * RATE)], ahead, ahead, ahead], 1), RATE, "binaural"
    )
    assert abs(estimate_direction(first_audible(turned)).azimuth_deg - 80) < 15
    assert estimate_direction(turned).azimuth_deg < 40
    silent = Audio(quiet, RATE, "binaural")
    assert first_audible(silent) is silent
