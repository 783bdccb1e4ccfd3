"""MOSPA beyond the contract: sources, imposed frames, guidance, windows that join, the official
file."""

from __future__ import annotations

import dataclasses
import math
import types
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.body.feature_vector import (
    ROOT,
    encode_body,
    mirrored,
    turned,
    vector_positions,
    vector_rotations,
)
from motet.body.skeleton import body_motion, heading, pose_body
from motet.body.source_path import EAR_HEIGHT_M, parse_source
from motet.checkpoint import read_official
from motet.config import from_json, to_json
from motet.data.training_set import SpatialItem, SpatialSet, spatial_window
from motet.errors import AssetError, CheckpointError, ConfigError, InputError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import (
    PRESETS,
    LossConfig,
    MospaCondition,
    MospaConfig,
    SourceConfig,
)
from motet.methods.mospa.generate import Mospa, build
from motet.methods.mospa.model import MospaModel
from motet.methods.mospa.source_encoding import source_input
from motet.methods.mospa.stages import measure, stages
from motet.methods.mospa.state_dict import from_official, own_name
from motet.methods.mospa.window_task import source_view, world_source
from motet.methods.mospa.windows import (
    SamplingConfig,
    WindowConditions,
    sample_window,
    seen_from_root,
    world_view,
)
from motet.types import Audio

TINY = PRESETS["tiny"]
PUBLISHED_SOURCE = {"source": SourceConfig(), "events": False}


def body_vectors(frames: int = 60, seed: int = 0, batch: tuple[int, ...] = ()) -> torch.Tensor:
    noise = torch.Generator().manual_seed(seed)
    turns = matrix_from_axis_angle(
        torch.randn(*batch, frames, 25, 3, generator=noise, dtype=torch.float64).cumsum(-3) * 0.02
    )
    root = torch.randn(*batch, frames, 3, generator=noise, dtype=torch.float64).cumsum(
        -2
    ) * 0.02 + torch.tensor([0.0, 0.9, 0.0])
    return encode_body(root, turns)


def tiny(**changes: object) -> Mospa:
    torch.manual_seed(0)
    return build(dataclasses.replace(TINY, **changes), None, {})


def noise_sound(seconds: float, seed: int = 0, gains: tuple[float, float] = (1.0, 1.0)) -> Audio:
    samples = (
        torch.randn(1, 1, round(seconds * 30720), generator=torch.Generator().manual_seed(seed))
        * 0.1
    )
    return Audio(samples * torch.tensor(gains).view(1, 2, 1), 30720, "binaural")


def test_turning_and_shifting_a_vector_is_turning_and_shifting_the_body() -> None:
    vector = body_vectors()
    angle, shift = (
        torch.tensor(0.7, dtype=torch.float64),
        torch.tensor([0.3, 0.0, -1.0], dtype=torch.float64),
    )
    turn = matrix_from_axis_angle(torch.tensor([0.0, 0.7, 0.0], dtype=torch.float64))
    moved = turned(vector, angle, shift)
    torch.testing.assert_close(vector_positions(moved), (vector_positions(vector) + shift) @ turn.T)
    torch.testing.assert_close(
        encode_body(moved[:, ROOT], vector_rotations(moved))[:-1], moved[:-1]
    )


def test_a_mirrored_vector_is_the_body_in_a_mirror() -> None:
    vector = body_vectors(seed=1)
    there = mirrored(vector)
    torch.testing.assert_close(mirrored(there), vector)
    torch.testing.assert_close(
        encode_body(there[:, ROOT], vector_rotations(there))[:-1], there[:-1]
    )
    left, right = (pose_body(body_motion(v[:, ROOT], vector_rotations(v))) for v in (vector, there))
    torch.testing.assert_close(
        left.joint("left_wrist") * torch.tensor([-1.0, 1.0, 1.0]), right.joint("right_wrist")
    )


def test_windows_of_the_corpus_begin_at_the_origin_and_keep_the_source_where_it_is() -> None:
    vector = body_vectors(100, 2).float()
    world = torch.tensor([2.0, 1.0, -1.0])
    local = seen_from_root(world.expand(1, 100, 3), vector.unsqueeze(0))[0]
    item = SpatialItem("a1", vector, torch.zeros(100, 68), local, 1, ears=1)
    cut = spatial_window(item, 30, 40, seen_from="start")
    first = vector_rotations(cut["motion"][0])[0]
    assert float(heading(first).abs()) < 1e-5
    assert float(cut["motion"][0, [0, 2]].abs().max()) < 1e-6
    assert float(cut["source"].std(0).max()) < 1e-4, (
        "a source that rests in the world must rest in the window"
    )
    assert float((cut["source"][0].norm() - (world - vector[30, ROOT]).norm()).abs()) < 1e-4
    seen = spatial_window(item, 30, 40, seen_from="root", mirror=True)
    torch.testing.assert_close(seen["source"], local[30:70] * torch.tensor([-1.0, 1.0, 1.0]))


def test_sets_that_cannot_be_drawn_from_are_refused() -> None:
    with pytest.raises(InputError, match="without a single"):
        SpatialSet([])
    item = SpatialItem("a1", torch.zeros(10, 300), torch.zeros(10, 68), torch.zeros(10, 3), 1)
    with pytest.raises(InputError, match="longest has 10"):
        SpatialSet([item]).draw(1, 20, torch.Generator())
    with pytest.raises(InputError, match="10, 9 and 10"):
        SpatialSet([dataclasses.replace(item, audio=torch.zeros(9, 68))])


def test_the_released_normalisation_keeps_octants_only_and_ours_the_direction() -> None:
    near, far = (
        torch.tensor([1.0, 0.5, 2.0]).expand(1, 16, 3),
        torch.tensor([3.0, 0.1, 0.2]).expand(1, 16, 3),
    )
    official, ours = SourceConfig(), SourceConfig(norm="xyz", distance=True)
    torch.testing.assert_close(source_input(near, official), source_input(far, official))
    torch.testing.assert_close(source_input(near, official), torch.full((1, 16, 3), 0.25))
    told = source_input(far, ours)
    assert told.shape == (1, 16, 4)
    torch.testing.assert_close(told[..., :3].norm(dim=-1), torch.ones(1, 16))
    torch.testing.assert_close(told[0, 0, 3], far[0, 0].norm().log())


def test_a_resting_source_is_seen_anew_from_each_estimate() -> None:
    config = SourceConfig()
    world = torch.tensor([1.0, 1.5, 2.0]).expand(1, 60, 3)
    vector = body_vectors(60, 3, (1,)).float()
    view, moving = world_view(world, vector[:, 0], config, "selfconsistent")
    assert moving
    torch.testing.assert_close(view(None), view(vector[:, :1].expand_as(vector)))
    assert float((view(vector) - view(None)).abs().max()) > 0.05
    initial, moving = world_view(world, vector[:, 0], config, "initial")
    assert not moving
    torch.testing.assert_close(initial(vector), view(None))


@pytest.mark.parametrize("mode", ["selfconsistent", "initial"])
def test_published_models_take_honest_sources(mode: str) -> None:
    method = tiny(
        **PUBLISHED_SOURCE,
        source_axes=False,
        fusion="tokens",
        families=False,
        patch=1,
        summary=False,
    )
    left, right = (
        method.run(noise_sound(1.0), MospaCondition(source=text, source_mode=mode), (0,)).values
        for text in ("90,0,2", "-90,0,2")
    )
    assert float((left - right).abs().max()) > 1e-3


def test_the_released_switches_are_options() -> None:
    method = tiny(
        **PUBLISHED_SOURCE,
        source_axes=False,
        fusion="tokens",
        families=False,
        patch=1,
        summary=False,
    )
    plain, *others = (
        method.run(
            noise_sound(0.5), MospaCondition(source="50,10,3", source_mode="initial", **given), (0,)
        ).values
        for given in (
            {},
            {"source_norm": "time", "source_input": "unit"},
            {"source_norm": "xyz"},
            {"source_norm": "none", "source_input": "raw"},
        )
    )
    torch.testing.assert_close(plain, others[0])
    assert all(float((plain - other).abs().max()) > 1e-4 for other in others[1:])


def test_imposed_frames_come_back_and_the_rest_joins_them() -> None:
    model = MospaModel(TINY).eval().requires_grad_(False)
    heard = WindowConditions(
        torch.zeros(1, 48, 68), torch.tensor([1]), lambda estimate: torch.ones(1, 48, 3)
    )
    imposed = body_vectors(12, 4, (1,)).float()
    noise = torch.randn(1, 48, 300, generator=torch.Generator().manual_seed(0))
    for name in ("ancestral", "ddim", "dpm++2m"):
        made = sample_window(
            model, heard, SamplingConfig(name, (50, 30, 10, 0)), noise, lambda move: noise, imposed
        )
        torch.testing.assert_close(made[:, :12], imposed, atol=1e-4, rtol=1e-4)


def test_guidance_goes_beyond_the_answer_without_sound() -> None:
    model = MospaModel(TINY).eval().requires_grad_(False)
    audio, noise = torch.randn(1, 48, 68), torch.randn(1, 48, 300)
    heard = WindowConditions(audio, torch.tensor([1]), lambda estimate: torch.ones(1, 48, 3))

    def draw(scale: float, sound: WindowConditions = heard) -> torch.Tensor:
        return sample_window(
            model, sound, SamplingConfig("ddim", (50, 0), scale), noise, lambda move: noise
        )

    without, with_sound = draw(0.0), draw(1.0)
    torch.testing.assert_close(
        draw(3.0), without + 3 * (with_sound - without), atol=1e-4, rtol=1e-4
    )
    deaf = dataclasses.replace(heard, audio=torch.zeros_like(audio))
    torch.testing.assert_close(draw(0.0, deaf), without, atol=1e-5, rtol=1e-5)


def test_windows_join_without_a_jump() -> None:
    method = tiny()
    motion = method.run(noise_sound(4.1), MospaCondition(source="40,0,2"), (5,))
    places = pose_body(motion).positions[0]
    step = places.diff(dim=0).norm(dim=-1).amax(-1)
    borders = [47 + 36 * k for k in range(3) if 47 + 36 * k < len(step)]
    inside = torch.tensor([i not in borders for i in range(len(step))])
    assert float(step[borders].max()) <= 2.5 * float(step[inside].max()) + 0.02


def test_the_sound_is_where_the_ears_hear_it() -> None:
    from motet.audio.spatial.spatialise import spatialise

    method = tiny(events=False)
    mono = Audio.mono(torch.randn(30720, generator=torch.Generator().manual_seed(2)) * 0.1, 30720)
    seen = []
    for azimuth in (60.0, -60.0):
        ears = spatialise(mono, azimuth, 0.0, 1.5)
        state = method.begin(MospaCondition(), (0,))
        received = method.receive(state, ears.samples.T.unsqueeze(0))
        task, _ = method.sampler.task(received, (0,))
        world = world_source(task, method.config, None, 30.0, attends=True)
        view, _ = source_view(task, world, method.config, "default", local=False)
        seen.append(view(None)[0, 0])
    assert float(seen[0][0]) > 1.0 > -1.0 > float(seen[1][0])
    torch.testing.assert_close(seen[0] * torch.tensor([-1.0, 1.0, 1.0]), seen[1], atol=0.15, rtol=0)


def test_what_the_source_option_says(tmp_path: Path) -> None:
    assert parse_source("") is None
    place = parse_source("90,0,2").at(np.array([0.0, 5.0]))
    torch.testing.assert_close(
        place, torch.tensor([[2.0, EAR_HEIGHT_M, 0.0]]).expand(2, 3), atol=1e-6, rtol=0
    )
    (tmp_path / "path.csv").write_text("t,x,y,z\n0,0,1,2\n2,2,1,2\n")
    moving = parse_source(str(tmp_path / "path.csv")).at(np.array([-1.0, 1.0, 9.0]))
    torch.testing.assert_close(moving[:, 0], torch.tensor([0.0, 1.0, 2.0]))
    np.save(tmp_path / "path.npy", np.array([[0.0, 1, 1, 1]]))
    assert parse_source(str(tmp_path / "path.npy")).positions.shape == (1, 3)
    np.savez(tmp_path / "s.npz", sound_source=np.ones((240, 3)))
    assert parse_source(str(tmp_path / "s.npz")).local
    for text in ("1,2", "a,b,c", "0,0,-1", "0,95,1", "nan,0,1", "inf,0,1"):
        with pytest.raises(ConfigError):
            parse_source(text)
    (tmp_path / "bad.csv").write_text("0,1\n")
    for name in ("bad.csv", "missing.npy"):
        with pytest.raises(AssetError):
            parse_source(str(tmp_path / name))


def test_the_oracle_is_only_for_recorded_paths(tmp_path: Path) -> None:
    np.savez(tmp_path / "s.npz", sound_source=np.ones((240, 3)))
    method = tiny()
    with pytest.raises(ConfigError, match="oracle"):
        method.begin(MospaCondition(source="0,0,1", source_mode="oracle"), (0,))
    with pytest.raises(ConfigError, match="oracle"):
        method.begin(MospaCondition(source=str(tmp_path / "s.npz")), (0,))
    assert (
        method.run(
            noise_sound(0.5),
            MospaCondition(source=str(tmp_path / "s.npz"), source_mode="oracle"),
            (0,),
        ).frames
        == 15
    )


@pytest.mark.parametrize(
    "bad",
    [
        {"genre": "angry"},
        {"source_norm": "l1"},
        {"sampler": "euler"},
        {"guidance_audio": -1.0},
        {"flexibility": 2.0},
        {"steps": -1},
    ],
)
def test_impossible_conditions_are_refused(bad: dict) -> None:
    with pytest.raises(ConfigError):
        MospaCondition(**bad)


def test_more_steps_than_there_are_is_refused() -> None:
    with pytest.raises(ConfigError, match="50 diffusion steps"):
        tiny().begin(MospaCondition(steps=51), (0,))


def test_impossible_architectures_are_refused() -> None:
    for bad in (
        {"width": 30, "heads": 4},
        {"patch": 4},
        {"overlap": 240},
        {"fusion": "frames", "patch": 7},
    ):
        with pytest.raises(ConfigError):
            MospaConfig(**bad)
    with pytest.raises(ConfigError, match="loss_terms"):
        LossConfig.from_digits("1121")
    assert LossConfig.from_digits("11010").rotation == 0


def test_caching_what_does_not_change_changes_nothing() -> None:
    torch.manual_seed(1)
    model = MospaModel(
        dataclasses.replace(
            PRESETS["published"],
            width=32,
            heads=4,
            layers=3,
            inner=48,
            audio_inner=16,
            audio_dim=20,
        )
    ).eval()
    x, audio, source = torch.randn(2, 30, 300), torch.randn(2, 30, 20), torch.randn(2, 30, 3)
    step = torch.tensor([500, 3])
    with torch.no_grad():
        given = model.embed_conditions(audio, source, torch.tensor([0, 2]))
        assert given.layers is not None and given.known is not None
        fast = model.estimate(x, step, given)
        slow = model.tokens(x, step, given)
        for layer in model.layers:
            slow = layer(slow)
        torch.testing.assert_close(fast, model.output(slow[:, -30:]), atol=1e-5, rtol=1e-5)
        again = model.embed_conditions(audio * 2, source, torch.tensor([0, 2]), before=given)
        assert again.layers is given.layers
        assert float((model.estimate(x, step, again) - fast).abs().max()) > 1e-4
    learning = model.embed_conditions(audio, source, torch.tensor([0, 2]))
    assert learning.layers is None
    torch.testing.assert_close(
        model.estimate(x, step, learning).detach(), fast, atol=1e-5, rtol=1e-5
    )


def test_statistics_make_the_motion_of_unit_size() -> None:
    items = [
        SpatialItem(
            f"a{n}",
            body_vectors(80, n).float(),
            torch.randn(80, 68),
            torch.randn(80, 3),
            n % 3,
            ears=1,
        )
        for n in range(3)
    ]
    model = MospaModel(TINY)
    measure(model, SpatialSet(items))
    drawn = SpatialSet(items).draw(64, 48, torch.Generator().manual_seed(0))["motion"]
    assert 0.3 < float(model.normalised(drawn).square().mean()) < 3
    torch.testing.assert_close(model.restored(model.normalised(drawn)), drawn, atol=1e-5, rtol=1e-5)


def test_official_files_with_an_option_set_are_read_and_never_run(tmp_path: Path) -> None:
    config = dataclasses.replace(
        PRESETS["published"], width=16, heads=4, layers=1, inner=24, audio_inner=12, audio_dim=2272
    )
    names = {own_name(name): name for name in _official_names()}
    state = {
        f"module.{names[name]}": tensor for name, tensor in MospaModel(config).state_dict().items()
    }
    options = types.SimpleNamespace(num_heads=4, dropout=0.2, diffusion_steps=100, arch="trans_enc")
    path = tmp_path / "weights_500.pt"
    torch.save(
        {"epoch": 500, "state_dict": state, "opt_state_dict": {}, "config": options, "loss": 0.1},
        path,
    )
    imported = from_official([read_official(path)])
    found, tensors = imported.config, imported.tensors
    assert (found.width, found.heads, found.layers, found.diffusion_steps, found.audio_dim) == (
        16,
        4,
        1,
        100,
        2272,
    )
    assert build(found, tensors, {}).config == found
    with pytest.raises(CheckpointError, match="not a MOSPA checkpoint"):
        from_official([{"state_dict": {"a": torch.zeros(1)}}])
    with pytest.raises(CheckpointError, match="architecture"):
        from_official([{"state_dict": state, "config": {"arch": "gru"}}])


def _official_names() -> list[str]:
    from tests.parity.mospa.conftest import published_shapes

    return list(published_shapes(dataclasses.replace(PRESETS["published"], layers=1)))


def test_a_stage_knows_the_statistics_of_its_corpus() -> None:
    items = [
        SpatialItem(
            f"a{n}",
            body_vectors(80, n).float(),
            5 + torch.randn(80, 68),
            torch.randn(80, 3),
            n % 3,
            ears=1,
        )
        for n in range(2)
    ]
    stage = stages(TINY)[0]
    stage.prepare(SpatialSet(items))
    assert 4 < float(stage.model.audio_mean.mean()) < 6


def test_azimuth_is_to_the_left() -> None:
    place = parse_source("45,0,1").positions[0]
    assert math.isclose(place[0], place[2])
    assert place[0] > 0


def test_a_configuration_of_the_first_schema_is_read() -> None:
    saved = to_json(PRESETS["default"])
    saved["schema"], saved["hearing"] = 1, saved.pop("sound_features")
    assert from_json(MospaConfig, saved) == PRESETS["default"]
