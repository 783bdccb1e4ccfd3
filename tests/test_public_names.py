"""`motet.methods`, `motet.load`, `motet.run` and takes, as a Python user meets them."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

import motet
from motet.errors import SpaceError
from motet.session import load
from motet.take import Take
from motet.types import Audio


@pytest.fixture(scope="module")
def take() -> Take:
    noise = torch.randn(16_000, generator=torch.Generator().manual_seed(0))
    return motet.run(Audio.mono(0.1 * noise, 16_000), "artalk", seed=3)


def test_methods_can_be_listed_before_and_after_any_import() -> None:
    names = list(motet.methods())
    assert {"artalk", "mospa"} <= set(names)
    package = importlib.import_module("motet.methods.artalk.config")
    assert list(motet.methods()) == names
    from motet import methods

    assert list(methods()) == names
    assert methods.artalk.config is package  # still the package that it is


def test_one_model_is_kept_once_however_it_is_asked_for() -> None:
    loaded = load("artalk")
    assert motet.load("artalk", None) is loaded
    assert motet.load("artalk", weights=None) is loaded
    assert load("artalk", loaded.spec.shipped()) is not None


def test_a_take_saves_itself_and_comes_back(take: Take, tmp_path: Path) -> None:
    assert repr(take) == "Take(artalk, 25 frames, 1.00 s, seed 3)"
    back = motet.read_take(take.save(tmp_path / "take.npz"))
    assert isinstance(back, Take) and back.provenance == take.provenance
    assert back.motion is not None and take.motion is not None
    assert torch.equal(back.motion.values, take.motion.values)
    assert take.save(tmp_path / "small.mp4", size=64).stat().st_size > 0


def test_a_take_refuses_a_layout_that_is_not_written(take: Take, tmp_path: Path) -> None:
    with pytest.raises(SpaceError, match="holds FLAME or mesh motion"):
        take.save(tmp_path / "a.flame.npz")
    assert not list(tmp_path.iterdir())


def test_post_processing_reaches_a_take(take: Take) -> None:
    assert take.audio is not None and take.motion is not None
    still = motet.run(take.audio, seed=3, postprocess=motet.Postprocess(head=False))
    assert still.motion is not None
    assert float(still.motion["head"].abs().max()) == 0 < float(take.motion["head"].abs().max())
