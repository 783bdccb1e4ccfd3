"""Published face tables: every number as its definition says, from any program's predictions."""

from __future__ import annotations

import json
import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.cli import main
from motet.data.readers import vocaset
from motet.errors import AssetError, ConfigError, InputError
from motet.evaluation.benchmarks import (
    Case,
    Prediction,
    evaluate_benchmark,
    folder_predictor,
    head_beats,
    method_predictor,
)
from motet.metrics.face_benchmarks import dynamics_deviation, lip_vertex_error_squared
from motet.metrics.regions import Region
from motet.session import load
from motet.types import Audio

VERTS = 12
LIPS, UPPER = Region("lips", (0, 3, 5)), Region("upper", (7, 8, 9))


def case(name: str, frames: int = 20, subject: str = "A") -> Case:
    noise = torch.Generator().manual_seed(len(name))
    truth = torch.randn(frames, VERTS, 3, generator=noise)
    head = torch.sin(torch.arange(frames) / 2)[:, None] * torch.tensor([1.0, 0.0, 0.5])
    audio = Audio(torch.zeros(1, 800), 16000)
    return Case(name, subject, audio, truth, truth[0], 25.0, head)


def test_scores_are_those_of_the_metrics_over_all_clips() -> None:
    cases = [case("a"), case("bb", 13)]

    def predict(clip: Case) -> dict[str, Prediction]:
        return {"": Prediction(torch.cat([clip.truth + 0.1, clip.truth[:1]]), clip.head)}

    regions = {"lips": LIPS, "upper": UPPER}
    report = evaluate_benchmark("vocaset", iter(cases), {"x": predict}, regions)
    pairs = [(clip.truth + 0.1, clip.truth) for clip in cases]
    expected = lip_vertex_error_squared(pairs, LIPS.indices)
    assert report.value("x", "LVE_squared", "vocaset") == pytest.approx(expected)
    assert report.value("x", "LVE_squared", "vocaset") == pytest.approx(0.03, rel=1e-5)
    assert report.value("x", "LVE", "vocaset") == pytest.approx(1000 * 0.03**0.5, rel=1e-5)
    assert report.value("x", "MVE", "vocaset") == pytest.approx(0.03**0.5, rel=1e-5)
    deviation = dynamics_deviation(pairs, [clip.template for clip in cases], UPPER.indices)
    assert report.value("x", "FDD_signed", "vocaset") == pytest.approx(deviation)
    assert report.value("x", "beat_alignment", "vocaset") == pytest.approx(1.0)
    assert report.facts["region lips"].startswith("lips_3 #")
    table = report.latex()
    assert r"LVE\_squared $\downarrow$" in table
    assert table.count(r"\\") == 2


def test_scores_without_their_region_are_left_out() -> None:
    def predict(clip: Case) -> dict[str, Prediction]:
        return {"": Prediction(clip.truth)}

    report = evaluate_benchmark("biwi", iter([case("a")]), {"x": predict}, {})
    assert [score.metric for score in report.subjects["x"]] == ["MVE"]
    with pytest.raises(InputError, match="no clips"):
        evaluate_benchmark("biwi", iter([]), {"x": predict}, {})


def test_regions_of_another_mesh_are_refused() -> None:
    regions = {"lips": Region("lips", (3, VERTS))}
    with pytest.raises(AssetError, match="has the vertex 12, the mesh of a has 12 vertices"):
        evaluate_benchmark("biwi", iter([case("a")]), {"x": lambda clip: {}}, regions)


def test_styles_of_published_programs_are_conditions(tmp_path: Path) -> None:
    clip = case("s_sentence21")
    for subject, shift in (("B", 0.1), ("C", 0.3)):
        values = (clip.truth + shift).flatten(1).numpy()
        np.save(tmp_path / f"s_sentence21_condition_{subject}.npy", values)
    np.save(tmp_path / "s_sentence211.npy", np.zeros((3, 36), np.float32))
    found = folder_predictor(tmp_path)(clip)
    assert sorted(found) == ["B", "C"]
    report = evaluate_benchmark("biwi", iter([clip]), {"x": lambda _: found}, {})
    diversity = report.value("x", "diversity_conditions", "biwi")
    assert diversity == pytest.approx(0.2 * 3**0.5, rel=1e-5)
    own = folder_predictor(tmp_path)(case("s_sentence21", subject="B"))
    assert list(own) == ["B"]
    with pytest.raises(AssetError, match=r"no prediction of other: no file other\.npy"):
        folder_predictor(tmp_path)(case("other"))


def test_predictions_must_cover_the_truth() -> None:
    def short(clip: Case) -> dict[str, Prediction]:
        return {"": Prediction(clip.truth[:-3])}

    with pytest.raises(InputError, match="at most 2 frames"):
        evaluate_benchmark("biwi", iter([case("a")]), {"x": short}, {})


def test_a_figure_of_another_kind_is_refused() -> None:
    with pytest.raises(ConfigError, match="need vertices or FLAME coefficients"):
        method_predictor(load("artalk"), {}, None)


def test_pauses_of_a_head_are_beats() -> None:
    time = torch.arange(200) / 25
    head = torch.stack([torch.sin(2 * torch.pi * time / 4)] + [torch.zeros(200)] * 2, 1)
    # it turns back at 1, 3, 5 and 7 seconds
    assert np.abs(head_beats(head) / 25 - np.array([1, 3, 5, 7])).max() < 0.1


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two test clips of VOCASET in the exchange layout, random faces."""
    folder, noise = tmp_path_factory.mktemp("vocaset"), np.random.default_rng(0)
    (folder / "vertices_npy").mkdir()
    (folder / "wav").mkdir()
    for subject in vocaset.TEST:
        name = f"{subject}_sentence21"
        rows = noise.standard_normal((12, 3 * vocaset.VERTS)).astype(np.float32)
        np.save(folder / "vertices_npy" / f"{name}.npy", rows)
        soundfile.write(folder / "wav" / f"{name}.wav", noise.normal(size=3200), 16000)
    templates = {subject: noise.standard_normal((vocaset.VERTS, 3)) for subject in vocaset.TEST}
    (folder / "templates.pkl").write_bytes(pickle.dumps(templates, 2))
    (folder / "lips.txt").write_text("1 2 3 5000")
    (folder / "masks.pkl").write_bytes(
        pickle.dumps({"forehead": np.array([4, 5]), "nose": np.array([5, 6])}, 2)
    )
    return folder


def test_predictions_of_others_become_a_table(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "codetalker"
    made.mkdir()
    for path in (data / "vertices_npy").glob("*.npy"):
        np.save(made / path.name, np.load(path)[::2] + np.float32(0.001))
    out = tmp_path / "out.json"
    command = ["eval", "none", "--benchmark", "vocaset", "--data", str(data), "--quiet"]
    command += ["--predictions", str(made), "--region", f"lips={data / 'lips.txt'}"]
    command += ["--region", f"upper={data / 'masks.pkl'}:forehead+nose"]
    assert main([*command, "--json", "-o", str(out)]) == 0
    found = json.loads(out.read_text())
    scores = found["subjects"]["codetalker"]["vocaset"]
    assert found["facts"]["clips"] == 2
    assert found["facts"]["region upper"].startswith("upper_3 #")
    assert scores["LVE"]["value"] == pytest.approx(3**0.5, rel=1e-3)
    assert scores["LVE_squared"]["value"] == pytest.approx(3e-6, rel=1e-3)
    capsys.readouterr()
    assert main([*command, "-o", str(tmp_path / "out.tex")]) == 0
    assert "codetalker &" in (tmp_path / "out.tex").read_text()
    assert main([*command[:2], "--benchmark", "vocaset", "--data", str(data)]) == 2
    assert "--predictions FOLDER" in capsys.readouterr().err
    assert main([*command, "--every", "2"]) == 2
    assert "--every has no effect" in capsys.readouterr().err
    assert main([*command, "--region", "nose=x"]) == 2
    assert "a region is lips=FILE" in capsys.readouterr().err
