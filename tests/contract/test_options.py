"""No option is ever ignored: every one changes the result on the input that it declares, or raises.

The input stands beside the option (`motet.options.option`). A new option without one fails here.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.config import Settings
from motet.errors import ConfigError
from motet.export import write_clip
from motet.loaded_method import LoadedMethod
from motet.method import MethodSpec
from motet.options import Example, OptionValue, Postprocess, example_of
from motet.session import build_method, load
from motet.types import Audio, Clip, Frames, Motion
from tests.contract.conftest import ALL

SECONDS = {"speech": 1.6, "long": 9.5, "pause": 2.4}
CASES = [
    (spec, field.name)
    for spec in ALL
    for field in dataclasses.fields(spec.condition_type())  # type: ignore[arg-type]
]


def field_of(settings: type[Settings], name: str) -> dataclasses.Field[object]:
    return next(field for field in dataclasses.fields(settings) if field.name == name)


def sound(spec: MethodSpec, kind: str) -> Audio:
    """Noise under a slow envelope, silent in the second half of a `pause`."""
    count = round(SECONDS[kind] * spec.sample_rate)
    channels = {"mono": 1, "binaural": 2}[spec.layout]
    time = torch.arange(count) / spec.sample_rate
    samples = 0.3 * (2 * torch.pi * 3 * time).sin().clamp(min=0)
    samples = samples * torch.randn(channels, count, generator=torch.Generator().manual_seed(1))
    if kind == "pause":
        samples[:, count // 2 :] = 0
    return Audio(samples, spec.sample_rate, spec.layout)


def speech() -> Audio:
    """A recorded sentence, for options of models that recognise phones."""
    from motet.evaluation.held_out import load_held_out

    audio = load_held_out().clips[1].audio
    return audio.slice(0, 2 * audio.sample_rate)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files that options name, by their placeholder."""
    from motet.methods.speech2lip.config import PRESETS
    from motet.methods.speech2lip.model import Speech2LipModel
    from motet.methods.speech2lip.person.folder import WEIGHTS
    from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
    from motet.types import arkit_space

    folder = tmp_path_factory.mktemp("options")
    smooth = torch.randn(80, 55, generator=torch.Generator().manual_seed(2)).cumsum(0)
    take = Clip(None, Motion((smooth * 0.05).sigmoid(), arkit_space()))
    write_clip(take, folder / "take.npz")
    np.savez(folder / "shape.npz", shape=np.full(100, 3.0, np.float32))
    np.save(folder / "template.npy", np.ones((12, 3), np.float32))
    (folder / "phones.ctm").write_text("x 1 0.2 0.1 B\nx 1 0.3 0.3 AA\nx 1 0.6 0.2 M\n")
    poses = np.zeros((1, 55, 3), np.float32)
    poses[:, 16:18, 2] = [-1.0, 1.0]
    np.savez(folder / "pose.npz", poses=poses, trans=np.array([[0.5, 0.9, 1.0]]))
    config = PRESETS["tiny"]
    person = SyntheticPerson(config, 60).write(folder / "person")
    from motet.checkpoint import save_checkpoint

    torch.manual_seed(5)
    save_checkpoint(person / WEIGHTS, Speech2LipModel(config).state_dict(), config, {})
    return {
        "{take}": str(folder / "take.npz"),
        "{pose}": str(folder / "pose.npz"),
        "{shape}": str(folder / "shape.npz"),
        "{template}": str(folder / "template.npy"),
        "{timing}": str(folder / "phones.ctm"),
        "{person}": str(person),
    }


def built(spec: MethodSpec, preset: str) -> LoadedMethod:
    if preset == "shipped":
        return load(spec.name)
    torch.manual_seed(0)
    return build_method(spec, spec.architectures()[preset])


def numbers(out: Motion | Frames) -> torch.Tensor:
    return out.values if isinstance(out, Motion) else out.rgb.float()


def filled(options: Mapping[str, OptionValue], files: Mapping[str, str]) -> dict[str, OptionValue]:
    return {k: files.get(v, v) if isinstance(v, str) else v for k, v in options.items()}


def edited_keys(loaded: LoadedMethod, audio: Audio, path: Path) -> str:
    """Key motions of a recording with one pose changed."""
    write = loaded.method.write_keys  # type: ignore[attr-defined]
    write(loaded.prepare(audio), loaded.condition({}), path)
    content = json.loads(path.read_text())
    key = content["keys"][len(content["keys"]) // 2]
    key["edited"] = True
    key["pose"] = {name: 0.7 for name in list(key["pose"])[:5]} | {"jawOpen": 0.9}
    path.write_text(json.dumps(content))
    return str(path)


class Unchanged:
    """Frames of a model without the option under test, generated once for each input."""

    def __init__(self) -> None:
        self._frames: dict[tuple[object, ...], torch.Tensor] = {}

    def frames(self, loaded: LoadedMethod, audio: Audio, options: dict) -> torch.Tensor:
        """Frames by model, audio and options; files count by their names."""
        parts = (
            loaded.name,
            loaded.digest,
            repr(loaded.architecture),
            repr(sorted(options.items())),
        )
        key = (*parts, audio.samples.shape, float(audio.samples.double().square().sum()))
        if key not in self._frames:
            self._frames[key] = numbers(loaded.run(audio, options))
        return self._frames[key]


@pytest.fixture(scope="module")
def unchanged() -> Unchanged:
    return Unchanged()


def differ(first: torch.Tensor, second: torch.Tensor) -> bool:
    return first.shape != second.shape or float((first - second).abs().max()) > 1e-6


@pytest.mark.parametrize(
    ("spec", "name"), CASES, ids=[f"{spec.name}-{name}" for spec, name in CASES]
)
def test_every_option_acts_where_it_says(
    spec: MethodSpec, name: str, files: dict[str, str], tmp_path: Path, unchanged: Unchanged
) -> None:
    field = field_of(spec.condition_type(), name)
    example = example_of(field)
    assert example is not None, f"{spec.name}: {name} declares no input on which it acts"
    assert example.value != field.default
    loaded = built(spec, example.preset)
    audio = sound(spec, example.sound)
    if example.preset == "shipped" and spec.name != "mospa" and example.sound == "speech":
        audio = speech()
    if "{keys}" in {example.value, *example.given.values()}:
        files = {**files, "{keys}": edited_keys(loaded, audio, tmp_path / "keys.json")}
    given = filled(example.given, files)
    changed = given | filled({name: example.value}, files)
    before = unchanged.frames(loaded, audio, given)
    assert differ(before, numbers(loaded.run(audio, changed)))


ELSEWHERE = [
    (spec, name)
    for spec, name in CASES
    if (found := example_of(field_of(spec.condition_type(), name)))
    and found.preset not in ("tiny", "shipped")
]
"""Options of parts that the tiny model does not have."""


@pytest.mark.parametrize(
    ("spec", "name"), ELSEWHERE, ids=[f"{spec.name}-{name}" for spec, name in ELSEWHERE]
)
def test_an_option_of_a_part_that_a_model_lacks_is_refused(
    spec: MethodSpec, name: str, files: dict[str, str]
) -> None:
    example = example_of(field_of(spec.condition_type(), name))
    assert example is not None
    options = filled({**example.given, name: example.value}, files)
    with pytest.raises(ConfigError, match=f"option {name} has no effect here"):
        built(spec, "tiny").run(sound(spec, "speech"), options)


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Postprocess)])
@pytest.mark.parametrize("spec", ALL, ids=lambda spec: spec.name)
def test_post_processing_acts_or_is_refused(
    spec: MethodSpec, name: str, unchanged: Unchanged
) -> None:
    field = next(f for f in dataclasses.fields(Postprocess) if f.name == name)
    example = example_of(field)
    assert isinstance(example, Example)
    trained = spec.name == "kmtalk" or (spec.name, name) == ("speech2lip", "intensity")
    loaded = built(spec, "shipped" if trained else "tiny")
    audio = speech() if trained else sound(spec, example.sound)
    settings = Postprocess(**{name: example.value})  # type: ignore[arg-type]
    try:
        changed = loaded.run(audio, postprocess=settings)
    except ConfigError as refusal:
        assert name in str(refusal)
        return
    assert differ(unchanged.frames(loaded, audio, {}), numbers(changed))


def test_a_renamed_option_keeps_its_earlier_name() -> None:
    spec = next(spec for spec in ALL if spec.name == "mospa")
    loaded = built(spec, "tiny")
    condition = loaded.condition({"guidance": 2.0})
    assert condition == loaded.condition({"guidance_audio": 2.0})
    with pytest.raises(ConfigError, match="twice"):
        loaded.condition({"guidance": 2.0, "guidance_audio": 2.0})
