"""Picture metrics: ideal scores for equal pictures, known scores for known damage, and errors for
what cannot be compared."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F

from motet.errors import InputError
from motet.evaluation.report import METRICS
from motet.metrics import picture


def pictures(seed: int = 0) -> torch.Tensor:
    noise = torch.rand(2, 3, 24, 24, generator=torch.Generator().manual_seed(seed))
    return F.interpolate(noise, (96, 96), mode="bicubic", align_corners=False).clamp(0, 1)


def test_equal_pictures_get_the_ideal_scores() -> None:
    same = pictures()
    assert (picture.psnr(same, same) == 99).all()
    assert torch.allclose(picture.ssim(same, same), torch.ones(2))
    assert float(picture.perceptual(same, same).max()) == 0


def test_psnr_of_a_known_error_and_inside_a_mask() -> None:
    expected = torch.full((1, 3, 16, 16), 0.5)
    found = expected.clone()
    found[..., :8] += 0.1
    assert float(picture.psnr(found, expected)) == pytest.approx(
        -10 * math.log10(0.01 / 2), abs=1e-4
    )
    mask = torch.zeros(1, 1, 16, 16)
    mask[..., :8] = 1
    assert float(picture.psnr(found, expected, mask)) == pytest.approx(20, abs=1e-4)
    assert float(picture.psnr(found, expected, 1 - mask)) == 99


def test_ssim_of_constant_pictures_is_the_formula() -> None:
    one, two = torch.full((1, 3, 20, 20), 0.4), torch.full((1, 3, 20, 20), 0.6)
    assert float(picture.ssim(one, two)) == pytest.approx(
        (2 * 0.24 + 1e-4) / (0.16 + 0.36 + 1e-4), abs=1e-4
    )


def test_perceptual_distance_grows_with_blur_and_hardly_with_brightness() -> None:
    expected = pictures()
    blurs = [
        float(
            picture.perceptual(
                F.avg_pool2d(F.pad(expected, (k, k, k, k), mode="replicate"), 2 * k + 1, 1),
                expected,
            ).mean()
        )
        for k in (1, 2, 4)
    ]
    assert 0 < blurs[0] < blurs[1] < blurs[2]
    assert float(picture.perceptual(expected * 0.97, expected).mean()) < 0.1 * blurs[0]


def test_cpbd_falls_with_blur() -> None:
    sharp = torch.zeros(3, 128, 128)
    sharp[:, :, torch.arange(128) % 32 < 16] = 1.0
    soft = F.avg_pool2d(sharp[None], (1, 13), 1, (0, 6), count_include_pad=False)[0]
    assert picture.cpbd(sharp) == 1.0
    assert picture.cpbd(soft) < 0.1
    assert picture.cpbd(torch.full((3, 128, 128), 0.5)) == 0.0


def test_landmarks_and_correlation() -> None:
    points = torch.rand(5, 7, 2)
    assert picture.landmark_distance(points + torch.tensor([3.0, 4.0]), points) == pytest.approx(
        5, abs=1e-5
    )
    wave = torch.arange(20.0).sin()
    assert picture.correlation(wave, 3 * wave + 1) == pytest.approx(1)
    assert picture.correlation(wave, -wave) == pytest.approx(-1)
    assert picture.correlation(wave, torch.ones(20)) == 0


def test_a_seam_shows_as_steps_at_the_border_of_the_drawn_part() -> None:
    skin = 0.5 + 0.02 * torch.rand(2, 3, 40, 40, generator=torch.Generator().manual_seed(0))
    row, column = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    share = (
        (1 - ((row - 20) ** 2 + (column - 20) ** 2).float().sqrt() / 16)
        .clamp(0, 1)[None, None]
        .expand(2, 1, -1, -1)
    )
    plain = picture.seams(skin, share, skin)
    assert plain["seam"].tolist() == pytest.approx([1, 1], abs=0.2)
    hard = picture.seams(skin + 0.05 * (share > 0.02), share, skin)
    soft = picture.seams(skin + 0.05 * share, share, skin)
    assert (
        float(hard["seam"].min()) > 3 * float(plain["seam"].max())
        and float(hard["seam_fade"].max()) < 1.3
    )
    assert float(soft["seam"].max()) < 1.3


def test_sync_scores_find_the_offset() -> None:
    seen = F.normalize(torch.rand(30, 16, generator=torch.Generator().manual_seed(2)), dim=1)
    offsets = list(range(-5, 6))
    received = torch.stack([seen.roll(offset - 2, 0) for offset in offsets])
    scores = picture.sync_scores(seen, received, offsets)
    assert scores["sync_offset"] == 2
    assert scores["sync_distance"] == pytest.approx(0, abs=1e-5)
    assert scores["sync_confidence"] > 0.2


@pytest.mark.parametrize("score", [picture.psnr, picture.ssim, picture.perceptual])
def test_what_cannot_be_compared_is_refused(score: object) -> None:
    with pytest.raises(InputError, match="equal stacks"):
        score(torch.zeros(1, 3, 20, 20), torch.zeros(1, 3, 20, 21))
    with pytest.raises(InputError, match="finite"):
        score(torch.full((1, 3, 20, 20), torch.nan), torch.zeros(1, 3, 20, 20))


def test_every_metric_is_known_to_reports() -> None:
    assert {metric.id for metric in picture.METRICS} <= set(METRICS)
