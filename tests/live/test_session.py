"""One live session: any rate, exact places of frames, flush, interrupt, options, the delay dial."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import motet
from motet.errors import AudioError, ConfigError
from motet.live.delay import dial
from motet.live.packets import frames_message, read_frames, samples_of
from motet.live.session import LivePiece, LiveSession
from motet.registry import method_spec
from motet.types import Audio, Motion

NOISE = torch.from_numpy(np.random.default_rng(0).normal(size=24_000).astype(np.float32)) * 0.05
QUICK = {"commit": 4, "look_ahead": 7}


def session(rate: int = 16_000, **more: object) -> LiveSession[Motion]:
    options = {**QUICK, "decode": "expected"}
    return LiveSession(motet.load("artalk"), rate, options=options, **more)  # type: ignore[arg-type]


def pushed(live: LiveSession[Motion], samples: torch.Tensor, size: int) -> list[LivePiece[Motion]]:
    chunks = samples.split(size)
    return [piece for chunk in chunks for piece in live.push(chunk.unsqueeze(0))]


def values(pieces: list[LivePiece[Motion]]) -> torch.Tensor:
    return torch.cat([piece.out.values for piece in pieces])


def test_frames_are_those_of_run_for_every_cutting_and_lie_on_the_sample_clock() -> None:
    live = session()
    pieces = [*pushed(live, NOISE, 333), *live.finish()]
    whole = motet.load("artalk").run(
        Audio.mono(NOISE, 16_000), {**QUICK, "decode": "expected", "mode": "stream"}, seeds=(0,)
    )
    assert torch.allclose(values(pieces), whole.values[0], atol=1e-4)
    for piece in pieces:
        assert piece.first_sample == piece.first_frame * 640


def test_another_rate_gives_the_same_motion_and_its_own_samples() -> None:
    plain = [*pushed(slow := session(), NOISE, 320), *slow.finish()]
    triple = motet.audio.resample(Audio.mono(NOISE, 16_000), 48_000).samples[0]
    pieces = [*pushed(fast := session(48_000), triple, 4800), *fast.finish()]
    # Noise is no speech: the regressed mouth follows its spectrum, which resampling changes.
    assert float((values(pieces) - values(plain)).abs().mean()) < 0.005
    assert pieces[-1].first_sample == pieces[-1].first_frame * 1920


def test_flush_answers_everything_and_returns_to_rest() -> None:
    live = session()
    pieces = [*pushed(live, NOISE[:16_000], 320), *live.flush()]
    assert sum(piece.out.frames for piece in pieces) == 25 + 4
    assert pieces[-1].out.values[-1].abs().max() < 1e-6 < pieces[-1].out.values[0].abs().max()
    more = [*pushed(live, NOISE[:16_000], 320), *live.finish()]
    assert more[0].first_frame == 29 and more[0].first_sample == 16_000
    assert sum(piece.out.frames for piece in more) == 25


def test_interrupt_forgets_what_has_no_frames_yet() -> None:
    live = session()
    before = pushed(live, NOISE[:8_000], 320)
    after = list(live.interrupt())
    assert sum(piece.out.frames for piece in before) < 12
    assert after[-1].out.values[-1].abs().max() < 1e-6
    assert not list(live.interrupt()), "at rest already"
    live.skip(1600)
    [first, *_] = pushed(live, NOISE, 320)
    assert first.first_sample == 8_000 + 1600


def test_options_change_between_frames_and_bad_ones_change_nothing() -> None:
    live = session()
    pushed(live, NOISE[:8_000], 320)
    with pytest.raises(ConfigError, match="styl"):
        list(live.set({"styl": "warm"}))
    pieces = list(live.set({"style": "warm"}))
    assert sum(piece.out.frames for piece in pieces) >= 1
    more = [*pushed(live, NOISE, 320), *live.finish()]
    plain = [*pushed(other := session(), NOISE, 320), *other.finish()]
    assert not torch.allclose(values(more), values(plain), atol=1e-3)
    assert live.real_time_factor > 0


@pytest.mark.parametrize(
    ("arguments", "error"),
    [({"rate": 100}, ConfigError), ({"channels": 0}, ConfigError), ({"channel": 2}, ConfigError)],
)
def test_impossible_sessions_are_refused(arguments: dict, error: type[Exception]) -> None:
    with pytest.raises(error):
        LiveSession(motet.load("artalk"), **{"rate": 16_000, **arguments})


def test_impossible_samples_are_refused() -> None:
    live = session()
    for samples in (torch.full((1, 10), float("nan")), torch.zeros(2, 10)):
        with pytest.raises(AudioError):
            list(live.push(samples))
    with pytest.raises(AudioError, match="whole samples"):
        samples_of(b"abc", "s16", 1)
    assert samples_of(np.array([16384, -32768], "<i2").tobytes(), "s16", 2).tolist() == [
        [0.5],
        [-1],
    ]


def test_messages_of_frames_are_read_back() -> None:
    table = np.random.default_rng(1).uniform(-1, 1, (5, 7)).astype(np.float32)
    message = frames_message(9, 1 << 40, [table[:, :3], table[:, 3:]])
    first, sample, found = read_frames(message)
    assert (first, sample, len(message)) == (9, 1 << 40, 16 + 2 * 35)
    assert np.allclose(found, table, atol=1e-3)


@pytest.mark.parametrize("position", method_spec("artalk").delays, ids=lambda d: str(d.most_s))
def test_the_dial_states_the_true_delay(position: object) -> None:
    stream = motet.load("artalk").stream(position.options)  # type: ignore[attr-defined]
    ages, frames = [], 0
    for start in range(0, 2 * 16_000, 320):  # 20 ms
        chunk = NOISE.repeat(2)[start : start + 320]
        for piece in stream.push(Audio.mono(chunk, 16_000)):
            for _ in range(piece.frames):
                ages.append((start + 320) / 16_000 - frames / 25)
                frames += 1
    assert min(ages[12:]) == pytest.approx(position.least_s, abs=0.011)  # type: ignore[attr-defined]
    assert max(ages[12:]) == pytest.approx(position.most_s, abs=0.011)  # type: ignore[attr-defined]


def test_the_dial_takes_the_cheapest_position_within_the_delay() -> None:
    spec = method_spec("artalk")
    assert dial(spec, 0.35, {}).options == {"commit": 3, "look_ahead": 6}
    assert dial(spec, 0.20, {}).options == {"commit": 2, "look_ahead": 3}
    assert dial(spec, 5.0, {}).algorithm_s == 0.58 and dial(spec, None, {}).algorithm_s == 0.26
    assert dial(spec, None, {"commit": 2, "look_ahead": 3}).algorithm_s == 0.16
    with pytest.raises(ConfigError, match=r"at least 0\.16 s"):
        dial(spec, 0.1, {})
    with pytest.raises(ConfigError, match="one of the two"):
        dial(spec, 0.35, {"commit": 2})
    with pytest.raises(ConfigError, match="cannot be chosen"):
        dial(method_spec("mospa"), 0.35, {})
