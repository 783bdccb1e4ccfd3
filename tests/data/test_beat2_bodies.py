"""BEAT2 from the layout of its download to SAM's, by the command."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from scipy.spatial.transform import Rotation

from motet.cli import main
from motet.data.readers.sam import Sam


def download(folder: Path) -> dict[str, np.ndarray]:
    """Two clips of half a second, and one that is listed but not there."""
    noise = np.random.default_rng(0)
    for part in ("smplxflame_30", "wave16k"):
        (folder / part).mkdir(parents=True)
    clips = {}
    for name in ("2_scott_0_1_1", "2_scott_0_2_2"):
        poses = 0.2 * noise.standard_normal((15, 165))
        poses[:, :3] = [0.0, 1.0, 0.0]  # looks to its left
        trans = np.array([3.0, 0.9, -2.0]) + 0.01 * np.arange(15)[:, None]
        arrays = {"poses": poses, "trans": trans, "expressions": np.zeros((15, 100))}
        np.savez(folder / "smplxflame_30" / f"{name}.npz", **arrays, betas=np.zeros(300))
        soundfile.write(folder / "wave16k" / f"{name}.wav", 0.1 * noise.normal(size=8000), 16000)
        clips[name] = poses.reshape(15, 55, 3)
    rows = "id,type\n2_scott_0_1_1,train\n2_scott_0_2_2,test\n2_scott_0_3_3,train\n"
    (folder / "train_test_split.csv").write_text(rows)
    return clips


def test_bodies_become_sams_layout_and_go_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clips, out = download(tmp_path / "raw"), tmp_path / "bodies"
    command = ["data", "import", "beat2", str(tmp_path / "raw"), "-o", str(out), "--quiet"]
    assert main(command) == 0
    assert "train: 0.0 min" in capsys.readouterr().out
    data = Sam(out)
    assert data.splits == {"train": ("2_scott_0_1_1_1",), "test": ("2_scott_0_2_2_1",)}
    recorded = data.read("2_scott_0_1_1_1")
    assert len(recorded.root) == 60
    assert np.allclose(recorded.root[0], [0, 0.9, 0], atol=1e-6)
    # It looked to its left (+X), so its motion along the world's diagonal is turned with it.
    assert np.allclose(recorded.rotations[0, 0], np.eye(3), atol=1e-6)
    expected = Rotation.from_rotvec(clips["2_scott_0_1_1"][3, 5]).as_matrix()
    assert np.allclose(recorded.rotations[12, 5], expected, atol=1e-6)
    way = (recorded.root[40] - recorded.root[0]).numpy()
    turned = Rotation.from_rotvec([0, -1.0, 0]).apply([0.1, 0.1, 0.1])
    assert np.allclose(way, turned, atol=1e-6)
    assert data.role("2_scott_0_1_1_1") == 1
    assert 0.4 < np.linalg.norm(recorded.source[0]) < 0.8, "the own head, from the pelvis"
    assert data.audio("2_scott_0_1_1_1").samples.shape == (2, 8000)
    stamp = (out / "motion" / "2_scott_0_1_1_1.npz").stat().st_mtime_ns
    (out / "audio" / "2_scott_0_2_2_1_r.wav").unlink()
    assert main(command) == 0
    assert (out / "motion" / "2_scott_0_1_1_1.npz").stat().st_mtime_ns == stamp
    assert (out / "audio" / "2_scott_0_2_2_1_r.wav").is_file()
    capsys.readouterr()
    assert main(["data", "import", "sam", str(out), "--quiet"]) == 0


def test_other_folders_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    command = ["data", "import", "beat2", str(tmp_path), "--quiet"]
    assert main(command) == 2
    assert "give the folder of the copy with -o" in capsys.readouterr().err
    assert main([*command, "-o", str(tmp_path / "out")]) == 2
    assert "beat_english_v2.0.0" in capsys.readouterr().err
    download(tmp_path / "raw")
    np.savez(tmp_path / "raw" / "smplxflame_30" / "2_scott_0_1_1.npz", poses=np.zeros((3, 7)))
    assert main([*command[:3], str(tmp_path / "raw"), "-o", str(tmp_path / "out")]) == 2
    assert "are not (frames, 165)" in capsys.readouterr().err
