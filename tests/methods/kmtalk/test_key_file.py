"""Editing key poses: written, changed, given back, completed anew."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.checkpoint import save_checkpoint
from motet.cli import main
from motet.errors import AssetError, ConfigError
from motet.methods.kmtalk.config import PRESETS, KMTalkCondition
from motet.methods.kmtalk.generate import KMTalk, build
from motet.methods.kmtalk.key_file import read_keys
from motet.methods.kmtalk.loss import stages
from motet.types import Audio, arkit_space


@pytest.fixture(scope="module")
def method() -> KMTalk:
    torch.manual_seed(0)
    method = build(PRESETS["tiny"], None, {})
    method.model.basis.scale.fill_(0.1)
    method.model.basis.mean.fill_(0.3)
    for parameter in method.model.parameters():  # an untrained model would answer its mean
        torch.nn.init.normal_(parameter, std=0.2)
    return method


def sound(seconds: float = 2.0) -> Audio:
    return Audio(
        0.1 * torch.randn(1, 1, round(seconds * 16000), generator=torch.Generator().manual_seed(4)),
        16000,
    )


@pytest.fixture
def keys(method: KMTalk, tmp_path: Path) -> Path:
    path = tmp_path / "take.keys.json"
    report = method.write_keys(sound(), KMTalkCondition(), path)
    assert "keys" in report and "none" in report
    return path


def edit(path: Path, number: int, pose: dict[str, float], **more: object) -> None:
    content = json.loads(path.read_text())
    content["keys"][number] |= {"edited": True, "pose": pose, **more}
    path.write_text(json.dumps(content))


def test_an_edited_key_is_met_and_the_rest_is_completed_anew(method: KMTalk, keys: Path) -> None:
    before = method.run(sound(), KMTalkCondition(seal=False), (0,)).values[0]
    content = json.loads(keys.read_text())
    frame = content["keys"][5]["frame"]
    edit(keys, 5, {"jawOpen": 0.9, "head.x": 0.2})
    after = method.run(sound(), KMTalkCondition(keys=str(keys)), (0,)).values[0]
    jaw, turn = arkit_space().index("blendshapes", "jawOpen"), arkit_space().index("head", "x")
    assert float(after[frame, jaw]) == pytest.approx(0.9)
    assert float(after[frame, turn]) == pytest.approx(0.2)
    changed = (after - before).abs().amax(1)
    assert changed[frame + 1] > 1e-3, "frames between keys follow the edit"
    away = [f for f in range(50) if abs(f - frame) > 40 * 0 + 2 * PRESETS["tiny"].reach + 12]
    assert all(changed[f] < changed[frame] for f in away)


def test_an_added_key_and_no_clamping(method: KMTalk, keys: Path) -> None:
    content = json.loads(keys.read_text())
    taken = {key["frame"] for key in content["keys"]}
    frame = next(f for f in range(10, 40) if f not in taken)
    content["keys"].append({"frame": frame, "pose": {"jawOpen": 0.8}, "edited": True})
    keys.write_text(json.dumps(content))
    jaw = arkit_space().index("blendshapes", "jawOpen")
    clamped = method.run(sound(), KMTalkCondition(keys=str(keys)), (0,)).values[0]
    free = method.run(sound(), KMTalkCondition(keys=str(keys), clamp=False), (0,)).values[0]
    assert float(clamped[frame, jaw]) == pytest.approx(0.8)
    assert float(free[frame, jaw]) != pytest.approx(0.8, abs=1e-4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "other"}, "no file of key motions"),
        ({"frames": 7}, "another take"),
        ({"space": "flame"}, "another take"),
        ({"keys": [{"frame": 3}]}, "no edited key"),
        ({"keys": [{"frame": 300, "edited": True, "pose": {}}]}, "outside"),
        ({"keys": [{"frame": 3, "edited": True, "pose": {"jawOpne": 1}}]}, "jawOpen"),
        ({"keys": [{"frame": 3, "edited": True, "pose": {"jawOpen": float("nan")}}]}, "finite"),
        ({"keys": [{"edited": True}]}, "damaged"),
        ({"keys": 7}, "damaged"),
    ],
)
def test_files_that_do_not_fit(keys: Path, change: dict, message: str) -> None:
    keys.write_text(json.dumps(json.loads(keys.read_text()) | change))
    with pytest.raises(AssetError, match=message):
        read_keys(keys, arkit_space(), 50)


def test_no_file_and_no_json(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="does not exist"):
        read_keys(tmp_path / "none.json", arkit_space(), 50)
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(AssetError, match="JSON"):
        read_keys(tmp_path / "x.json", arkit_space(), 50)


def test_a_host_has_no_keys() -> None:
    import dataclasses

    host = build(
        dataclasses.replace(PRESETS["tiny"], completion="selftalk", use_keys=False), None, {}
    )
    with pytest.raises(ConfigError, match="no key motions"):
        host.key_take(sound(), KMTalkCondition())


def test_the_command_line_from_keys_to_take(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.manual_seed(0)
    save_checkpoint(
        tmp_path / "w.safetensors",
        stages(PRESETS["tiny"])[-1].model.state_dict(),
        PRESETS["tiny"],
        {},
    )
    # Noise that swells, for steady noise is a room in which no mouth moves.
    swell = 0.1 * np.sin(np.pi * np.arange(16000) / 8000) ** 2
    soundfile.write(
        tmp_path / "a.wav", swell * np.random.default_rng(0).standard_normal(16000), 16000
    )
    weights = ["--weights", str(tmp_path / "w.safetensors")]
    assert main(["keys", str(tmp_path / "a.wav"), "-o", str(tmp_path / "k.json"), *weights]) == 0
    assert "keys (" in capsys.readouterr().out
    edit(tmp_path / "k.json", 2, {"jawOpen": 0.7})
    line = [
        "run",
        str(tmp_path / "a.wav"),
        "-m",
        "kmtalk",
        "--keys",
        str(tmp_path / "k.json"),
        "-o",
        str(tmp_path / "t.npz"),
        "--quiet",
        *weights,
    ]
    assert main(line) == 0
    frame = json.loads((tmp_path / "k.json").read_text())["keys"][2]["frame"]
    assert np.load(tmp_path / "t.npz")["blendshapes"][frame, 24] == pytest.approx(0.7)
    assert (
        main(
            [
                "run",
                str(tmp_path / "a.wav"),
                "--keys",
                str(tmp_path / "k.json"),
                "-o",
                str(tmp_path / "u.npz"),
            ]
        )
        == 2
    ), "ARTalk knows no keys"
    assert "--keys belongs to kmtalk" in capsys.readouterr().err
