"""The mouth blend: weights, sides, stillness of closed lips."""

from __future__ import annotations

import torch

from motet.face.lip_shapes import RESPONSE, SOLVED
from motet.face.mouth_blend import (
    OPENING_GAIN,
    REGRESSED_REST,
    WIDTH_GAIN,
    WIDTH_SHAPES,
    BlendMouth,
    blend_mouth,
    widened,
)
from motet.face.operator import NO_CUES, FaceCues
from motet.types import ARKIT_SHAPES

JAW = ARKIT_SHAPES.index("jawOpen")
LEFT, RIGHT = (ARKIT_SHAPES.index(f"mouthSmile{side}") for side in ("Left", "Right"))


def face(jaw: float) -> torch.Tensor:
    motion = torch.rand(1, 5, 55, generator=torch.Generator().manual_seed(0)) * 0.1
    motion[..., JAW], motion[..., ARKIT_SHAPES.index("mouthClose")] = jaw, 0.0
    motion[..., LEFT], motion[..., RIGHT] = 0.3, 0.1
    return motion


def mouth(jaw: float, smile: float) -> torch.Tensor:
    shapes = torch.zeros(1, 5, len(SOLVED))
    shapes[..., SOLVED.index("jawOpen")] = jaw
    shapes[..., SOLVED.index("mouthSmile")] = smile
    return shapes


def test_a_half_blend_lies_between_and_keeps_the_sides_apart():
    motion, other = face(0.4), mouth(0.2, 0.6)
    half = blend_mouth(motion, other, 0.5)
    assert torch.allclose(half[..., JAW], torch.tensor(0.3))
    assert torch.allclose(half[..., [LEFT, RIGHT]].mean(-1), torch.tensor(0.4))
    assert torch.allclose(half[..., LEFT] - half[..., RIGHT], torch.tensor(0.2))
    assert torch.equal(blend_mouth(motion, other, 0.0), motion)
    eyes = [i for i, name in enumerate(ARKIT_SHAPES) if not name.startswith(("mouth", "jaw"))]
    assert torch.equal(half[..., eyes], motion[..., eyes])


def test_closed_lips_keep_the_models_shapes():
    motion = face(0.0)
    motion[..., [i for i, n in enumerate(ARKIT_SHAPES) if n.startswith("mouth")]] = 0.0
    trembling = mouth(0.02, 0.0) + 0.001 * torch.randn(1, 5, len(SOLVED))
    assert torch.equal(blend_mouth(motion, trembling, 1.0), motion)


def test_without_a_mouth_nothing_changes():
    motion = face(0.3)
    assert BlendMouth(1.0).apply(motion, NO_CUES) is motion
    changed = BlendMouth(1.0).apply(motion, FaceCues(mouth=mouth(0.6, 0.0)))
    assert torch.allclose(changed[..., JAW], torch.tensor(0.6))


def test_openings_are_scaled_from_closed_and_widths_from_their_mean():
    mean, shapes = torch.full((len(SOLVED),), 0.3), torch.full((2, len(SOLVED)), 0.2)
    shapes[1] = 0.05
    jaw, smile = SOLVED.index("jawOpen"), SOLVED.index("mouthSmile")
    wide = widened(shapes, mean)
    lips = SOLVED.index("mouthUpperUp")
    torch.testing.assert_close(wide[:, lips], OPENING_GAIN * shapes[:, lips])
    # Smiling presses the lips and less of it parts them: the jaw gives back what that changes.
    gap = torch.tensor([RESPONSE[name][0] for name in SOLVED])
    opened = torch.tensor([1.0 if name in WIDTH_SHAPES else OPENING_GAIN for name in SOLVED])
    torch.testing.assert_close(wide @ gap, (opened * shapes) @ gap)
    assert not torch.equal(wide[:, jaw], OPENING_GAIN * shapes[:, jaw])
    torch.testing.assert_close(wide[0, smile], torch.tensor(0.3 - 0.1 * WIDTH_GAIN))
    assert wide[1, smile] == 0.0


def test_the_gap_that_is_regressed_in_silence_leaves_the_mouth_still():
    motion = face(0.0)
    motion[..., [i for i, n in enumerate(ARKIT_SHAPES) if n.startswith("mouth")]] = 0.0
    # jawOpen parts the lips by 0.647 mouth widths.
    silent = mouth((0.04 + REGRESSED_REST - 0.001) / 0.647, 0.0)
    assert torch.equal(blend_mouth(motion, silent, 1.0), motion)
    assert blend_mouth(motion, 1.5 * silent, 1.0)[..., JAW].min() > 0.0
