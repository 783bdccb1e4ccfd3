"""MOSPA's table on SAM: every number as its definition says, from a method or from files."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from motet.body.feature_vector import encode_body
from motet.body.skeleton import body_motion, local_rotations
from motet.checkpoint import save_checkpoint
from motet.cli import main
from motet.data.readers.sam import Sam
from motet.errors import AssetError, CheckpointError, InputError
from motet.evaluation.body_benchmark import (
    FRAMES,
    REAL,
    BodyCase,
    FeatureNetworks,
    evaluate_body_benchmark,
    folder_body_predictor,
    read_feature_networks,
)
from motet.evaluation.body_features import ConditionFeatures, MotionFeatures
from motet.geometry.rotation import matrix_from_axis_angle
from motet.methods.mospa.config import PRESETS
from motet.methods.mospa.model import MospaModel
from motet.metrics import body
from motet.types import Audio, Motion
from tests.official_files import feature_networks, sam_folder

COLUMNS = 6


def case(number: int) -> BodyCase:
    noise = torch.Generator().manual_seed(number)
    pose = 0.2 * torch.randn(25, 3, generator=noise)
    rotations = matrix_from_axis_angle(pose).expand(FRAMES, 25, 3, 3)
    root = torch.tensor([0.0, 0.9, 0.0]).expand(FRAMES, 3)
    motion = body_motion(root, rotations, 30.0)
    conditions = torch.randn(3, COLUMNS, generator=noise)
    audio = Audio(torch.zeros(2, 800), 16000, "binaural")
    vector = encode_body(root, rotations)
    return BodyCase(f"c{number}", 0, audio, motion, vector, Path("none.npz"), conditions)


def tiny_networks() -> FeatureNetworks:
    torch.manual_seed(0)
    condition, motion = ConditionFeatures(COLUMNS, 4, 1).eval(), MotionFeatures(4, 1).eval()
    return FeatureNetworks(condition, motion, "tiny")


def raised(clip: BodyCase) -> Motion:
    """The recorded motion half a metre higher."""
    lift = torch.tensor([0.0, 0.5, 0.0])
    return clip.motion.with_track("root", clip.motion["root"] + lift)


def test_scores_are_those_of_the_metrics_over_all_sequences() -> None:
    cases, networks = [case(number) for number in range(64)], tiny_networks()
    report = evaluate_body_benchmark(iter(cases), {"raised": raised}, networks, seed=3)
    real = torch.stack([networks.of_motion(clip.vector) for clip in cases])
    moved = [raised(clip) for clip in cases]
    made = torch.stack(
        [networks.of_motion(encode_body(m["root"], local_rotations(m))) for m in moved]
    )
    sounds = torch.stack([networks.of_condition(clip.conditions) for clip in cases])
    assert report.value("raised", "fid", "sam") == pytest.approx(body.fid(real, made), rel=1e-3)
    assert abs(report.value(REAL, "fid", "sam")) < 1e-4
    draws = torch.Generator().manual_seed(3)
    top = [body.r_precision(sounds, made, body.draw_distractors(64, draws)) for _ in range(32)]
    spread = [body.body_diversity(made, body.draw_pairs(64, draws)) for _ in range(32)]
    found = [report.value("raised", f"r_precision_{rank}", "sam") for rank in (1, 2, 3)]
    assert found == pytest.approx(torch.stack(top).mean(0).tolist())
    assert report.value("raised", "body_diversity", "sam") == pytest.approx(np.mean(spread))
    assert report.value("raised", "mpjpe", "sam") == pytest.approx(0.5, rel=1e-4)
    assert report.value("raised", "mpjpe_root", "sam") == pytest.approx(0.0, abs=1e-5)
    assert report.value("raised", "apd", "sam") == pytest.approx(report.value(REAL, "apd", "sam"))
    assert report.value(REAL, "mpjpe", "sam") is None
    assert "body_diversity" in report.facts["95 % half-widths of raised"]


def test_scores_that_need_more_sequences_or_networks_are_left_out() -> None:
    report = evaluate_body_benchmark(iter([case(0), case(1)]), {"raised": raised}, None)
    joints = {"apd", "mpjpe", "mpjpe_centred", "mpjpe_root"}
    assert {score.metric for score in report.subjects["raised"]} == joints
    few = evaluate_body_benchmark(iter([case(0), case(1)]), {}, tiny_networks())
    assert {score.metric for score in few.subjects[REAL]} == {"fid", "apd"}
    with pytest.raises(InputError, match="no sequence"):
        evaluate_body_benchmark(iter([]), {}, None)
    with pytest.raises(InputError, match="predicts 239 frames"):
        evaluate_body_benchmark(iter([case(0)]), {"x": lambda c: c.motion.slice(0, 239)}, None)


def test_files_of_the_networks_are_checked(tmp_path: Path) -> None:
    feature_networks(tmp_path / "weights_1500.pt")
    networks = read_feature_networks(tmp_path / "weights_1500.pt")
    assert networks.of_motion(torch.zeros(5, 300)).shape == (32,)
    torch.save({"model": torch.zeros(2)}, tmp_path / "other.pt")
    with pytest.raises(CheckpointError, match="audio_extractor_state_dict"):
        read_feature_networks(tmp_path / "other.pt")


@pytest.fixture(scope="module")
def sam(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sam")
    feature_networks(folder / "weights_1500.pt")
    return sam_folder(folder / "SAM")


def test_a_method_and_predictions_of_others_become_a_table(
    sam: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = PRESETS["tiny_published"]
    torch.manual_seed(0)
    weights = tmp_path / "mospa.safetensors"
    save_checkpoint(weights, MospaModel(config).state_dict(), config, {})
    made = tmp_path / "authors"
    made.mkdir()
    for name in Sam(sam).names("test"):
        stored = np.load(sam / "motion" / f"{name}.npz")
        position = np.zeros((240, 25, 3))
        position[:, 0] = stored["trans"][::4][:240] + 0.5
        np.savez(made / f"{name}.npz", position=position, rotation=stored["poses"][::4][:240, :25])
    out = tmp_path / "table.json"
    command = ["eval", "mospa", "--benchmark", "sam", "--data", str(sam), "--quiet", "-o", str(out)]
    command += ["--weights", str(weights), "--predictions", str(made), "--option", "feet=false"]
    networks = ["--feature-networks", str(sam.parent / "weights_1500.pt")]
    assert main([*command, *networks, "--json"]) == 0
    capsys.readouterr()
    found = json.loads(out.read_text())
    assert found["facts"]["sequences"] == 2
    assert list(found["subjects"]) == [REAL, "mospa", "authors"]
    authors = found["subjects"]["authors"]["sam"]
    assert authors["mpjpe"]["value"] == pytest.approx(0.5 * 3**0.5, rel=1e-4)
    assert authors["fid"]["value"] > 0
    assert found["subjects"]["mospa"]["sam"]["mpjpe"]["value"] > 0
    missing = folder_body_predictor(tmp_path)
    with pytest.raises(AssetError, match=r"no prediction of c0: no file c0\.npz"):
        missing(case(0))


def test_flags_of_the_other_benchmarks_are_refused(
    sam: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["eval", "mospa", "--data", str(sam), "--benchmark"]
    assert main([*command, "sam", "--region", "lips=x"]) == 2
    assert "--region has no effect on the benchmark sam" in capsys.readouterr().err
    assert main([*command, "vocaset", "--feature-networks", "x"]) == 2
    assert "--feature-networks has no effect on the benchmark vocaset" in capsys.readouterr().err
    assert main(["eval", "artalk", "--data", str(sam), "--benchmark", "sam"]) == 2
    assert "the benchmark sam is for bodies" in capsys.readouterr().err
