"""Directions as two ears hear them: size and sign of time and level differences, symmetry,
movement, cuttings."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from motet.audio.spatial.ambisonics import to_binaural
from motet.audio.spatial.hrtf import kemar, load_head
from motet.audio.spatial.room import Room
from motet.audio.spatial.spatialise import (
    Ray,
    SpatialStream,
    position_from_angles,
    spatialise,
    spatialise_in_room,
)
from motet.errors import AssetError, AudioError
from motet.types import Audio

RATE = 44_100


def hiss(seconds: float = 0.5, rate: int = RATE, seed: int = 0) -> Audio:
    return Audio(
        0.1 * torch.randn(1, round(seconds * rate), generator=torch.Generator().manual_seed(seed)),
        rate,
    )


def level_db(audio: Audio) -> float:
    left, right = audio.samples.double().square().sum(-1)
    return float(10 * torch.log10(left / right))


def lag_us(audio: Audio) -> float:
    """How much later the left ear hears, microseconds."""
    size = 1 << 17
    left, right = np.fft.rfft(audio.samples.numpy(), size)
    peak = int(np.argmax(np.fft.irfft(left * np.conj(right))))
    return 1e6 * (peak - size if peak > size // 2 else peak) / audio.sample_rate


# What the KEMAR set measures, from the published table: level and arrival of the left ear against
# the right one.
@pytest.mark.parametrize(
    ("azimuth", "level", "lag"),
    [
        (0, 0, 0),
        (30, 8.4, -256),
        (60, 13.9, -512),
        (90, 11.8, -723),
        (135, 9.6, -383),
        (180, 0, 0),
        (270, -11.8, 723),
    ],
)
def test_ears_differ_as_those_of_the_dummy_head(azimuth: float, level: float, lag: float) -> None:
    received = spatialise(hiss(), azimuth, 0, 1.4)
    assert level_db(received) == pytest.approx(level, abs=2.0)
    assert lag_us(received) == pytest.approx(lag, abs=30)


def test_mirrored_directions_swap_the_ears_exactly() -> None:
    left, right = spatialise(hiss(), 50, 20, 2.0), spatialise(hiss(), -50, 20, 2.0)
    torch.testing.assert_close(left.samples, right.samples.flip(0), atol=1e-6, rtol=0)


def test_twice_as_far_is_half_as_loud() -> None:
    near, far = (spatialise(hiss(), 40, 0, distance).samples.std() for distance in (1.0, 2.0))
    assert float(near / far) == pytest.approx(2.0, rel=0.02)


def test_above_is_not_beside() -> None:
    assert (
        abs(level_db(spatialise(hiss(), 90, 85, 1.4)))
        < 2
        < abs(level_db(spatialise(hiss(), 90, 0, 1.4)))
    )


@pytest.mark.parametrize("seed", range(3))
def test_every_cutting_gives_the_same_samples(seed: int) -> None:
    random = np.random.default_rng(seed)
    samples = hiss(0.6).samples[0]
    curve = position_from_angles(np.linspace(-170, 170, 31), 10.0, np.linspace(0.8, 4, 31))

    def stream() -> SpatialStream:
        return SpatialStream([Ray(curve, 50.0), Ray(curve + [0, 1, 2.0], 50.0, 0.7)], RATE)

    whole_stream = stream()
    whole = torch.cat([whole_stream.push(samples), whole_stream.finish()], -1)
    cuts = [0, *sorted(random.integers(0, len(samples), 9)), len(samples)]
    pieces_stream = stream()
    pieces = [pieces_stream.push(samples[a:b]) for a, b in zip(cuts, cuts[1:], strict=False)]
    assert torch.equal(torch.cat([*pieces, pieces_stream.finish()], -1), whole)
    assert whole.shape == (2, len(samples))


def test_a_moving_source_makes_no_clicks() -> None:
    time = torch.arange(RATE) / RATE
    tone = Audio.mono(0.2 * torch.sin(2 * torch.pi * 400 * time), RATE)
    moving = (
        spatialise(tone, np.linspace(-90, 90, 31), 0, 1.5, fps=30)
        .samples[:, 2000:-2000]
        .double()
        .numpy()
    )
    # A click is broad; a tone that glides is not: nothing above 3 kHz.
    spectrum = np.abs(np.fft.rfft(moving * np.hanning(moving.shape[1]))) ** 2
    frequency = np.fft.rfftfreq(moving.shape[1], 1 / RATE)
    assert spectrum[:, frequency > 3000].sum() < 1e-6 * spectrum.sum()


def test_a_source_that_passes_changes_sides() -> None:
    received = spatialise(hiss(1.0), np.linspace(80, -80, 31), 0, 1.5, fps=30)
    first, last = (
        Audio(received.samples[:, part], RATE, "binaural")
        for part in (slice(0, 10_000), slice(-10_000, None))
    )
    assert level_db(first) > 6 and level_db(last) < -6


def test_a_room_adds_reflections_and_keeps_the_side() -> None:
    still, ahead = np.tile([0.0, 1.5, 0.0], (10, 1)), np.tile(np.eye(3), (10, 1, 1))
    source = np.array([[1.5, 1.5, 0.5]])
    dry, wet = (
        spatialise_in_room(hiss(), source, still, ahead, 30, room) for room in (None, Room())
    )
    assert wet.samples.square().sum() > 1.1 * dry.samples.square().sum()
    assert 2 < level_db(wet) < level_db(dry)


def test_a_head_that_turns_towards_the_source_hears_it_in_front() -> None:
    angle = np.pi / 2
    turned = np.array(
        [[np.cos(angle), 0, np.sin(angle)], [0, 1, 0], [-np.sin(angle), 0, np.cos(angle)]]
    )
    received = spatialise_in_room(
        hiss(),
        np.array([[2.0, 1.5, 0]]),
        np.tile([0, 1.5, 0.0], (3, 1)),
        np.tile(turned, (3, 1, 1)),
        30,
    )
    assert abs(level_db(received)) < 0.1


def test_ambisonics_keeps_directions() -> None:
    sound = hiss().samples[0]
    for azimuth in (-60, 0, 60):
        angle = np.radians(azimuth)
        field = Audio(
            torch.stack([sound, np.sin(angle) * sound, 0 * sound, np.cos(angle) * sound]),
            RATE,
            "foa",
        )
        received = to_binaural(field)
        assert received.layout == "binaural" and received.samples.shape == (2, len(sound))
        assert np.sign(round(level_db(received))) == np.sign(azimuth)
        assert azimuth == 0 or lag_us(received) * azimuth < -100


def test_stereo_becomes_two_loudspeakers() -> None:
    sound = hiss().samples[0]
    left = to_binaural(Audio(torch.stack([sound, 0 * sound]), RATE, "stereo"))
    assert level_db(left) == pytest.approx(level_db(spatialise(hiss(), 30, 0, 1.0)), abs=0.5)
    both = Audio(torch.stack([sound, sound]), RATE, "binaural")
    assert to_binaural(both) is both
    with pytest.raises(AudioError, match="azimuth"):
        to_binaural(hiss())


def test_impossible_places_are_refused() -> None:
    for place in ((np.nan, 0, 1), (0, 0, 0), (0, 0, -1), ([1, 2], 0, [1, 2, 3])):
        with pytest.raises(AudioError):
            spatialise(hiss(0.1), *place)
    with pytest.raises(AudioError, match="one sound at a time"):
        spatialise(Audio(torch.zeros(2, 1, 100), RATE), 0)


def test_a_file_that_is_no_head_is_refused(tmp_path) -> None:
    pytest.importorskip("sofar")
    (tmp_path / "x.sofa").write_bytes(b"not a head")
    with pytest.raises(AssetError, match="SOFA"):
        load_head(tmp_path / "x.sofa")
    with pytest.raises(AssetError, match="does not exist"):
        load_head(tmp_path / "y.sofa")


def test_a_sofa_file_with_other_data_is_refused_in_one_line(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("sofar")
    whole = {
        "Data.IR": np.ones((4, 2, 64)),
        "SourcePosition": np.ones((4, 3)),
        "Data.SamplingRate": [48000.0],
    }
    changes = {
        "missing": {"SourcePosition": None},
        "one_ear": {"Data.IR": np.ones((4, 1, 64))},
        "other_count": {"SourcePosition": np.ones((3, 3))},
        "not_finite": {"Data.IR": np.full((4, 2, 64), np.nan)},
        "empty": {"Data.IR": np.ones((0, 2, 64))},
        "rate": {"Data.SamplingRate": [1.0]},
    }
    for name, change in changes.items():
        with h5py.File(tmp_path / f"{name}.sofa", "w") as file:
            for key, value in {**whole, **change}.items():
                if value is not None:
                    file[key] = value
        with pytest.raises(AssetError) as refused:
            load_head(tmp_path / f"{name}.sofa")
        assert "\n" not in str(refused.value)


def test_a_sofa_file_is_read_as_the_set_that_ships(tmp_path) -> None:
    h5py = pytest.importorskip("h5py")
    pytest.importorskip("sofar")
    ours = kemar()
    chosen = np.flatnonzero(np.abs(ours.directions[:, 1]) < 0.01)
    left, up, front = ours.directions[chosen].T
    degrees = np.stack(
        [np.degrees(np.arctan2(left, front)), np.degrees(np.arcsin(up)), np.full(len(chosen), 1.4)],
        1,
    )
    responses = np.zeros((len(chosen), 2, 400))
    for row, number in enumerate(chosen):
        for ear in range(2):
            start = round(float(ours.delays_s[number, ear]) * RATE)
            responses[row, ear, start + 5 : start + 5 + ours.responses.shape[-1]] = ours.responses[
                number, ear
            ]
    with h5py.File(tmp_path / "head.sofa", "w") as file:
        file["Data.IR"], file["SourcePosition"], file["Data.SamplingRate"] = (
            responses,
            degrees,
            [float(RATE)],
        )
    theirs = load_head(tmp_path / "head.sofa")
    received = [spatialise(hiss(), 70, 0, 1.4, head=head) for head in (ours, theirs)]
    assert level_db(received[1]) == pytest.approx(level_db(received[0]), abs=0.1) and lag_us(
        received[1]
    ) == pytest.approx(lag_us(received[0]), abs=5)
