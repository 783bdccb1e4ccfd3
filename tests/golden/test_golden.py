"""What motet answers is what it answered before: takes, files, pictures, and files of old.

The expected numbers lie beside this file and were written by `make.py`, which says when they may
be written anew.
"""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest

import motet
from motet import cli
from tests.golden import shipped, sounds, store
from tests.golden.cases import CASES, METHODS, MOUTHS, MOVING, PICTURES, Line, Picture, Take
from tests.golden.contents import Found
from tests.golden.measure import FILES, measured, mouth_picture, picture

ALONE = [name for name in reversed(METHODS) if "," not in name]
"""Backwards, because the cases leave the last one loaded."""
WRONG_LINES = (
    "sing {cut}",
    "run {cut} -m artalkk -o {out}.npz",
    "run {cut} -o {out}.wav",
    "run {cut} --style warmm -o {out}.npz",
    "run {cut} --option nothing=1 -o {out}.npz",
    "run {cut} --fps 1000 -o {out}.npz",
    "run {cut} --intensity 9 -o {out}.npz",
    "run {cut} -m artalk,kmtalk -o {out}.npz",
    "run {cut} -m speech2lip -o {out}.npz",
    "run {cut} -m mospa --source left -o {out}.npz",
    "run {missing} -o {out}.npz",
    "run {text} -o {out}.npz",
    "export {text} -o {out}.csv",
    "export {artalk} -o {out}.bvh",
    "render {artalk} -o {out}.glb",
    "keys {cut} -m artalk -o {out}.json",
    "weights verify {text}",
)


@pytest.fixture(scope="module")
def golden() -> dict[str, Found]:
    return store.read()


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_case_answers_as_before(case: Take | Line, golden: dict[str, Found], tmp_path: Path):
    assert not store.differences(golden[case.name], measured(case, tmp_path))


@pytest.mark.parametrize("case", PICTURES, ids=lambda case: case.name)
def test_figure_looks_as_before(case: Picture):
    assert not store.picture_differs(store.read_picture(case.name), picture(case))


@pytest.mark.parametrize("name", MOUTHS)
def test_person_looks_as_before(name: str):
    assert not store.picture_differs(store.read_picture(name), mouth_picture(MOUTHS[name]))


@pytest.mark.parametrize("method", ALONE)
def test_method_loads_the_weights_of_then(method: str):
    then = json.loads((FILES / "weights.json").read_text())
    assert motet.load(method, None).digest in then["weights"].values()


def test_every_case_and_picture_is_kept_and_no_other(golden: dict[str, Found]):
    assert sorted(golden) == sorted(case.name for case in CASES)
    pictures = {path.stem for path in store.PICTURES.glob("*.png")}
    assert pictures == {case.name for case in PICTURES} | set(MOUTHS)


def test_every_method_has_takes():
    assert {case.method for case in CASES if isinstance(case, Take)} == set(METHODS)


def test_shipped_weights_and_person_are_those_of_then():
    then, now = json.loads((FILES / "weights.json").read_text()), shipped.found()
    assert set(then["weights"].values()) <= set(now["weights"].values())
    assert set(then["person"].values()) <= set(now["person"].values())


@pytest.mark.parametrize("method", MOVING)
def test_take_of_then_loads_with_all_its_numbers(method: str, tmp_path: Path):
    kept = FILES / f"{'both' if ',' in method else method}.npz"
    assert cli.main(["export", str(kept), "-o", str(tmp_path / "again.npz")]) == 0
    with np.load(kept) as then, np.load(tmp_path / "again.npz") as now:
        assert set(then.files) <= set(now.files)
        assert str(then["method"]) == method
        assert all(np.array_equal(then[name], now[name]) for name in then.files)


def test_names_of_the_package_are_there():
    names = ("Audio", "Clip", "Frames", "Meshes", "Method", "Motion", "MotionSpace", "Rig")
    for name in (*names, "load", "methods", "run", "stream", "__version__"):
        assert name in motet.__all__
        assert getattr(motet, name) is not None


@pytest.mark.parametrize("verb", ["", *cli.VERBS])
def test_help_is_shown(verb: str, capsys: pytest.CaptureFixture[str]):
    assert cli.main([verb, "--help"] if verb else ["--help"]) == 0
    assert "motet" in capsys.readouterr().out


@pytest.mark.parametrize("line", WRONG_LINES)
def test_wrong_line_ends_with_2_and_says_why(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    names = {"cut": sounds.write("second", tmp_path / "cut.flac"), "out": tmp_path / "out"}
    names |= {"missing": tmp_path / "no.wav", "text": FILES / "weights.json"}
    names["artalk"] = FILES / "artalk.npz"
    assert cli.main([part.format(**names) for part in line.split()]) == 2
    known = capsys.readouterr().err.lstrip("\n")
    assert known.startswith("motet: ") and known.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_a_changed_number_fact_part_or_pixel_is_noticed(golden: dict[str, Found]):
    then = golden["artalk_3"]
    for name, values in then.arrays.items():
        changed = values.copy()
        changed.flat[changed.size // 2] += 2 * store.tolerance(name) + 1e-6 * abs(changed).max()
        now = dataclasses.replace(then, arrays={**then.arrays, name: changed})
        assert store.differences(then, now), name
    assert store.differences(then, Found(then.arrays, {**then.facts, "fps": 26.0}))
    fewer = dict(list(then.arrays.items())[1:])
    assert store.differences(then, Found(fewer, then.facts))
    pixels = store.read_picture("face_rest")
    redder = pixels.copy()
    redder[::40, :, 0] += 1
    for changed in (np.roll(pixels, 1, axis=0), redder):
        assert store.picture_differs(pixels, changed)
    assert not store.differences(then, then) and not store.picture_differs(pixels, pixels)
