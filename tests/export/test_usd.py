"""USD files, read back by usd-core: what a USD program computes is what the rig computes."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.errors import MissingDependency
from motet.export import write_clip
from motet.rigs.house import load_house
from motet.types import ARKIT_SHAPES, Clip, Motion, arkit_space
from tests.export.takes import take


def test_without_the_package_the_install_line_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pxr", None)
    with pytest.raises(MissingDependency, match="pxr"):
        write_clip(take(), tmp_path / "t.usda")
    assert not (tmp_path / "t.usda").exists()


def speech() -> Clip:
    """Rest, then an open mouth with a turned head."""
    values = torch.zeros(2, 55)
    values[1, ARKIT_SHAPES.index("jawOpen")] = 0.8
    values[1, ARKIT_SHAPES.index("mouthSmileLeft")] = 0.5
    values[1, 52:] = torch.tensor([0.1, 0.3, -0.05])
    return Clip(None, Motion(values, arkit_space()))


@pytest.mark.parametrize("ending", [".usda", ".usdz"])
def test_what_usd_computes_is_what_the_rig_computes(tmp_path: Path, ending: str) -> None:
    pytest.importorskip("pxr", reason="usd-core is not installed (extra usd)")
    from pxr import Gf, Usd, UsdGeom, UsdSkel

    path = write_clip(speech(), tmp_path / f"take{ending}")
    stage = Usd.Stage.Open(str(path))
    assert stage.GetTimeCodesPerSecond() == 25 and stage.GetEndTimeCode() == 1
    assert UsdGeom.GetStageUpAxis(stage) == "Y" and UsdGeom.GetStageMetersPerUnit(stage) == 1
    skin = UsdGeom.Mesh.Get(stage, "/Figure/skin")
    binding = UsdSkel.BindingAPI(skin.GetPrim())
    assert set(binding.GetBlendShapesAttr().Get()) == set(ARKIT_SHAPES)
    stage.SetEditTarget(stage.GetSessionLayer())  # a package is not written to
    assert UsdSkel.BakeSkinning(UsdSkel.Root.Get(stage, "/Figure"), Gf.Interval(0, 1))
    baked = np.stack([np.array(skin.GetPointsAttr().Get(frame)) for frame in (0, 1)])
    shaped = load_house().shaped(contact=False)
    posed = shaped.posed(speech().motion).vertices[:, shaped.rig.part("skin").vertices].numpy()
    assert baked.shape == posed.shape
    # Weights are stored in 8 bits, and of the four strongest joints.
    assert np.abs(baked - posed).max() < 2e-3 and np.abs(baked - posed).mean() < 3e-4
    assert np.abs(baked[1] - baked[0]).max() > 0.02


def test_a_body_moves_the_skeleton(tmp_path: Path) -> None:
    pytest.importorskip("pxr", reason="usd-core is not installed (extra usd)")
    from pxr import Usd, UsdSkel

    from motet.types import smplx25_space

    space = smplx25_space()
    body = Motion(torch.zeros(2, space.dim), space)
    body["joints"][:] = torch.tensor([1.0, 0, 0, 0, 1, 0])
    body["root"][:] = torch.tensor([[0.0, 0.9, 0.0], [0.0, 0.9, 0.5]])
    stage = Usd.Stage.Open(str(write_clip(Clip(None, body), tmp_path / "b.usdc")))
    animation = UsdSkel.Animation.Get(stage, "/Figure/Skeleton/Take")
    places = [animation.GetTranslationsAttr().Get(frame)[0] for frame in (0, 1)]
    assert places[1][2] - places[0][2] == pytest.approx(0.5, abs=1e-5)
