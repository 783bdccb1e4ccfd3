"""From the authors' files to motion, video, curves and meshes, by commands only."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from motet.cli import main
from motet.export.gltf.container import read_glb
from motet.geometry.mesh_files import read_mesh
from motet.rigs.flame import load_flame
from tests.export.test_glb import posed
from tests.official_files import write_official_files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The authors' files, FLAME's, and a recording."""
    path = write_official_files(tmp_path_factory.mktemp("official"))
    noise = np.random.default_rng(0)
    soundfile.write(path / "speech.wav", 0.1 * noise.normal(size=8000), 16000)
    return path


@pytest.fixture(scope="module")
def weights(folder: Path) -> Path:
    out = folder / "diffposetalk.safetensors"
    files = [str(folder / name) for name in ("denoiser.pt", "style.pt", "stats_train.npz")]
    command = ["weights", "import", *files, "-m", "diffposetalk", "-o", str(out)]
    assert main(command) == 0
    return out


def run(folder: Path, weights: Path, *arguments: str, method: str = "diffposetalk") -> int:
    command = ["run", str(folder / "speech.wav"), "-m", method, "--weights", str(weights)]
    return main([*command, "--quiet", *arguments])


def test_flame_gives_video_meshes_and_the_authors_arrays(
    folder: Path, weights: Path, tmp_path: Path
) -> None:
    names = ("a.mp4", "a.glb", "a.obj", "a.npz", "a.flame.npz", "a.vhap.npz", "a.vertices.npz")
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    flags = ["--flame", str(folder / "random_flame.pkl"), "--identity", str(folder / "who.npz")]
    assert run(folder, weights, *outputs, *flags, "--size", "64") == 0
    take, flame = np.load(tmp_path / "a.npz"), load_flame(folder / "random_flame.pkl")
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
    expected = flame.vertices(torch.from_numpy(take["expression"]), pose, shape).numpy()
    stored = np.load(tmp_path / "a.vertices.npz")
    np.testing.assert_allclose(stored["vertices"], expected, atol=1e-6)
    assert np.array_equal(stored["faces"], flame.faces.numpy())
    frame = read_mesh(tmp_path / "a.0012.obj")
    np.testing.assert_allclose(frame.vertices, expected[12], atol=1e-6)
    assert len(list(tmp_path.glob("a.*.obj"))) == 13
    assert read_mesh(tmp_path / "a.obj").vertices.shape == (40, 3)


def test_the_animated_head_is_flames_own(folder: Path, weights: Path, tmp_path: Path) -> None:
    outputs = [
        word for name in ("a.glb", "a.vertices.npz") for word in ("-o", str(tmp_path / name))
    ]
    assert run(folder, weights, *outputs, "--flame", str(folder / "generic_model.pkl")) == 0
    content, data = read_glb(tmp_path / "a.glb")
    expected = np.load(tmp_path / "a.vertices.npz")["vertices"]
    for index in (0, 12):
        found = posed(content, data, index)["head"]
        # Skin weights are stored in parts of 255.
        assert np.abs(found - expected[index]).max() < 2e-3 * np.abs(expected[index]).max()


def test_curves_need_the_fitted_map(
    folder: Path, weights: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.csv"
    assert run(folder, weights, "-o", str(out)) == 2
    assert "motet weights flame-map FLAME.pkl" in capsys.readouterr().err
    fitted = tmp_path / "map.npz"
    assert main(["weights", "flame-map", str(folder / "generic_model.pkl"), "-o", str(fitted)]) == 0
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
    assert main([*shipped, "--flame", str(folder / "generic_model.pkl")]) == 2
    assert "imported weights" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_flame_that_is_no_head_has_no_map(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["weights", "flame-map", str(folder / "random_flame.pkl")]
    assert main([*command, "-o", str(tmp_path / "map.npz")]) == 2
    assert "no upright head" in capsys.readouterr().err


def test_saved_takes_are_drawn_and_written(folder: Path, weights: Path, tmp_path: Path) -> None:
    take = tmp_path / "take.npz"
    assert run(folder, weights, "-o", str(take)) == 0
    flame = ["--flame", str(folder / "random_flame.pkl")]
    video = tmp_path / "take.mp4"
    assert main(["render", str(take), "-o", str(video), *flame, "--size", "64", "--quiet"]) == 0
    out = tmp_path / "again.vertices.npz"
    assert main(["export", str(take), "-o", str(out), *flame]) == 0
    assert np.load(out)["vertices"].shape == (13, 40, 3)


def test_artalk_gives_the_same_files(folder: Path, tmp_path: Path) -> None:
    weights = tmp_path / "artalk.safetensors"
    source = str(folder / "ARTalk_wav2vec.pt")
    assert main(["weights", "import", source, "-m", "artalk", "-o", str(weights)]) == 0
    names = ("a.flame.npz", "a.vertices.npz", "a.glb", "a.npz")
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    flags = ["--flame", str(folder / "FLAME_with_eye.pt"), "--style", str(folder / "happy_0.pt")]
    assert run(folder, weights, *outputs, *flags, method="artalk") == 0
    take, official = np.load(tmp_path / "a.npz"), np.load(tmp_path / "a.flame.npz")
    assert np.array_equal(official["exp"], take["expression"])
    assert np.array_equal(official["pose"][:, 3:], take["jaw"])
    assert np.load(tmp_path / "a.vertices.npz")["vertices"].shape[0] == 13


def test_mesh_models_are_drawn_on_their_template(folder: Path, tmp_path: Path) -> None:
    weights, template = folder / "kmtalk.safetensors", folder / "template.obj"
    names = ("a.obj", "a.mp4", "a.glb", "a.npz")
    outputs = [word for name in names for word in ("-o", str(tmp_path / name))]
    flags = ["--template", str(template), "--size", "64", "--option", "recogniser=none"]
    assert run(folder, weights, *outputs, *flags, method="kmtalk") == 0
    take, neutral = np.load(tmp_path / "a.npz"), read_mesh(template)
    assert take["vertices"].shape == (15, 12, 3)
    frame = read_mesh(tmp_path / "a.0014.obj")
    np.testing.assert_allclose(frame.vertices, take["vertices"][14], rtol=1e-5, atol=1e-6)
    assert np.array_equal(frame.faces, neutral.faces)
    np.testing.assert_allclose(read_mesh(tmp_path / "a.obj").vertices, neutral.vertices, rtol=1e-5)
    content, data = read_glb(tmp_path / "a.glb")
    extent = np.ptp(neutral.vertices, 0).max()
    assert np.abs(posed(content, data, 14)["face"] - take["vertices"][14]).max() < 3e-3 * extent


def test_offsets_need_the_template(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = folder / "kmtalk.safetensors"
    assert run(folder, weights, "-o", str(tmp_path / "a.mp4"), method="kmtalk") == 2
    assert "--template FILE" in capsys.readouterr().err
    assert run(folder, weights, "-o", str(tmp_path / "a.csv"), method="kmtalk") == 2
    assert "vertices have none" in capsys.readouterr().err
