"""Storage of a small stateful graph, and that it runs."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from motet.nn.stateful_graph import StatefulGraph, Storage, write_onnx


class Accumulator(nn.Module):
    """A product of the input, added to the state; a table that float16 does not hold."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(1)
        self.weight = nn.Parameter(torch.randn(96, 96, generator=generator).half().float())
        self.register_buffer("table", torch.randn(96, 96, generator=generator))

    def forward(self, x: Tensor, state: dict[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum so far."""
        total = state["total"] + x @ self.weight + x @ self.table
        return total, {"total": total}


@pytest.fixture(scope="module")
def graph() -> StatefulGraph:
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra onnx")
    return StatefulGraph(
        Accumulator().eval().requires_grad_(False),
        {"x": torch.zeros(2, 96)},
        {"total": torch.zeros(2, 96)},
        ("sum",),
        {"fps": "25"},
    )


@pytest.mark.parametrize(
    "storage, bytes_, error", [("float32", 8, 1e-4), ("float16", 6, 1e-4), ("int8", 5, 0.5)]
)
def test_storage(
    graph: StatefulGraph, tmp_path: Path, storage: Storage, bytes_: int, error: float
) -> None:
    """Learned weights take fewer bytes, computed tables all; two calls add up."""
    import onnxruntime

    path = tmp_path / "sum.onnx"
    write_onnx(graph, path, storage)
    assert path.stat().st_size < bytes_ * 96 * 96 + 5_000
    session = onnxruntime.InferenceSession(str(path))
    assert session.get_modelmeta().custom_metadata_map == {"fps": "25", "storage": storage}
    described = json.loads(path.with_suffix(".json").read_text())
    assert [value["name"] for value in described["inputs"]] == ["x", "state_total"]
    assert described["outputs"] == ["sum", "next_total"]
    x = torch.randn(2, 96, generator=torch.Generator().manual_seed(2))
    state = np.zeros((2, 96), np.float32)
    for _ in range(2):
        total, state = session.run(None, {"x": x.numpy(), "state_total": state})
    expected = 2 * graph.module(x, graph.state)[0]
    assert float(np.abs(total - expected.numpy()).max()) < error
    if storage == "int8":
        assert float(np.abs(total - expected.numpy()).max()) > 1e-3
