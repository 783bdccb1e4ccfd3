"""A stream as one ONNX file: named inputs and the state in, outputs and the state out.

The state before the first call is zeros. What a program has to know (rates, channels, sizes) stands
in the file's metadata and, for readers that do not show them, in a JSON file beside it.
"""

from __future__ import annotations

import dataclasses
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from torch import Tensor, nn

from motet.errors import require

if TYPE_CHECKING:
    import onnx

State = dict[str, Tensor]
Storage = Literal["float32", "float16", "int8"]
"""How large weights are stored. They are widened when the file is loaded; arithmetic is float32."""
LEAST_STORED = 4096
"""Values from which a weight counts as large; smaller ones stay float32."""
OPSET = 20
IN, OUT = "state_{}", "next_{}"
"""Names of a state's tensor as input and as output."""


@dataclasses.dataclass(frozen=True)
class StatefulGraph:
    """What is written.

    Attributes:
        module: called with the inputs in their order, then the state; gives the outputs in their
            order, then the new state.
    """

    module: nn.Module
    inputs: Mapping[str, Tensor]
    """Examples by name."""
    state: State
    """Before the first call: zeros."""
    outputs: tuple[str, ...]
    metadata: Mapping[str, str]
    """What a program has to know: rates, channels, and so on."""


def require_onnx() -> None:
    """Make sure that the packages which write ONNX are there.

    Raises:
        MissingDependency: they are not.
    """
    for name in ("onnx", "onnxscript"):
        require(name, "onnx")


def write_onnx(graph: StatefulGraph, path: Path, storage: Storage = "float16") -> None:
    """Write the graph as one file.

    Raises:
        MissingDependency: the extra is not installed.
    """
    require_onnx()
    import onnx

    model = _plain(_exported(graph))
    store(model, storage)
    metadata = {**graph.metadata, "storage": storage}
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    described = {**metadata, **_signature(graph)}
    path.with_suffix(".json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")


def _exported(graph: StatefulGraph) -> onnx.ModelProto:
    """The graph as ONNX, all weights float32.

    The exporter's own optimiser is left out: it takes most of the time, and every runtime
    optimises a graph when it loads it.
    """
    names, log = list(graph.state), logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings():
        # Both speak of the exporter's own code and of packages that are not needed.
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        program = torch.onnx.export(
            _Flat(graph.module, tuple(names)),
            (*graph.inputs.values(), *graph.state.values()),
            input_names=[*graph.inputs, *map(IN.format, names)],
            output_names=[*graph.outputs, *map(OUT.format, names)],
            opset_version=OPSET,
            dynamo=True,
            optimize=False,
            verbose=False,
        )
    log.setLevel(level)
    assert program is not None
    return program.model_proto


def _plain(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph without functions, without casts whose type has to be looked up (ONNX Runtime
    warns of each), and without stack traces of the exporter (4.6 MB).
    """
    import onnx.inliner

    model = onnx.inliner.inline_local_functions(model)
    inferred = onnx.shape_inference.infer_shapes(model)
    types = {initial.name: initial.data_type for initial in model.graph.initializer}
    for graph in _graphs(inferred.graph):
        for value in (*graph.input, *graph.output, *graph.value_info):
            types[value.name] = value.type.tensor_type.elem_type
    for graph in _graphs(model.graph):
        del graph.metadata_props[:]
        del graph.value_info[:]
        for node in graph.node:
            del node.metadata_props[:]
            node.doc_string = ""
            if node.op_type == "CastLike" and types.get(node.input[1]):
                node.attribute.append(onnx.helper.make_attribute("to", types[node.input[1]]))
                node.op_type = "Cast"
                del node.input[1]
    return model


def _graphs(graph: onnx.GraphProto) -> Iterator[onnx.GraphProto]:
    """A graph and the branches inside it."""
    yield graph
    for node in graph.node:
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _graphs(attribute.g)


def _signature(graph: StatefulGraph) -> dict[str, list[object]]:
    """Inputs with type and shape, and outputs, in their order."""
    names = list(graph.state)
    values = {**graph.inputs, **{IN.format(name): graph.state[name] for name in names}}
    inputs: list[object] = [
        {"name": name, "type": str(value.dtype).removeprefix("torch."), "shape": [*value.shape]}
        for name, value in values.items()
    ]
    return {"inputs": inputs, "outputs": [*graph.outputs, *map(OUT.format, names)]}


class _Flat(nn.Module):
    """A module whose state is a list of tensors, as ONNX needs it."""

    def __init__(self, module: nn.Module, names: tuple[str, ...]) -> None:
        super().__init__()
        self.module, self.names = module, names

    def forward(self, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs = tensors[: -len(self.names)]
        state = dict(zip(self.names, tensors[-len(self.names) :], strict=True))
        *outputs, after = self.module(*inputs, state)
        return (*outputs, *(after[name] for name in self.names))


def store(model: onnx.ModelProto, storage: Storage) -> None:
    """Store large float32 weights smaller, behind the nodes that widen them; in place.

    Only learned weights, which float16 holds exactly: filters and tables that are computed need
    all their digits (a mel bank in float16 moved the mouth by 0.1).
    """
    if storage == "float32":
        return
    widening: list[onnx.NodeProto] = []
    for initial in list(model.graph.initializer):
        values = _values(initial)
        if _is_large(values) and torch.equal(values.half().float(), values):
            widening += _halved(initial) if storage == "float16" else _in_bytes(initial, model)
    own = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend([*widening, *own])


def _is_large(tensor: Tensor) -> bool:
    return tensor.dtype == torch.float32 and tensor.ndim > 1 and tensor.numel() >= LEAST_STORED


def _values(initial: onnx.TensorProto) -> Tensor:
    from onnx import numpy_helper

    return torch.from_numpy(numpy_helper.to_array(initial).copy())


def _halved(initial: onnx.TensorProto) -> list[onnx.NodeProto]:
    """A weight as float16, exactly."""
    from onnx import TensorProto, helper, numpy_helper

    name, half = initial.name, _values(initial).half().numpy()
    initial.CopyFrom(numpy_helper.from_array(half, f"{name}_half"))
    return [helper.make_node("Cast", [f"{name}_half"], [name], to=TensorProto.FLOAT)]


def _in_bytes(initial: onnx.TensorProto, model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """A weight as int8 with one step for each row or column, whichever errs less."""
    from onnx import TensorProto, helper, numpy_helper

    name, values = initial.name, _values(initial)
    steps = [values.abs().amax(axis, keepdim=True).clamp(min=1e-12) / 127 for axis in (-1, -2)]
    step = min(steps, key=lambda s: float(((values / s).round() * s - values).square().sum()))
    small = (values / step).round().to(torch.int8).numpy()
    initial.CopyFrom(numpy_helper.from_array(small, f"{name}_int8"))
    model.graph.initializer.append(numpy_helper.from_array(step.numpy(), f"{name}_step"))
    return [
        helper.make_node("Cast", [f"{name}_int8"], [f"{name}_whole"], to=TensorProto.FLOAT),
        helper.make_node("Mul", [f"{name}_whole", f"{name}_step"], [name]),
    ]
