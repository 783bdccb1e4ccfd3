"""From the authors' files to motion, video, curves and meshes, by commands only."""

from __future__ import annotations

import argparse
import dataclasses
import json
from pathlib import Path, PosixPath

import numpy as np
import pytest
import soundfile
import torch

from motet.cli import main
from motet.export.gltf.container import read_glb
from motet.geometry.mesh_files import read_mesh
from motet.methods.diffposetalk.config import PRESETS
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.rigs.flame import load_flame
from tests.export.test_glb import posed
from tests.flame_files import head_tables, random_tables, write_pickle

HEADS = {"trunk": {"heads": 2}, "style": {"heads": 2}}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """DiffPoseTalk's files as the authors' trainer writes them, FLAME's, and a recording."""
    path = tmp_path_factory.mktemp("official")
    config = PRESETS["tiny_published"]
    torch.manual_seed(0)
    model = DiffPoseTalkModel(dataclasses.replace(config, style=None))
    own = {n: v for n, v in model.state_dict().items() if not n.startswith("coefficients.")}
    options = {"n_motions": 16, "n_heads": 2, "n_diff_steps": 20, "use_indicator": True}
    args = argparse.Namespace(**options, style_enc_ckpt=PosixPath("a/b.pt"))
    torch.save({"args": args, "model": own, "iter": 5}, path / "denoiser.pt")
    encoder = DiffPoseTalkModel(config).style_encoder
    assert encoder is not None
    style = argparse.Namespace(n_motions=16, n_heads=2, feature_dim=16)
    torch.save({"args": style, "encoder": encoder.state_dict()}, path / "style.pt")
    sizes = {"exp": 50, "pose": 6, "shape": 100}
    statistics = {
        f"{name}_{kind}": np.full(size, 0.1, np.float32)
        for name, size in sizes.items()
        for kind in ("mean", "std")
    }
    np.savez(path / "stats_train.npz", **statistics)
    (path / "heads.json").write_text(json.dumps(HEADS))
    noise = np.random.default_rng(0)
    soundfile.write(path / "speech.wav", 0.1 * noise.normal(size=8000), 16000)
    np.savez(path / "who.npz", shape=noise.normal(size=(1, 100)).astype(np.float32))
    write_pickle(path / "generic_model.pkl", random_tables())
    write_pickle(path / "head.pkl", head_tables())
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    out = folder / "diffposetalk.safetensors"
    files = [str(folder / name) for name in ("denoiser.pt", "style.pt", "stats_train.npz")]
    command = ["weights", "import", *files, "-m", "diffposetalk", "-o", str(out)]
    assert main([*command, "--config", str(folder / "heads.json")]) == 0
    return out


def run(folder: Path, weights: Path, *arguments: str, method: str = "diffposetalk") -> int:
    command = ["run", str(folder / "speech.wav"), "-m", method, "--weights", str(weights)]
    return main([*command, "--quiet", *arguments])


def test_flame_gives_video_meshes_and_the_authors_arrays(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    names = ("a.mp4", "a.glb", "a.obj", "a.npz", "a.flame.npz", "a.vhap.npz", "a.vertices.npz")
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    flags = ["--flame", str(folder / "generic_model.pkl"), "--identity", str(folder / "who.npz")]
    assert run(folder, weights, *outputs, *flags, "--size", "64") == 0
    take, flame = np.load(tmp_path / "a.npz"), load_flame(folder / "generic_model.pkl")
    official = np.load(tmp_path / "a.flame.npz")
    assert {n: official[n].shape for n in ("exp", "pose", "shape")} == {
        "exp": (13, 50),
        "pose": (13, 6),
        "shape": (13, 100),
    }
    assert np.array_equal(official["exp"], take["expression"])
    assert np.array_equal(official["shape"][7], np.load(folder / "who.npz")["shape"][0])
    vhap = np.load(tmp_path / "a.vhap.npz")
    assert np.array_equal(vhap["jaw_pose"], take["jaw"])
    assert vhap["expr"].shape == (13, 100)
    assert vhap["shape"].shape == (300,)
    pose = torch.zeros(13, 5, 3)
    pose[:, 0], pose[:, 2] = torch.from_numpy(take["head"]), torch.from_numpy(take["jaw"])
    shape = torch.from_numpy(official["shape"])
    wanted = flame.vertices(torch.from_numpy(take["expression"]), pose, shape).numpy()
    stored = np.load(tmp_path / "a.vertices.npz")
    np.testing.assert_allclose(stored["vertices"], wanted, atol=1e-6)
    assert np.array_equal(stored["faces"], flame.faces.numpy())
    frame = read_mesh(tmp_path / "a.0012.obj")
    np.testing.assert_allclose(frame.vertices, wanted[12], atol=1e-6)
    assert len(list(tmp_path.glob("a.*.obj"))) == 13
    assert read_mesh(tmp_path / "a.obj").vertices.shape == (40, 3)


def test_the_animated_head_is_flames_own(folder: Path, weights: Path, tmp_path: Path) -> None:
    outputs = [
        word for name in ("a.glb", "a.vertices.npz") for word in ("-o", str(tmp_path / name))
    ]
    assert run(folder, weights, *outputs, "--flame", str(folder / "head.pkl")) == 0
    content, data = read_glb(tmp_path / "a.glb")
    wanted = np.load(tmp_path / "a.vertices.npz")["vertices"]
    for index in (0, 12):
        found = posed(content, data, index)["head"]
        # Skin weights are stored in parts of 255.
        assert np.abs(found - wanted[index]).max() < 2e-3 * np.abs(wanted[index]).max()


def test_curves_need_the_fitted_map(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.csv"
    assert run(folder, weights, "-o", str(out)) == 2
    assert "motet weights flame-map FLAME.pkl" in capsys.readouterr().err
    fitted = tmp_path / "map.npz"
    assert main(["weights", "flame-map", str(folder / "head.pkl"), "-o", str(fitted)]) == 0
    assert "residual" in capsys.readouterr().out
    outputs = ["-o", str(out), "-o", str(tmp_path / "a.glb"), "-o", str(tmp_path / "a.mp4")]
    assert run(folder, weights, *outputs, "--flame-map", str(fitted), "--size", "64") == 0
    assert "JawOpen" in out.read_text().splitlines()[0]
    assert b"jawOpen" in (tmp_path / "a.glb").read_bytes()


def test_what_is_missing_is_named(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, remedy in (
        ("a.mp4", "--flame FILE"),
        ("a.glb", "--flame FILE"),
        ("a.obj", "--flame FILE"),
        ("a.vertices.npz", "--flame FILE"),
        ("a.json", "--flame-map FILE"),
    ):
        assert run(folder, weights, "-o", str(tmp_path / name)) == 2
        assert remedy in capsys.readouterr().err
    shipped = ["run", str(folder / "speech.wav"), "-o", str(tmp_path / "a.mp4")]
    assert main([*shipped, "--flame", str(folder / "head.pkl")]) == 2
    assert "imported weights" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_flame_that_is_no_head_has_no_map(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["weights", "flame-map", str(folder / "generic_model.pkl")]
    assert main([*command, "-o", str(tmp_path / "map.npz")]) == 2
    assert "no upright head" in capsys.readouterr().err


def test_saved_takes_are_drawn_and_written(folder: Path, weights: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.npz"
    assert run(folder, weights, "-o", str(take)) == 0
    flame = ["--flame", str(folder / "generic_model.pkl")]
    video = tmp_path / "take.mp4"
    assert main(["render", str(take), "-o", str(video), *flame, "--size", "64", "--quiet"]) == 0
    out = tmp_path / "again.vertices.npz"
    assert main(["export", str(take), "-o", str(out), *flame]) == 0
    assert np.load(out)["vertices"].shape == (13, 40, 3)
