"""Samplers on a problem whose answer is known: normally distributed data, for which the best
denoiser is linear."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.diffusion.denoise import add_noise, clean_from_noise, denoiser, noise_from_clean
from motet.diffusion.sample import (
    SAMPLERS,
    sample_ancestral,
    sample_ddim,
    sample_dpm_2m,
    sample_plms,
    sampler,
    seeded_noise,
)
from motet.diffusion.schedule import Schedule, descend, from_alpha_bars, make_schedule
from motet.errors import ConfigError

MEAN, DEVIATION = 1.3, 0.4


def gaussian(schedule: Schedule):
    """Expected clean value given the noisy one, for clean values of that mean and deviation."""

    def denoise(x: torch.Tensor, step: int) -> torch.Tensor:
        bar = float(schedule.alpha_bars[step].double())
        return MEAN + math.sqrt(bar) * DEVIATION**2 / (bar * DEVIATION**2 + 1 - bar) * (
            x - math.sqrt(bar) * MEAN
        )

    return denoise


def exact(schedule: Schedule, start: torch.Tensor, first: int, last: int) -> torch.Tensor:
    """Where the probability flow carries a value."""
    bars = schedule.alpha_bars.double()
    spread = (bars * DEVIATION**2 + 1 - bars).sqrt()
    return (
        bars[last].sqrt() * MEAN
        + spread[last] * (start - bars[first].sqrt() * MEAN) / spread[first]
    )


def even_schedule(count: int = 1024) -> Schedule:
    """Even in the log ratio from step 1 on, so that strides of it are even too."""
    times = torch.linspace(3.0, -3.0, count, dtype=torch.float64)
    return from_alpha_bars(torch.cat([torch.ones(1, dtype=torch.float64), (2 * times).sigmoid()]))


def no_noise(move: int) -> torch.Tensor:
    raise AssertionError("this sampler must not ask for noise")


@pytest.mark.parametrize(
    ("solver", "order"), [(sample_ddim, 1), (sample_dpm_2m, 2), (sample_plms, 2)]
)
def test_solvers_have_their_declared_order(solver, order: int) -> None:
    schedule = even_schedule(1025)
    start = torch.linspace(-2, 2, 9, dtype=torch.float64).reshape(1, 9)
    errors = []
    for moves in (32, 64, 128):
        steps = list(range(1025, 0, -1024 // moves))
        assert steps[-1] == 1
        errors.append(
            float(
                (
                    solver(gaussian(schedule), start, schedule, steps, no_noise)
                    - exact(schedule, start, 1025, 1)
                )
                .abs()
                .max()
            )
        )
    measured = [math.log2(a / b) for a, b in zip(errors, errors[1:], strict=False)]
    assert all(abs(value - order) < 0.25 for value in measured), (errors, measured)


@pytest.mark.parametrize(
    ("name", "count", "flexibility", "tolerance"),
    [
        ("ancestral", 200, 0.0, 0.03),
        ("ancestral", 50, 0.0, 0.06),
        ("ddim", 50, 0.0, 0.03),
        ("ddim", 50, 1.0, 0.06),
        ("dpm++2m", 12, 0.0, 0.03),
        ("plms", 25, 0.0, 0.03),
    ],
)
def test_the_sampled_distribution_is_the_data(
    name: str, count: int, flexibility: float, tolerance: float
) -> None:
    schedule = make_schedule("cosine", 200)
    noise = seeded_noise(range(8), (4000,), stream=1)
    start = seeded_noise(range(8), (4000,))(0)
    drawn = sampler(name)(
        gaussian(schedule), start, schedule, descend(schedule, count), noise, flexibility
    )
    assert abs(float(drawn.mean()) - MEAN) < 0.02
    assert abs(float(drawn.std()) - DEVIATION) < tolerance


def test_the_whole_ancestral_walk_is_the_textbook_one() -> None:
    schedule = make_schedule("linear", 20)
    denoise, start = (
        gaussian(schedule),
        seeded_noise((1, 2), (3, 4), stream=1, dtype=torch.float64)(0),
    )
    noise = seeded_noise((1, 2), (3, 4), dtype=torch.float64)
    x = start
    for move, step in enumerate(range(20, 0, -1)):
        alpha, bar, before = (
            schedule.alphas[step],
            schedule.alpha_bars[step],
            schedule.alpha_bars[step - 1],
        )
        epsilon = noise_from_clean(schedule, x, denoise(x, step), step)
        x = (x - (1 - alpha) / (1 - bar).sqrt() * epsilon) / alpha.sqrt()
        if step > 1:
            x = x + ((1 - before) / (1 - bar) * (1 - alpha)).sqrt() * noise(move)
    assert torch.allclose(
        sample_ancestral(denoise, start, schedule, descend(schedule, 20), noise), x, atol=1e-9
    )


@pytest.mark.parametrize("name", SAMPLERS)
def test_an_item_does_not_depend_on_its_batch(name: str) -> None:
    schedule = make_schedule("cosine", 40)
    whole = SAMPLERS[name](
        gaussian(schedule),
        seeded_noise((3, 4, 5), (6, 2))(0),
        schedule,
        descend(schedule, 10),
        seeded_noise((3, 4, 5), (6, 2), stream=9),
    )
    alone = SAMPLERS[name](
        gaussian(schedule),
        seeded_noise((4,), (6, 2))(0),
        schedule,
        descend(schedule, 10),
        seeded_noise((4,), (6, 2), stream=9),
    )
    assert torch.equal(whole[1:2], alone)
    assert not torch.equal(whole[0], whole[1])


@pytest.mark.parametrize("name", SAMPLERS)
def test_the_noise_target_gives_the_same_signal(name: str) -> None:
    schedule = make_schedule("linear", 40)
    clean = gaussian(schedule)
    network = denoiser(
        schedule, "noise", lambda x, step: noise_from_clean(schedule, x, clean(x, step), step)
    )
    start, noise = seeded_noise((0,), (50,))(0), seeded_noise((0,), (50,), stream=1)
    one, two = (
        SAMPLERS[name](d, start, schedule, descend(schedule, 10), noise) for d in (clean, network)
    )
    assert torch.allclose(one, two, atol=1e-4)


@settings(max_examples=40, deadline=None)
@given(
    total=st.integers(1, 300),
    share=st.floats(0, 1),
    kind=st.sampled_from(["linear", "quadratic", "sigmoid", "cosine"]),
    spacing=st.sampled_from(["uniform", "log_snr"]),
)
def test_steps_fall_from_the_top_to_zero(total: int, share: float, kind: str, spacing: str) -> None:
    count = max(1, round(share * total))
    steps = descend(make_schedule(kind, total), count, spacing)
    assert len(steps) == count + 1
    assert steps[0] == total
    assert steps[-1] == 0
    assert all(a > b for a, b in zip(steps, steps[1:], strict=False))


def test_adding_noise_and_taking_it_away_are_inverse() -> None:
    schedule = make_schedule("cosine", 30)
    clean, noise = torch.randn(4, 5, 6), torch.randn(4, 5, 6)
    step = torch.tensor([1, 7, 20, 29])
    noisy = add_noise(schedule, clean, noise, step)
    for item, number in enumerate(step.tolist()):
        assert torch.allclose(
            clean_from_noise(schedule, noisy[item], noise[item], number), clean[item], atol=1e-4
        )


def test_impossible_requests_are_refused() -> None:
    schedule = make_schedule("linear", 10)
    with pytest.raises(ConfigError, match="between 1 and 10"):
        descend(schedule, 11)
    with pytest.raises(ConfigError, match="no schedule"):
        make_schedule("cubic", 10)
    with pytest.raises(ConfigError, match="dpm"):
        sampler("dpm")
    with pytest.raises(ConfigError, match="fresh noise"):
        sample_dpm_2m(gaussian(schedule), torch.zeros(1, 2), schedule, [10, 0], no_noise, 0.5)
    with pytest.raises(ConfigError, match="fall"):
        from_alpha_bars(torch.tensor([1.0, 0.5, 0.6]))
