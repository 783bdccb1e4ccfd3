"""The fitted way from FLAME to ARKit weights, on a head whose answer is known."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import AssetError, SpaceError
from motet.export.user_mesh import read_colours
from motet.rigs.flame import Flame, flame_from_tables, flame_space
from motet.rigs.flame_arkit import FlameArkit, features, read_flame_arkit
from motet.rigs.flame_fit import LEFT_OUT, fit_flame_arkit
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, EYE_FULL_RAD, Motion, MotionSpace, Track, arkit_space
from tests.flame_files import EXPRESSION_SIZE, head_tables, list_index


@pytest.fixture(scope="module")
def flame() -> Flame:
    return flame_from_tables(head_tables())


@pytest.fixture(scope="module")
def fitted(flame: Flame) -> FlameArkit:
    return fit_flame_arkit(flame)[0]


def test_known_shapes_come_back(fitted: FlameArkit) -> None:
    names = [name for name in ARKIT_SHAPES if name not in LEFT_OUT]
    rows = torch.tensor([list_index(name) for name in names])
    expression = torch.zeros(len(names), 100)
    expression[torch.arange(len(names)), rows] = 0.8 / EXPRESSION_SIZE
    found = fitted.weights(features(expression, torch.zeros(len(names), 3)))
    own = found[torch.arange(len(names)), rows]
    assert float((own - 0.8).abs().max()) < 0.03
    found[torch.arange(len(names)), rows] = 0
    assert float(found.max()) < 0.05
    assert fitted.residual_mm < 0.4 * fitted.motion_mm


def test_weights_stay_within_their_bounds(fitted: FlameArkit) -> None:
    noise = torch.Generator().manual_seed(0)
    expression = 5 * torch.randn(40, 100, generator=noise)
    found = fitted.weights(features(expression, torch.zeros(40, 3)))
    assert 0 <= float(found.min()) <= float(found.max()) <= 1
    # No weight can be moved a little, within the bounds, so that the error falls.
    slope = found @ fitted.gram - features(expression, torch.zeros(40, 3)) @ fitted.cross.T
    assert float(slope[found <= 0].min()) > -1e-2
    assert float(slope[found >= 1].max()) < 1e-2


def test_a_turning_jaw_opens(fitted: FlameArkit) -> None:
    space = flame_space()
    motion = torch.zeros(2, space.dim)
    motion[:, space.range("jaw").start] = torch.tensor([0.0, 0.3])
    motion[1, space.range("head")] = torch.tensor([0.1, 0.2, 0.3])
    found = fitted.convert(Motion(motion, space))
    assert found.space == arkit_space()
    assert float(found["blendshapes"][0].max()) < 0.01
    assert float(found.channel("blendshapes", "jawOpen")[1]) > 0.4
    assert torch.equal(found["head"][1], torch.tensor([0.1, 0.2, 0.3]))
    with pytest.raises(SpaceError, match="FLAME motion"):
        fitted.convert(found)


def test_eyeballs_become_looks(fitted: FlameArkit) -> None:
    tracks = (Track("expression", (100,), ""), Track("head", (3,), ""), Track("jaw", (1,), ""))
    eyes = (Track("eye_left", (2,), ""), Track("eye_right", (2,), ""))
    space = MotionSpace("flame-artalk-eyes", tracks + eyes, 25.0)
    motion = torch.zeros(1, space.dim)
    motion[0, -4:] = torch.tensor([0.0, 0.25, 0.25, 0.0])
    found = fitted.convert(Motion(motion, space))["blendshapes"][0]
    out, down = (0.25 / EYE_FULL_RAD[way] for way in ("Out", "Down"))
    assert float(found[list_index("eyeLookOutLeft")]) == pytest.approx(out)
    assert float(found[list_index("eyeLookDownRight")]) == pytest.approx(down)
    assert float(found[list_index("eyeLookInRight")]) == 0


def test_another_face_is_laid_over_the_figure(flame: Flame) -> None:
    """The head of another person, turned a little, of another size."""
    house = load_house()
    axes = torch.zeros(len(house.identity_names))
    axes[:4] = torch.tensor([1.0, -1.0, 1.0, 0.5])
    part = house.part("skin").vertices
    rest = house.shaped().vertices[part].numpy()
    chosen = rest[:, 1] > 1.40
    moved = (house.shaped(axes).vertices[part].numpy() - rest)[chosen]
    turn = np.array([[0.995, 0, 0.0998], [0, 1, 0], [-0.0998, 0, 0.995]])
    template = (flame.template.numpy() + moved) @ turn.T * 1.1
    rotated = np.einsum("ij,vjk->vik", turn, flame.directions.numpy()) * 1.1
    other = dataclasses.replace(
        flame,
        template=torch.from_numpy(template).float(),
        directions=torch.from_numpy(rotated).float(),
    )
    found, overlay = fit_flame_arkit(other)
    assert overlay.distance_mm < 4
    expression = torch.zeros(2, 100)
    for row, name in enumerate(("jawOpen", "mouthPucker")):
        expression[row, list_index(name)] = 0.8 / EXPRESSION_SIZE
    weights = found.weights(features(expression, torch.zeros(2, 3)))
    for row, name in enumerate(("jawOpen", "mouthPucker")):
        assert int(weights[row].argmax()) == list_index(name)
        assert float(weights[row, list_index(name)]) > 0.5


def test_maps_are_kept_in_files(fitted: FlameArkit, tmp_path: Path) -> None:
    fitted.save(tmp_path / "map.npz")
    found = read_flame_arkit(tmp_path / "map.npz")
    assert torch.equal(found.gram, fitted.gram)
    assert torch.equal(found.cross, fitted.cross)
    np.savez(tmp_path / "other.npz", gram=np.zeros((52, 52)))
    with pytest.raises(AssetError, match="motet weights flame-map"):
        read_flame_arkit(tmp_path / "other.npz")


def test_texture_becomes_a_colour_of_each_vertex(flame: Flame, tmp_path: Path) -> None:
    """Red in the left half of the picture, blue first as the file has it."""
    verts, faces = len(flame.template), flame.faces.numpy()
    picture = np.zeros((8, 8, 3))
    picture[:, :4, 2] = 255
    places = np.full((verts, 2), 0.75)
    left = flame.template[:, 0].numpy() < 0
    places[left, 0] = 0.25
    np.savez(tmp_path / "texture.npz", mean=picture, vt=places, ft=faces)
    colours = read_colours(tmp_path / "texture.npz", flame)
    used = np.unique(faces)
    assert np.allclose(colours[used][left[used]], [1, 0, 0])
    assert not colours[used][~left[used]].any()
    np.savez(tmp_path / "short.npz", mean=picture, vt=places, ft=faces[:5])
    with pytest.raises(AssetError, match="texture coordinates of 5 triangles"):
        read_colours(tmp_path / "short.npz", flame)
