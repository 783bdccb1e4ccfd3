"""Hosts with and without keys, meshes, trunks, bases: every variant trains a step and answers."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.data.training_set import TrainingItem, TrainingSet
from motet.errors import AssetError, ConfigError
from motet.methods.kmtalk.config import PRESETS, KMTalkCondition, KMTalkConfig, TrunkConfig
from motet.methods.kmtalk.generate import build
from motet.methods.kmtalk.key_timing import pad_keys
from motet.methods.kmtalk.loss import fit_basis, stages
from motet.methods.kmtalk.model import KMTalkModel
from motet.types import Audio, MotionSpace, Track
from tests.methods.kmtalk.conftest import performances

TINY = PRESETS["tiny"]
MESH = KMTalkConfig(
    "vertices/vocaset", 30.0, 36, 5, (0, 3), "wav2vec2", TrunkConfig(24, 2, 4, 32, (16,) * 7, 16, 4), True, 24, 1, 0, reading_steps=(), width=16, heads=2,
    key_layers=1, cmc_layers=1, phone_dim=4, period=30, reach=0, training=dataclasses.replace(TINY.training, frames=30),
)  # fmt: skip


def sound(seconds: float = 1.5) -> Audio:
    return Audio(
        0.1 * torch.randn(1, 1, round(seconds * 16000), generator=torch.Generator().manual_seed(0)),
        16000,
    )


def meshes(count: int = 3) -> TrainingSet:
    noise = torch.Generator().manual_seed(0)
    space = MotionSpace("vertices/vocaset", (Track("vertices", (12, 3), "m"),), 30.0)
    shapes = torch.randn(4, 36, generator=noise)
    rows = [torch.randn(40, 4, generator=noise).cumsum(0) @ shapes * 0.01 for _ in range(count)]
    phones = tuple((0.1 * n, 0.1 * (n + 1), "mapi"[n % 4]) for n in range(13))
    items = [
        TrainingItem(
            motion,
            0.1 * torch.randn(21334, 1, generator=noise),
            torch.ones(36, dtype=torch.bool),
            phones=phones,
        )
        for motion in rows
    ]
    return TrainingSet(space, items, 16000)


def one_step(config: KMTalkConfig, corpus: TrainingSet) -> None:
    for stage in stages(config):
        randomness = torch.Generator().manual_seed(0)
        loss = torch.stack(
            list(stage.loss(stage.batch(corpus, 2, randomness), randomness).values())
        ).sum()
        loss.backward()
        assert bool(torch.isfinite(loss))
        assert any(p.grad is not None for module in stage.trained for p in module.parameters())


@pytest.mark.parametrize("completion", ["faceformer", "selftalk"])
@pytest.mark.parametrize("use_keys", [False, True])
def test_hosts_train_and_answer(completion: str, use_keys: bool) -> None:
    config = dataclasses.replace(TINY, completion=completion, use_keys=use_keys)  # type: ignore[arg-type]
    assert [stage.name for stage in stages(config)] == (
        ["keys", "completion", "joint"] if use_keys else ["joint"]
    )
    one_step(config, performances(2))
    assert build(config, None, {}).run(sound(), KMTalkCondition(), (0,)).frames == 38


@pytest.mark.parametrize("completion", ["faceformer", "selftalk"])
def test_a_host_with_keys_starts_as_the_host_it_was(completion: str) -> None:
    torch.manual_seed(0)
    model = KMTalkModel(dataclasses.replace(TINY, completion=completion)).eval()  # type: ignore[arg-type]
    host = model.completion
    torch.nn.init.normal_(host.vertice_map_r.weight)  # type: ignore[union-attr]
    audio, length, at_key = (
        torch.randn(1, 20, TINY.width),
        torch.tensor([20]),
        torch.zeros(1, 20, dtype=torch.bool),
    )
    without = host(audio, length, None, at_key)
    at_key[:, ::3] = True
    assert torch.equal(host(audio, length, torch.randn(1, 20, 55), at_key), without)
    torch.nn.init.normal_(host.plug.base.weight)  # type: ignore[union-attr]
    assert not torch.equal(host(audio, length, torch.randn(1, 20, 55), at_key), without)


def test_faceformer_alone_equals_faceformer_behind_its_own_past() -> None:
    torch.manual_seed(0)
    model = (
        KMTalkModel(dataclasses.replace(TINY, completion="faceformer", use_keys=False))
        .double()
        .eval()
    )
    host = model.completion
    for parameter in host.parameters():  # type: ignore[union-attr]
        torch.nn.init.normal_(parameter, std=0.1)
    audio, length, nothing = (
        torch.randn(1, 15, TINY.width).double(),
        torch.tensor([15]),
        torch.zeros(1, 15, dtype=torch.bool),
    )
    alone = host(audio, length, None, nothing)
    assert (host(audio, length, None, nothing, past=alone) - alone).abs().max() < 1e-9  # type: ignore[call-arg]


def test_meshes_with_a_trunk_and_a_fixed_basis(tmp_path: Path) -> None:
    one_step(MESH, meshes())
    method = build(MESH, None, {})
    corpus = meshes()
    fit_basis(method.model.basis, corpus)
    motion = corpus.items[0].motion
    assert (
        method.model.basis.decode(method.model.basis.encode(motion)) - motion
    ).abs().max() < 1e-4, "four shapes lie in five components"
    np.save(tmp_path / "face.npy", np.full((12, 3), 0.25, np.float32))
    plain = method.run(sound(), KMTalkCondition(recogniser="none"), (0,))
    placed = method.run(
        sound(), KMTalkCondition(recogniser="none", template=str(tmp_path / "face.npy")), (0,)
    )
    assert plain.values.shape == (1, 45, 36)
    assert torch.allclose(placed.values - plain.values, torch.full((1,), 0.25))
    (tmp_path / "face.obj").write_text("# a face\n" + "v 0.5 0.5 0.5\n" * 12 + "f 1 2 3\n")
    other = method.run(
        sound(), KMTalkCondition(recogniser="none", template=str(tmp_path / "face.obj")), (0,)
    )
    assert torch.allclose(other.values - plain.values, torch.full((1,), 0.5))
    np.save(tmp_path / "small.npy", np.zeros((3, 3)))
    for name in ("small.npy", "none.npy"):
        with pytest.raises(AssetError, match="template"):
            method.run(
                sound(), KMTalkCondition(recogniser="none", template=str(tmp_path / name)), (0,)
            )


def test_pairs_of_features_make_a_frame() -> None:
    config = dataclasses.replace(
        MESH, space="vertices/biwi", fps=25.0, resample_audio=False, steps_per_frame=2
    )
    assert (
        build(config, None, {}).run(sound(), KMTalkCondition(recogniser="none"), (0,)).frames == 38
    )


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in PRESETS
        if name not in ("vocaset", "biwi", "tiny", "tiny_mesh", "tiny_vocaset")
    ],
)
def test_presets_of_the_ablation_are_models(name: str) -> None:
    model = KMTalkModel(PRESETS[name]).eval()
    keys = pad_keys([[0, 4, 9]], [[(1, 2)] * 3])
    said, every = model(torch.randn(1, 10, 512), keys, torch.tensor([10]))
    assert every.shape == (1, 10, 55)
    assert (said is None) == (not PRESETS[name].needs_keys)


@pytest.mark.parametrize(
    "change",
    [
        {"heads": 3},
        {"front_end": "wav2vec2"},
        {"completion": "selftalk", "audio_guidance": False},
        {"space": "vertices/x", "motion_dim": 55},
        {"anchor": "now"},
    ],
)
def test_impossible_settings(change: dict) -> None:
    with pytest.raises(ConfigError):
        dataclasses.replace(TINY, **change)
