"""Every tensor on the right device: training and generating on a device that is not the CPU.

The device is emulated (`tests/emulated_device.py`): a tensor that was made on the CPU by mistake
raises where it meets one of the device, as it would on a GPU.
"""

from __future__ import annotations

import pytest
import torch

from motet.method import MethodSpec
from motet.nn.device import on_device
from motet.stage import Stage
from motet.streaming.streaming_method import StreamingMethod
from motet.types import Audio, Frames, Motion
from tests.emulated_device import (
    DEVICE,
    DeviceMismatch,
    batch_to_emulated,
    emulated,
    to_emulated,
)


def one_step(stage: Stage[object], examples: object) -> None:
    """Prepare, loss, gradients, one step of AdamW, complete and metadata on the device."""
    randomness = torch.Generator().manual_seed(0)
    stage.prepare(examples)
    to_emulated(stage.model).train()
    batch = batch_to_emulated(dict(stage.batch(examples, 2, randomness)))
    terms = stage.loss(batch, randomness)
    total = torch.stack(list(terms.values())).sum()
    assert total.device == DEVICE
    total.backward()
    parameters = [p for p in stage.model.parameters() if p.grad is not None]
    assert parameters
    torch.optim.AdamW(parameters, lr=1e-3).step()
    stage.model.eval()
    with torch.no_grad():
        stage.complete(examples)
        stage.metadata(examples)


def test_the_emulated_device_finds_a_forgotten_tensor() -> None:
    with emulated():
        layer = to_emulated(torch.nn.Linear(2, 2))
        rows = batch_to_emulated({"rows": torch.ones(3, 2)})["rows"]
        assert torch.equal((layer(rows) * 0).cpu(), torch.zeros(3, 2))
        with pytest.raises(DeviceMismatch, match="on the CPU"):
            layer(rows) + torch.ones(2)
        with pytest.raises(DeviceMismatch, match="generator"):
            torch.rand(2, generator=torch.Generator(), device=DEVICE)


def test_every_stage_trains_on_another_device(
    spec: MethodSpec, config: object, training_set: object
) -> None:
    torch.manual_seed(0)
    for stage in spec.build_stages(config):
        with emulated():
            one_step(stage, training_set)


def test_every_method_generates_on_another_device(spec: MethodSpec, config: object) -> None:
    """Audio in and frames out on the CPU, networks elsewhere: the same frames (packed and plain
    products differ by the order of their sums)."""
    torch.manual_seed(0)
    tensors = spec.build_stages(config)[-1].model.state_dict()
    noise = torch.Generator().manual_seed(0)
    channels = 2 if spec.layout == "binaural" else 1
    samples = 0.1 * torch.randn(1, channels, int(2.5 * spec.sample_rate), generator=noise)
    audio, condition = Audio(samples, spec.sample_rate, spec.layout), spec.condition_type()()
    here = spec.build(config, tensors, {})
    if not isinstance(here, StreamingMethod):
        pytest.skip("a method of its own kind, without networks elsewhere")
    with emulated():
        with on_device(DEVICE):
            there = spec.build(config, batch_to_emulated(dict(tensors)), {})
        there.device = DEVICE
        frames = values(there.run(audio, condition, (3,)))
    assert type(frames) is torch.Tensor
    torch.testing.assert_close(frames, values(here.run(audio, condition, (3,))), rtol=0, atol=1e-3)


def values(out: Motion | Frames) -> torch.Tensor:
    return out.values if isinstance(out, Motion) else out.rgb.float()
