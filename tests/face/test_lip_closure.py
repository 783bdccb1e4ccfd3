import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.face.lip_closure import (
    MOST_EVIDENCE,
    STEPS_AFTER,
    STEPS_BEFORE,
    WIDE_GAP,
    amount_from_evidence,
    closure_evidence,
    enforce_closures,
)
from motet.face.lip_shapes import measure
from motet.types import ARKIT_SHAPES, arkit_space

JAW = ARKIT_SHAPES.index("jawOpen")


def speaking(frames: int, jaw: float) -> torch.Tensor:
    motion = torch.zeros(1, frames, arkit_space().dim)
    motion[..., JAW] = jaw
    motion[..., -3:] = 0.1
    return motion


def gap(motion: torch.Tensor) -> torch.Tensor:
    return torch.from_numpy(measure(motion[0, :, : len(ARKIT_SHAPES)].double().numpy())[:, 0])


def test_a_sure_closure_seals_an_open_mouth_and_nothing_else() -> None:
    motion, evidence = speaking(5, 0.4), torch.tensor([[0.0, 0.0, 1.0, 0.0, 0.0]])
    closed = enforce_closures(motion, evidence)
    assert gap(motion).min() > WIDE_GAP
    assert gap(closed)[2].abs() < 1e-6
    assert torch.equal(closed[:, [0, 1, 3, 4]], motion[:, [0, 1, 3, 4]])
    assert torch.equal(closed[..., -3:], motion[..., -3:])


def test_without_evidence_the_motion_is_untouched() -> None:
    motion = speaking(4, 0.3)
    assert enforce_closures(motion, torch.zeros(1, 4)) is motion


def test_lips_that_are_nearly_together_need_less_evidence() -> None:
    assert amount_from_evidence(torch.tensor(0.1), torch.tensor(0.0)) == 1
    assert amount_from_evidence(torch.tensor(0.1), torch.tensor(WIDE_GAP)) == 0
    assert amount_from_evidence(torch.tensor(MOST_EVIDENCE), torch.tensor(WIDE_GAP)) == 1


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.4), st.floats(0, 0.4))
@settings(deadline=None, max_examples=100)
def test_more_evidence_never_closes_less_and_a_wider_gap_never_more(
    sure: float, surer: float, gap_a: float, gap_b: float
) -> None:
    low, high = sorted((sure, surer))
    narrow, wide = sorted((gap_a, gap_b))
    evidence, gaps = (
        torch.tensor([low, high], dtype=torch.float64),
        torch.tensor([narrow, wide], dtype=torch.float64),
    )
    assert amount_from_evidence(evidence[:1], gaps[:1]) <= amount_from_evidence(
        evidence[1:], gaps[:1]
    )
    assert amount_from_evidence(evidence[:1], gaps[1:]) <= amount_from_evidence(
        evidence[:1], gaps[:1]
    )


def test_evidence_belongs_to_the_frame_whose_sound_it_is() -> None:
    for frame in range(4):
        for step in (2 * frame, 2 * frame + 1):
            probability = torch.zeros(1, STEPS_BEFORE + 2 * 3 + STEPS_AFTER)
            probability[:, STEPS_BEFORE + step] = 1.0
            evidence = closure_evidence(probability)
            assert evidence.shape == (1, 4)
            assert evidence[0, frame] == 1
            assert (evidence[0] == 1).sum() == 1
