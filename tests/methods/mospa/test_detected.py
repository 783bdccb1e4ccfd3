"""Sounds that a body reacts to are reported, and a resting source is one however it is given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motet.body.source_path import position_from_angles
from motet.errors import ConfigError
from motet.event_lines import event_lines
from motet.loaded_method import LoadedMethod
from motet.methods.mospa.config import MospaCondition
from motet.methods.mospa.sound_events import find_events
from motet.session import load
from motet.types import Audio, Motion

RATE = 30720


@pytest.fixture(scope="module")
def mospa() -> LoadedMethod[Motion]:
    return load("mospa")  # type: ignore[return-value]


def noise_burst(seconds: float = 1.5) -> Audio:
    """Half a second of noise in the middle of near silence."""
    random = torch.Generator().manual_seed(0)
    samples = 1e-4 * torch.randn(round(seconds * RATE), generator=random)
    start = round(0.5 * RATE)
    samples[start : start + RATE // 2] += 0.2 * torch.randn(RATE // 2, generator=random)
    return Audio.mono(samples, RATE)


def test_events_are_reported_with_time_side_and_reaction(mospa: LoadedMethod[Motion]) -> None:
    detected = mospa.detected(noise_burst(), {"source": "90,0,2", "reaction": "cover"})
    (event,) = detected["sound_events"]  # type: ignore[misc]
    assert event["seconds"] == pytest.approx(0.5, abs=0.1)
    assert event["azimuth_deg"] == 90 and event["reaction"] == "cover" and event["sound"]
    (line,) = event_lines(detected)
    assert line.startswith("0.5 s ") and "90° left" in line and line.endswith(": cover")
    assert mospa.detected(noise_burst(), {"role": "speaker"}) == {}
    assert list(event_lines({})) == []


def test_a_file_that_rests_is_the_position_itself(
    mospa: LoadedMethod[Motion], tmp_path: Path
) -> None:
    position = position_from_angles(-60.0, 0.0, 2.0)
    path = tmp_path / "rests.npy"
    np.save(path, np.array([[0.0, *position], [5.0, *position]]))
    by_file = mospa.run(noise_burst(), {"source": str(path)})
    by_flag = mospa.run(noise_burst(), {"source": "-60,0,2"})
    torch.testing.assert_close(by_file.values, by_flag.values, atol=5e-3, rtol=0)


def test_speakers_have_no_reaction() -> None:
    with pytest.raises(ConfigError, match="a speaker reacts to no sound"):
        MospaCondition(role="speaker", reaction="flee").check(load("mospa").architecture)  # type: ignore[arg-type]


def test_a_burst_on_one_side_of_a_mixture_is_an_event() -> None:
    """Noise from the front goes on; three seconds in, a shorter one from the right joins it."""
    random = torch.Generator().manual_seed(4)
    front = 0.08 * torch.randn(6 * RATE, generator=random).expand(2, -1).clone()
    burst = 0.25 * torch.randn(RATE // 2, generator=random)
    mixed = front.clone()
    mixed[1, 3 * RATE : 3 * RATE + len(burst)] += burst
    assert [e.seconds for e in find_events(binaural(front))] == [0.0]
    first, second = find_events(binaural(mixed))[:2]
    assert abs(first.azimuth_deg) < 30 and abs(second.seconds - 3.0) <= 0.06
    assert second.azimuth_deg < -40


def binaural(samples: torch.Tensor) -> Audio:
    return Audio(samples, RATE, "binaural")
