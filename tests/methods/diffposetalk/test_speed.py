"""The quick way through DiffPoseTalk's denoiser gives the numbers of the plain one."""

import dataclasses

import pytest
import torch

from benchmarks.diffposetalk import measure, plain_step
from motet.methods.diffposetalk.config import (
    PRESETS,
    DenoiserConfig,
    DiffPoseTalkConfig,
    TrunkConfig,
)
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.nn.packed import packing_works

TRUNK = TrunkConfig(16, 1, 2, 16, (4,) * 7, 8, 2)
SMALL = dataclasses.replace(
    PRESETS["published"],
    trunk=TRUNK,
    audio_dim=16,
    denoiser=DenoiserConfig(256, 2, 4, 2, 0.0, 12, 4, learned_positions=True, indicator=True),
    steps=2,
)


@pytest.mark.parametrize("mask_width", [0, 1, 3])
@pytest.mark.parametrize("packed", [False, True])
def test_steps_equal_the_plain_form(mask_width: int, packed: bool) -> None:
    config: DiffPoseTalkConfig = dataclasses.replace(
        SMALL, denoiser=dataclasses.replace(SMALL.denoiser, mask_width=mask_width)
    )
    torch.manual_seed(1)
    net = DiffPoseTalkModel(config).eval().requires_grad_(False).denoising_net
    motion, past = torch.randn(3, 12, config.motion_dim), torch.randn(3, 4, config.motion_dim)
    audio, past_audio = torch.randn(3, 12, 256), torch.randn(3, 4, 256)
    person, step = torch.randn(3, config.shape_dim + config.style_dim), torch.tensor([5])
    expected = plain_step(net, motion, audio, person, past, past_audio, step)
    if packed:
        net.pack()
        assert (net._packed is not None) == packing_works()
    free = net.prepare(audio, person, past, past_audio)
    for keep in (12, 16):
        torch.testing.assert_close(
            net.step(motion, net.time_vectors(step), free, keep=keep),
            expected[:, -keep:],
            rtol=1e-4,
            atol=1e-5,
        )


def test_the_bench_compares_equal_numbers() -> None:
    report = measure(SMALL, 1.0, repeats=1)
    assert report["guided_step"]["difference"] < 1e-5 and report["guided_step"]["ours"] >= 0
    assert report["recording"]["published_sampling"] == pytest.approx(0.41 * 500 * 3)
