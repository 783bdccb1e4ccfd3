"""Mouths from exemplars: distributions are restored, runs of footage are kept, a landmark goes
where it is sent, and a take is the same however its sound is cut."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from motet.errors import ConfigError
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.exemplar.draw import bent, faded, relit, sharpened
from motet.methods.speech2lip.exemplar.fit import bend_of, ridge, selected, windows_of
from motet.methods.speech2lip.exemplar.model import ExemplarModel, matched
from motet.methods.speech2lip.exemplar.path import NONE, Paths
from motet.methods.speech2lip.exemplar.shape import INNER, SHAPE
from motet.methods.speech2lip.exemplar.synthetic import synthetic_speaker
from motet.methods.speech2lip.exemplar.teeth import teeth_seen
from motet.methods.speech2lip.person.folder import Skip
from motet.methods.speech2lip.person.footage_order import shown_frames
from motet.registry import method_spec
from motet.session import build_method
from motet.types import Audio

TINY = PRESETS["tiny_exemplar"]


def noise(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_a_prediction_that_regressed_to_the_mean_gets_the_filmed_distribution() -> None:
    filmed = noise(2000, 1).exp()
    predicted = 0.3 * filmed + 1.0
    levels = torch.linspace(0.005, 0.995, 33)
    source, target = (torch.quantile(v, levels, 0) for v in (predicted, filmed))
    found = matched(predicted, source, target)
    for level in (0.05, 0.5, 0.95):
        assert torch.quantile(found, level) == pytest.approx(
            float(torch.quantile(filmed, level)), rel=0.02
        )
    assert float(found.max()) <= float(target.max())  # never beyond the footage


def test_ridge_finds_a_linear_map() -> None:
    inputs, true = noise(500, 6), noise(6, 2, seed=1)
    weight, bias = ridge(inputs, inputs @ true + 3, 0.03)
    assert torch.allclose(inputs @ weight + bias, inputs @ true + 3, atol=0.25)


def test_windows_do_not_reach_over_cuts() -> None:
    curves = torch.arange(1.0, 11.0).unsqueeze(1)
    windows = windows_of(curves, [range(4), range(4, 10)], 3)
    assert windows.shape == (10, 3, 1)
    assert windows[3, :, 0].tolist() == [3, 4, 0]
    assert windows[4, :, 0].tolist() == [0, 5, 6]


def test_selected_runs_reach_the_extremes() -> None:
    shapes = 0.1 * noise(500, 2)
    shapes[260:270] += 5
    rows = selected(shapes, torch.arange(500), 100)
    assert len(rows) == 100 and set(range(260, 270)) <= set(rows.tolist())


def test_landmarks_follow_the_shape() -> None:
    shapes = noise(300, 2)
    true = noise(2, 5, 2, seed=3)
    bend = bend_of(shapes, torch.einsum("fs,spc->fpc", shapes, true) + 100)
    assert torch.allclose(bend, true, atol=0.05)


def test_a_moved_landmark_is_looked_up_where_it_was() -> None:
    landmarks = torch.tensor([[[10.0, 10.0], [30.0, 10.0]]])
    moved = torch.tensor([[[0.0, 4.0], [0.0, 0.0]]])
    at = torch.tensor([[[[10.0, 14.0], [30.0, 10.0], [200.0, 200.0]]]])
    found = bent(at, landmarks, moved, 6.0)[0, 0]
    assert found[0, 1] == pytest.approx(10, abs=0.8)  # regularised: nearly
    assert torch.allclose(found[1:], at[0, 0, 1:], atol=0.8)
    assert torch.equal(found[2], at[0, 0, 2])  # far away nothing moves


def test_light_that_runs_over_the_region_is_taken_over() -> None:
    drawn = 0.4 + 0.1 * torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    ramp = torch.linspace(0.9, 1.2, 64).expand(64, 64)
    skin = torch.ones(1, 1, 64, 64)
    skin[..., 16:48, 16:48] = 0
    found = relit(drawn, drawn * ramp, skin)
    before, after = (float((p - drawn * ramp).abs().mean()) for p in (drawn, found))
    assert after < 0.35 * before


def test_sharpening_keeps_flat_colour_and_lifts_edges() -> None:
    picture = torch.full((1, 3, 8, 8), 0.3)
    assert torch.allclose(sharpened(picture, 1.0), picture, atol=1e-6)
    picture[..., 4:] = 0.6
    assert float(sharpened(picture, 1.0)[0, 0, 4, 4]) > 0.6


def test_light_fades_and_edges_do_not() -> None:
    drawn = torch.full((1, 3, 60, 60), 0.4)
    drawn[..., 30:] = 0.8
    left = (drawn - 0.2).flip(-1)  # darker, its edge runs the other way
    made = faded(drawn, left, torch.tensor([0.5]))
    both = drawn + 0.5 * (left - drawn)
    assert abs(float(made.mean() - both.mean())) < 0.02
    step = [float(p[0, 0, 30, 30] - p[0, 0, 30, 29]) for p in (drawn, made, both)]
    assert step[1] > 0.8 * step[0] and step[2] < 0.1


def mouth_picture(inside: tuple[int, int, int]) -> tuple[torch.Tensor, torch.Tensor]:
    """A face of one colour with a square between its lips, and its landmarks."""
    picture = torch.tensor([180, 130, 110], dtype=torch.uint8).repeat(1, 100, 100, 1)
    picture[0, 45:55, 40:60] = torch.tensor(inside, dtype=torch.uint8)
    points = torch.full((1, 478, 2), 20.0)
    points[0, 61], points[0, 291] = torch.tensor([30.0, 50.0]), torch.tensor([70.0, 50.0])
    inner = torch.tensor([[40.0, 50], [40, 45], [60, 45], [60, 50], [60, 55], [40, 55]])
    points[0, list(INNER)] = inner.repeat_interleave(torch.tensor([3, 4, 3, 3, 4, 3]), 0)
    return picture, points


def test_teeth_are_bright_and_no_redder_than_skin() -> None:
    white, dark, red = (
        float(teeth_seen(*mouth_picture(c))[0])
        for c in ((200, 190, 170), (40, 20, 20), (190, 90, 90))
    )
    assert white == pytest.approx(200 / 40**2, rel=0.1)  # 20 x 10 pixels over the mouth's width
    assert dark == red == 0


def model_of(count: int) -> ExemplarModel:
    model = ExemplarModel(dataclasses.replace(TINY.exemplar, count=count))
    model.frames = torch.arange(count, dtype=torch.int32)
    model.follows = torch.arange(count) % 10 > 0
    model.shapes = noise(count, len(SHAPE))
    model.looks = noise(count, model.looks.shape[1], seed=2)
    return model


def test_what_was_filmed_in_a_row_is_shown_in_a_row() -> None:
    model = model_of(60)
    paths = Paths(model, torch.ones(len(SHAPE)), torch.zeros(60, 3))
    asked = model.shapes[20:30] + 0.05 * noise(10, len(SHAPE), seed=5)
    assert paths.choose(asked, NONE, torch.zeros(10, 3)) == list(range(20, 30))


def test_a_far_shape_is_worth_leaving_a_run_for() -> None:
    model = model_of(60)
    paths = Paths(model, torch.ones(len(SHAPE)), torch.zeros(60, 3))
    asked = torch.cat([model.shapes[20:24], 4 * model.shapes[45:46].sign().expand(4, -1)])
    chosen = paths.choose(asked, NONE, torch.zeros(8, 3))
    assert chosen[:3] == [20, 21, 22]
    nearest = int(torch.cdist(asked[6:7], model.shapes).argmin())
    assert nearest in chosen[4:]


def test_a_head_that_is_turned_the_same_way_is_preferred() -> None:
    model = model_of(60)
    model.shapes[30:] = model.shapes[:30]  # every shape from the front and from the side
    turns = torch.zeros(60, 3)
    turns[30:, 1] = 0.4
    paths = Paths(model, torch.ones(len(SHAPE)), turns)
    front = paths.choose(model.shapes[:6], NONE, torch.zeros(6, 3))
    side = paths.choose(model.shapes[:6], NONE, torch.tensor([[0.0, 0.4, 0.0]]).expand(6, -1))
    assert max(front) < 30 <= min(side)


@pytest.fixture(scope="module")
def sound() -> Audio:
    speech = 0.2 * noise(1, 1, 24_000).cumsum(-1).sin()
    return Audio(speech, 16_000, "mono")


def test_every_cutting_of_the_sound_gives_the_same_pictures(sound: Audio) -> None:
    loaded = build_method(method_spec("speech2lip"), TINY)
    options = {"mode": "stream"}
    whole = loaded.run(sound, options).rgb[0]
    stream, parts = loaded.stream(options), []
    for piece in sound.pieces(0.11):
        parts += [out.rgb for out in stream.push(dataclasses.replace(piece, samples=piece.samples))]
    parts += [out.rgb for out in stream.finish()]
    cut = torch.cat(parts)
    assert whole.shape == cut.shape == (38, 48, 48, 3)
    assert int((whole.int() - cut.int()).abs().max()) <= 1


def test_pictures_outside_the_mouth_stay_as_filmed() -> None:
    speaker = synthetic_speaker(TINY)
    shapes = speaker.model.shapes[5:9] + 0.3
    shown = torch.arange(4)
    made, after = speaker.draw(shapes, shown, None)
    assert after.exemplar != NONE
    for index in range(4):
        filmed = speaker.person.frame(index)
        difference = np.abs(made[index].numpy().astype(int) - filmed)
        left, top = int(speaker.mouth.left[index]), int(speaker.mouth.top[index])
        width, height = speaker.mouth.size
        difference[top : top + height, left : left + width] = 0
        assert difference.max() == 0


def test_spans_that_are_skipped_stay_as_filmed_and_takes_begin_after_them() -> None:
    speaker = synthetic_speaker(TINY)
    skips = (Skip(0, 2, "no face"), Skip(6, 40, "no face"))
    speaker.facts = speaker.mouth.facts = dataclasses.replace(speaker.facts, skipped=skips)
    made, _ = speaker.draw(speaker.model.shapes[5:9] + 0.3, torch.arange(4), None)
    same = [bool((made[k].numpy() == speaker.person.frame(k)).all()) for k in range(4)]
    assert same == [True, True, False, False]
    assert [speaker.facts.usable_from(k) for k in (0, 3, 7)] == [2, 3, 2]


def test_a_person_is_driven_by_what_they_were_fitted_for() -> None:
    own = dataclasses.replace(
        TINY, exemplar=dataclasses.replace(TINY.exemplar, motions=("artalk",))
    )
    with pytest.raises(ConfigError, match="not for kmtalk"):
        synthetic_speaker(own).driven_by("kmtalk")


def test_options_of_exemplars_are_refused_by_persons_without() -> None:
    with pytest.raises(ConfigError, match="follows the sound itself"):
        build_method(method_spec("speech2lip"), PRESETS["tiny"]).run(
            Audio.mono(torch.zeros(16_000), 16_000), {"motion": "kmtalk"}
        )


def test_once_goes_through_the_footage_and_stands_still_at_its_end() -> None:
    assert shown_frames(range(3, 10), 5, 0, 8, "once").tolist() == [5, 6, 7, 8, 9, 9, 9, 9]
    assert shown_frames(range(3, 10), 5, 3, 2, "once").tolist() == [8, 9]
