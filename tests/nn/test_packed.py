import pytest
import torch
from torch import nn

from motet.encoders.wav2vec2 import Wav2Vec2
from motet.errors import ConfigError
from motet.nn import packed
from motet.nn.packed import (
    PackedLinear,
    bfloat16_is_fast,
    pack_linears,
    packing_works,
    with_precision,
)

needs_packing = pytest.mark.skipif(not packing_works(), reason="this torch cannot pack weights")


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(300, 400), nn.GELU(), nn.Linear(400, 256, bias=False), nn.Linear(256, 5)
    ).requires_grad_(False)


@needs_packing
@pytest.mark.parametrize("shape", [(300,), (1, 300), (3, 7, 300), (0, 300)])
def test_packed_products_are_the_plain_ones(shape: tuple[int, ...]) -> None:
    plain, x = network(), torch.randn(*shape)
    expected = plain(x)
    kept = plain[3]
    found = pack_linears(plain)
    assert found is plain and isinstance(plain[0], PackedLinear) and plain[3] is kept, (
        "small layers stay"
    )
    torch.testing.assert_close(plain(x), expected, rtol=1e-5, atol=1e-5)
    strided = torch.randn(300, 6).T
    torch.testing.assert_close(plain[0](strided), plain[0](strided.contiguous()))


@needs_packing
@pytest.mark.parametrize("precision,error", [("bfloat16", 0.02), ("int8", 0.06)])
def test_lower_precisions_are_near_and_leave_the_exact_network_alone(
    precision: packed.Precision, error: float
) -> None:
    if precision == "bfloat16" and not bfloat16_is_fast():
        pytest.skip("this processor has no products in bfloat16")
    exact, x = pack_linears(network()), torch.randn(9, 300)
    expected = exact(x)
    rough = with_precision(exact, precision)
    assert 0 < float((rough(x) - expected).norm() / expected.norm()) < error
    assert torch.equal(exact(x), expected) and with_precision(exact, "float32") is exact
    assert rough[3] is exact[3], "what is not converted is shared"


def test_missing_hardware_is_an_error_with_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "bfloat16_is_fast", lambda: False)
    with pytest.raises(ConfigError, match="choose precision float32"):
        with_precision(network(), "bfloat16")


def test_where_nothing_can_be_packed_the_network_runs_as_it_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(packed, "packing_works", lambda: False)
    assert isinstance(pack_linears(network())[0], nn.Linear)


@needs_packing
def test_a_packed_encoder_gives_the_same_features() -> None:
    torch.manual_seed(0)
    encoder = (
        Wav2Vec2(256, 1, 4, 512, (256, 256, 256, 32, 32, 32, 32), 16, 4)
        .eval()
        .requires_grad_(False)
    )
    sound = torch.randn(2, 9000)
    expected = encoder(sound)
    encoder.pack()
    assert (
        encoder.feature_extractor.conv_layers[1].product is not None
        and encoder.feature_extractor.conv_layers[4].product is None
    )
    torch.testing.assert_close(encoder(sound), expected, rtol=1e-4, atol=1e-4)
    assert float((with_precision(encoder, "int8")(sound) - expected).norm() / expected.norm()) < 0.1
