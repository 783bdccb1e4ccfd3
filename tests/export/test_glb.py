from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import InputError
from motet.export import write_clip
from motet.export.gltf.container import read_glb
from motet.export.gltf.house import house_parts
from motet.export.gltf.parts import vertex_normals
from motet.export.gltf.texture import eye_picture, png
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Clip
from tests.export.avatars import animation, read_accessor
from tests.export.takes import take

CLIP = take(8, 30.0)


@pytest.fixture(scope="module")
def figure(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict, bytes, Path]:
    path = write_clip(CLIP, tmp_path_factory.mktemp("glb") / "a.glb")
    return *read_glb(path), path


def dense(content: dict, data: bytes, number: int) -> np.ndarray:
    """Values of a sparse accessor of displacements."""
    entry = content["accessors"][number]
    values = np.zeros((entry["count"], 3), np.float32)
    if "sparse" in entry:
        sparse = entry["sparse"]
        views = content["bufferViews"]
        kind = {5123: "<u2", 5125: "<u4"}[sparse["indices"]["componentType"]]
        at = views[sparse["indices"]["bufferView"]]["byteOffset"] + sparse["indices"]["byteOffset"]
        rows = np.frombuffer(data, kind, sparse["count"], at)
        at = views[sparse["values"]["bufferView"]]["byteOffset"] + sparse["values"]["byteOffset"]
        values[rows] = np.frombuffer(data, "<f4", 3 * sparse["count"], at).reshape(-1, 3)
    return values


def posed(content: dict, data: bytes, frame: int) -> dict[str, np.ndarray]:
    """Vertices of every mesh in one frame, by glTF's own rules: morphs, then skin, the joints one
    after the other."""
    _, values = animation(content, data)
    nodes = content["nodes"]
    parents = {
        child: number for number, node in enumerate(nodes) for child in node.get("children", [])
    }
    from scipy.spatial.transform import Rotation

    def world(number: int) -> np.ndarray:
        node, matrix = nodes[number], np.eye(4)
        turn = values.get((node["name"], "rotation"))
        matrix[:3, :3] = Rotation.from_quat(
            turn[frame] if turn is not None else node.get("rotation", (0, 0, 0, 1))
        ).as_matrix()
        matrix[:3, 3] = node.get("translation", (0, 0, 0))
        return world(parents[number]) @ matrix if number in parents else matrix

    skin = content["skins"][0]
    inverse = (
        read_accessor(content, data, skin["inverseBindMatrices"])
        .reshape(-1, 4, 4)
        .transpose(0, 2, 1)
    )
    joints = np.stack(
        [world(number) @ bind for number, bind in zip(skin["joints"], inverse, strict=True)]
    )
    found = {}
    for node in nodes:
        if "mesh" not in node:
            continue
        mesh = content["meshes"][node["mesh"]]
        primitive = mesh["primitives"][0]
        points = read_accessor(content, data, primitive["attributes"]["POSITION"]).astype(
            np.float64
        )
        for column, target in enumerate(primitive.get("targets", [])):
            points = points + values[node["name"], "weights"][frame, column] * dense(
                content, data, target["POSITION"]
            )
        index = read_accessor(content, data, primitive["attributes"]["JOINTS_0"])
        weight = read_accessor(content, data, primitive["attributes"]["WEIGHTS_0"]) / 255
        blended = (weight[..., None, None] * joints[index]).sum(axis=1)
        found[node["name"]] = (
            np.einsum("vij,vj->vi", blended[:, :3, :3], points) + blended[:, :3, 3]
        )
    return found


@pytest.mark.parametrize("frame", [0, 7])
def test_the_file_moves_as_the_rig_does(figure: tuple[dict, bytes, Path], frame: int) -> None:
    content, data, _ = figure
    shaped = load_house().shaped(contact=False)
    assert CLIP.motion is not None
    expected = shaped.posed(CLIP.motion).vertices[frame].numpy()
    found = posed(content, data, frame)
    for name in shaped.part_names:
        assert np.abs(found[name] - expected[shaped.rig.part(name).vertices]).max() < 5e-5, name


def test_names_counts_and_times(figure: tuple[dict, bytes, Path]) -> None:
    content, data, path = figure
    meshes = {mesh["name"]: mesh for mesh in content["meshes"]}
    assert meshes["skin"]["extras"]["targetNames"] == list(ARKIT_SHAPES)
    assert (
        "tongueOut" in meshes["tongue"]["extras"]["targetNames"]
        and "jawOpen" in meshes["teeth_lower"]["extras"]["targetNames"]
    )
    times, values = animation(content, data)
    assert np.allclose(times, np.arange(8) / 30) and len(content["animations"]) == 1
    assert CLIP.motion is not None
    assert np.allclose(values["skin", "weights"], CLIP.motion["blendshapes"].numpy(), atol=1e-6)
    assert {name for name, path in values if path == "rotation"} == {
        "neck1",
        "neck2",
        "neck3",
        "head",
        "eye.L",
        "eye.R",
    }
    assert path.stat().st_size < 8e6
    assert (
        content["asset"]["generator"].startswith("motet")
        and content["asset"]["extras"]["synthetic"] is True
    )
    assert not any("sound" in str(key).lower() or "audio" in str(key).lower() for key in content)


def test_the_same_take_gives_the_same_bytes(
    figure: tuple[dict, bytes, Path], tmp_path: Path
) -> None:
    assert write_clip(CLIP, tmp_path / "b.glb").read_bytes() == figure[2].read_bytes()


def test_the_figure_looks_ahead_and_stands_on_the_ground() -> None:
    parts = house_parts()
    surfaces = {surface.name: surface for surface in parts.surfaces}
    assert (
        surfaces["eye_left"].vertices[:, 0].min() > 0 > surfaces["eye_right"].vertices[:, 0].max()
    )
    assert surfaces["eye_left"].vertices[:, 2].mean() > surfaces["hair"].vertices[:, 2].mean()
    assert abs(min(surface.vertices[:, 1].min() for surface in parts.surfaces)) < 0.02
    for surface in parts.surfaces:
        assert (surface.joint_weight.astype(int).sum(axis=1) == 255).all(), surface.name
        assert np.allclose(np.linalg.norm(surface.normals, axis=1), 1, atol=1e-3), surface.name


def test_normals_point_away_from_a_ball() -> None:
    ball = np.array(
        [[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1], [9, 9, 9]], np.float32
    )
    faces = np.array(
        [[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]]
    )
    assert np.allclose(vertex_normals(ball, faces), [*ball[:6], [0, 1, 0]])


def test_the_eye_picture_is_a_png_with_a_dark_pupil() -> None:
    picture = eye_picture(
        np.array([0.8, 0.8, 0.8]),
        np.array([[0.1, 0.1, 0.1], [0.2, 0.1, 0.05], [0, 0, 0], [0.02, 0.02, 0.02]]),
        64,
    )
    assert picture[32, 32].max() < 10 < picture[32, 24].max() < picture[32, 10].min()
    raw = png(picture)
    start = raw.index(b"IDAT") + 4
    length = int.from_bytes(raw[start - 8 : start - 4], "big")
    rows = np.frombuffer(zlib.decompress(raw[start : start + length]), np.uint8).reshape(
        64, 1 + 64 * 3
    )
    assert raw[:8] == b"\x89PNG\r\n\x1a\n" and np.array_equal(
        rows[:, 1:].reshape(64, 64, 3), picture
    )


def test_clips_that_cannot_be_written_leave_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError):
        write_clip(Clip(None, None), tmp_path / "a.glb")
    with pytest.raises(InputError):
        write_clip(Clip(None, CLIP.motion.slice(0, 0)), tmp_path / "a.glb")  # type: ignore[union-attr]
    assert list(tmp_path.iterdir()) == []
    one = write_clip(Clip(None, CLIP.motion.slice(0, 1)), tmp_path / "one.glb")  # type: ignore[union-attr]
    assert torch.is_tensor(CLIP.motion.values) and one.exists()  # type: ignore[union-attr]
