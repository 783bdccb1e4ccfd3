"""Made sounds: all of them, twice the same, with onsets where they say."""

from __future__ import annotations

import numpy as np
import pytest

from motet.errors import ConfigError
from motet.synthesis.soundscape.classes import LOUDNESS, make_sound
from motet.synthesis.soundscape.tones import RATE


@pytest.mark.parametrize("name", sorted(LOUDNESS))
def test_a_sound_begins_when_it_says(name: str) -> None:
    one, two, other = (
        make_sound(name, 4.0, (1, 0)),
        make_sound(name, 4.0, (1, 0)),
        make_sound(name, 4.0, (1, 1)),
    )
    assert np.array_equal(one.samples, two.samples) and not np.array_equal(
        one.samples, other.samples
    )
    assert (
        len(one.samples) == 4 * RATE
        and np.isfinite(one.samples).all()
        and np.abs(one.samples).max() < 1
    )
    before, after = (
        one.samples[: int(one.onset_s * RATE) - 10],
        one.samples[int(one.onset_s * RATE) :],
    )
    assert np.abs(before).max() < 0.01 < 0.5 * LOUDNESS[name] < np.abs(after).max()
    assert all(one.onset_s - 1e-9 <= moment < 4.0 for moment in (*one.events_s, *one.beats_s))


def test_beats_of_drums_are_where_the_sound_is() -> None:
    drum = make_sound("drum", 6.0, (0, 0))
    size = np.convolve(np.abs(drum.samples), np.ones(600) / 600, mode="same")
    on = [size[int(beat * RATE) : int(beat * RATE) + 2000].max() for beat in drum.beats_s[:-1]]
    assert len(on) > 6 and min(on) > 3 * np.median(size)


def test_another_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(ConfigError, match="siren"):
        make_sound("sirene", 1.0, (0, 0))
