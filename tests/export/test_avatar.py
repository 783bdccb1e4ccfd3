from __future__ import annotations

import copy
import json
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from motet.errors import AssetError, ConfigError, MotetError
from motet.export import write_clip
from motet.export.gltf.avatar import animated_avatar, inspect_avatar
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.names import arkit_name
from motet.face.visemes import VISEMES
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space
from tests.export.avatars import animation, avatar
from tests.export.takes import take


def still(**weights: float) -> Clip:
    """Two frames with those weights."""
    values = torch.zeros(2, 55)
    for name, weight in weights.items():
        values[:, ARKIT_SHAPES.index(name)] = weight
    return Clip(None, Motion(values, arkit_space()))


@pytest.mark.parametrize(
    "spelling,wanted",
    [
        ("jawOpen", "jawOpen"),
        ("JAWOPEN", "jawOpen"),
        ("jaw_open", "jawOpen"),
        ("blendShape1.mouthSmile_L", "mouthSmileLeft"),
        ("mouthSmileR", "mouthSmileRight"),
        ("eyeBlink_R", "eyeBlinkRight"),
        ("head_mouthPucker", "mouthPucker"),
        ("faceMouthFunnel", "mouthFunnel"),
        ("mouthLeft", "mouthLeft"),
        ("viseme_aa", None),
        ("smile", None),
        ("", None),
    ],
)
def test_names_in_the_wild(spelling: str, wanted: str | None) -> None:
    assert arkit_name(spelling) == wanted


def test_every_arkit_name_is_itself() -> None:
    for name in ARKIT_SHAPES:
        assert arkit_name(name) == name == arkit_name(name[0].upper() + name[1:])


def test_the_take_is_written_by_name(tmp_path: Path) -> None:
    clip = take(12, 30.0)
    assert clip.motion is not None
    names = [
        "tongueOut",
        "Wink",
        "JawOpen",
        "browInnerUp",
        *(name for name in ARKIT_SHAPES if name.startswith("mouth")),
    ]
    path = avatar(tmp_path / "avatar.glb", names)
    content, data = read_glb(write_clip(clip, tmp_path / "a.glb", avatar=path))
    times, values = animation(content, data)
    assert np.allclose(times, np.arange(12) / 30)
    weights = values["Face", "weights"]
    for column, name in enumerate(names):
        expected = (
            np.zeros(12)
            if name == "Wink"
            else clip.motion.channel("blendshapes", name[0].lower() + name[1:]).numpy()
        )
        assert np.allclose(weights[:, column], expected, atol=1e-6)
    assert [found["name"] for found in content["animations"]] == ["take", "idle"]
    assert content["asset"]["extras"]["motet"]["synthetic"] is True
    report = inspect_avatar(path)
    assert set(report.matched) == set(names) - {"Wink"} and report.ignored == ("Wink",)
    assert "eyeBlinkLeft" in report.missed and report.bones == ("Neck", "Head")


def test_nothing_of_the_avatar_changes(tmp_path: Path) -> None:
    path = avatar(tmp_path / "avatar.glb", list(ARKIT_SHAPES))
    before, old = read_glb(path)
    after, new = read_glb(write_clip(take(5), tmp_path / "a.glb", avatar=path))
    length = before["buffers"][0]["byteLength"]
    assert new[:length] == old[:length]
    for kind in ("nodes", "meshes", "skins", "scenes"):
        assert after[kind] == before[kind]
    for kind in ("accessors", "bufferViews"):
        assert after[kind][: len(before[kind])] == before[kind]


@pytest.mark.parametrize("vrm_0", [False, True])
def test_the_head_turns_about_the_axes_of_the_world(tmp_path: Path, vrm_0: bool) -> None:
    clip = take(6)
    assert clip.motion is not None
    extensions = (
        {
            "VRM": {
                "humanoid": {
                    "humanBones": [{"bone": "head", "node": 2}, {"bone": "neck", "node": 1}]
                }
            }
        }
        if vrm_0
        else None
    )
    path = avatar(
        tmp_path / "avatar.glb",
        ["jawOpen"],
        bones=("A", "B") if vrm_0 else ("mixamorig:Neck", "mixamorig:Head"),
        extensions=extensions,
    )
    content, data = read_glb(write_clip(clip, tmp_path / "a.glb", avatar=path))
    _, values = animation(content, data)
    neck, head = (values[content["nodes"][number]["name"], "rotation"] for number in (1, 2))
    rest = Rotation.from_quat(content["nodes"][1]["rotation"])
    turn = Rotation.from_rotvec(clip.motion["head"].numpy())
    if vrm_0:
        turn = Rotation.from_euler("Y", np.pi) * turn * Rotation.from_euler("Y", np.pi)
    found = Rotation.from_quat(neck) * Rotation.from_quat(head)
    assert np.allclose((found * (turn * rest).inv()).magnitude(), 0, atol=1e-5)


def test_a_bone_with_a_matrix_is_restated(tmp_path: Path) -> None:
    content, data = read_glb(avatar(tmp_path / "avatar.glb", ["jawOpen"]))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("Z", 0.5).as_matrix() * [1.0, 2.0, 1.0]
    matrix[:3, 3] = 1, 2, 3
    content["nodes"][2] = {"name": "Head", "matrix": matrix.T.reshape(-1).tolist()}
    (tmp_path / "b.glb").write_bytes(pack_glb(content, data))
    after, _ = read_glb(write_clip(take(3), tmp_path / "a.glb", avatar=tmp_path / "b.glb"))
    node = after["nodes"][2]
    assert "matrix" not in node and node["translation"] == [1, 2, 3]
    assert node["scale"] == pytest.approx([1, 2, 1]) and node["rotation"] == pytest.approx(
        [0, 0, np.sin(0.25), np.cos(0.25)]
    )


def test_visemes_speak_where_arkit_names_are_missing(tmp_path: Path) -> None:
    path = avatar(
        tmp_path / "avatar.glb",
        ["viseme_sil", *(f"viseme_{name}" for name in VISEMES), "eyeBlinkLeft", "jawOpen"],
    )
    content, data = read_glb(
        write_clip(
            still(jawOpen=0.54, jawForward=0.31, mouthShrugUpper=0.09, eyeBlinkLeft=0.7),
            tmp_path / "a.glb",
            avatar=path,
        )
    )
    weights = dict(
        zip(
            content["meshes"][0]["extras"]["targetNames"],
            animation(content, data)[1]["Face", "weights"][0],
            strict=True,
        )
    )
    assert weights["viseme_aa"] == pytest.approx(1, abs=1e-5) and weights[
        "eyeBlinkLeft"
    ] == pytest.approx(0.7)
    # The jaw would open twice.
    assert weights["jawOpen"] == 0 and weights["viseme_sil"] == 0
    assert (
        max(weight for name, weight in weights.items() if name not in ("viseme_aa", "eyeBlinkLeft"))
        < 1e-5
    )


VRM_1 = {
    "VRMC_vrm": {
        "expressions": {
            "preset": {
                "aa": {"morphTargetBinds": [{"node": 3, "index": 0, "weight": 1.0}]},
                "blinkLeft": {"morphTargetBinds": [{"node": 3, "index": 1, "weight": 0.5}]},
                "blink": {"morphTargetBinds": [{"node": 3, "index": 1, "weight": 1.0}]},
                "happy": {"morphTargetBinds": [{"node": 3, "index": 2}]},
            }
        }
    }
}
VRM_0 = {
    "VRM": {
        "blendShapeMaster": {
            "blendShapeGroups": [
                {"name": "A", "presetName": "a", "binds": [{"mesh": 0, "index": 0, "weight": 100}]},
                {
                    "name": "Blink_L",
                    "presetName": "blink_l",
                    "binds": [{"mesh": 0, "index": 1, "weight": 50}],
                },
                {
                    "name": "Joy",
                    "presetName": "joy",
                    "binds": [{"mesh": 0, "index": 2, "weight": 100}],
                },
            ]
        }
    }
}


@pytest.mark.parametrize("extensions", [VRM_1, VRM_0])
def test_vrm_expressions_are_driven_through_what_they_bind(
    tmp_path: Path, extensions: dict[str, Any]
) -> None:
    path = avatar(
        tmp_path / "avatar.vrm",
        ["Fcl_MTH_A", "Fcl_EYE_Close_L", "Fcl_ALL_Joy"],
        extensions=extensions,
    )
    content, data = read_glb(
        write_clip(
            still(jawOpen=0.54, jawForward=0.31, mouthShrugUpper=0.09, eyeBlinkLeft=0.8),
            tmp_path / "a.glb",
            avatar=path,
        )
    )
    assert animation(content, data)[1]["Face", "weights"][0] == pytest.approx(
        [1.0, 0.4, 0.0], abs=1e-5
    )


def refused(path: Path, pattern: str, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match=pattern) as caught:
        write_clip(take(3), tmp_path / "out.glb", avatar=path)
    assert "\n" not in str(caught.value) and not (tmp_path / "out.glb").exists()


def test_files_that_are_no_avatars(tmp_path: Path) -> None:
    whole = avatar(tmp_path / "avatar.glb", ["jawOpen"]).read_bytes()
    refused(tmp_path / "none.glb", "does not exist", tmp_path)
    refused(tmp_path, "is not a file", tmp_path)
    for name, raw, pattern in (
        ("a", b"", "not a GLB"),
        ("b", b'{"asset": {}}' * 9, "save it as binary"),
        ("c", whole[: len(whole) // 2], "cut off"),
        ("d", struct.pack("<III", 0x46546C67, 1, len(whole)) + whole[12:], "version 1"),
        ("e", pack_glb({"asset": {"version": "2.0"}}, b""), "no morph targets at all"),
        (
            "f",
            struct.pack("<IIIII", 0x46546C67, 2, 24, 4, 0x4E4F534A) + b"[[[[",
            "JSON cannot be read",
        ),
        ("g", struct.pack("<IIIII", 0x46546C67, 2, 24, 9999, 0x4E4F534A) + b"{}  ", "does not fit"),
    ):
        (tmp_path / f"{name}.glb").write_bytes(raw)
        refused(tmp_path / f"{name}.glb", pattern, tmp_path)
    endless = whole.replace(b'"idle"', b"1e9999")
    assert len(endless) == len(whole) and endless != whole
    (tmp_path / "i.glb").write_bytes(endless)
    refused(tmp_path / "i.glb", "not finite", tmp_path)
    refused(avatar(tmp_path / "h.glb", ["Wink", "Smile"]), "it has Wink, Smile", tmp_path)


@pytest.mark.parametrize(
    "keys,value,pattern",
    [
        (("nodes", 3, "mesh"), 7, "number 7 of its 1 meshes"),
        (("nodes", 3, "mesh"), "x", "number x"),
        (("nodes",), {}, "not a list"),
        (("nodes", 2, "rotation"), [1, 2], "invalid rotation"),
        (("nodes", 2, "rotation"), [0, 0, 0, 0], "invalid rotation"),
        (("nodes", 2, "matrix"), [0.0] * 16, "invalid rotation"),
        (("nodes", 2, "children"), [0], "its own ancestor"),
        (("meshes", 0, "primitives"), [], "without primitives"),
        (("meshes", 0, "primitives", 0, "targets"), "many", "not a list"),
        (("buffers", 0, "uri"), "file:///etc/passwd", "outside the file"),
        (("images",), [{"uri": "../../secret.png"}], "outside the file"),
        (("images",), [{"uri": "https://a.example/x.png"}], "outside the file"),
        (("extensions",), {"KHR_audio": {"audio": [{"uri": "a.mp3"}]}}, "outside the file"),
        (("buffers", 0, "byteLength"), 10**9, "wrong length"),
        (("asset",), None, "not glTF 2"),
        (("animations",), 5, "animations are not a list"),
        (("accessors",), [1], "accessors are not a list"),
        (
            ("extensions",),
            {
                "VRMC_vrm": {
                    "expressions": {
                        "preset": {"aa": {"morphTargetBinds": [{"node": 3, "index": 99}]}}
                    }
                }
            },
            "does not exist",
        ),
        (
            ("extensions",),
            {"VRMC_vrm": {"humanoid": {"humanBones": {"head": {"node": -1}}}}},
            "number -1",
        ),
    ],
)
def test_references_that_lead_nowhere_are_refused(
    tmp_path: Path, keys: tuple[Any, ...], value: Any, pattern: str
) -> None:
    content, data = read_glb(avatar(tmp_path / "avatar.glb", ["jawOpen"]))
    place: Any = content
    for key in keys[:-1]:
        place = place[key]
    place[keys[-1]] = value
    (tmp_path / "b.glb").write_bytes(pack_glb(content, data))
    refused(tmp_path / "b.glb", pattern, tmp_path)


def test_damage_of_any_kind_gives_a_file_or_a_typed_line(tmp_path: Path) -> None:
    whole = avatar(
        tmp_path / "avatar.glb", ["jawOpen", "viseme_aa", "Wink"], extensions=VRM_1
    ).read_bytes()
    content, data = read_glb(tmp_path / "avatar.glb")
    text = json.dumps(content)
    clip = take(3)
    write_clip(clip, tmp_path / "out.glb", avatar=tmp_path / "avatar.glb")

    def survives(raw: bytes) -> None:
        (tmp_path / "damaged.glb").write_bytes(raw)
        try:
            made, _ = animated_avatar(tmp_path / "damaged.glb", clip.motion, {})  # type: ignore[arg-type]
        except MotetError as error:
            assert "\n" not in str(error)
        else:
            assert made[:4] == b"glTF"

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(
        cut=st.integers(0, len(whole)),
        holes=st.lists(
            st.tuples(st.integers(0, len(whole) - 1), st.binary(min_size=1, max_size=4)), max_size=4
        ),
    )
    def damaged_bytes(cut: int, holes: list[tuple[int, bytes]]) -> None:
        raw = bytearray(whole)
        for at, new in holes:
            raw[at : at + len(new)] = new
        survives(bytes(raw[:cut] if cut % 2 else raw))

    junk = [-1, 1e300, "x", None, [], {}, [[]], 99999999999999999999, True, 0.5]

    @settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
    @given(seed=st.integers(0, 2**32))
    def damaged_values(seed: int) -> None:
        dice, changed = random.Random(seed), json.loads(text)
        for _ in range(dice.randint(1, 3)):
            place: Any = changed
            while isinstance(place, dict | list) and place:
                key = dice.choice(sorted(place) if isinstance(place, dict) else range(len(place)))
                if not isinstance(place[key], dict | list) or not place[key] or dice.random() < 0.2:
                    place[key] = copy.deepcopy(dice.choice(junk))
                    break
                place = place[key]
        survives(pack_glb(changed, data))

    damaged_bytes()
    damaged_values()


def test_only_glb_takes_an_avatar(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"animated in \.glb"):
        write_clip(take(3), tmp_path / "a.csv", avatar=tmp_path / "x.glb")


def test_the_avatar_is_not_overwritten(tmp_path: Path) -> None:
    path = avatar(tmp_path / "avatar.glb", ["jawOpen"])
    before = path.read_bytes()
    with pytest.raises(ConfigError, match="the avatar itself"):
        write_clip(take(3), path, avatar=path)
    assert path.read_bytes() == before
