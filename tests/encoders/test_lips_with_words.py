"""The mouth from sound and words: chunking, what known phones change, closed lips, refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from motet.encoders.base import MouthEncoder, encode
from motet.encoders.lips import PHONE_OFFSETS, around, load_lip_encoder
from motet.encoders.lips_with_words import LipEncoderWithWords
from motet.errors import ConfigError
from motet.methods.artalk.config import ArtalkCondition
from motet.phonetics.phone_source import PhoneOptions


@pytest.fixture(scope="module")
def samples() -> torch.Tensor:
    time = torch.arange(24000) / 16000
    noise = torch.randn(24000, generator=torch.Generator().manual_seed(0))
    return (0.1 * noise * (2 * torch.pi * 3 * time).sin().abs()).unsqueeze(0)


def with_words(folder: Path) -> LipEncoderWithWords:
    path = folder / "phones.ctm"
    path.write_text("x 1 0.3 0.1 B\nx 1 0.4 0.4 AA\n")
    return LipEncoderWithWords(load_lip_encoder(None, 0), PhoneOptions("", str(path), "none"))


def test_known_phones_move_the_mouth_around_them_only(
    samples: torch.Tensor, tmp_path: Path
) -> None:
    made, lips = with_words(tmp_path), load_lip_encoder(None, 0)
    assert isinstance(made, MouthEncoder)
    known, plain = encode(made, samples), encode(lips, samples)
    assert known.shape == (1, 75, lips.dim + 1)
    assert torch.equal(known[..., : lips.acoustic], plain[..., : lips.acoustic])
    change = (made.mouth(known) - lips.mouth(plain)).abs().amax((0, 2))
    # The phones end at 0.8 s; the regressor reads 12 steps of 20 ms around a step, and means of 5.
    assert float(change[20:35].max()) > 0.02
    assert float(change[40 - min(PHONE_OFFSETS) + 3 :].max()) < 1e-5


def test_lips_close_at_the_times_of_the_words(samples: torch.Tensor, tmp_path: Path) -> None:
    made = with_words(tmp_path)
    closed = made.closures(encode(made, samples), 10, 20)[0]
    assert float(closed[6:9].min()) > 0.9  # 0.32 to 0.38 s
    assert float(closed[11:].max()) < 0.2
    beyond = made.closures(encode(made, samples), 70, 10)[0]
    assert beyond[5:].tolist() == [0.0] * 5


def test_every_chunking_gives_the_same_features(samples: torch.Tensor, tmp_path: Path) -> None:
    made = with_words(tmp_path)
    state, parts = made.begin(2), []
    for piece in samples.expand(2, -1).split(3333, 1):
        features, state = made.step(state, piece)
        parts.append(features)
    whole = encode(made, samples.expand(2, -1))
    assert torch.equal(torch.cat([*parts, made.finish(state)], 1), whole)
    assert encode(made, samples[:, :0]).shape == (1, 0, made.dim)


def test_phones_around_a_step_are_means_and_the_ends_go_on() -> None:
    phones = torch.zeros(30, 2)
    phones[10:15, 1] = 1.0
    phones[-1, 0] = 5.0
    rows = around(phones, torch.tensor([12, 29])).unflatten(1, (len(PHONE_OFFSETS), 2))
    assert rows[0, PHONE_OFFSETS.index(0), 1] == 1.0
    assert rows[0, PHONE_OFFSETS.index(-4), 1] == pytest.approx(0.2)
    assert rows[1, PHONE_OFFSETS.index(4), 0] == 5.0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"text": "a", "timing": "b.ctm"}, "either text or timing"),
        ({"text": "a", "mode": "stream"}, "whole recording"),
        ({"recogniser": "auto", "mode": "stream"}, "whole recording"),
    ],
)
def test_words_that_cannot_be_used_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        ArtalkCondition(**options)
