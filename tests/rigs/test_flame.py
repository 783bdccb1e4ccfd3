"""FLAME's mathematics on a random small figure, and its door."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import AssetError
from motet.rigs.flame import Flame, artalk_vertices, flame_from_tables, load_flame
from tests.flame_files import write_pickle, write_torch


def tables(verts: int = 12) -> dict[str, np.ndarray]:
    noise = np.random.default_rng(0)
    weights = noise.random((verts, 5))
    return {
        "v_template": noise.normal(size=(verts, 3)),
        "shapedirs": 0.1 * noise.normal(size=(verts, 3, 400)),
        "posedirs": 0.1 * noise.normal(size=(verts, 3, 36)),
        "J_regressor": np.full((5, verts), 1 / verts),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": np.array([[0, 1, 2]]),
    }


@pytest.fixture
def flame() -> Flame:
    return flame_from_tables(tables())


def test_at_rest_it_is_the_template(flame: Flame) -> None:
    found = flame.vertices(torch.zeros(2, 100), torch.zeros(2, 5, 3))
    torch.testing.assert_close(found, flame.template.expand(2, -1, -1))


def test_turning_the_root_turns_the_figure_rigidly(flame: Flame) -> None:
    motion = torch.zeros(1, 106)
    motion[0, :100] = 0.3 * torch.randn(100, generator=torch.Generator().manual_seed(0))
    still = artalk_vertices(flame, motion)
    motion[0, 100:103] = torch.tensor([0.4, -0.2, 0.1])
    turned = artalk_vertices(flame, motion)
    torch.testing.assert_close(
        torch.cdist(turned, turned), torch.cdist(still, still), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(artalk_vertices(flame, motion, head=False), still)


def test_gradients_are_right(flame: Flame) -> None:
    exact = Flame(
        *(
            t.double()
            for t in (
                flame.template,
                flame.directions,
                flame.correctives,
                flame.regressor,
                flame.weights,
            )
        ),
        flame.faces,
    )
    pose = 0.3 * torch.randn(
        1, 5, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0)
    )
    assert torch.autograd.gradcheck(
        lambda p: exact.vertices(torch.zeros(1, 100, dtype=torch.float64), p), pose.requires_grad_()
    )


def test_official_files_are_read_without_running_them(tmp_path: Path, flame: Flame) -> None:
    own = tables()
    for path in (
        write_pickle(tmp_path / "generic_model.pkl", own),
        write_torch(tmp_path / "FLAME_with_eye.pt", own),
    ):
        found = load_flame(path)
        for name in ("template", "directions", "correctives", "regressor", "weights", "faces"):
            torch.testing.assert_close(getattr(found, name), getattr(flame, name))


class Evil:
    def __reduce__(self):
        return print, ("never",)


def test_a_pickle_that_would_run_something_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "evil.pkl").write_bytes(pickle.dumps({"v_template": Evil()}, protocol=2))
    with pytest.raises(AssetError, match="print"):
        load_flame(tmp_path / "evil.pkl")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2], protocol=2))
    with pytest.raises(AssetError, match="holds a list"):
        load_flame(tmp_path / "list.pkl")
    assert not capsys.readouterr().out


def test_the_door(tmp_path: Path, flame: Flame) -> None:
    np.savez(tmp_path / "flame.npz", **tables())
    torch.testing.assert_close(load_flame(tmp_path / "flame.npz").template, flame.template)
    with pytest.raises(AssetError, match="does not exist"):
        load_flame("generic_model.pkl")
    with pytest.raises(AssetError, match="does not exist"):
        load_flame(tmp_path / "nothing.npz")
    broken = tables()
    del broken["posedirs"]
    np.savez(tmp_path / "broken.npz", **broken)
    with pytest.raises(AssetError, match="posedirs"):
        load_flame(tmp_path / "broken.npz")
    (tmp_path / "noise.npz").write_bytes(b"noise")
    with pytest.raises(AssetError, match="plain arrays"):
        load_flame(tmp_path / "noise.npz")
    with pytest.raises(AssetError, match="106 or 108"):
        artalk_vertices(flame, torch.zeros(1, 55))
