"""New speech of a person: courses of the opening are compared at the best lag of a frame, only
where lips were found."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from motet.cli import main
from motet.errors import InputError
from motet.evaluation.cross_method_sync import (
    Recording,
    Spoken,
    best_correlation,
    medians,
    spoken_alike,
    to_json,
    voices_table,
)
from motet.metrics.lip_geometry import lip_geometry_of
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Audio, Motion, arkit_space

JAW = ARKIT_SHAPES.index("jawOpen")
COURSE = torch.tensor([max(0.0, math.sin(0.7 * k) + 0.4 * math.sin(1.9 * k)) for k in range(80)])


class DrawnLips:
    """Stands in for the landmarker: how bright a picture is tells how far the lips are open; black
    shows no face."""

    def find(self, pictures: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        shade = pictures[:, 0, 0, 0].float()
        points = torch.zeros(len(pictures), 40, 2)
        points[:, 35, 1] = shade
        return points, shade > 0


def pictures(course: torch.Tensor) -> list[np.ndarray]:
    return [np.full((4, 4, 3), round(40 + 100 * float(value)), np.uint8) for value in course]


def moving(course: torch.Tensor) -> Motion:
    values = torch.zeros(len(course), arkit_space().dim)
    values[:, JAW] = 0.5 * course
    return Motion(values, arkit_space())


def say(course: torch.Tensor, against: torch.Tensor) -> Spoken:
    recording = Recording("a", Audio.mono(torch.zeros(len(course) * 640), 16_000))
    return spoken_alike(
        lambda audio: pictures(course),
        [recording],
        {"curves": lambda audio: moving(against)},
        lip_geometry_of(load_house()),
        DrawnLips(),
    )[0]


def test_the_same_course_correlates_fully_even_a_frame_late_and_another_does_not() -> None:
    assert say(COURSE, COURSE).correlations["curves"] > 0.99
    assert say(COURSE.roll(1), COURSE).correlations["curves"] > 0.99
    assert say(COURSE.roll(4), COURSE).correlations["curves"] < 0.6
    assert say(COURSE, COURSE[:78]).frames == 80


def test_pictures_without_lips_do_not_count_and_too_many_of_them_are_an_error() -> None:
    found = torch.ones(80, dtype=torch.bool)
    found[10:20] = False
    spoilt = torch.where(found, COURSE, torch.tensor(50.0))
    assert best_correlation(spoilt, COURSE, found) == pytest.approx(1.0)
    with pytest.raises(InputError, match="too few"):
        best_correlation(COURSE[:8], COURSE[:8], found[:8])
    recording = Recording("dark", Audio.mono(torch.zeros(16_000), 16_000))
    with pytest.raises(InputError, match="of dark lips were found in 0%"):
        spoken_alike(
            lambda audio: [np.zeros((4, 4, 3), np.uint8)] * 20,
            [recording],
            {},
            lip_geometry_of(load_house()),
            DrawnLips(),
        )


def test_the_table_ends_with_the_median() -> None:
    rows = [
        Spoken(name, 10, 1.0, {"artalk": value})
        for name, value in (("a", 0.2), ("b", 0.9), ("c", 0.7))
    ]
    assert medians(rows) == {"artalk": 0.7}
    assert voices_table(rows, "new speech").row_count == 4
    assert to_json(rows)["medians"] == {"artalk": 0.7}


def test_the_command_names_the_study_that_there_is(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["eval", "speech2lip", "--study", "steps"]) == 2
    assert "voices" in capsys.readouterr().err
