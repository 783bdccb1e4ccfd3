"""A sixth method is one folder and an entry point: train, run, live, WebSocket, eval and bench."""

from __future__ import annotations

import io
import json
import os
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

import motet
from motet.cli import main
from motet.methods import find_methods
from motet.session import _load

ROOT = Path(__file__).resolve().parents[1]
NOISE = (np.random.default_rng(0).normal(size=16_000) * 2000).astype("<i2")


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Trained weights of the toy method, which is installed as any other distribution would be."""
    folder = tmp_path_factory.mktemp("sixth")
    installed = folder / "site" / "toy_method-0.1.dist-info"
    installed.mkdir(parents=True)
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: toy-method\nVersion: 0.1\n")
    (installed / "entry_points.txt").write_text("[motet.methods]\ntoy = tests.toy_method:SPEC\n")
    data = folder / "data"
    data.mkdir()
    (data / "loudness.txt").write_text("\n".join(str(-0.1 * step) for step in range(40)))
    path = os.pathsep.join([str(installed.parent), str(ROOT / "src"), str(ROOT)])
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(installed.parent)
        patch.setenv("PYTHONPATH", path)
        find_methods.cache_clear()
        out = folder / "toy.safetensors"
        code = main(
            f"train toy --data {data} --preset tiny --runs {folder / 'runs'} -o {out}"
            " --optim.steps 30 --optim.batch 4 --optim.warmup 1".split()
        )
        assert code == 0
        yield out
    find_methods.cache_clear()
    _load.cache_clear()


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BufferedReader(io.BytesIO(NOISE.tobytes()))  # type: ignore[arg-type]

    monkeypatch.setattr(sys, "stdin", Stdin())


def test_it_is_listed_and_trained(weights: Path) -> None:
    assert "toy" in motet.methods()
    assert weights.stat().st_size > 0


def test_it_runs(weights: Path, tmp_path: Path) -> None:
    speech = tmp_path / "speech.wav"
    soundfile.write(speech, NOISE, 16_000)
    files = [tmp_path / "take.npz", tmp_path / "take.csv"]
    line = ["run", str(speech), "-m", "toy", "--weights", str(weights), "--quiet"]
    assert main([*line, "-o", str(files[0]), "-o", str(files[1])]) == 0
    take = motet.read_take(files[0])
    assert repr(take) == "Take(toy, 25 frames, 1.00 s, seed 0)"
    both = [*line[:3], "toy,mospa", "--quiet", "-o", str(tmp_path / "both.npz")]
    assert main(both) == 2  # the toy method ships no weights


def test_it_is_live(weights: Path, stdin: None, capsys: pytest.CaptureFixture[str]) -> None:
    del stdin
    assert (
        main(
            [
                "live",
                "-m",
                "toy",
                "--weights",
                str(weights),
                "--option",
                "jitter=0",
                "--no-gestures",
            ]
        )
        == 0
    )
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(lines) == 25 and set(lines[0]["head"]) == {0.0}


def test_it_is_served(weights: Path, stdin: None, monkeypatch: pytest.MonkeyPatch) -> None:
    del stdin
    client = pytest.importorskip("websockets.sync.client")
    from motet.serve.line_server import LineServer

    ports: list[int] = []
    monkeypatch.setattr(
        LineServer, "wait", lambda self, seconds=None: ports.append(self.port) or time.sleep(1)
    )
    line = ["live", "-m", "toy", "--weights", str(weights), "--to", "ws", "--port", "0"]
    thread = threading.Thread(target=main, args=(line,))
    thread.start()
    end = time.monotonic() + 60
    while not ports and time.monotonic() < end:
        time.sleep(0.02)
    with client.connect(f"ws://127.0.0.1:{ports[0]}") as listener:
        frames = [json.loads(text)["frame"] for text in listener]
    thread.join(20)
    assert frames == list(range(25))


def test_it_is_evaluated(weights: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["eval", "toy", "--weights", str(weights), "--long-s", "5", "--takes", "2"]
    assert main([*line, "--no-baselines", "--quiet", "--json"]) == 0
    scores = json.loads(capsys.readouterr().out)["subjects"]["toy"]
    assert scores["all clips"]["length_error"]["value"] == 0.0


def test_it_is_benched(weights: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    line = ["bench", "toy", "--weights", str(weights), "--seconds", "1", "--repeats", "1"]
    assert main([*line, "--no-video", "--quiet", "-o", str(out)]) == 0
    result = json.loads(out.read_text())["results"][0]
    assert result["subject"] == "toy" and result["streaming"] is not None
