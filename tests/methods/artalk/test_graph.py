"""The stream as one graph: a module, and the ONNX file that it becomes."""

from __future__ import annotations

import runpy
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from motet.audio import read_audio, to_mono
from motet.errors import ConfigError
from motet.methods.artalk.config import ArtalkCondition
from motet.methods.artalk.streaming.generate import ArtalkStreaming
from motet.methods.artalk.streaming.graph import stateful_graph
from motet.nn.seeded import uniform_rows
from motet.nn.stateful_graph import IN, StatefulGraph, write_onnx
from motet.session import load
from motet.types import Audio

ROOT = Path(__file__).resolve().parents[3]
SEED = 7


@pytest.fixture(scope="module")
def method() -> ArtalkStreaming:
    found = load("artalk").method
    assert isinstance(found, ArtalkStreaming)
    return found


@pytest.fixture(scope="module")
def speech() -> Tensor:
    """Two seconds."""
    return to_mono(read_audio(ROOT / "examples" / "demo.flac")).samples.reshape(-1)[:32_000]


@pytest.fixture(scope="module")
def stream(method: ArtalkStreaming, speech: Tensor) -> Tensor:
    audio = Audio(speech[None, None], 16_000)
    return method.run(audio, ArtalkCondition(mode="stream"), [SEED]).values[0]


def noise_of(graph: StatefulGraph, frame: int, seed: int = SEED) -> Tensor:
    """The numbers that a stream draws for the window at a frame."""
    shape = tuple(graph.inputs["noise"].shape)
    return uniform_rows([seed * 1_000_003 + frame], shape)[0]


def chunks_of(graph: StatefulGraph, speech: Tensor) -> list[Tensor]:
    size = graph.inputs["sound"].numel()
    return list(torch.cat([speech, torch.zeros(4 * size - len(speech) % size)]).split(size))


@torch.inference_mode()
def test_the_module_gives_the_frames_of_the_stream(
    method: ArtalkStreaming, speech: Tensor, stream: Tensor
) -> None:
    graph = stateful_graph(method, ArtalkCondition())
    state, frames = graph.state, []
    for chunk in chunks_of(graph, speech):
        motion, count, state = graph.module(chunk, noise_of(graph, len(frames)), state)
        frames.extend(motion[: int(count)])
    found = torch.stack(frames)[: len(stream)]
    torch.testing.assert_close(found, stream, atol=1e-4, rtol=0)


@pytest.fixture(scope="module")
def written(
    method: ArtalkStreaming, tmp_path_factory: pytest.TempPathFactory
) -> tuple[StatefulGraph, Path]:
    """The file that ships: 40 CPU seconds."""
    for name in ("onnx", "onnxscript", "onnxruntime"):
        pytest.importorskip(name, reason="needs the extra onnx")
    path = tmp_path_factory.mktemp("onnx") / "artalk.onnx"
    graph = stateful_graph(method, ArtalkCondition())
    write_onnx(graph, path)
    return graph, path


@pytest.mark.slow
@pytest.mark.parametrize("seed", [SEED, 11])
def test_onnx_runtime_gives_the_frames_of_the_stream(
    method: ArtalkStreaming, written: tuple[StatefulGraph, Path], speech: Tensor, seed: int
) -> None:
    import onnxruntime

    graph, path = written
    assert path.stat().st_size < 27e6
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    state = {IN.format(name): value.numpy() for name, value in graph.state.items()}
    frames: list[np.ndarray] = []
    for chunk in chunks_of(graph, speech):
        noise = noise_of(graph, len(frames), seed).numpy()
        motion, count, *after = session.run(None, {"sound": chunk.numpy(), "noise": noise, **state})
        frames.extend(motion[: int(count)])
        state = dict(zip(state, after, strict=True))
    audio = Audio(speech[None, None], 16_000)
    expected = method.run(audio, ArtalkCondition(mode="stream"), [seed]).values[0].numpy()
    np.testing.assert_allclose(np.stack(frames)[: len(expected)], expected, atol=1e-4, rtol=0)


@pytest.mark.slow
def test_the_example_runs_without_motet(
    written: tuple[StatefulGraph, Path],
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """It also says nothing on standard error: ONNX Runtime warns of types to be looked up."""
    arguments = ["stream.py", str(written[1]), str(ROOT / "examples" / "demo.flac")]
    monkeypatch.setattr(sys, "argv", arguments)
    runpy.run_path(str(ROOT / "examples" / "onnx" / "stream.py"), run_name="__main__")
    said = capfd.readouterr()
    frames, _, jaw = said.out.partition(" frames; jawOpen to ")
    assert int(frames) == 178 and float(jaw) > 0.1
    assert not said.err


@pytest.mark.parametrize(
    "condition", [ArtalkCondition(decode="greedy"), ArtalkCondition(text="good morning")]
)
def test_options_that_a_graph_cannot_honour(
    method: ArtalkStreaming, condition: ArtalkCondition
) -> None:
    with pytest.raises(ConfigError, match="leave"):
        stateful_graph(method, condition)
