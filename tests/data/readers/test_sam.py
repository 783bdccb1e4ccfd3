"""Reading SAM's layout."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from motet.audio.io.write import write_audio
from motet.body.feature_vector import ROOT, vector_rotations
from motet.data.readers.sam import Sam, genre_of, read_feature_cache, spatial_set
from motet.errors import AssetError, InputError
from motet.geometry.rotation import matrix_from_axis_angle
from motet.types import Audio


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for part in ("audio", "motion", "splits"):
        (tmp_path / part).mkdir()
    for name in ("a0", "b2"):
        poses = np.cumsum(random.standard_normal((240, 55, 3)) * 0.005, axis=0)
        trans = np.cumsum(random.standard_normal((240, 3)) * 0.005, axis=0) + [0, 0.9, 0]
        np.savez(
            tmp_path / "motion" / f"{name}.npz",
            betas=np.zeros(300),
            poses=poses,
            trans=trans,
            sound_source=random.standard_normal((240, 3)),
        )
        for ear, side in enumerate("lr"):
            sound = torch.from_numpy(random.standard_normal(2 * 16000)).float() * 0.05 * (ear + 1)
            write_audio(Audio.mono(sound, 16000), tmp_path / "audio" / f"{name}_{side}.wav")
    (tmp_path / "splits" / "crossmodal_train.txt").write_text("a0\nb2\n")
    (tmp_path / "splits" / "crossmodal_val.txt").write_text("")
    (tmp_path / "ignore_list.txt").write_text("b2\n")
    (tmp_path / "audio.txt").write_text("a0 siren\nb2 bark\n")
    return tmp_path


def test_a_set_is_read_at_30_frames_and_its_features_are_kept(folder: Path) -> None:
    made = spatial_set(folder, "train", "mono")
    assert [item.name for item in made.items] == ["a0", "b2"]
    assert [item.genre for item in made.items] == [0, 2]
    assert [item.label for item in made.items] == ["siren", "bark"]
    item = made.items[0]
    assert item.motion.shape == (60, 300)
    assert item.audio.shape == (60, 68)
    assert sorted(path.name for path in (folder / "features" / "mono").iterdir()) == [
        "a0.safetensors",
        "b2.safetensors",
    ]
    again = spatial_set(folder, "train", "mono").items[0]
    assert torch.equal(again.audio, item.audio)
    stored = np.load(folder / "motion" / "a0.npz")
    torch.testing.assert_close(item.motion[:, ROOT], torch.from_numpy(stored["trans"][::4]).float())
    turns = matrix_from_axis_angle(torch.from_numpy(stored["poses"][::4, :25]))
    torch.testing.assert_close(vector_rotations(item.motion).double(), turns, atol=1e-5, rtol=0)
    velocity = (stored["trans"][1::4] - stored["trans"][::4])[:60]
    torch.testing.assert_close(
        item.motion[:, 225:228].double(), torch.from_numpy(velocity), atol=1e-6, rtol=0
    )


def test_both_ears_are_read_and_quiet_sequences_are_left_out_on_request(folder: Path) -> None:
    item = spatial_set(folder, "train", "binaural", keep=False).items[0]
    assert item.audio.shape == (60, 2272)
    assert float((item.audio[:, 1134] - item.audio[:, 1136 + 1134]).mean()) < 0, (
        "the right ear hears twice as much"
    )
    assert not (folder / "features").exists()
    assert Sam(folder, apply_ignored=True).names("train") == ("a0",)
    assert Sam(folder).reactions() == {}


def test_what_is_wrong_is_said(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="motet data sam"):
        Sam(folder / "audio")
    with pytest.raises(InputError, match="did you mean 'train'"):
        Sam(folder).names("trian")
    with pytest.raises(InputError, match="empty"):
        Sam(folder).names("val")
    with pytest.raises(AssetError, match="genre digit"):
        genre_of("a7")
    (folder / "motion" / "a0.npz").write_bytes(b"no archive")
    with pytest.raises(AssetError, match="cannot be read"):
        Sam(folder).read("a0")
    np.savez(
        folder / "motion" / "b2.npz",
        poses=np.zeros((5, 20, 3)),
        trans=np.zeros((5, 3)),
        sound_source=np.zeros((5, 3)),
    )
    with pytest.raises(AssetError, match="belong together"):
        Sam(folder).read("b2")


def test_feature_files_of_the_released_program_are_read(tmp_path: Path) -> None:
    arrays = {
        "audio_array": np.zeros((9, 2272)),
        "motion_array": np.ones((9, 300)),
        "ssl_array": np.zeros((9, 3)),
        "smpl_betas": np.zeros(300),
    }
    np.savez(tmp_path / "x1.npz", id="x1", **arrays)
    item = read_feature_cache(tmp_path / "x1.npz")
    assert (item.name, item.genre, item.motion.shape) == ("x1", 1, (9, 300))
    np.savez(tmp_path / "y1.npz", id="y1", audio_array=np.zeros((9, 2272)))
    with pytest.raises(AssetError, match="not a feature file"):
        read_feature_cache(tmp_path / "y1.npz")
