"""VOCASET and BIWI in their own layouts, with made-up faces of the right sizes."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import soundfile

from motet.data.readers import biwi, vocaset
from motet.data.readers.vertex_sequences import vertex_training_set
from motet.errors import AssetError, InputError

NOISE = np.random.default_rng(0)


def exchange(
    folder: Path, verts: int, names: list[str], frames: int, subjects: list[str]
) -> dict[str, np.ndarray]:
    (folder / "vertices_npy").mkdir(parents=True)
    (folder / "wav").mkdir()
    rows = {}
    for name in names:
        rows[name] = NOISE.standard_normal((frames, 3 * verts)).astype(np.float32)
        np.save(folder / "vertices_npy" / f"{name}.npy", rows[name])
        soundfile.write(
            folder / "wav" / f"{name}.wav", 0.1 * NOISE.standard_normal(22050 // 2), 22050
        )
    templates = {subject: NOISE.standard_normal((verts, 3)) for subject in subjects}
    (folder / "templates.pkl").write_bytes(pickle.dumps(templates, 2))
    return rows


def test_vocaset_in_the_exchange_layout(tmp_path: Path) -> None:
    names = [
        f"{vocaset.TRAIN[2]}_sentence03",
        f"{vocaset.VAL[0]}_sentence05",
        f"{vocaset.TEST[1]}_sentence21",
        "FaceTalk_000000_00000_TA_sentence01",
    ]
    rows = exchange(
        tmp_path, vocaset.VERTS, names, 5, [*vocaset.TRAIN, *vocaset.VAL, *vocaset.TEST]
    )
    found = {sequence.name: sequence for sequence in vocaset.read_vocaset(tmp_path)}
    assert {name: s.split for name, s in found.items()} == {
        names[0]: "train",
        names[2]: "test",
    }, "sentences 1-20 of the others belong to no split"
    train = found[names[0]]
    assert train.fps == 30
    assert np.array_equal(train.vertices.reshape(3, -1), rows[names[0]][::2]), (
        "every second row, the first kept"
    )
    assert (train.audio.sample_rate, train.audio.samples.shape[-1]) == (16000, 8000)
    assert np.allclose(
        train.offsets.numpy().reshape(3, -1, 3), train.vertices - train.template, atol=1e-5
    )
    assert [s.name for s in vocaset.read_vocaset(tmp_path, "test")] == [names[2]]


def test_vocaset_as_it_is_downloaded(tmp_path: Path) -> None:
    subject, sentence = vocaset.TEST[0], "sentence22"
    frames = NOISE.standard_normal((9, vocaset.VERTS, 3)).astype(np.float32)
    np.save(tmp_path / "data_verts.npy", frames)
    index = {subject: {sentence: {number: number + 2 for number in range(6)}, "sentence23": {0: 8}}}
    sounds = {
        subject: {
            sentence: {
                "audio": (3000 * NOISE.standard_normal(2205)).astype(np.int16),
                "sample_rate": 22050,
            }
        }
    }
    for name, value in (
        ("subj_seq_to_idx", index),
        ("raw_audio_fixed", sounds),
        ("templates", {subject: np.zeros((vocaset.VERTS, 3))}),
    ):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(value, 2))
    (sequence,) = vocaset.read_vocaset(tmp_path)
    assert (sequence.split, sequence.subject) == ("test", subject)
    assert np.array_equal(sequence.vertices, frames[[2, 4, 6]])
    assert sequence.audio.samples.shape[-1] == 1600
    assert float(sequence.audio.samples.abs().max()) <= 1.0


def test_biwi(tmp_path: Path) -> None:
    names = ["F2_e01", "F2_e33", "F2_e37", "F1_e38", "F1_e01"]
    rows = exchange(tmp_path, biwi.VERTS, names, 2, ["F1", "F2"])
    found = {s.name: s for s in biwi.read_biwi(tmp_path)}
    assert {name: s.split for name, s in found.items()} == {
        "F2_e01": "train",
        "F2_e33": "val",
        "F2_e37": "test",
        "F1_e38": "test-b",
    }
    assert np.array_equal(found["F2_e01"].vertices.reshape(2, -1), rows["F2_e01"])


@pytest.mark.parametrize("head", [4, 8])
def test_raw_frames_of_biwi(tmp_path: Path, head: int) -> None:
    vertices = NOISE.standard_normal((biwi.VERTS, 3)).astype("<f4")
    (tmp_path / "frame_001.vl").write_bytes(
        biwi.VERTS.to_bytes(head, "little") + vertices.tobytes()
    )
    assert np.array_equal(biwi.read_vl(tmp_path / "frame_001.vl"), vertices)
    (tmp_path / "short.vl").write_bytes(vertices.tobytes()[:100])
    with pytest.raises(AssetError, match="bytes"):
        biwi.read_vl(tmp_path / "short.vl")


def test_preprocessing_takes_off_place_and_size() -> None:
    vertices, faces = (
        np.array([[0, 0, 0], [2, 0, 0], [0, 2, 0], [0, 0, 2.0]]),
        np.array([[0, 1, 2], [0, 1, 3]]),
    )
    found = biwi.preprocess(3 * vertices + 7, faces)
    assert np.allclose(found, biwi.preprocess(vertices, faces))
    assert np.allclose(found.mean(0), 0)
    edges = found[faces[:, 1]] - found[faces[:, 0]], found[faces[:, 2]] - found[faces[:, 0]]
    assert 0.5 * np.linalg.norm(np.cross(*edges), axis=1).sum() == pytest.approx(1.0)


def test_training_material_of_meshes(tmp_path: Path) -> None:
    exchange(tmp_path, vocaset.VERTS, [f"{vocaset.TRAIN[0]}_sentence01"], 4, [vocaset.TRAIN[0]])
    found = vertex_training_set(vocaset.read_vocaset(tmp_path), "vertices/vocaset")
    assert (found.space.dim, found.space.fps, found.feature_rate) == (15069, 30.0, 16000)
    assert found.items[0].features.shape == (8000, 1)
    with pytest.raises(InputError, match="no sequence"):
        vertex_training_set(vocaset.read_vocaset(tmp_path, "test"), "vertices/vocaset")


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="vertices_npy"):
        list(vocaset.read_vocaset(tmp_path))
    name = f"{vocaset.TRAIN[0]}_sentence01"
    exchange(tmp_path, 10, [name], 2, [vocaset.TRAIN[0]])
    with pytest.raises(AssetError, match="neutral face"):
        list(vocaset.read_vocaset(tmp_path))
    (tmp_path / "templates.pkl").write_bytes(
        pickle.dumps({vocaset.TRAIN[0]: np.zeros((vocaset.VERTS, 3))}, 2)
    )
    with pytest.raises(AssetError, match="15069"):
        list(vocaset.read_vocaset(tmp_path))
