from __future__ import annotations

import dataclasses
import json
import os
import pickle
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.checkpoint import (
    load_strict,
    mean_checkpoint,
    read_checkpoint,
    read_config,
    read_official,
    save_checkpoint,
)
from motet.errors import CheckpointError


@dataclasses.dataclass(frozen=True)
class Plan:
    width: int = 2


def test_round_trip_with_facts(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    tensors = {"a.weight": torch.randn(3, 2), "count": torch.tensor(4)}
    digest = save_checkpoint(path, tensors, Plan(5), {"licence": "CC0"}, half=True)
    found = read_checkpoint(path)
    assert found.digest == digest
    assert found.facts == {"licence": "CC0"}
    assert read_config(path, Plan) == Plan(5)
    assert found.tensors["a.weight"].dtype == torch.float32
    assert torch.allclose(found.tensors["a.weight"], tensors["a.weight"], atol=2e-3)
    assert found.tensors["count"] == 4
    assert os.listdir(tmp_path) == ["w.safetensors"]


@settings(max_examples=30, deadline=None)
@given(position=st.floats(0, 1), value=st.integers(0, 255), cut=st.booleans())
def test_damage_is_noticed_or_harmless(
    tmp_path_factory: pytest.TempPathFactory, position: float, value: int, cut: bool
) -> None:
    path = tmp_path_factory.mktemp("w") / "w.safetensors"
    save_checkpoint(path, {"a": torch.arange(50.0)}, Plan(), {})
    data = bytearray(path.read_bytes())
    place = int(position * (len(data) - 1))
    changed = data[:place] if cut else data[:place] + bytes([value]) + data[place + 1 :]
    path.write_bytes(bytes(changed))
    if bytes(changed) == bytes(data):
        return
    try:
        found = read_checkpoint(path)
    except CheckpointError:
        return
    assert torch.equal(found.tensors["a"], torch.arange(50.0))


def test_strict_loading_names_every_kind_of_misfit() -> None:
    layer = torch.nn.Linear(2, 3)
    for tensors, message in [
        ({"weight": torch.zeros(3, 2)}, "lacks bias"),
        (
            {"weight": torch.zeros(3, 2), "bias": torch.zeros(3), "wieght": torch.zeros(1)},
            "unknown wieght .did you mean 'weight'",
        ),
        (
            {"weight": torch.zeros(3, 3), "bias": torch.zeros(3)},
            r"shape \(3, 3\) instead of \(3, 2\)",
        ),
    ]:
        with pytest.raises(CheckpointError, match=message):
            load_strict(layer, tensors)


class Evil:
    def __reduce__(self) -> tuple:
        return os.mkdir, ("/tmp/motet_was_here",)


def test_a_pickle_that_wants_to_run_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "evil.pt"
    path.write_bytes(pickle.dumps({"a": Evil()}))
    with pytest.raises(CheckpointError, match="refused"):
        read_official(path)
    torch.save({"a": Evil()}, tmp_path / "evil2.pt")
    with pytest.raises(CheckpointError, match="refused"):
        read_official(tmp_path / "evil2.pt")
    assert not os.path.exists("/tmp/motet_was_here")


def test_plain_official_files_are_read(tmp_path: Path) -> None:
    torch.save({"x": torch.ones(2)}, tmp_path / "plain.pt")
    assert torch.equal(read_official(tmp_path / "plain.pt")["x"], torch.ones(2))
    with pytest.raises(CheckpointError, match="does not exist"):
        read_official(tmp_path / "absent.pt")
    with pytest.raises(CheckpointError, match="weights import"):
        torch_file = tmp_path / "raw.safetensors"
        from safetensors.torch import save_file

        save_file({"x": torch.ones(2)}, str(torch_file))
        read_checkpoint(torch_file)


def test_the_mean_of_trainings(tmp_path: Path) -> None:
    one, other, stranger = (
        tmp_path / f"{name}.safetensors" for name in ("one", "other", "stranger")
    )
    digests = [
        save_checkpoint(
            path, {"w": torch.full((2,), value), "n": torch.tensor(3)}, Plan(), {"of": value}
        )
        for path, value in ((one, 1.0), (other, 3.0))
    ]
    found = mean_checkpoint([one, other])
    assert torch.equal(found.tensors["w"], torch.full((2,), 2.0)) and int(found.tensors["n"]) == 3
    assert found.facts == {"of": 3.0, "mean_of": digests}
    save_checkpoint(stranger, {"w": torch.zeros(2), "n": torch.tensor(3)}, Plan(9), {})
    with pytest.raises(CheckpointError, match="another configuration"):
        mean_checkpoint([one, stranger])


def test_a_shape_that_overflows_is_one_line(tmp_path: Path) -> None:
    header = {"x": {"dtype": "F32", "shape": [2**63, 0], "data_offsets": [0, 0]}}
    text = json.dumps(header).encode()
    path = tmp_path / "track.safetensors"
    path.write_bytes(len(text).to_bytes(8, "little") + text)
    with pytest.raises(CheckpointError) as caught:
        read_official(path)
    assert "\n" not in str(caught.value)
