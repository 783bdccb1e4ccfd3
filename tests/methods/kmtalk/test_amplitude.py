"""The mouth on another scale, and edited keys that stay as they were edited on any scale."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch

from motet.errors import ConfigError
from motet.face.intensity import MOUTH_SHAPES
from motet.methods.kmtalk.config import PRESETS, KMTalkCondition
from motet.methods.kmtalk.generate import KMTalk, build
from motet.types import Audio


def small() -> KMTalk:
    torch.manual_seed(3)
    method = build(dataclasses.replace(PRESETS["tiny"]), None, {})
    with torch.no_grad():
        for parameter in method.model.parameters():
            parameter.add_(0.02 * torch.randn(parameter.shape))
    return method


def said(method: KMTalk, condition: KMTalkCondition) -> torch.Tensor:
    sound = torch.randn(1, 1, 32_000, generator=torch.Generator().manual_seed(1)) * 0.1
    _, state = method.step(method.begin(condition, (0,)), Audio(sound, 16_000))
    return method.finish(state).values[0]


def test_only_the_mouth_moves_more() -> None:
    method = small()
    as_said = said(method, KMTalkCondition(seal=False, amplitude=1.0))
    wider = said(method, KMTalkCondition(seal=False, amplitude=1.5))
    mouth = torch.tensor([method.space.index("blendshapes", name) for name in MOUTH_SHAPES])
    others = torch.tensor(
        [index for index in range(method.space.dim) if index not in mouth.tolist()]
    )
    inside = (as_said[:, mouth] > 0) & (as_said[:, mouth] * 1.5 < 1)
    assert inside.float().mean() > 0.05
    torch.testing.assert_close(wider[:, mouth][inside], 1.5 * as_said[:, mouth][inside])
    assert torch.equal(wider[:, others], as_said[:, others])


def test_an_edited_pose_is_met_on_every_scale(tmp_path: Path) -> None:
    method = small()
    sound = Audio(
        torch.randn(1, 1, 32_000, generator=torch.Generator().manual_seed(1)) * 0.1, 16_000
    )
    for amplitude in (1.0, 1.4):
        path = tmp_path / f"{amplitude}.json"
        method.write_keys(sound, KMTalkCondition(amplitude=amplitude), path)
        content = json.loads(path.read_text())
        content["keys"][2] |= {
            "edited": True,
            "pose": content["keys"][2]["pose"] | {"jawOpen": 0.61},
        }
        path.write_text(json.dumps(content))
        values = said(method, KMTalkCondition(amplitude=amplitude, keys=str(path)))
        assert float(
            values[content["keys"][2]["frame"], method.space.index("blendshapes", "jawOpen")]
        ) == pytest.approx(0.61)


def test_scales_that_make_no_sense_are_refused() -> None:
    with pytest.raises(ConfigError, match="amplitude"):
        KMTalkCondition(amplitude=0.0)
