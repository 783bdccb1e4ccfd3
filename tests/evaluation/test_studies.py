import pytest
import torch

from motet.errors import InputError
from motet.evaluation.step_curve import curve_table, step_curve
from motet.evaluation.style_transfer import style_transfer
from motet.metrics.lip_geometry import lip_geometry_of
from motet.metrics.motion_statistics import (
    STATISTICS,
    energy_distance,
    motion_statistics,
    window_statistics,
)
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space

JAW = ARKIT_SHAPES.index("jawOpen")


def moving(frames: int, jaw: float, nod: float, seed: int = 0, batch: int | None = None) -> Motion:
    randomness = torch.Generator().manual_seed(seed)
    values = torch.zeros(batch or 1, frames, arkit_space().dim)
    values[..., JAW] = jaw * torch.rand(values.shape[:-1], generator=randomness)
    values[..., 52] = nod * torch.randn(values.shape[:-1], generator=randomness)
    return Motion(values if batch else values[0], arkit_space())


def test_manner_reads_what_was_put_in() -> None:
    lip_geometry = lip_geometry_of(load_house())
    lively = dict(
        zip(
            STATISTICS, motion_statistics(moving(100, 0.8, 0.1), lip_geometry).tolist(), strict=True
        )
    )
    calm = dict(
        zip(
            STATISTICS,
            motion_statistics(moving(100, 0.1, 0.01), lip_geometry).tolist(),
            strict=True,
        )
    )
    assert lively["mouth amplitude"] > 5 * calm["mouth amplitude"] > 0
    assert lively["nod range"] == pytest.approx(10 * calm["nod range"], rel=1e-4)
    assert lively["turn range"] == lively["smile"] == 0
    assert window_statistics(moving(130, 0.5, 0.1), lip_geometry).shape == (2, len(STATISTICS))
    with pytest.raises(InputError, match="two frames"):
        motion_statistics(moving(1, 0.5, 0.1), lip_geometry)


def test_energy_distance_is_zero_for_equals_and_grows_with_distance() -> None:
    randomness = torch.Generator().manual_seed(1)
    one, other = (
        torch.randn(400, 3, generator=randomness),
        torch.randn(400, 3, generator=randomness),
    )
    assert abs(energy_distance(one, other)) < 0.02
    assert energy_distance(one, other + 1) > energy_distance(one, other + 0.5) > 0.1
    with pytest.raises(InputError, match="two samples"):
        energy_distance(one[:1], other)


def test_the_curve_falls_to_the_reference() -> None:
    lip_geometry = lip_geometry_of(load_house())

    def sample(audio: Audio, seeds, options) -> Motion:
        wrong = 1.0 / options["steps"]
        parts = [moving(200, 0.3 + wrong, 0.05 + wrong, seed).values for seed in seeds]
        return Motion(torch.stack(parts), arkit_space())

    rows = step_curve(
        sample,
        [Audio.mono(torch.zeros(16000 * 8), 16000)],
        lip_geometry,
        (("ddim", 2), ("ddim", 100)),
        takes=4,
    )
    assert [row.steps for row in rows] == [500, 2, 100]
    same, few, many = rows
    assert abs(same.distance) < 0.3
    assert few.distance > 5 * abs(many.distance)
    assert few.lip_error_mm > many.lip_error_mm
    assert curve_table(rows).row_count == 3


def test_style_transfer_tells_followers_from_deaf_models() -> None:
    lip_geometry = lip_geometry_of(load_house())
    clips = [moving(100, 0.1 + 0.1 * k, 0.02 * (k + 1), k) for k in range(6)]

    def embed(motion: Motion) -> torch.Tensor:
        return torch.stack(
            [motion.values[:, JAW].std(), motion.values[:, 52].std(), torch.tensor(0.1)]
        )

    followed = style_transfer(clips, lambda clip: [clip], embed, lip_geometry)
    deaf = style_transfer(clips, lambda clip: [clips[0]], embed, lip_geometry)
    assert followed.first_place == 1 and followed.median_rank == 1
    assert followed.correlations["nod range"] > 0.99
    assert deaf.first_place < 0.5
    assert deaf.correlations["nod range"] == 0
    with pytest.raises(InputError, match="three clips"):
        style_transfer(clips[:2], lambda clip: [clip], embed, lip_geometry)
