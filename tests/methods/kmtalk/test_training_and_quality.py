"""The checks that an implementation of KMTalk should pass (card, section 10)."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from motet.data.training_set import TrainingSet
from motet.methods.kmtalk.batches import WindowMaker
from motet.methods.kmtalk.config import PRESETS, KeyTraining, KMTalkCondition, KMTalkConfig
from motet.methods.kmtalk.generate import build
from motet.methods.kmtalk.key_timing import Keys, interpolate, key_timing, pad_keys
from motet.methods.kmtalk.keys import GAP_S, UNKNOWN_PHONE, closures, key_frames, spoken_frames
from motet.methods.kmtalk.model import KMTalkModel
from motet.methods.kmtalk.output_basis import pair_steps
from motet.phonetics.phones import INDEX, PhoneSpan
from motet.types import Audio, arkit_space
from tests.methods.kmtalk.conftest import SMALL, performance, performances, trained

PHONES = [
    PhoneSpan(0.0, 0.5, "sil"),
    PhoneSpan(0.5, 0.58, "m"),
    PhoneSpan(0.58, 0.74, "a"),
    PhoneSpan(0.74, 0.9, "p"),
    PhoneSpan(0.9, 2.0, "sil"),
]


def random_keys(frames: int, count: int, seed: int) -> Keys:
    noise = torch.Generator().manual_seed(seed)
    rows = [
        sorted({0, frames - 1, *torch.randint(0, frames, (count,), generator=noise).tolist()})
        for _ in range(2)
    ]
    return pad_keys(rows, [[(1, 2)] * len(row) for row in rows])


# 1
#
# ------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [0, 3, 40])
def test_an_untrained_completion_is_linear_interpolation(count: int) -> None:
    torch.manual_seed(count)
    model, frames = KMTalkModel(SMALL).eval(), 60
    keys, length = random_keys(frames, count, count), torch.tensor([frames, frames])
    said = torch.randn(2, keys.count, 55)
    every = model.complete(said, torch.randn(2, frames, SMALL.width), None, keys, length)
    for item in range(2):
        places = keys.frame_index[item][keys.valid[item]]
        for channel in (0, 54):
            expected = _numpy_interpolation(frames, places, said[item, keys.valid[item], channel])
            assert (every[item, :, channel] - expected).abs().max() < 1e-6


def _numpy_interpolation(frames: int, places: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    import numpy as np

    return torch.from_numpy(
        np.interp(np.arange(frames), places.numpy(), values.detach().numpy())
    ).float()


# 2
#
# ------------------------------------------------------------------------------------------------------------------


def test_one_row_for_each_key() -> None:
    model, keys = KMTalkModel(SMALL).eval(), random_keys(50, 9, 3)
    audio = torch.randn(2, 50, SMALL.width)
    assert model.keys is not None
    assert model.keys(audio, keys, torch.tensor([50, 50])).shape == (2, keys.count, 55)


@pytest.mark.parametrize(
    ("fps", "wanted"), [(25.0, (0, 12, 14, 18, 22, 49)), (30.0, (0, 15, 17, 22, 27, 59))]
)
def test_only_rounding_depends_on_the_frame_rate(fps: float, wanted: tuple[int, ...]) -> None:
    assert key_frames(PHONES, round(2 * fps), fps, gaps=False).frames == wanted


def test_keys_know_the_phones_around_them() -> None:
    found = key_frames(PHONES, 50, 25.0, gaps=False)
    assert dict(zip(found.frames, found.phones, strict=True))[14] == (INDEX["m"], INDEX["a"])
    assert dict(zip(found.frames, found.phones, strict=True))[12] == (INDEX["sil"], INDEX["m"])


# 3
#
# ------------------------------------------------------------------------------------------------------------------


def test_anchors_share_one_path() -> None:
    assert key_frames(PHONES, 50, 25.0, "midpoint", gaps=False).frames == (0, 14, 16, 20, 49)
    assert key_frames(PHONES, 50, 25.0, "both", gaps=False).frames == (
        0,
        12,
        14,
        16,
        18,
        20,
        22,
        49,
    )
    assert key_frames(PHONES, 50, 25.0, "file", gaps=False).frames == (0, 12, 14, 18, 49)
    assert len(key_frames(PHONES, 50, 25.0, "uniform:0.2").frames) == 10
    assert (
        key_frames([], 50, 25.0) == key_frames(PHONES, 50, 25.0, "uniform:0.33")
        or len(key_frames([], 50, 25.0).frames) == 16
    )
    assert key_frames([], 1, 25.0).frames == (0,)


def test_without_phones_keys_are_uniform_and_nameless() -> None:
    found = key_frames([], 100, 25.0)
    assert len(found.frames) == 33
    assert {
        frame - before for before, frame in zip(found.frames, found.frames[1:], strict=False)
    } == {3, 4}
    assert set(found.phones) == {(UNKNOWN_PHONE, UNKNOWN_PHONE)}


def test_long_silence_is_divided_and_closures_get_a_key_of_their_own() -> None:
    with_gaps = key_frames(PHONES, 50, 25.0)
    assert (
        max(b - a for a, b in zip(with_gaps.frames, with_gaps.frames[1:], strict=False))
        <= round(GAP_S * 25) + 1
    )
    assert {14, 20} <= set(key_frames(PHONES, 50, 25.0, closures=True).frames)
    assert closures(PHONES) == ((0.5, 0.58), (0.74, 0.9))


# 4
#
# ------------------------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_both_stages_learn_four_seconds_by_heart(small: KMTalkConfig) -> None:
    corpus = TrainingSet(arkit_space(), [performance(1)])
    config = dataclasses.replace(small, training=dataclasses.replace(small.training, frames=100))
    model = trained(config, corpus, ("keys", "completion"), 160, batch=1)
    batch = WindowMaker(config).windows(corpus, 1, torch.Generator().manual_seed(0))
    keys = Keys(batch["frame_index"], batch["phones"], batch["key_valid"])
    said, every = model(batch["features"], keys, batch["length"])
    expected = model.basis.encode(batch["motion"])
    moving = expected.var(1).mean(0) > 1e-6
    at_keys = expected[:, keys.frame_index[0]]
    assert float((said - at_keys)[..., moving].square().mean() / expected[..., moving].var()) < 0.01
    assert (
        float((every - expected)[..., moving].square().mean() / expected[..., moving].var()) < 0.01
    )


# 5 and 6
#
# ------------------------------------------------------------------------------------------------------------

SPARSE = dataclasses.replace(
    SMALL,
    anchor="uniform:0.1",
    closure_keys=False,
    training=dataclasses.replace(SMALL.training, true_keys=1.0),
)


@pytest.mark.slow
def test_a_completion_that_hears_is_better_far_from_keys() -> None:
    corpus, errors = performances(), {}
    for hears in (True, False):
        config = dataclasses.replace(SPARSE, audio_guidance=hears)
        model = trained(config, corpus, ("completion",), 70, batch=4)
        batch = WindowMaker(config).windows(corpus, 8, torch.Generator().manual_seed(5))
        keys = Keys(batch["frame_index"], batch["phones"], batch["key_valid"])
        expected = model.basis.encode(batch["motion"])
        said = expected[torch.arange(8).unsqueeze(1), keys.frame_index]
        every = model.complete(
            said,
            model.audio_context(batch["features"], batch["length"]),
            None,
            keys,
            batch["length"],
        )
        far = key_timing(keys, 100, 25.0)[1][..., :2].amin(-1) > 2 / 25
        assert far.any()
        errors[hears] = float((every - expected)[far].square().mean())
    assert errors[True] < 0.8 * errors[False], errors


@pytest.mark.slow
def test_a_shift_of_one_frame_matters_little() -> None:
    disturbed = KeyTraining(
        drop_identity=0.3, heard_keys=0.0, disturb=0.5, true_keys=0.3, frames=100
    )
    config, corpus = dataclasses.replace(SMALL, training=disturbed, phone_dim=0), performances()
    model = trained(config, corpus, ("keys", "joint"), 60, batch=4)
    item = corpus.items[0]
    errors = []
    for shift in (0, 1):
        spans = [PhoneSpan(a + shift / 25, b + shift / 25, s) for a, b, s in item.phones]
        found = key_frames(spans, 100, 25.0)
        keys = pad_keys([list(found.frames)], [list(found.phones)])
        _, every = model(pair_steps(item.features.unsqueeze(0), 100, 2), keys, torch.tensor([100]))
        errors.append(
            float((model.basis.decode(every)[0] - item.motion)[:, :6].abs().amax(1).mean())
        )
    assert abs(errors[1] - errors[0]) < 0.1 * errors[0], errors


# 7
#
# ------------------------------------------------------------------------------------------------------------------


def test_padding_changes_nothing() -> None:
    torch.manual_seed(2)
    model = KMTalkModel(SMALL).double().eval()
    for parameter in model.parameters():  # heads that say something
        torch.nn.init.normal_(parameter, std=0.05)
    features, keys = torch.randn(1, 40, 16).double(), pad_keys([[0, 7, 20, 39]], [[(1, 2)] * 4])
    said, alone = model(features, keys, torch.tensor([40]))
    wide = torch.cat([features, torch.randn(1, 25, 16)], 1)
    more = pad_keys([[0, 7, 20, 39], [0, 1, 2, 30, 50, 64]], [[(1, 2)] * 4, [(3, 4)] * 6])
    said_too, padded = model(
        torch.cat([wide, torch.randn(1, 65, 16)]), more, torch.tensor([40, 65])
    )
    assert (said_too[0, :4] - said[0]).abs().max() < 1e-9
    assert (padded[0, :40] - alone[0]).abs().max() < 1e-9


def test_a_minute_runs_and_the_work_is_cut_without_a_trace() -> None:
    torch.manual_seed(0)
    config = dataclasses.replace(PRESETS["tiny"], reach=20)
    method = build(config, None, {})
    sound = 0.1 * torch.randn(1, 1, 60 * 16000, generator=torch.Generator().manual_seed(0))
    assert method.run(Audio(sound, 16000), KMTalkCondition(), (0,)).frames == 1500
    # far apart from a change, nothing changes: attention is bounded
    model = KMTalkModel(dataclasses.replace(SMALL, reach=10)).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.05)
    found = key_frames([], 900, 25.0)
    keys, features = pad_keys([list(found.frames)], [list(found.phones)]), torch.randn(1, 900, 16)
    changed = features.clone()
    changed[:, :10] += 1
    one, other = (model(given, keys, torch.tensor([900]))[1] for given in (features, changed))
    assert torch.equal(one[:, 500:], other[:, 500:])
    assert not torch.equal(one[:, :10], other[:, :10])


def test_interpolation_is_constant_outside_the_keys() -> None:
    keys = pad_keys([[3, 7]], [[(0, 0)] * 2])
    values = interpolate(torch.tensor([[[1.0], [3.0]]]), keys, 10)[0, :, 0]
    assert values.tolist() == [1, 1, 1, 1, 1.5, 2, 2.5, 3, 3, 3]


def test_every_phone_is_seen_at_some_frame() -> None:
    found = spoken_frames(PHONES, 60, 25.0)
    assert found[:13] == [INDEX["sil"]] * 13
    assert found[13:15] == [INDEX["m"]] * 2
    assert found[50:] == [UNKNOWN_PHONE] * 10
    assert spoken_frames([PhoneSpan(0.401, 0.419, "p")], 20, 25.0)[10] == INDEX["p"]
