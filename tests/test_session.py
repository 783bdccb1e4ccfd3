"""A face and a body from one sound, and sounds of any layout for a method with two ears."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest
import torch

import motet
from motet.errors import AudioError, ConfigError
from motet.registry import method_spec
from motet.session import FaceAndBody, LoadedMethod, build_method, load, load_methods, specs_of
from motet.types import Audio, frame_count


def tiny(name: str) -> LoadedMethod:
    torch.manual_seed(0)
    spec = method_spec(name)
    return build_method(spec, spec.architectures()["tiny"])


def sound(channels: int, layout: str, seconds: float = 1.1, rate: int = 16000) -> Audio:
    samples = (
        torch.randn(channels, round(seconds * rate), generator=torch.Generator().manual_seed(1))
        * 0.1
    )
    return Audio(samples, rate, layout)


def test_face_and_body_are_one_motion_on_one_clock() -> None:
    both = FaceAndBody((tiny("artalk"), tiny("mospa")))
    audio = sound(1, "mono")
    motion = both.run(audio, {"source": "90,0,2", "genre": "dull"}, seeds=(3, 4))
    assert both.name == "artalk,mospa"
    assert motion.space.name == "arkit+smplx25"
    assert motion.values.shape[:2] == (2, frame_count(audio.seconds, 30))
    alone = tiny("mospa").run(audio, {"source": "90,0,2", "genre": "dull"}, seeds=(3, 4))
    torch.testing.assert_close(motion["joints"], alone["joints"])
    torch.testing.assert_close(motion["root"], alone["root"])
    assert float(motion["blendshapes"].abs().max()) > 0
    with pytest.raises(ConfigError, match="neither artalk nor mospa"):
        both.run(audio, {"no_such": 1})


@pytest.mark.parametrize("names", ["artalk,diffposetalk", "mospa,mospa", "artalk,mospa,mospa"])
def test_two_of_a_kind_are_refused(names: str) -> None:
    with pytest.raises(ConfigError, match="one generates a face"):
        specs_of(names)


def test_names_and_weights_are_checked() -> None:
    assert [spec.name for spec in specs_of("artalk, mospa")] == ["artalk", "mospa"]
    with pytest.raises(ConfigError, match="no method"):
        specs_of("artalk,nobody")
    with pytest.raises(ConfigError, match="--weights"):
        load_methods("artalk,mospa", "some.safetensors")


@pytest.mark.parametrize(
    ("channels", "layout"), [(1, "mono"), (2, "stereo"), (2, "binaural"), (4, "foa"), (4, "other")]
)
def test_any_layout_reaches_the_two_ears(channels: int, layout: str) -> None:
    prepared = tiny("mospa").prepare(sound(channels, layout))
    assert prepared.layout == "binaural"
    assert prepared.samples.shape[:2] == (1, 2)
    assert prepared.sample_rate == 30720


def test_one_channel_with_a_place_is_heard_from_there() -> None:
    left = tiny("mospa").prepare(sound(1, "mono"), {"source": "90,0,1"}).samples[0]
    right = tiny("mospa").prepare(sound(1, "mono"), {"source": "-90,0,1"}).samples[0]
    assert float(left[0].square().mean()) > 4 * float(left[1].square().mean())
    torch.testing.assert_close(left, right.flip(0), atol=1e-3, rtol=0)


def test_a_device_that_does_not_exist_is_an_error_with_the_remedy() -> None:
    absent = "mps" if torch.cuda.is_available() else "cuda"
    with pytest.raises(ConfigError, match="--device cpu"):
        load("mospa", device=absent)
    with pytest.raises(ConfigError, match="choose auto, cpu, cuda or mps"):
        load("mospa", device="gpu")
    assert load("mospa", device="cpu") is load("mospa")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("emotion", "postprocess=motet.Postprocess(emotion='x')"),
        ("style", "options={'style': 'x'}"),
        ("sead", "did you mean 'seed'"),
    ],
)
def test_a_misplaced_keyword_is_refused_with_where_it_belongs(name: str, remedy: str) -> None:
    misplaced: dict[str, Any] = {name: "x"}
    with pytest.raises(ConfigError, match=re.escape(remedy)):
        motet.run("absent.wav", **misplaced)


def test_samples_in_memory_are_pushed_with_their_rate() -> None:
    samples = np.random.default_rng(2).normal(scale=0.1, size=16_000).astype(np.float32)
    ours, theirs = motet.stream("artalk"), motet.stream("artalk")
    for piece in np.split(samples, 4):
        pushed = list(ours.push(piece, rate=16_000))
        wanted = list(theirs.push(Audio.mono(torch.from_numpy(piece), 16_000)))
        assert all(torch.equal(a.values, b.values) for a, b in zip(pushed, wanted, strict=True))
    with pytest.raises(ConfigError, match="rate=16000"):
        ours.push(samples)
    with pytest.raises(AudioError, match="16000 Hz needed"):
        ours.push(samples, rate=48_000)


def test_methods_of_one_seed_do_not_share_a_head() -> None:
    voice = sound(1, "mono", seconds=3.0, rate=16_000)
    heads = [load(name).run(voice, seeds=(4,))["head"][0] for name in ("artalk", "diffposetalk")]
    apart = (heads[0] - heads[0].mean(0)) - (heads[1] - heads[1].mean(0))
    assert float(apart.square().mean()) > 0.5 * float(heads[0].var(0).mean())
