"""Laws that hold for every method, on CPU, with a tiny random model and nothing downloaded."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from motet import config as house_config
from motet.checkpoint import read_checkpoint, save_checkpoint
from motet.data.training_set import TrainingSet
from motet.errors import AudioError, CheckpointError, ConfigError
from motet.method import Method, MethodSpec
from motet.method_options import condition_from
from motet.types import Audio, Frames, Motion, concatenate, frame_count

RELAXED = settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)


def voice(spec: MethodSpec, seconds: float, seed: int = 0, batch: int = 1) -> Audio:
    """Something like speech: noise under a slow envelope."""
    noise = torch.Generator().manual_seed(seed)
    count = round(seconds * spec.sample_rate)
    envelope = (torch.arange(count) / spec.sample_rate * 2 * torch.pi * 3).sin().clamp(min=0)
    channels = {"mono": 1, "binaural": 2, "foa": 4}.get(spec.layout, 1)
    return Audio(
        0.3 * envelope * torch.randn(batch, channels, count, generator=noise),
        spec.sample_rate,
        spec.layout,
    )


def numbers(answer: Motion | Frames) -> torch.Tensor:
    """What a method answers as numbers that can be compared: motion as it is, pictures as 0..1."""
    return answer.values if isinstance(answer, Motion) else answer.rgb.float() / 255


def default_condition(spec: MethodSpec) -> object:
    return condition_from(spec, {})


def test_config_survives_json(spec: MethodSpec, config: object) -> None:
    text = json.dumps(house_config.to_json(config))
    assert house_config.from_json(type(config), json.loads(text)) == config


def test_every_preset_is_a_valid_config(spec: MethodSpec) -> None:
    presets = spec.architectures()
    assert {"default", "tiny"} <= set(presets)
    for preset in presets.values():
        assert (
            house_config.from_json(
                type(preset), json.loads(json.dumps(house_config.to_json(preset)))
            )
            == preset
        )


def test_unknown_setting_is_refused_with_the_nearest_name(spec: MethodSpec, config: object) -> None:
    name = dataclasses.fields(config)[0].name
    with pytest.raises(ConfigError, match=name):
        house_config.from_json(type(config), {**house_config.to_json(config), name + "s": 1})
    with pytest.raises(ConfigError, match="no option"):
        condition_from(spec, {"no_such_option": 1})


@RELAXED
@given(
    seconds=st.sampled_from([0.3, 1.0, 2.137, 3.5]),
    cuts=st.lists(st.floats(0, 1), max_size=12),
    seed=st.integers(0, 2**31),
)
def test_every_cutting_of_the_sound_agrees(
    spec: MethodSpec, method: Method, seconds: float, cuts: list[float], seed: int
) -> None:
    audio = voice(spec, seconds)
    whole = method.run(audio, default_condition(spec), (seed,))
    places = sorted({0, audio.samples.shape[-1], *(int(c * audio.samples.shape[-1]) for c in cuts)})
    state, pieces = method.begin(default_condition(spec), (seed,)), []
    for start, stop in zip(places, places[1:], strict=False):
        motion, state = method.step(state, audio.slice(start, stop))
        pieces.append(motion)
    streamed = concatenate([*pieces, method.finish(state)])
    assert numbers(streamed).shape == numbers(whole).shape
    assert (numbers(streamed) - numbers(whole)).abs().max() <= spec.tolerance


def test_empty_steps_change_nothing(spec: MethodSpec, method: Method) -> None:
    audio = voice(spec, 0.7)
    state = method.begin(default_condition(spec), (1,))
    nothing, state = method.step(state, audio.slice(0, 0))
    assert nothing.frames == 0
    first, state = method.step(state, audio)
    again, state = method.step(state, audio.slice(0, 0))
    assert again.frames == 0
    assert first.frames + method.finish(state).frames == frame_count(audio.seconds, method.fps)


@pytest.mark.parametrize("samples", [1, 639, 640, 641, 4480, 16000, 16001, 40321])
def test_frame_count_is_seconds_times_fps_rounded(
    spec: MethodSpec, method: Method, samples: int
) -> None:
    audio = voice(spec, samples / spec.sample_rate)
    motion = method.run(audio, default_condition(spec), (0,))
    assert motion.frames == frame_count(audio.seconds, method.fps)
    assert bool(torch.isfinite(numbers(motion)).all())


def test_a_batch_equals_its_members_alone(spec: MethodSpec, method: Method) -> None:
    audio = Audio(
        torch.cat([voice(spec, 1.5, seed).samples for seed in (1, 2, 3)]),
        spec.sample_rate,
        spec.layout,
    )
    together = numbers(method.run(audio, default_condition(spec), (5, 6, 7)))
    for item, seed in enumerate((5, 6, 7)):
        alone = numbers(
            method.run(
                dataclasses.replace(audio, samples=audio.samples[item : item + 1]),
                default_condition(spec),
                (seed,),
            )
        )[0]
        assert (alone - together[item]).abs().max() <= max(spec.tolerance, 1e-5)


def test_sessions_do_not_disturb_each_other(spec: MethodSpec, method: Method) -> None:
    one, two = voice(spec, 1.6, 1), voice(spec, 1.6, 2)
    alone = [
        numbers(method.run(audio, default_condition(spec), (seed,)))
        for seed, audio in ((1, one), (2, two))
    ]
    states = [
        method.begin(default_condition(spec), (1,)),
        method.begin(default_condition(spec), (2,)),
    ]
    pieces: list[list] = [[], []]
    for start in range(0, one.samples.shape[-1], 5000):
        for item, audio in enumerate((one, two)):
            motion, states[item] = method.step(states[item], audio.slice(start, start + 5000))
            pieces[item].append(motion)
    for item in range(2):
        mixed = numbers(concatenate([*pieces[item], method.finish(states[item])]))
        assert (mixed - alone[item]).abs().max() <= spec.tolerance


def test_the_same_seed_gives_the_same_motion(spec: MethodSpec, method: Method) -> None:
    audio = voice(spec, 1.2)
    assert torch.equal(
        *(numbers(method.run(audio, default_condition(spec), (9,))) for _ in range(2))
    )


def test_wrong_rate_is_an_error_that_names_the_fix(spec: MethodSpec, method: Method) -> None:
    with pytest.raises(AudioError, match="resample"):
        method.step(
            method.begin(default_condition(spec), (0,)),
            Audio(torch.zeros(1, 1, 800), spec.sample_rate + 1),
        )


def test_saved_weights_come_back_and_only_whole(
    spec: MethodSpec, config: object, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    model = spec.build_stages(config)[-1].model
    save_checkpoint(tmp_path / "w.safetensors", model.state_dict(), config, {"steps": 0})
    checkpoint = read_checkpoint(tmp_path / "w.safetensors")
    build = spec.build
    audio = voice(spec, 1.0)
    first, second = (
        build(house_config.from_json(type(config), c.config), c.tensors, {})
        for c in (checkpoint, checkpoint)
    )
    assert torch.equal(
        *(numbers(made.run(audio, default_condition(spec), (0,))) for made in (first, second))
    )
    name = next(iter(checkpoint.tensors))
    with pytest.raises(CheckpointError, match=name):
        build(config, {k: v for k, v in checkpoint.tensors.items() if k != name}, {})
    with pytest.raises(CheckpointError, match="surplus"):
        build(config, {**checkpoint.tensors, "surplus": torch.zeros(1)}, {})


def test_gradients_are_finite_in_double_precision(
    spec: MethodSpec, config: object, training_set: TrainingSet
) -> None:
    torch.manual_seed(0)
    for stage in spec.build_stages(config):
        stage.prepare(training_set)
        stage.model.double().train()
        randomness = torch.Generator().manual_seed(0)
        batch = {
            k: v.double() if v.is_floating_point() else v
            for k, v in stage.batch(training_set, 2, randomness).items()
        }
        torch.stack(list(stage.loss(batch, randomness).values())).sum().backward()
        moved = [p for module in stage.trained for p in module.parameters() if p.grad is not None]
        assert moved
        assert all(bool(torch.isfinite(p.grad).all()) for p in moved)


def test_every_stage_overfits_one_batch(
    spec: MethodSpec, config: object, training_set: TrainingSet
) -> None:
    torch.manual_seed(0)
    for stage in spec.build_stages(config):
        stage.prepare(training_set)
        batch = stage.batch(training_set, 2, torch.Generator().manual_seed(0))
        parameters = [p for module in stage.trained for p in module.parameters()]
        optimiser = torch.optim.Adam(parameters, lr=3e-3)
        stage.model.train()
        losses = []
        for _ in range(80):
            total = torch.stack(
                list(stage.loss(batch, torch.Generator().manual_seed(0)).values())
            ).sum()
            optimiser.zero_grad()
            total.backward()
            optimiser.step()
            losses.append(float(total.detach()))
        assert min(losses[-10:]) < 0.75 * losses[0], (
            f"{stage.name}: {losses[0]:.4f} -> {losses[-1]:.4f}"
        )
