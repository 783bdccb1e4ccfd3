"""The lip geometry of the figure that ships, and a real method through the evaluation."""

from __future__ import annotations

import pytest
import torch

from motet.errors import ConfigError
from motet.evaluation.face import EvaluationConfig, Subject, evaluate, method_subject
from motet.evaluation.held_out import HeldOut, load_held_out
from motet.metrics.lip_geometry import LipGeometry, lip_geometry_of
from motet.rigs.house import load_house
from motet.session import build_method
from motet.types import ARKIT_SHAPES, Motion, arkit_space
from tests.toy_method import SPEC as TOY


@pytest.fixture(scope="module")
def figure() -> LipGeometry:
    return lip_geometry_of(load_house())


def single(shape: str, weight: float) -> Motion:
    values = torch.zeros(1, 55)
    values[0, ARKIT_SHAPES.index(shape)] = weight
    return Motion(values, arkit_space())


def test_the_gauge_agrees_with_the_figure(figure: LipGeometry) -> None:
    shaped = load_house().shaped(contact=False)
    motion = Motion(
        torch.rand(2, 20, 55, generator=torch.Generator().manual_seed(0)), arkit_space()
    )
    assert torch.allclose(
        1000 * figure.opening(motion).float(), shaped.lip_opening_mm(motion), atol=0.01
    )
    assert torch.allclose(
        1000 * figure.width(motion).float(), shaped.mouth_width_mm(motion), atol=0.01
    )


def test_the_figure_opens_and_shuts_its_mouth(figure: LipGeometry) -> None:
    assert abs(float(figure.opening(single("browInnerUp", 0.0)))) < 0.001
    assert float(figure.opening(single("jawOpen", 0.5))) > 0.01
    assert float(figure.opening(single("mouthPucker", 1.0))) < 0.001


def test_a_method_goes_through_the_evaluation_as_a_user_gets_it(figure: LipGeometry) -> None:
    torch.manual_seed(0)
    loaded = build_method(TOY, TOY.architectures()["tiny"])
    material = load_held_out()
    small = HeldOut(material.clips[1:3], "two sentences")
    config = EvaluationConfig(takes=2, long_s=8.0)
    subject = method_subject(loaded)
    report = evaluate([subject], small, figure, config)
    assert report.value("toy", "length_error", "all clips") == 0.0
    assert report.value("toy", "diversity_head", "2 takes") > 0.0
    clip = small.clips[0].audio
    assert subject.stream is not None
    pieces = list(subject.stream(clip, 3))
    whole = subject.predict(clip, 3)
    assert torch.allclose(
        torch.cat([piece.values for piece in pieces]), whole.values, atol=TOY.tolerance
    )
    still = method_subject(loaded, "still", {"jitter": 0.0})
    found = evaluate([still], small, figure, config)
    # The head is drawn anew for every take, by post-processing; the lips are the method's.
    assert found.value("still", "diversity_lips", "2 takes") == 0.0
    assert found.value("still", "diversity_head", "2 takes") > 0.0


def test_options_that_the_method_lacks_are_refused(figure: LipGeometry) -> None:
    loaded = build_method(TOY, TOY.architectures()["tiny"])
    subject: Subject = method_subject(loaded, options={"jiter": 0.0})
    with pytest.raises(ConfigError, match="jitter"):
        subject.predict(load_held_out().clips[1].audio, 0)
