"""Whisper's features with mouth shapes: which rows each map sees, chunking, the shipped weights."""

from __future__ import annotations

import pytest
import torch

from motet.encoders.base import MouthEncoder, OfflineEncoder, encode, load_encoder
from motet.encoders.lips import LipEncoder, LipReadout, LipRegressor, LipsConfig, load_regressor
from motet.encoders.whisper.config import WhisperConfig
from motet.encoders.whisper.network import WhisperEncoder
from motet.errors import CheckpointError
from motet.face.lip_shapes import SOLVED

DIM = 8


def regressor(**sizes: object) -> LipRegressor:
    config = LipsConfig("", ("jaw", "smile"), DIM, **sizes)  # type: ignore[arg-type]
    made, chance = LipRegressor(config), torch.Generator().manual_seed(0)
    made.weight.copy_(torch.randn(made.weight.shape, generator=chance))
    made.bias.copy_(torch.randn(made.bias.shape, generator=chance))
    return made


def encoder() -> LipEncoder:
    torch.manual_seed(0)
    network = WhisperEncoder(WhisperConfig(DIM, 1, 2)).eval().requires_grad_(False)
    return LipEncoder(network, "", regressor())


def test_a_stream_uses_the_map_of_what_it_knows() -> None:
    made = regressor(ahead=(0, 4))
    rows = torch.randn(20, DIM, generator=torch.Generator().manual_seed(1))
    at, used = made.context(torch.tensor([19, 17, 15, 10, 2]), 20)
    # Steps 2 and 5 before the end: two features do not make up for four that a map expects.
    assert used.tolist() == [0, 0, 1, 1, 1]
    assert at[0].tolist() == [11, 15, 19, 19, 19] and at[1].tolist() == [9, 13, 17, 17, 17]
    assert at[2].tolist() == [7, 11, 15, 19, 19] and at[4].tolist() == [0, 0, 2, 6, 6]
    shapes = made.streamed(rows, torch.tensor([15]))
    wanted = rows[at[2]].flatten() @ made.weight[1] + made.bias[1]
    torch.testing.assert_close(shapes[0], wanted)


def test_a_whole_recording_uses_the_last_map_and_repeats_its_ends() -> None:
    made, rows = regressor(), torch.randn(12, DIM, generator=torch.Generator().manual_seed(1))
    shapes = made.whole(rows, torch.tensor([6]))
    around = rows[torch.tensor([0, 2, 6, 10, 11])].flatten()
    torch.testing.assert_close(shapes[0], around @ made.weight[-1] + made.bias[-1])


def test_features_stand_before_the_mouth() -> None:
    made = regressor()
    known = torch.randn(9, DIM)
    out = LipReadout(made, whole=False)(torch.zeros(0, DIM), known, 3)
    assert out.shape == (3, DIM + 2)
    assert torch.equal(out[:, :DIM], known[:3])
    torch.testing.assert_close(out[:, DIM:], made.streamed(known, torch.arange(3)))


@pytest.mark.parametrize("mode", ["offline", "stream"])
def test_every_chunking_gives_the_same_bits(mode: str) -> None:
    made = encoder() if mode == "offline" else encoder().streaming(0.1, 0.08)
    samples = 0.1 * torch.randn(1, 16000 * 2, generator=torch.Generator().manual_seed(2))
    whole, state, parts = encode(made, samples), made.begin(1), []
    for piece in samples.split(777, 1):
        features, state = made.step(state, piece)
        parts.append(features)
    assert torch.equal(torch.cat([*parts, made.finish(state)], 1), whole)
    assert whole.shape == (1, 100, DIM + 2)
    assert torch.equal(made.mouth(whole), whole[..., DIM:])


def test_offline_windows_see_across_their_borders() -> None:
    """25 s are two windows of 20 s; the mouth at their border is that of one long recording."""
    made = encoder()
    samples = 0.1 * torch.randn(1, 16000 * 25, generator=torch.Generator().manual_seed(2))
    features = encode(made, samples)[0]
    border = torch.arange(940, 960)
    again = made.regressor.whole(features[:, :DIM], border)
    # Features of the second window stand for those of the first near the border.
    near = (again - features[border, DIM:]).abs().max() / features[:, DIM:].std()
    assert float(near) < 0.5


def test_the_shipped_encoder_is_one_with_a_mouth() -> None:
    made = load_encoder("lips")
    assert isinstance(made, MouthEncoder) and isinstance(made, OfflineEncoder)
    assert made.dim == 384 + len(SOLVED) and len(made.mouth_mean) == len(SOLVED)
    with pytest.raises(CheckpointError, match="motet train lips"):
        load_regressor("another")
