"""Styles of the regressed mouth: opening, corners, strength, clips."""

from __future__ import annotations

import pytest
import torch

from motet.face.lip_shapes import SOLVED
from motet.face.mouth_blend import BlendMouth
from motet.face.mouth_style import NAMED, NEUTRAL, MouthStyle, style_of
from motet.face.operator import FaceCues
from motet.methods.artalk.config import STYLES
from motet.types import ARKIT_SHAPES

JAW, SMILE = SOLVED.index("jawOpen"), SOLVED.index("mouthSmile")


def mouth(jaw: float, smile: float = 0.0) -> torch.Tensor:
    shapes = torch.zeros(1, 4, len(SOLVED))
    shapes[..., JAW], shapes[..., SMILE] = jaw, smile
    return shapes


def test_a_style_opens_further_and_leaves_a_closed_mouth_closed() -> None:
    wide = MouthStyle(1.4, smile=0.2)
    assert float(wide.apply(mouth(0.3))[0, 0, JAW]) == pytest.approx(0.42)
    assert float(wide.apply(mouth(0.0))[0, 0, JAW]) == 0.0
    assert float(wide.apply(mouth(0.3, 0.1))[0, 0, SMILE]) == pytest.approx(0.3)


def test_strength_scales_the_distance_from_neutral() -> None:
    sad = NAMED["sad"]
    assert sad.scaled(0.0) == NEUTRAL
    assert sad.scaled(2.0).frown == pytest.approx(2 * sad.frown)
    assert sad.scaled(2.0).opening == pytest.approx(1 + 2 * (sad.opening - 1))
    assert sad.scaled(9.0).opening == 0.0


def test_every_named_style_of_the_weights_has_its_mouth() -> None:
    assert set(NAMED) == set(STYLES)
    assert len(set(NAMED.values())) == len(NAMED)


def test_a_clip_gives_its_own_style() -> None:
    time = torch.arange(200) / 25
    motion = torch.zeros(200, 55)
    motion[:, ARKIT_SHAPES.index("jawOpen")] = 0.25 + 0.25 * (2 * torch.pi * 2 * time).sin()
    small = motion.clone()
    small[:, ARKIT_SHAPES.index("jawOpen")] *= 0.5
    smiling = motion.clone()
    for side in ("mouthSmileLeft", "mouthSmileRight"):
        smiling[:, ARKIT_SHAPES.index(side)] = 0.4
    assert style_of(small).opening < style_of(motion).opening
    assert style_of(smiling).smile - style_of(motion).smile == pytest.approx(0.4, abs=0.02)
    assert style_of(torch.zeros(50, 55)) == NEUTRAL


def test_the_blend_applies_the_style() -> None:
    motion, cues = torch.zeros(1, 4, 55), FaceCues(mouth=mouth(0.5))
    jaw = ARKIT_SHAPES.index("jawOpen")
    plain = BlendMouth(1.0).apply(motion, cues)[..., jaw]
    calm = BlendMouth(1.0, NAMED["calm"]).apply(motion, cues)[..., jaw]
    torch.testing.assert_close(calm, NAMED["calm"].opening * plain)
