"""The verbs that judge: eval, bench and check, from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest

from motet.cli import main
from motet.evaluation import bench
from motet.evaluation.baselines import loudness_to_jaw
from motet.evaluation.held_out import load_held_out
from motet.export import write_clip
from motet.types import Clip

BENCH = Path(bench.__file__).parent
TEXT = "he was not an ill disposed young man"


@pytest.fixture
def take(tmp_path: Path) -> Path:
    """The second sentence of the package with a jaw that follows loudness."""
    audio = load_held_out().clips[1].audio
    return write_clip(Clip(audio, loudness_to_jaw(audio)), tmp_path / "take.npz")


def test_the_baselines_are_evaluated_on_the_sentences_of_the_package(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.json"
    assert (
        main(["eval", "none", "--long-s", "5", "--takes", "2", "--quiet", "--json", "-o", str(out)])
        == 0
    )
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads(out.read_text())
    assert printed["facts"]["material"] == "compact"
    assert printed["subjects"]["mean face"]["librivox"]["closure_recall"]["value"] == 0.0


def test_a_baseline_is_benched(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In every combination of settings; the file has the form of the schema."""
    out = tmp_path / "bench.json"
    settings = "--seconds 1 2 --threads 1 --repeats 1 --no-video --quiet"
    assert main(["bench", "none", *settings.split(), "-o", str(out)]) == 0
    assert "real-time factor" in capsys.readouterr().out
    report = json.loads(out.read_text())
    jsonschema.validate(report, json.loads((BENCH / "schema.json").read_text()))
    rows = [(r["subject"], r["sound_s"], r["cpu_ratio"]) for r in report["results"]]
    assert rows == [("loudness to jaw", 1.0, 1.0), ("loudness to jaw", 2.0, 1.0)]


def test_a_take_is_checked(take: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("pocketsphinx")
    assert main(["check", str(take), "--json", "--text", TEXT]) == 0
    report = json.loads(capsys.readouterr().out)["takes"][str(take)]
    assert report["scores"]["length_error"] == 0.0
    assert report["scores"]["closure_recall"] == 0.0
    assert any("closure_recall" in remark for remark in report["remarks"])
    assert main(["check", str(take)]) == 0
    assert "sync_correlation" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [
    ["eval", "none", "--data", "/nowhere", "--quiet"],
    ["eval", "artalc", "--quiet"],
    ["eval", "none", "--no-baselines", "--quiet"],
    ["eval", "none", "--takes", "1", "--quiet"],
    ["bench", "artalc", "--no-video", "--no-process", "--seconds", "1", "--quiet"],
    ["bench", "none", "--seconds", "0", "--quiet"],
    ["bench", "none", "--repeats", "0", "--quiet"],
    ["bench", "all", "--weights", "any.safetensors", "--quiet"],
    ["bench", "none", "--audio", "/nowhere.wav", "--quiet"],
    ["check"],
    ["check", "/nowhere.npz"],
    ["check", "README.md"],
    ["check", "a.npz", "b.npz", "--text", "hello"],
])  # fmt: skip
def test_unusable_requests_end_with_two_and_one_line(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(arguments)
    except SystemExit as stop:
        code = int(stop.code or 0)
    assert code == 2
    assert capsys.readouterr().out == ""
