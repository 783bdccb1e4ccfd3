"""Level of speech as a stream: one level for all recordings, the same gain for every chunking."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from motet.audio import read_audio, resample
from motet.audio.speech_level import (
    BLOCK,
    LEVELS_DB,
    LevelState,
    measure_blocks,
    normalise,
    normalise_recording,
)
from motet.types import Audio
from tests.audio.sounds import at_level, encode, hum, noise, speech

RATE = 16_000


def normalised(samples: torch.Tensor) -> torch.Tensor:
    return normalise_recording(samples[None])[0]


def level_db(samples: torch.Tensor) -> float:
    return float(10 * samples.double().square().mean().clamp(min=1e-20).log10())


@settings(deadline=None, max_examples=10, derandomize=True)
@given(sizes=st.lists(st.integers(0, 5000), min_size=1, max_size=12))
def test_every_chunking_gives_the_same_samples(sizes: list[int]) -> None:
    samples = at_level(speech(), -45.0)[None, :40_000]
    state, parts = LevelState.begin(1), []
    for size in [*sizes, samples.shape[1]]:
        piece, state = normalise(samples[:, :size], state)
        samples = samples[:, size:]
        parts.append(piece)
    whole = normalise_recording(at_level(speech(), -45.0)[None, :40_000])
    assert torch.equal(torch.cat(parts, 1), whole)


def test_a_state_is_a_value_and_items_of_a_batch_are_independent() -> None:
    loud, quiet = speech()[:16_000], at_level(speech(2.0), -50.0)[:16_000]
    both = torch.stack([loud, quiet])
    first, state = normalise(both[:, :7000], LevelState.begin(2))
    for _ in range(2):  # the state can be continued twice
        rest, _ = normalise(both[:, 7000:], state)
        for row, samples in zip(torch.cat([first, rest], 1), both, strict=True):
            assert torch.equal(row, normalised(samples))
    same, _ = normalise(loud.expand(3, -1), LevelState.begin(3))
    assert same.shape == (3, 16_000) and torch.equal(same[2], normalised(loud))


@pytest.mark.parametrize("db", [-20, -30, -40, -50, -60])
def test_speech_of_any_level_comes_to_the_same(db: float) -> None:
    reference, found = normalised(speech()), normalised(at_level(speech(), db))
    late = slice(RATE // 2, None)
    assert torch.corrcoef(torch.stack([found[late], reference[late]]))[0, 1] > 0.98
    # Anything from -24 to -9 dB is ordinary, and the demo lies in it.
    assert -6.0 < level_db(found[late]) - level_db(reference[late]) < 3.0


@pytest.mark.parametrize(
    "ending,codec,rate,db,prefix_s",
    [
        (".mp3", "libmp3lame", 44_100, -42.0, 0.0),
        (".opus", "libopus", 48_000, -33.0, 0.8),
        (".m4a", "aac", 22_050, -52.0, 0.3),
        (".flac", "flac", 48_000, -58.0, 2.0),
    ],
)
def test_codecs_rates_and_silence_before_do_not_matter(
    tmp_path: Path, ending: str, codec: str, rate: int, db: float, prefix_s: float
) -> None:
    quiet = resample(Audio.mono(at_level(speech(), db), RATE), rate).samples.numpy()
    quiet = np.pad(quiet, ((0, 0), (int(prefix_s * rate), 0)))
    audio = resample(read_audio(encode(tmp_path / f"a{ending}", quiet, rate, codec)), RATE)
    found = normalised(audio.samples[0])[int((prefix_s + 0.5) * RATE) :][: 3 * RATE]
    reference = normalised(speech())[RATE // 2 :][: 3 * RATE]
    assert -6.0 < level_db(found) - level_db(reference) < 1.0


@pytest.mark.parametrize("colour", [0.0, 1.0, 2.0])
@pytest.mark.parametrize("db", [-70.0, -50.0, -35.0])
def test_noise_is_not_raised(colour: float, db: float) -> None:
    assert level_db(normalised(noise(colour, db))) < db + 0.5


@pytest.mark.parametrize("scale", [1.0, 1.6])
def test_ordinary_speech_passes_as_it_is(scale: float) -> None:
    samples = speech(0.0, 5.0) * scale
    sections = butter(4, 100.0, "highpass", fs=RATE, output="sos")
    known = torch.from_numpy(sosfilt(sections, samples.numpy()))
    assert level_db(normalised(samples) - known) < level_db(known) - 16


def test_silence_stays_silence() -> None:
    assert not normalised(torch.zeros(RATE)).any()


@pytest.mark.parametrize("hz", [50.0, 60.0])
@pytest.mark.parametrize("harmonics", [1, 3, 8])
@pytest.mark.parametrize("db", [-40.0, -13.0])
def test_mains_hum_is_attenuated(hz: float, harmonics: int, db: float) -> None:
    assert level_db(normalised(hum(hz, db, harmonics))[RATE // 5 :]) < db - 30


def test_hum_under_speech_leaves_the_speech() -> None:
    samples = speech()
    found = normalised(samples + hum(50.0, -40.0, 5, 4.0))
    reference = normalised(samples)
    assert torch.corrcoef(torch.stack([found, reference]))[0, 1] > 0.97


@pytest.mark.parametrize("before_db,after_db", [(-20.0, -45.0), (-50.0, -20.0)])
def test_a_change_of_level_is_followed(before_db: float, after_db: float) -> None:
    middle, samples = 2 * RATE, speech(0.5, 6.0)
    parts = at_level(samples, before_db)[:middle], at_level(samples, after_db)[middle:]
    late = slice(middle + 2 * RATE, None)
    found, reference = normalised(torch.cat(parts))[late], normalised(samples)[late]
    assert abs(level_db(found) - level_db(reference)) < 6.0


def test_the_gain_does_not_pump_inside_words() -> None:
    samples, state, gains = at_level(speech(0.5, 6.0), -50.0), LevelState.begin(1), []
    for piece in samples[None].split(BLOCK, 1):
        _, state = normalise(piece, state)
        gains.append(state.streams[0].gains_db[1])
    steady = torch.tensor(gains[100:])
    # A word lasts about a third of a second.
    assert float((steady[33:] - steady[:-33]).abs().max()) < 6.0
    assert float((steady[33:] - steady[:-33]).abs().mean()) < 1.0


def test_loud_clipped_speech_comes_down_to_the_level() -> None:
    clipped = (speech() * 8).clamp(-1, 1)
    blocks = measure_blocks([normalised(clipped)[RATE:].double().numpy()])
    assert abs(np.percentile(blocks.level_db[blocks.voiced], 80) - LEVELS_DB[1]) < 3.0


def test_samples_that_are_not_finite_reach_the_encoder_as_such() -> None:
    samples = speech()[:8000].clone()
    samples[4000] = torch.inf
    assert not normalised(samples).isfinite().all()


def test_pieces_without_samples_change_no_measurement() -> None:
    samples, nothing = speech(1.0, 2.0).double().numpy(), np.zeros(0)
    whole = measure_blocks([samples])
    pieces = measure_blocks([nothing, samples[:700], nothing, samples[700:], nothing])
    assert np.array_equal(whole.level_db, pieces.level_db)
    assert np.array_equal(whole.voiced, pieces.voiced)


@settings(deadline=None, max_examples=8, derandomize=True)
@given(sizes=st.lists(st.integers(0, 3000), max_size=6), total=st.integers(1, 9000))
def test_looking_ahead_gives_the_same_samples_later(sizes: list[int], total: int) -> None:
    samples = at_level(speech(), -45.0)[None, :total]
    state, parts, left = LevelState.begin(1, looks_ahead=True), [], samples
    for size in [*sizes, total]:
        piece, state = normalise(left[:, :size], state)
        left = left[:, size:]
        parts.append(piece)
    assert torch.equal(torch.cat([*parts, state.rest()], 1), normalise_recording(samples))


@pytest.mark.parametrize("hz,harmonics", [(50.0, 5), (60.0, 8), (100.0, 5), (120.0, 20)])
@pytest.mark.parametrize("before_s", [0.0, 0.503])
def test_looking_ahead_attenuates_the_onset_of_hum(
    hz: float, harmonics: int, before_s: float
) -> None:
    samples = torch.cat([noise(0.0, -80.0, 1.0)[: int(before_s * RATE)], hum(hz, -20.0, harmonics)])
    onset = slice(int(before_s * RATE), int((before_s + 0.2) * RATE))
    piece, state = normalise(samples[None], LevelState.begin(1, looks_ahead=True))
    found = torch.cat([piece, state.rest()], 1)[0]
    assert found.shape == samples.shape
    assert level_db(found[onset]) < level_db(normalised(samples)[onset]) - 15
    assert level_db(found[onset]) < -50
