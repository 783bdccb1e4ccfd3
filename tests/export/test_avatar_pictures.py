"""Pictures of a user's avatar: what of its file is read, and how it is drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
import torch

from motet.errors import AssetError, ConfigError, MotetError
from motet.export import write_clip
from motet.export.avatar_figure import AvatarFigure
from motet.export.gltf.accessors import Arrays
from motet.export.gltf.container import pack_glb, read_glb
from motet.export.gltf.document import Document
from motet.export.picture import check_written, picture_options
from motet.export.png_sequence import encode_png
from motet.geometry.camera import Camera
from motet.render.textured import TexturedMesh, TexturedRenderer
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space

RED, GREEN = (255, 0, 0, 255), (0, 255, 0, 255)


def quad(path: Path, *, picture: np.ndarray, **material: Any) -> Path:
    """A GLB: a square metre before the head's bone, with a texture and the shape `jawOpen`, which
    moves it half a metre up; everything lies below a node that doubles lengths."""
    document = Document({"asset": {"version": "2.0"}})
    corners = np.array([[-0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, 1.5, 0], [-0.5, 1.5, 0]], np.float32)
    places = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], np.float32)
    up = [(np.arange(4), np.tile(np.float32([0, 0.5, 0]), (4, 1)))]
    primitive = {
        "attributes": {
            "POSITION": document.accessor(corners, bounds=True),
            "TEXCOORD_0": document.accessor(places),
        },
        "indices": document.accessor(np.array([0, 1, 2, 0, 2, 3], np.uint16)),
        "targets": [{"POSITION": number} for number in document.sparse(4, up)],
        "material": 0,
    }
    document.add(
        "images", {"bufferView": document.view(encode_png(picture)), "mimeType": "image/png"}
    )
    document.add("textures", {"source": 0})
    shading = {"baseColorTexture": {"index": 0}}
    # Without light: the colours in the picture are those of the texture.
    plain = {"extensions": {"KHR_materials_unlit": {}}, "doubleSided": True}
    document.add("materials", {"pbrMetallicRoughness": shading, **plain, **material})
    document.add("meshes", {"primitives": [primitive], "extras": {"targetNames": ["jawOpen"]}})
    document.add("nodes", {"scale": [2.0, 2.0, 2.0], "children": [1]})
    document.add("nodes", {"name": "Head", "children": [2]})
    document.add("nodes", {"name": "Face", "mesh": 0})
    document.add("scenes", {"nodes": [0]})
    path.write_bytes(pack_glb(*document.finished()))
    return path


def halves() -> np.ndarray:
    """Red above, green below."""
    picture = np.zeros((8, 8, 4), np.uint8)
    picture[:4], picture[4:] = RED, GREEN
    return picture


def speaking(*opening: float) -> Motion:
    values = torch.zeros(len(opening), 55)
    values[:, ARKIT_SHAPES.index("jawOpen")] = torch.tensor(opening)
    return Motion(values, arkit_space())


def drawn(path: Path, opening: float, size: int = 64) -> np.ndarray:
    """The square from 6 m before it, as wide as the picture at its height of 2 m."""
    figure = AvatarFigure(path, speaking(opening))
    camera = Camera((0.0, 2.0, 6.0), (0.0, 2.0, 0.0), 2 * float(np.arctan(2.0 / 6.0)))
    renderer = TexturedRenderer(
        figure.mesh, camera, size, size, np.zeros((size, size, 3), np.float32)
    )
    return renderer.draw(next(figure.frames()))


def test_a_texture_is_drawn_the_right_way_up(tmp_path: Path) -> None:
    picture = drawn(quad(tmp_path / "q.glb", picture=halves()), 0.0)
    # The square takes the middle half of the picture in each direction.
    upper, lower = picture[20, 32], picture[44, 32]
    assert upper[0] > 180 > 20 > upper[1] and lower[1] > 180 > 20 > lower[0]
    assert not picture[8].any() and not picture[:, 8].any()


def test_morph_targets_and_nodes_above_move_what_is_drawn(tmp_path: Path) -> None:
    path = quad(tmp_path / "q.glb", picture=halves())
    rest, raised = drawn(path, 0.0).any(axis=2), drawn(path, 1.0).any(axis=2)
    # Half a metre, doubled, is a quarter of the picture.
    assert np.flatnonzero(rest.any(axis=1))[[0, -1]].tolist() == [16, 47]
    assert np.flatnonzero(raised.any(axis=1))[[0, -1]].tolist() == [0, 31]


def test_cut_out_and_see_through_textures(tmp_path: Path) -> None:
    picture = halves()
    picture[:4, :, 3] = 100
    cut = drawn(quad(tmp_path / "m.glb", picture=picture, alphaMode="MASK"), 0.0)
    assert not cut[20, 32].any() and cut[44, 32].any()
    clear = drawn(quad(tmp_path / "b.glb", picture=picture, alphaMode="BLEND"), 0.0)
    opaque = drawn(quad(tmp_path / "o.glb", picture=picture), 0.0)
    assert 0 < clear[20, 32, 0] < opaque[20, 32, 0]


def test_a_back_is_drawn_only_where_the_material_says_so(tmp_path: Path) -> None:
    path = quad(tmp_path / "q.glb", picture=halves())
    figure = AvatarFigure(path, speaking(0.0))
    behind = Camera((0.0, 2.0, -6.0), (0.0, 2.0, 0.0), 2 * float(np.arctan(2.0 / 6.0)))
    dark = np.zeros((64, 64, 3), np.float32)

    def seen(mesh: TexturedMesh) -> bool:
        return bool(TexturedRenderer(mesh, behind, 64, 64, dark).draw(next(figure.frames())).any())

    one_sided = dataclasses.replace(figure.mesh, two_sided=np.zeros_like(figure.mesh.two_sided))
    assert seen(figure.mesh) and not seen(one_sided)


def test_a_video_shows_the_avatar_and_its_opacity(tmp_path: Path) -> None:
    path = quad(tmp_path / "q.glb", picture=halves())
    clip = Clip(None, speaking(0.0, 0.0, 1.0))
    write_clip(clip, tmp_path / "v.mp4", avatar=path, size=64)
    with av.open(str(tmp_path / "v.mp4")) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    assert len(frames) == 3 and frames[0].shape == (64, 64, 3)
    assert np.abs(frames[2].astype(int) - frames[0]).max() > 60
    first = write_clip(clip, tmp_path / "p.png", avatar=path, size=64, background="transparent")
    with av.open(str(first)) as container:
        rgba = next(container.decode(video=0)).to_ndarray(format="rgba")
    assert rgba[..., 3].min() == 0 and rgba[..., 3].max() == 255


def test_an_avatar_that_no_file_shows_is_an_error() -> None:
    check_written([Path("x.mp4")], picture_options(), Path("a.glb"))
    with pytest.raises(ConfigError, match="--avatar acts on"):
        check_written([Path("x.csv")], picture_options(), Path("a.glb"))


def test_compressed_meshes_are_named(tmp_path: Path) -> None:
    path = quad(tmp_path / "q.glb", picture=halves())
    content, data = read_glb(path)
    content["bufferViews"][0]["extensions"] = {"EXT_meshopt_compression": {}}
    path.write_bytes(pack_glb(content, data))
    with pytest.raises(AssetError, match="without compression"):
        AvatarFigure(path, speaking(0.0))


@pytest.mark.parametrize(
    "damage",
    [
        lambda c: c["accessors"][0].update(count=1 << 31),
        lambda c: c["accessors"][0].update(byteOffset=1 << 20),
        lambda c: c["accessors"][0].update(componentType=9),
        lambda c: c["bufferViews"][0].update(byteLength=1 << 30),
        lambda c: c["bufferViews"][0].update(byteStride=1),
        lambda c: c["materials"][0]["pbrMetallicRoughness"].update(baseColorFactor=["x"]),
        lambda c: c["materials"][0]["pbrMetallicRoughness"]["baseColorTexture"].update(index=7),
        lambda c: c["meshes"][0]["primitives"][0].update(indices=0),
    ],
)
def test_damaged_files_are_refused(tmp_path: Path, damage: Any) -> None:
    path = quad(tmp_path / "q.glb", picture=halves())
    content, data = read_glb(path)
    damage(content)
    path.write_bytes(pack_glb(content, data))
    with pytest.raises(MotetError):
        next(AvatarFigure(path, speaking(0.0)).frames())


def test_normalised_integers_are_fractions() -> None:
    document = Document()
    number = document.accessor(np.array([[0, 127, -128]], np.int8), normalized=True)
    found = Arrays(*document.finished(), Path("x")).read(number, "VEC3")
    assert found.tolist() == [[0.0, 1.0, -1.0]]
