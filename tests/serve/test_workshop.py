"""What is done with a take: avatars, edits, re-rolls, exports, checks."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

import motet
from motet.export.gltf.container import read_glb
from motet.types import ARKIT_SHAPES
from tests.export.avatars import avatar
from tests.serve.conftest import Studio, wav

VRM_1 = {
    "VRMC_vrm": {
        "humanoid": {"humanBones": {"head": {"node": 2}, "neck": {"node": 1}}},
        "expressions": {
            "preset": {
                name: {"morphTargetBinds": [{"node": 3, "index": index, "weight": 1.0}]}
                for index, name in enumerate(["aa", "ih", "ou", "ee", "oh", "blink"])
            }
        },
    }
}


def add_avatar(studio: Studio, path: Path) -> dict[str, Any]:
    files = {"file": (path.name, path.read_bytes())}
    answer = studio.http.post("/api/avatars", files=files)
    assert answer.status_code in (200, 201), answer.text
    return answer.json()


def test_an_avatar_moves_in_its_own_channels(
    studio: Studio, take: dict[str, Any], tmp_path: Path
) -> None:
    path = avatar(tmp_path / "a.glb", ["jawOpen", "mouthClose", "Wobble"])
    found = add_avatar(studio, path)
    assert (found["kind"], found["matched"]) == ("glb", ["jawOpen", "mouthClose"])
    assert found["ignored"] == ["Wobble"] and found["bones"] == ["Neck", "Head"]
    assert add_avatar(studio, path) == found
    assert studio.http.get(f"/api/avatars/{found['id']}").content == path.read_bytes()
    header, numbers = studio.curves(take["id"], avatar=found["id"])
    kinds = [(one["kind"], one.get("target") or one["node"]) for one in header["channels"]]
    assert kinds == [
        ("morph", "jawOpen"), ("morph", "mouthClose"), ("rotation", "Neck"), ("rotation", "Head"),
    ]  # fmt: skip
    _, raw = studio.curves(take["id"], avatar="raw")
    assert np.allclose(numbers[:, 0], raw[:, ARKIT_SHAPES.index("jawOpen")], atol=1e-6)
    profile = studio.get(f"/avatars/{found['id']}/profile")
    assert profile["channels"] == header["channels"]
    assert len(profile["rest"]) == numbers.shape[1]
    listed = [one["id"] for one in studio.get("/avatars")["avatars"]]
    assert listed[0] == "house" and found["id"] in listed


def test_curves_of_an_avatar_are_those_of_its_exported_file(
    studio: Studio, take: dict[str, Any], tmp_path: Path
) -> None:
    found = add_avatar(studio, avatar(tmp_path / "a.glb", ["jawOpen", "mouthClose", "Wobble"]))
    body = {"take": take["id"], "format": "glb", "avatar": found["id"]}
    job = studio.wait(studio.http.post("/api/exports", json=body).json())
    assert job["state"] == "done", job
    assert job["result"]["name"] == "speech-artalk-3.glb"
    file = tmp_path / "out.glb"
    file.write_bytes(studio.http.get(job["result"]["url"]).content)
    content, data = read_glb(file)
    take_of_file = content["animations"][0]
    header, numbers = studio.curves(take["id"], avatar=found["id"])
    start = 0
    for channel in header["channels"]:
        mine = numbers[:, start : start + channel["size"]]
        start += channel["size"]
        if channel["kind"] != "rotation":
            continue
        node = next(i for i, n in enumerate(content["nodes"]) if n.get("name") == channel["node"])
        sampler = next(
            take_of_file["samplers"][c["sampler"]]
            for c in take_of_file["channels"]
            if c["target"] == {"node": node, "path": "rotation"}
        )
        view = content["bufferViews"][content["accessors"][sampler["output"]]["bufferView"]]
        stored = np.frombuffer(data, "<f4", 100, view["byteOffset"]).reshape(25, 4)
        assert np.allclose(stored, mine, atol=1e-6)


def test_a_vrm_moves_by_expressions_and_normalised_bones(
    studio: Studio, take: dict[str, Any], tmp_path: Path
) -> None:
    names = [f"Fcl_{index}" for index in range(6)]
    found = add_avatar(studio, avatar(tmp_path / "a.vrm", names, extensions=VRM_1))
    assert found["kind"] == "vrm" and found["mouth"] == "vowels"
    header, numbers = studio.curves(take["id"], avatar=found["id"])
    expressions = {one["name"] for one in header["channels"] if one["kind"] == "expression"}
    assert {"aa", "ih", "ou", "ee", "oh", "blink"} <= expressions
    bones = [one["bone"] for one in header["channels"] if one["kind"] == "rotation"]
    assert bones == ["neck", "head"]
    # Neck and head together turn as the take's head does.
    neck, head = numbers[:, -8:-4], numbers[:, -4:]
    together = (Rotation.from_quat(neck) * Rotation.from_quat(head)).as_rotvec()
    _, raw = studio.curves(take["id"], avatar="raw")
    assert np.allclose(together, raw[:, 52:], atol=1e-4)


def test_an_avatar_without_a_known_mouth_is_mapped_by_hand(studio: Studio, tmp_path: Path) -> None:
    path = avatar(tmp_path / "a.glb", ["Jaw_Opening", "Zap"])
    found = add_avatar(studio, path)
    assert found["mouth"] == "" and found["ignored"] == ["Jaw_Opening", "Zap"]
    assert found["suggestions"].get("Jaw_Opening") == "jawOpen"
    assert studio.http.get(f"/api/avatars/{found['id']}/profile").status_code == 400
    url = f"/api/avatars/{found['id']}/mapping"
    answer = studio.http.put(url, json={"shapes": {"Jaw_Opening": "jawOpen", "Zap": None}})
    assert answer.status_code == 200 and answer.json()["matched"] == ["Jaw_Opening"]
    profile = studio.get(f"/avatars/{found['id']}/profile")
    assert profile["channels"][0]["target"] == "Jaw_Opening"
    for body in ({"shapes": {"Nose": "jawOpen"}}, {"shapes": {"Zap": "jawOpne"}}):
        assert studio.http.put(url, json=body).status_code == 422
    assert studio.http.delete(f"/api/avatars/{found['id']}").status_code == 204
    assert studio.http.get(f"/api/avatars/{found['id']}").status_code == 404


def test_what_is_no_avatar_is_refused(studio: Studio) -> None:
    for data in (b"", b"glTF", b'{"asset": {}}'):
        answer = studio.http.post("/api/avatars", files={"file": ("x.glb", data)})
        assert answer.status_code == 400 and str(studio.folder) not in answer.text
    assert studio.get("/avatars/house/profile")["channels"][17]["target"] == ARKIT_SHAPES[17]


def test_edits_make_a_version_and_the_base_stays(studio: Studio, sound: dict[str, Any]) -> None:
    base = studio.take(sound["id"], seed=5)
    url = f"/api/takes/{base['id']}/edits"
    empty = studio.http.get(url)
    assert empty.json() == {"base": base["id"], "take": "", "layers": []}
    key = {"type": "key", "channels": ["jawOpen"], "t": 0.4, "value": 1.0}
    first = studio.http.put(
        url, json={"layers": [key]}, headers={"If-Match": empty.headers["etag"]}
    )
    assert first.status_code == 200, first.text
    edited = first.json()["take"]
    _, before = studio.curves(base["id"], avatar="raw")
    _, after = studio.curves(edited, avatar="raw")
    jaw = ARKIT_SHAPES.index("jawOpen")
    assert after[10, jaw] == 1.0 and np.array_equal(
        np.delete(after, jaw, 1), np.delete(before, jaw, 1)
    )
    assert studio.get(f"/takes/{base['id']}")["edited"] == edited
    late = studio.http.put(url, json={"layers": []}, headers={"If-Match": empty.headers["etag"]})
    assert late.status_code == 412 and late.json()["remedy"]
    second = studio.http.put(url, json={"layers": [key, {**key, "t": 0.8}]})
    assert second.status_code == 200 and second.json()["take"] != edited
    assert studio.http.get(f"/api/takes/{edited}").status_code == 404
    assert not (studio.folder / "takes" / f"{edited}.npz").exists()
    assert studio.http.put(url, json={"layers": []}).json()["take"] == ""
    wrong = studio.http.put(url, json={"layers": [{**key, "channels": ["jaw"]}]})
    assert wrong.status_code == 422 and "jawOpen" in wrong.text
    stolen = {"type": "take", "t0": 0, "t1": 1, "groups": ["head"], "take_id": "../../etc/passwd"}
    assert studio.http.put(url, json={"layers": [stolen]}).status_code == 422


def test_brows_and_head_are_rolled_again_and_the_lips_keep_their_bits(
    studio: Studio, sound: dict[str, Any]
) -> None:
    base = studio.take(sound["id"], seed=6)
    body = {"t0": 0.2, "t1": 0.7, "seed": 60, "groups": ["brows", "head"], "fade": 0.1}
    url = f"/api/takes/{base['id']}/reroll"
    job = studio.wait(studio.http.post(url, json=body).json())
    assert job["state"] == "done", job
    _, before = studio.curves(base["id"], avatar="raw")
    _, after = studio.curves(job["result"]["take"], avatar="raw")
    kept = [i for i, name in enumerate(ARKIT_SHAPES) if not name.startswith("brow")]
    assert np.array_equal(after[:, kept], before[:, kept])
    assert not np.allclose(after[10:15, 52:], before[10:15, 52:], atol=1e-4)
    assert np.array_equal(after[-4:], before[-4:])
    _, other = studio.curves(studio.take(sound["id"], seed=60)["id"], avatar="raw")
    assert np.array_equal(after[10, 52:], other[10, 52:])
    layers = studio.get(f"/takes/{base['id']}/edits")["layers"]
    assert [layer["type"] for layer in layers] == ["take"]
    assert studio.http.post(url, json={**body, "t1": 0.1}).status_code == 422


@pytest.mark.parametrize("ending", ["npz", "csv", "json", "glb"])
def test_a_take_is_exported(
    studio: Studio, take: dict[str, Any], ending: str, tmp_path: Path
) -> None:
    body = {"take": take["id"], "format": ending}
    job = studio.wait(studio.http.post("/api/exports", json=body).json())
    assert job["state"] == "done", job
    answer = studio.http.get(job["result"]["url"])
    assert f"speech-artalk-3.{ending}" in answer.headers["content-disposition"]
    file = tmp_path / f"x.{ending}"
    file.write_bytes(answer.content)
    if ending == "glb":
        assert read_glb(file)[0]["animations"]
    else:
        assert motet.read_take(file).motion is not None


def test_a_video_reports_how_far_it_is(studio: Studio, take: dict[str, Any]) -> None:
    import av

    body = {"take": take["id"], "format": "mp4", "size": 64}
    job = studio.wait(studio.http.post("/api/exports", json=body).json())
    assert job["state"] == "done" and job["done"] > 0 and job["total"] == 25
    data = studio.http.get(job["result"]["url"]).content
    with av.open(io.BytesIO(data)) as file:
        assert file.streams.video[0].width == 64 and file.streams.audio


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"format": "exe"}, 422, "exe"),
        ({"format": "../x.mp4"}, 422, "ending"),
        ({"format": "csv", "size": 256}, 422, "size"),
        ({"format": "glb", "avatar": "0" * 24}, 404, "avatar"),
        ({"take": "0" * 24, "format": "csv"}, 404, "take"),
    ],
)
def test_impossible_exports_are_refused(
    studio: Studio, take: dict[str, Any], body: dict[str, Any], status: int, text: str
) -> None:
    answer = studio.http.post("/api/exports", json={"take": take["id"], **body})
    assert answer.status_code == status and text in answer.text


def test_a_face_is_not_exported_as_a_body(studio: Studio, take: dict[str, Any]) -> None:
    body = {"take": take["id"], "format": "bvh"}
    job = studio.wait(studio.http.post("/api/exports", json=body).json())
    assert job["state"] == "failed" and job["problem"]["status"] == 409


def test_a_check_places_its_remarks(studio: Studio) -> None:
    silence = bytearray(wav(2.0))
    silence[44 : 44 + 40_000] = bytes(40_000)
    base = studio.take(studio.upload(bytes(silence), "pause.wav")["id"])
    layer = {"type": "key", "channels": ["jawOpen"], "t": 0.6, "value": 1.0, "in": 0.1, "out": 0.1}
    url = f"/api/takes/{base['id']}/edits"
    edited = studio.http.put(url, json={"layers": [layer]}).json()["take"]
    report = studio.get(f"/takes/{edited}/check")
    scores = {score["id"]: score for score in report["scores"]}
    assert scores["length_error"]["ok"] and scores["stillness"]["high"] == 2.0
    remark = next(one for one in report["remarks"] if one["what"].startswith("stillness"))
    assert remark["t0"] < 0.6 < remark["t1"] < 1.4 and remark["remedy"]
