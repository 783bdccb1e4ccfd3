"""Edits over a take: the same numbers as the page's, untouched channels to the bit, refusals."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

import motet
from motet.cli import main
from motet.editing import (
    CHANNELS,
    LAYERS,
    columns_of,
    edited,
    layers_from_json,
    layers_to_json,
    read_edit_file,
    read_edits,
)
from motet.errors import ConfigError, SpaceError
from motet.export import write_clip
from motet.types import Clip, Motion, smplx25_space
from tests import make_editing_cases

CASES = json.loads(make_editing_cases.PATH.read_text())


def no_take(take: str) -> Motion:
    raise AssertionError(take)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_the_fixture_of_both_languages_holds(case: dict) -> None:
    other = make_editing_cases.motion(2, 12, 20.0)
    found = edited(make_editing_cases.motion(1), layers_from_json(case["layers"]), lambda _: other)
    assert np.allclose(found.values, case["result"], atol=1e-6)
    assert not np.allclose(found.values, CASES["base"], atol=1e-3), "the case tests nothing"


def test_the_fixture_covers_every_kind_of_layer() -> None:
    kinds = {layer["type"] for case in CASES["cases"] for layer in case["layers"]}
    assert kinds == set(LAYERS) and tuple(CASES["channels"]) == CHANNELS


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_layers_survive_json(case: dict) -> None:
    layers = layers_from_json(case["layers"])
    assert layers_from_json(json.loads(json.dumps(layers_to_json(layers)))) == layers


def test_what_no_layer_names_keeps_its_bits() -> None:
    base, other = make_editing_cases.motion(3), make_editing_cases.motion(4)
    layer = {"type": "take", "t0": 0.1, "t1": 0.3, "groups": ["brows", "head"], "take_id": "x"}
    found = edited(base, layers_from_json([layer]), lambda _: other)
    lips = columns_of(["mouth", "eyes", "cheeks"])
    assert torch.equal(found.values[:, lips], base.values[:, lips])
    assert torch.equal(found.values[-1], base.values[-1]), "after the stretch and its fade"
    inside, columns = 5, columns_of(["brows", "head"])
    assert torch.equal(found.values[inside, columns], other.values[inside, columns])


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        ({"type": "keys"}, "known: key"),
        ({"type": "key", "channels": ["jaw"], "t": 0.0, "value": 1.0}, "jawOpen"),
        ({"type": "key", "channels": ["jawOpen"], "t": 0.0}, "value"),
        ({"type": "key", "channels": ["jawOpen"], "t": 0.0, "value": 1.0, "inn": 1.0}, "inn"),
        ({"type": "region", "t0": 1.0, "t1": 0.0, "groups": ["mouth"]}, "before t0"),
        ({"type": "region", "t0": 0.0, "t1": 1.0, "groups": ["lips"]}, "lips"),
        ({"type": "region", "t0": 0.0, "t1": 1.0, "groups": ["mouth"], "fade": -1.0}, "fade"),
        ({"type": "shift", "t0": 0.0, "t1": 1.0, "groups": ["mouth"], "dt": 0.5}, "dt"),
        ({"type": "close_lips", "t": float("nan")}, "t must be a number"),
        ("text", "no type"),
    ],
)
def test_impossible_layers_are_refused(layer: object, text: str) -> None:
    with pytest.raises(ConfigError, match=text):
        layers_from_json([layer])  # type: ignore[list-item]


def test_files_of_edits_and_bodies_are_refused() -> None:
    assert read_edits('{"layers": []}') == [] == read_edits("[]")
    for text in ("no JSON", "{}", '"text"', "[" * 9000):
        with pytest.raises(ConfigError):
            read_edits(text)
    body = Motion(torch.zeros(3, smplx25_space().dim), smplx25_space())
    with pytest.raises(SpaceError, match="smplx25"):
        edited(body, [], no_take)


def test_the_command_line_applies_edits(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = Clip(None, make_editing_cases.motion(1), provenance={"method": "toy", "seed": 1})
    write_clip(base, tmp_path / "take.npz")
    write_clip(Clip(None, make_editing_cases.motion(2, 12, 20.0)), tmp_path / "other.npz")
    case = next(case for case in CASES["cases"] if case["name"] == "take")
    (tmp_path / "e.json").write_text(json.dumps({"layers": case["layers"]}))
    files = [str(tmp_path / name) for name in ("take.npz", "e.json", "out.npz")]
    assert main(["edit", files[0], "--edits", files[1], "-o", files[2]]) == 0
    take = motet.read_take(files[2])
    assert take.motion is not None and np.allclose(take.motion.values, case["result"], atol=1e-6)
    assert layers_from_json(take.provenance["edits"]) == layers_from_json(case["layers"])
    capsys.readouterr()
    assert main(["edit", files[0], "--edits", files[1], "-o", files[0]]) == 2
    assert main(["edit", files[0], "--edits", files[0], "-o", files[2]]) == 2
    assert "not JSON" in capsys.readouterr().err


def test_an_edit_file_tells_the_seeds_of_other_takes() -> None:
    layer = {"type": "take", "t0": 0.2, "t1": 0.4, "groups": ["brows"], "take_id": "abc"}
    found = read_edit_file(json.dumps({"layers": [layer], "seeds": {"abc": 5}}))
    assert found.seed_of("abc") == 5
    with pytest.raises(ConfigError, match="seed"):
        read_edit_file(json.dumps([layer])).seed_of("abc")
    with pytest.raises(ConfigError, match="whole number"):
        read_edit_file(json.dumps({"layers": [], "seeds": {"abc": "x"}}))


def test_an_edit_after_the_end_is_noted(caplog: pytest.LogCaptureFixture) -> None:
    base = make_editing_cases.motion(3)
    keys = [
        {"type": "key", "channels": ["jawOpen"], "t": t, "value": 1.0}
        for t in (0.1, base.seconds + 5)
    ]
    clip = read_edit_file(json.dumps(keys)).applied(Clip(None, base), no_take_of)
    assert [record.getMessage() for record in caplog.records] == [
        f"an edit at {base.seconds + 5:.2f} s lies after the end of the take ({base.seconds:.2f} s)"
    ]
    assert clip.motion is not None
    assert not torch.equal(clip.motion.values, base.values), "the key within the take acts"


def no_take_of(seed: int) -> Motion:
    raise AssertionError(seed)
