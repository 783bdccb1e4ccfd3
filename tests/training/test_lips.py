"""The lip regressor: its closed form, shapes that were not observed, spreads of a stream's maps."""

from __future__ import annotations

import dataclasses
from functools import partial

import pytest
import torch

from motet.encoders.lips import STREAM_CONTEXT, LipRegressor, LipsConfig, load_lip_encoder
from motet.encoders.whisper.encoder import WhisperAudioEncoder
from motet.errors import InputError
from motet.face.lip_shapes import SOLVED
from motet.phonetics.phones import SYMBOLS
from motet.training.lips import (
    STREAM,
    LipClip,
    StreamBlock,
    fit_lips,
    mouth_shapes,
    shown_phones,
    stream_blocks,
)
from motet.types import ARKIT_SHAPES

CONFIG = LipsConfig("", SOLVED, dim=8)
JAW, STRETCH = SOLVED.index("jawOpen"), SOLVED.index("mouthStretch")


def clips(observed: bool = True, streamed: bool = True, phone_count: int = 0) -> list[LipClip]:
    """Jaws that follow one feature 0.16 s later, so that a stream knows them in part only."""
    noise, result = torch.Generator().manual_seed(0), []
    for _ in range(4):
        features = torch.randn(400, 8, generator=noise)
        shapes = torch.zeros(196, len(SOLVED))
        shapes[:, JAW] = 0.5 + 0.1 * features[8::2, 3]
        shapes[:, STRETCH] = 0.2 + 0.1 * features[:392:2, 1]

        def blocks(features: torch.Tensor = features) -> list[StreamBlock]:
            size = STREAM_CONTEXT + STREAM.hop + STREAM.look_ahead
            phones = torch.zeros(size, phone_count)
            firsts = range(24, 392 - size, STREAM.hop)
            rows = [features[f - STREAM_CONTEXT :][:size] for f in firsts]
            return [StreamBlock(3 + k, row, phones) for k, row in enumerate(rows)]

        seen = tuple(observed or name != "mouthStretch" for name in SOLVED)
        clip = LipClip(shapes, seen, 1.0, features)
        result.append(dataclasses.replace(clip, blocks=blocks) if streamed else clip)
    return result


def fitted(given: list[LipClip]) -> LipRegressor:
    regressor = LipRegressor(CONFIG)
    regressor.load_state_dict(fit_lips(CONFIG, given), strict=False)
    return regressor


def test_the_closed_form_finds_a_linear_mouth() -> None:
    regressor, clip = fitted(clips()), clips()[0]
    steps = torch.arange(8, 384, 2)
    shapes, truth = regressor.whole(clip.features, steps), clip.shapes[4:192]
    for shape in (JAW, STRETCH):
        both = torch.stack([shapes[:, shape], truth[:, shape]])
        assert torch.corrcoef(both)[0, 1] > 0.99
    assert torch.allclose(regressor.mean[JAW], torch.tensor(0.5), atol=0.03)


def test_a_stream_knows_what_it_has_received() -> None:
    regressor, features = fitted(clips()), clips()[0].features
    seen = torch.stack(
        [regressor.streamed(features[: k + 11], torch.tensor([k]))[0] for k in range(8, 380, 2)]
    )
    early = torch.stack(
        [regressor.streamed(features[: k + 3], torch.tensor([k]))[0] for k in range(8, 380, 2)]
    )
    truth = clips()[0].shapes[4:190]
    for shapes, shape, least, most in (
        (seen, JAW, 0.98, 1.0),
        (early, STRETCH, 0.98, 1.0),
        (early, JAW, -0.3, 0.3),
    ):
        correlation = torch.corrcoef(torch.stack([shapes[:, shape], truth[:, shape]]))[0, 1]
        assert least < correlation <= most


def test_phones_explain_what_the_sound_leaves_over() -> None:
    config, given = dataclasses.replace(CONFIG, phones=2), []
    for clip in clips(phone_count=2):
        labels = torch.zeros(400, 2)
        labels[:, 1] = (torch.arange(400) // 40) % 2
        shapes = clip.shapes.clone()
        shapes[:, JAW] += 0.3 * labels[: 2 * len(shapes) : 2, 1]
        given.append(dataclasses.replace(clip, shapes=shapes, phones=labels))
    regressor = LipRegressor(config)
    regressor.load_state_dict(fit_lips(config, given))
    steps = torch.arange(8, 384, 2)
    with_phones = regressor.whole(given[0].features, steps, given[0].phones)[:, JAW]
    without = regressor.whole(given[0].features, steps)[:, JAW]
    truth = given[0].shapes[4:192, JAW]
    assert (with_phones - truth).std() < 0.5 * (without - truth).std()
    with pytest.raises(InputError, match="phones"):
        fit_lips(config, clips(phone_count=2))


def test_phones_help_a_stream_too() -> None:
    config, given = dataclasses.replace(CONFIG, phones=2), []
    for number, clip in enumerate(clips(phone_count=2)):
        labels = torch.zeros(400, 2)
        labels[:, 1] = ((torch.arange(400) + 8 * number) // 40) % 2
        shapes = clip.shapes.clone()
        shapes[:, JAW] += 0.3 * labels[: 2 * len(shapes) : 2, 1]
        size = STREAM_CONTEXT + STREAM.hop + STREAM.look_ahead
        seen = [
            dataclasses.replace(b, phones=labels[8 * b.number - STREAM_CONTEXT :][:size])
            for b in clip.blocks()
        ]
        blocks = partial(list, seen)
        given.append(dataclasses.replace(clip, shapes=shapes, phones=labels, blocks=blocks))
    regressor = LipRegressor(config)
    regressor.load_state_dict(fit_lips(config, given))
    steps, labels = torch.arange(80, 320, 2), given[0].phones
    assert labels is not None
    made = torch.stack(
        [regressor.streamed(given[0].features[: k + 5], k[None], labels[: k + 5])[0] for k in steps]
    )
    plain = torch.stack([regressor.streamed(given[0].features[: k + 5], k[None])[0] for k in steps])
    truth = given[0].shapes[40:160, JAW]
    assert (made[:, JAW] - truth).std() < 0.7 * (plain[:, JAW] - truth).std()


def test_blocks_of_a_stream_repeat_their_first_row() -> None:
    encoder = load_lip_encoder(None, 0)
    plain = WhisperAudioEncoder(encoder.network, encoder.digest)
    samples = 0.1 * torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    blocks = stream_blocks(plain, samples)
    assert [block.number for block in blocks] == list(range(1, 7))
    # Block 1 has the 8 steps of block 0 before it, the rest repeats the first of them.
    rows = blocks[0].rows
    assert torch.equal(rows[: STREAM_CONTEXT - 8], rows[:1].expand(STREAM_CONTEXT - 8, -1))
    assert not torch.equal(rows[STREAM_CONTEXT - 8], rows[STREAM_CONTEXT - 7])
    assert torch.allclose(blocks[0].phones.sum(1), torch.ones(len(rows)))


def test_labels_are_shown_in_part_as_posteriors() -> None:
    scores = torch.full((50, len(SYMBOLS)), 1 / len(SYMBOLS)).log()
    labels, shown = [(0.2, 0.6, "a")], []
    for number in range(40):
        phones = shown_phones(str(number), labels, scores)
        again = shown_phones(str(number), labels, scores)
        assert phones is not None and again is not None and torch.equal(phones, again)
        shown.append(float(phones[20, SYMBOLS.index("a")]) > 0.9)
    assert 15 < sum(shown) < 33
    assert shown_phones("x", [], scores) is None


def test_a_shape_that_nobody_shows_is_refused() -> None:
    half = clips()[:2] + clips(observed=False)[2:]
    # Two of four recordings show the stretch: their frames alone decide.
    assert torch.isfinite(fitted(half).weight).all()
    with pytest.raises(InputError, match="mouthStretch"):
        fit_lips(CONFIG, clips(observed=False))
    with pytest.raises(InputError, match="streamed"):
        fit_lips(CONFIG, clips(streamed=False))


def test_sides_are_averaged() -> None:
    motion = torch.zeros(3, 55)
    motion[:, ARKIT_SHAPES.index("mouthStretchLeft")] = 0.4
    motion[:, ARKIT_SHAPES.index("jawOpen")] = 0.3
    shapes = mouth_shapes(motion)
    assert float(shapes[0, STRETCH]) == pytest.approx(0.2)
    assert float(shapes[0, JAW]) == pytest.approx(0.3)
