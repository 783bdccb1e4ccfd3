"""VOCASET and BIWI from the layouts of their downloads, converted by the command."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import soundfile

from motet.cli import main
from motet.data.readers import biwi, vocaset
from motet.geometry.mesh_files import wavefront
from tests.official_files import vocaset_download

NOISE = np.random.default_rng(0)


def biwi_download(folder: Path) -> None:
    """`F2_e01` as files and `F2_e37` as an archive."""
    for part in ("faces/F2/e01", "rigid_scans", "audio/F2"):
        (folder / part).mkdir(parents=True)
    scan = NOISE.standard_normal((biwi.VERTS, 3))
    triangles = np.array([[0, 1, 2], [1, 2, 3], [2, 3, 4]])
    (folder / "rigid_scans" / "F2.obj").write_bytes(wavefront(scan, triangles))
    with tarfile.open(folder / "faces" / "F2" / "e37.tgz", "w:gz") as archive:
        for number in (1, 2):
            vertices = (scan + 0.01 * NOISE.standard_normal(scan.shape)).astype("<f4")
            data = biwi.VERTS.to_bytes(4, "little") + vertices.tobytes()
            (folder / "faces/F2/e01" / f"frame_{number:03d}.vl").write_bytes(data)
            member = tarfile.TarInfo(f"e37/frame_{number:03d}.vl")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    for name in ("e01", "e37_cut"):
        sound = 0.1 * NOISE.standard_normal(3528)
        soundfile.write(folder / "audio" / "F2" / f"{name}.wav", sound, 44100)


def test_vocaset_becomes_the_exchange_layout_and_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    frames, out = vocaset_download(tmp_path / "raw"), tmp_path / "vocaset"
    command = ["data", "import", "vocaset", str(tmp_path / "raw"), "-o", str(out), "--quiet"]
    assert main(command) == 0
    assert "3 sequences, 3 written now" in capsys.readouterr().out
    raw = {s.name: s for s in vocaset.read_vocaset(tmp_path / "raw")}
    made = {s.name: s for s in vocaset.read_vocaset(out)}
    assert sorted(raw) == sorted(made)
    for name, sequence in made.items():
        assert np.array_equal(sequence.vertices, raw[name].vertices)
        assert np.allclose(sequence.template, raw[name].template)
        assert np.allclose(sequence.audio.samples, raw[name].audio.samples, atol=1e-4)
    rows = np.load(out / "vertices_npy" / f"{vocaset.TRAIN[0]}_sentence02.npy")
    assert np.array_equal(rows, frames[8:16].reshape(8, -1)), "all frames of the download"
    facts = json.loads((out / "import.json").read_text())
    assert {split: len(names) for split, names in facts["splits"].items()} == {
        "train": 2,
        "test": 1,
    }
    assert facts["seconds"]["test"] == pytest.approx(10 / 60)
    assert facts["root_mean_square_displacement"] > 1
    (out / "wav" / f"{vocaset.TEST[0]}_sentence21.wav").unlink()
    assert main(command) == 0
    assert "3 sequences, 1 written now" in capsys.readouterr().out


def test_biwi_becomes_the_exchange_layout(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    biwi_download(tmp_path / "raw")
    out = tmp_path / "biwi"
    command = ["data", "import", "biwi", str(tmp_path / "raw"), "-o", str(out), "--quiet"]
    assert main(command) == 0
    found = {s.name: s for s in biwi.read_biwi(out)}
    assert {name: s.split for name, s in found.items()} == {"F2_e01": "train", "F2_e37": "test"}
    for sequence in found.values():
        assert sequence.vertices.shape == (2, biwi.VERTS, 3)
        assert np.abs(sequence.vertices.mean(1)).max() < 1e-4
        assert sequence.audio.sample_rate == 16000
        assert sequence.audio.samples.shape[-1] == 1280
    capsys.readouterr()
    assert main([*command[:2], "vocaset", str(tmp_path / "raw"), "-o", str(out)]) == 2
    assert "holds another data set" in capsys.readouterr().err
    (tmp_path / "raw" / "audio" / "F2" / "e01.wav").unlink()
    assert main([*command[:-2], str(tmp_path / "new")]) == 2
    assert "every sequence needs its sound" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("line", "remedy"),
    [
        ("data import vocaset {folder}", "give the folder of the copy with -o"),
        ("data import sam {folder} -o {folder}/x", "leave -o out"),
        ("data import biwi {folder}/nowhere -o {folder}/x", "does not exist"),
        ("data import biwi {folder} -o {folder}/x --quiet", "rigid_scans/SUBJECT.obj"),
        ("data import biwi {folder} -o {folder}", "the download itself"),
        ("data import sam {folder} --quiet", "not in SAM's layout"),
        ("data import tfhp {folder} --quiet", "train.txt"),
        ("data import artalk {folder} --quiet", "metadata.json"),
    ],
)
def test_other_folders_are_refused(
    line: str, remedy: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.format(folder=tmp_path).split()) == 2
    assert remedy in capsys.readouterr().err
