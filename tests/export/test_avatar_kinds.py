"""Avatars as other programs make them: names, rigs, resting weights, incomplete meshes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation

from motet.cli import main
from motet.errors import AssetError, ConfigError
from motet.export import write_clip
from motet.export.gltf.avatar import inspect_avatar
from motet.export.gltf.bones import JAW_ANGLE
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.mapping import AvatarMap, read_map
from motet.export.gltf.names import arkit_name
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space
from tests.export.avatars import animation, avatar, read_accessor
from tests.export.takes import take

VOWEL = {"jawOpen": 0.54, "jawForward": 0.31, "mouthShrugUpper": 0.09}
"""What the viseme aa consists of."""


def still(**weights: float) -> Clip:
    values = torch.zeros(2, 55)
    for name, weight in weights.items():
        values[:, ARKIT_SHAPES.index(name)] = weight
    return Clip(None, Motion(values, arkit_space()))


def changed(path: Path, change: Callable[[dict[str, Any]], None]) -> Path:
    content, data = read_glb(path)
    change(content)
    path.write_bytes(pack_glb(content, data))
    return path


def first_weights(tmp_path: Path, path: Path, clip: Clip, **options: Any) -> dict[str, float]:
    """Weights of the first frame by name."""
    content, data = read_glb(write_clip(clip, tmp_path / "out.glb", avatar=path, **options))
    found = animation(content, data)[1]["Face", "weights"][0]
    names = content["meshes"][0]["extras"]["targetNames"]
    return dict(zip(names, map(float, found), strict=True))


@pytest.mark.parametrize(
    "form",
    [
        "{}.001",
        "{}.012",
        "{}_001",
        "Face.{}.002",
        "{}_Mesh",
        "{}_BS",
        "{} 1",
        "Wolf3D_{}",
        "{}.Shape",
    ],
)
def test_suffixes_of_programs_are_not_part_of_a_name(form: str) -> None:
    for name in ARKIT_SHAPES:
        assert arkit_name(form.format(name)) == name
        assert arkit_name(form.format(name[0].upper() + name[1:])) == name


@pytest.mark.parametrize(
    "name,wanted",
    [
        ("mouthSmile.L", "mouthSmileLeft"),
        ("mouthSmile.R.001", "mouthSmileRight"),
        ("L_eyeBlink", "eyeBlinkLeft"),
        ("Eye_Left_Blink", "eyeBlinkLeft"),
        ("Right_Mouth_Frown", "mouthFrownRight"),
        ("jawOpen_mouthSmileLeft", None),
        ("mouthOpen", None),
    ],
)
def test_sides_stand_anywhere(name: str, wanted: str | None) -> None:
    assert arkit_name(name) == wanted


NAMES = {
    "vroid": ("Fcl_MTH_{}", "A I U E O", "Fcl_MTH_A", "Fcl_EYE_Close_L Fcl_EYE_Close_R"),
    "vroid both": ("Fcl_MTH_{}", "A I U E O", "Fcl_MTH_A", "Fcl_EYE_Close"),
    "bare": ("{}", "A I U E O", "A", "Blink"),
    "bare small": ("{}.001", "a i u e o", "a.001", "blink.001"),
    "bare vrm": ("{}", "aa ih ou ee oh", "aa", "blink"),
    "prefixed": ("Mouth_{}", "aa ih ou ee oh", "Mouth_aa", "Eyes_Closed"),
    "mmd": ("{}", "あ い う え お", "あ", "まばたき"),
    "mmd wink": ("{}", "あ い う え お", "あ", "ｳｨﾝｸ２ ｳｨﾝｸ２右"),
    "vrchat": (
        "vrc.v_{}",
        "aa e ih oh ou pp ff th dd kk ch ss nn rr",
        "vrc.v_aa",
        "vrc.blink_left vrc.blink_right",
    ),
    "oculus": ("viseme_{}", "aa E ih oh ou PP FF TH DD kk CH SS nn RR", "viseme_aa", "eyesClosed"),
    "cc4": (
        "V_{}",
        "Open Explosive Dental_Lip Tight_O Tight Wide Affricate Lip_Open",
        "V_Open",
        "Eye_Blink_L Eye_Blink_R",
    ),
    "cc3": (
        "{}",
        "Open Explosive Dental_Lip Tight-O Tight Wide Affricate Lip_Open",
        "Open",
        "Eye_Blink",
    ),
    "vroid prefixed": (
        "Face.M_F00_000_00_Fcl_MTH_{}",
        "A I U E O",
        "Face.M_F00_000_00_Fcl_MTH_A",
        "Face.M_F00_000_00_Fcl_EYE_Close_L Face.M_F00_000_00_Fcl_EYE_Close_R",
    ),
    "vroid merged": (
        "Face_(merged)__Fcl_MTH_{}",
        "A I U E O",
        "Face_(merged)__Fcl_MTH_A",
        "Face_(merged)__Fcl_EYE_Close",
    ),
    "katakana": ("{}", "ア イ ウ エ オ", "ア", "まばたき"),
    "mmd alone": ("{}", "あ", "あ", "まばたき"),
    "daz": (
        "eCTRLv{}",
        "AA EE EH OW UW M F TH",
        "eCTRLvAA",
        "eCTRLEyesClosedL eCTRLEyesClosedR",
    ),
    "genesis": (
        "Genesis8Female__eCTRLv{}",
        "AA IY EH OW UW M F",
        "Genesis8Female__eCTRLvAA",
        "Genesis8Female__eCTRLEyesClosed",
    ),
}


@pytest.mark.parametrize("kind", NAMES)
def test_mouth_and_blink_of_every_vocabulary(tmp_path: Path, kind: str) -> None:
    form, mouths, open_mouth, blinks = NAMES[kind]
    names = [*(form.format(word) for word in mouths.split()), *blinks.split(), "Hat"]
    path = avatar(tmp_path / "avatar.glb", names)
    found = first_weights(tmp_path, path, still(**VOWEL, eyeBlinkLeft=0.6, eyeBlinkRight=0.6))
    assert found.pop(open_mouth) == pytest.approx(1, abs=0.02)
    assert [found.pop(name) for name in blinks.split()] == pytest.approx(
        [0.6] * len(blinks.split())
    )
    assert max(found.values()) < 0.02
    report = inspect_avatar(path)
    assert set(report.matched) == set(names) - {"Hat"} and report.ignored == ("Hat",)
    assert report.mouth == ("visemes" if len(mouths.split()) > 5 else "vowels")


def test_ready_player_me_without_parameters(tmp_path: Path) -> None:
    path = avatar(tmp_path / "avatar.glb", ["mouthOpen", "mouthSmile"])
    weights = {"jawOpen": 0.4, "mouthSmileLeft": 0.2, "mouthSmileRight": 0.4}
    found = first_weights(tmp_path, path, still(**weights))
    assert found == pytest.approx({"mouthOpen": 0.4, "mouthSmile": 0.3})


def test_a_shape_is_not_made_twice(tmp_path: Path) -> None:
    names = ["jawOpen", "mouthOpen", "eyeBlinkLeft", "eyeBlinkRight", "eyesClosed"]
    path = avatar(tmp_path / "avatar.glb", names)
    found = first_weights(tmp_path, path, still(jawOpen=0.5, eyeBlinkLeft=0.5, eyeBlinkRight=0.5))
    assert found == pytest.approx(dict(zip(names, [0.5, 0, 0.5, 0.5, 0], strict=True)))


def test_sranipal_names(tmp_path: Path) -> None:
    names = ["Jaw_Open", "Mouth_Pout", "Mouth_Ape_Shape", "Eye_Left_Blink", "Eye_Right_Right",
             "Mouth_Upper_Left", "Mouth_Lower_Left", "Cheek_Puff_Left",
             "Cheek_Puff_Right"]  # fmt: skip
    weights = {"jawOpen": 0.1, "mouthPucker": 0.2, "mouthClose": 0.3, "eyeBlinkLeft": 0.4,
               "eyeLookOutRight": 0.5, "mouthLeft": 0.6, "cheekPuff": 0.7}  # fmt: skip
    path = avatar(tmp_path / "avatar.glb", names)
    found = first_weights(tmp_path, path, still(**weights))
    expected = [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.6, 0.7, 0.7]
    assert found == pytest.approx(dict(zip(names, expected, strict=True)))


RIGS = {
    "rigify": ("DEF-spine.005", "DEF-spine.006", "DEF-jaw", "DEF-eye.L", "DEF-eye.R"),
    "rigify sanitised": ("DEF-spine005", "DEF-spine006", "DEF-jaw", "DEF-eyeL", "DEF-eyeR"),
    "biped": ("Bip001 Neck", "Bip001 Head", "Bip001 Jaw", "Bip001 L Eye", "Bip001 R Eye"),
    "biped 01": ("Bip01_Neck", "Bip01_Head", "Jaw", "LEye", "REye"),
    "auto-rig pro": ("neck.x", "head.x", "c_jawbone.x", "c_eye.l", "c_eye.r"),
    "advanced skeleton": ("Neck_M", "Head_M", "Jaw_M", "Eye_L", "Eye_R"),
    "mmd": ("首", "頭", "あご", "左目", "右目"),
    "mixamo": ("mixamorig:Neck", "mixamorig:Head", "mixamorig:Jaw", "mixamorig:LeftEye",
               "mixamorig:RightEye"),
    "mixamo sanitised": ("mixamorig1Neck", "mixamorig1Head", "Jaw", "mixamorigLeftEye",
                         "mixamorigRightEye"),
    "namespace": ("boy:Neck", "boy:Head", "boy:Jaw", "boy:LeftEye", "boy:RightEye"),
    "daz upper": ("neckUpper", "head", "lowerJaw", "lEye", "rEye"),
    "joints": ("neck_JNT", "head_JNT", "jaw_JNT", "L_eye_JNT", "R_eye_JNT"),
    "suffix": ("neck_jnt.001", "head_jnt.001", "jaw_jnt.001", "eye_l_jnt.001", "eye_r_jnt.001"),
    "character creator": ("CC_Base_NeckTwist01", "CC_Base_Head", "CC_Base_JawRoot",
                          "CC_Base_L_Eye", "CC_Base_R_Eye"),
    "vroid": ("J_Bip_C_Neck", "J_Bip_C_Head", "Jaw", "J_Adj_L_FaceEye", "J_Adj_R_FaceEye"),
    "unreal": ("neck_01", "head", "FACIAL_C_Jaw", "FACIAL_L_Eye", "FACIAL_R_Eye"),
    "daz": ("neckLower", "head", "lowerJaw", "lEye", "rEye"),
}  # fmt: skip


def bones_only(path: Path, bones: tuple[str, ...], targets: list[str]) -> Path:
    """An avatar with a jaw and eyes below its head, each turned in its own way."""

    def add(content: dict[str, Any]) -> None:
        content["nodes"][1]["name"], content["nodes"][2]["name"] = bones[:2]
        first = len(content["nodes"])
        for number, name in enumerate(bones[2:]):
            turn = Rotation.from_euler("XYZ", [0.3 * number, -0.4, 0.2]).as_quat().tolist()
            content["nodes"].append({"name": name, "rotation": turn})
        added = list(range(first, len(content["nodes"])))
        content["nodes"][2]["children"] = added
        content["skins"][0]["joints"] += added
        if not targets:
            del content["meshes"][0]["primitives"][0]["targets"], content["meshes"][0]["extras"]

    return changed(avatar(path, targets or ["unused"]), add)


def in_head(content: dict[str, Any], local: np.ndarray, name: str) -> np.ndarray:
    """Rotation against the pose at rest, about the world's axes, axis-angle."""
    node = next(node for node in content["nodes"] if node.get("name") == name)
    parent = Rotation.from_quat(content["nodes"][1]["rotation"])
    rest = Rotation.from_quat(node["rotation"])
    return (parent * Rotation.from_quat(local) * (parent * rest).inv()).as_rotvec()


@pytest.mark.parametrize("rig", RIGS)
def test_a_head_with_bones_only_speaks(tmp_path: Path, rig: str) -> None:
    bones = RIGS[rig]
    path = bones_only(tmp_path / "avatar.glb", bones, [])
    clip = still(jawOpen=0.8, mouthClose=0.3, eyeLookOutLeft=0.5, eyeLookInRight=0.5)
    content, data = read_glb(write_clip(clip, tmp_path / "a.glb", avatar=path))
    _, values = animation(content, data)
    assert {name for name, _ in values} == set(bones)
    jaw, left, right = (in_head(content, values[name, "rotation"][0], name) for name in bones[2:])
    # The chin goes down: a rotation about the axis to the character's left.
    assert jaw == pytest.approx([0.5 * JAW_ANGLE, 0, 0], abs=1e-5)
    assert left == pytest.approx([0, 0.3, 0], abs=1e-5) and right == pytest.approx(left, abs=1e-5)
    assert inspect_avatar(path).mouth == "the jaw bone"


def test_bones_stay_where_shapes_do_their_work(tmp_path: Path) -> None:
    targets = ["jawOpen", "eyeLookUpLeft"]
    path = bones_only(tmp_path / "avatar.glb", RIGS["joints"], targets)
    assert inspect_avatar(path).bones == ("neck_JNT", "head_JNT")


@pytest.mark.parametrize("holder", ["meshes", "nodes"])
def test_resting_weights_are_the_base(tmp_path: Path, holder: str) -> None:
    def rest(content: dict[str, Any]) -> None:
        content["meshes"][0]["weights"] = [0.9, 0.9, 0.9]
        content[holder][{"meshes": 0, "nodes": 3}[holder]]["weights"] = [0.0, 0.7, 0.2]

    path = changed(avatar(tmp_path / "a.glb", ["jawOpen", "noseWide", "eyeBlinkLeft"]), rest)
    found = first_weights(tmp_path, path, still(jawOpen=0.5, eyeBlinkLeft=1.0))
    assert found == pytest.approx({"jawOpen": 0.5, "noseWide": 0.7, "eyeBlinkLeft": 1.0})
    closed = first_weights(tmp_path, path, still())
    assert closed == pytest.approx({"jawOpen": 0.0, "noseWide": 0.7, "eyeBlinkLeft": 0.2})


@pytest.mark.parametrize("kept", [0, 1])
def test_primitives_without_targets_get_still_ones(tmp_path: Path, kept: int) -> None:
    def second(content: dict[str, Any]) -> None:
        first = content["meshes"][0]["primitives"][0]
        content["meshes"][0]["primitives"].append(
            {**first, "targets": first["targets"][:kept]} if kept
            else {key: value for key, value in first.items() if key != "targets"}
        )  # fmt: skip

    path = changed(avatar(tmp_path / "a.glb", ["jawOpen", "eyeBlinkLeft"]), second)
    content, data = read_glb(write_clip(still(jawOpen=0.5), tmp_path / "b.glb", avatar=path))
    primitives = content["meshes"][0]["primitives"]
    assert [len(primitive["targets"]) for primitive in primitives] == [2, 2]
    filled = primitives[1]["targets"][kept:]
    for target in filled:
        accessor = content["accessors"][target["POSITION"]]
        assert accessor["count"] == 3 and accessor["min"] == accessor["max"] == [0, 0, 0]
        assert "sparse" not in accessor and "bufferView" not in accessor
    assert animation(content, data)[1]["Face", "weights"].shape == (2, 2)


def test_names_on_accessors(tmp_path: Path) -> None:
    names = ["jawOpen", "eyeBlinkLeft"]

    def rename(content: dict[str, Any]) -> None:
        del content["meshes"][0]["extras"]
        targets = content["meshes"][0]["primitives"][0]["targets"]
        for target, name in zip(targets, names, strict=True):
            content["accessors"][target["POSITION"]]["name"] = name

    path = changed(avatar(tmp_path / "a.glb", names), rename)
    content, data = read_glb(
        write_clip(still(jawOpen=0.5, eyeBlinkLeft=0.2), tmp_path / "b.glb", avatar=path)
    )
    assert animation(content, data)[1]["Face", "weights"][0] == pytest.approx([0.5, 0.2])


def test_targets_without_names_are_counted_and_can_be_mapped(tmp_path: Path) -> None:
    def forget(content: dict[str, Any]) -> None:
        del content["meshes"][0]["extras"]

    path = changed(avatar(tmp_path / "a.glb", ["jawOpen", "x", "y"]), forget)
    with pytest.raises(AssetError, match="its 3 morph targets have no names"):
        inspect_avatar(path)
    assert inspect_avatar(path, AvatarMap({"#0": "jawOpen"})).matched == ("#0",)


@pytest.mark.parametrize("vrm_0", [False, True])
def test_binary_expressions_are_off_or_on(tmp_path: Path, vrm_0: bool) -> None:
    bind = {"node": 3, "index": 0}
    preset = {"blink": {"isBinary": True, "morphTargetBinds": [bind]}}
    group = {"presetName": "blink", "isBinary": True, "binds": [{"mesh": 0, "index": 0}]}
    extensions = {"VRMC_vrm": {"expressions": {"preset": preset}}}
    if vrm_0:
        extensions = {"VRM": {"blendShapeMaster": {"blendShapeGroups": [group]}}}
    path = bones_only(tmp_path / "a.glb", RIGS["joints"], ["Close"])
    changed(path, lambda content: content.update(extensions=extensions))
    values = torch.zeros(5, 55)
    for name in ("eyeBlinkLeft", "eyeBlinkRight"):
        values[:, ARKIT_SHAPES.index(name)] = torch.tensor([0.0, 0.49, 0.51, 1.0, 0.3])
    clip = Clip(None, Motion(values, arkit_space()))
    content, data = read_glb(write_clip(clip, tmp_path / "b.glb", avatar=path))
    found = animation(content, data)[1]["Face", "weights"][:, 0]
    assert found.tolist() == [0, 0, 1, 1, 0]
    take_ = content["animations"][0]
    (channel,) = (one for one in take_["channels"] if one["target"]["path"] == "weights")
    assert take_["samplers"][channel["sampler"]]["interpolation"] == "STEP"


def test_targets_of_driven_expressions_are_not_ignored(tmp_path: Path) -> None:
    binds = {"morphTargetBinds": [{"node": 3, "index": 0, "weight": 1.0}]}
    happy = {"morphTargetBinds": [{"node": 3, "index": 1, "weight": 1.0}]}
    preset = {"aa": binds, "happy": happy}
    extensions = {"VRMC_vrm": {"expressions": {"preset": preset}}}
    report = inspect_avatar(avatar(tmp_path / "a.glb", ["M_A", "M_H"], extensions=extensions))
    assert report.matched == ("aa",) and report.ignored == ("M_H",)


def test_a_second_run_replaces_the_take(tmp_path: Path) -> None:
    path = avatar(tmp_path / "a.glb", ["jawOpen", "eyeBlinkLeft"])
    once = write_clip(take(9), tmp_path / "b.glb", avatar=path)
    twice = write_clip(take(5, seed=1), tmp_path / "c.glb", avatar=once)
    again = write_clip(take(5, seed=1), tmp_path / "d.glb", avatar=twice)
    content, data = read_glb(twice)
    assert [one["name"] for one in content["animations"]] == ["take", "idle"]
    assert len(animation(content, data)[0]) == 5
    assert read_accessor(content, data, content["animations"][1]["samplers"][0]["output"]).shape
    assert again.read_bytes() == twice.read_bytes()
    direct = write_clip(take(5, seed=1), tmp_path / "e.glb", avatar=path)
    assert direct.read_bytes() == twice.read_bytes()


def test_a_take_of_an_artist_stays(tmp_path: Path) -> None:
    def rename(content: dict[str, Any]) -> None:
        content["animations"][0]["name"] = "take"

    path = changed(avatar(tmp_path / "a.glb", ["jawOpen"]), rename)
    content, _ = read_glb(write_clip(take(4), tmp_path / "b.glb", avatar=path))
    assert len(content["animations"]) == 2


@pytest.mark.parametrize("names", [["eyeBlinkLeft", "eyeBlinkRight"], ["mouthSmile"], ["Wink"]])
def test_a_mouth_that_cannot_move_is_an_error(tmp_path: Path, names: list[str]) -> None:
    path = avatar(tmp_path / "a.glb", names)
    with pytest.raises(AssetError, match="no mouth that can speak") as caught:
        write_clip(take(3), tmp_path / "b.glb", avatar=path)
    assert "--map" in str(caught.value) and "\n" not in str(caught.value)


def write_map(path: Path, content: object) -> Path:
    path.write_text(json.dumps(content))
    return path


def test_names_are_mapped_by_hand(tmp_path: Path) -> None:
    path = avatar(tmp_path / "a.glb", ["Fish", "Bird", "Dog", "jawOpen"], bones=("B1", "B2"))
    content = {"Fish": "jawOpen", "mouthPucker": "Bird", "Dog": "blink", "jawOpen": None,
               "bones": {"head": "B2", "neck": None}}  # fmt: skip
    by_hand = read_map(write_map(tmp_path / "map.json", content))
    clip = still(jawOpen=0.3, mouthPucker=0.4, eyeBlinkLeft=0.4, eyeBlinkRight=0.6)
    found = first_weights(tmp_path, path, clip, avatar_map=by_hand)
    assert found == pytest.approx({"Fish": 0.3, "Bird": 0.4, "Dog": 0.5, "jawOpen": 0})
    report = inspect_avatar(path, by_hand)
    assert report.bones == ("B2",) and report.ignored == ("jawOpen",)
    visemes = AvatarMap({"Fish": "viseme_aa", "jawOpen": None})
    assert first_weights(tmp_path, path, still(**VOWEL), avatar_map=visemes)[
        "Fish"
    ] == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    "content,pattern",
    [
        ([1], "no map"),
        ({"jawOpen": 3}, "no map"),
        ({"bones": {"tail": "x"}}, "'tail'"),
        ({"Nobody": "mouthPucker"}, "assigns 'Nobody'"),
        ({"jawOpen": "Nothing"}, "no shape is called 'Nothing'"),
        ({"bones": {"head": "Nowhere"}}, "no bone 'Nowhere'"),
    ],
)
def test_maps_that_fit_nothing(tmp_path: Path, content: object, pattern: str) -> None:
    path = avatar(tmp_path / "a.glb", ["jawOpen"])
    with pytest.raises((AssetError, ConfigError), match=pattern):
        inspect_avatar(path, read_map(write_map(tmp_path / "map.json", content)))


def test_the_command_says_what_is_driven(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_clip(take(4), tmp_path / "t.npz")
    path = avatar(tmp_path / "a.glb", ["jawOpen", "Hat"])
    line = ["export", str(source), "--avatar", str(path), "-o", str(tmp_path / "o.glb")]
    assert main(line) == 0
    printed = capsys.readouterr().out
    for text in ("driven (1): jawOpen", "bones (2): Neck, Head", "ignored (1): Hat",
                 "missing ARKit shapes (51): browDownLeft"):  # fmt: skip
        assert text in printed
    by_hand = write_map(tmp_path / "map.json", {"Hat": "cheekPuff"})
    assert main([*line, "--map", str(by_hand)]) == 0
    assert "driven (2): Hat, jawOpen" in capsys.readouterr().out
    blinks = avatar(tmp_path / "b.glb", ["eyeBlinkLeft"])
    assert (
        main(["export", str(source), "--avatar", str(blinks), "-o", str(tmp_path / "p.glb")]) == 2
    )
    assert "no mouth that can speak" in capsys.readouterr().err
    assert main(["export", str(source), "--map", "m.json", "-o", str(tmp_path / "q.npz")]) == 2
