"""The corpus in SAM's layout: what is in the files, twice the same, going on after a stop."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soundfile
from scipy.spatial.transform import Rotation

from motet.cli import main
from motet.errors import ConfigError, InputError
from motet.synthesis.reaction.corpus import SECTOR_DEG, SIZES, CorpusChoice, build_sam, items


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sam")
    build_sam(CorpusChoice(folder, "test", 3, None, 4))
    return folder


def test_the_files_are_those_of_sam(corpus) -> None:
    lines = [json.loads(line) for line in (corpus / "reactions.jsonl").read_text().splitlines()]
    assert len(lines) == 4 and [line["id"][-1] for line in lines] == ["0", "1", "2", "0"]
    for line in lines:
        with np.load(corpus / "motion" / f"{line['id']}.npz", allow_pickle=False) as motion:
            assert motion["betas"].shape == (300,) and motion["poses"].shape == (1200, 55, 3)
            assert motion["trans"].shape == motion["sound_source"].shape == (1200, 3)
            pelvis = Rotation.from_rotvec(motion["poses"][:, 0])
            # The inverse of what the data set does: every row gives the same place in the world.
            world = pelvis.apply(motion["sound_source"]) + motion["trans"]
            np.testing.assert_allclose(world, np.tile(line["source"], (1200, 1)), atol=2e-4)
            assert (
                np.abs(motion["trans"][0, [0, 2]]).max() < 1e-6
                and abs(pelvis[0].as_matrix()[0, 2]) < 1e-6
            )
        ears = [soundfile.read(corpus / "audio" / f"{line['id']}_{side}.wav") for side in "lr"]
        assert all(
            rate == 30_720 and len(samples) == 307_200 and samples.std() > 1e-3
            for samples, rate in ears
        )
        assert all(np.abs(samples).max() < 0.999 for samples, _ in ears)
    assert (corpus / "splits" / "crossmodal_train.txt").read_text().split() == [
        line["id"] for line in lines if line["split"] == "train"
    ]
    assert np.load(corpus / "ssl.npy", allow_pickle=False).shape == (12, 4, 3)


def test_the_ear_nearer_to_the_source_hears_more(corpus) -> None:
    lines = [json.loads(line) for line in (corpus / "reactions.jsonl").read_text().splitlines()]
    # A bang has all frequencies; single tones may be louder at the far ear in a room.
    line = next(line for line in lines if line["class"] == "gunshot")
    assert abs(np.sin(np.radians(line["azimuth_deg"]))) > 0.3
    first = int(line["onset_s"] * 30_720)
    with np.load(corpus / "motion" / f"{line['id']}.npz") as motion:
        side = np.sign(motion["sound_source"][:150, 0].mean())
    left, right = (
        soundfile.read(corpus / "audio" / f"{line['id']}_{ear}.wav")[0][first : first + 1500].std()
        for ear in "lr"
    )
    assert np.sign(left - right) == side


def test_stopped_it_goes_on_with_the_same_bytes(corpus, tmp_path) -> None:
    build_sam(CorpusChoice(tmp_path, "test", 3, None, 1))
    made = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "motion").glob("*.npz")}
    build_sam(CorpusChoice(tmp_path, "test", 3, None, 2))
    for path in (tmp_path / "motion").glob("*.npz"):
        assert path.read_bytes() == (corpus / "motion" / path.name).read_bytes()
        assert made.get(path.name, path.stat().st_mtime_ns) == path.stat().st_mtime_ns
    for path in (tmp_path / "audio").glob("*.wav"):
        assert path.read_bytes() == (corpus / "audio" / path.name).read_bytes()


def test_other_choices_are_not_mixed_in(corpus) -> None:
    with pytest.raises(InputError, match="another corpus"):
        build_sam(CorpusChoice(corpus, "test", 4, None, 1))
    with pytest.raises(ConfigError, match="known|did you mean"):
        build_sam(CorpusChoice(corpus, "huge"))


@pytest.mark.parametrize("size", sorted(SIZES))
def test_held_out_sounds_and_directions_stay_out(size: str) -> None:
    made = list(items(SIZES[size], 0))
    assert len({item.name for item in made}) == len(made) and (size != "full" or len(made) == 3888)
    trained = {(item.sound, item.variant) for item in made if item.split in ("train", "val")}
    held = {(item.sound, item.variant) for item in made if item.split in ("test", "sector")}
    assert trained and held and not trained & held
    inside = [SECTOR_DEG[0] <= item.azimuth_deg <= SECTOR_DEG[1] for item in made]
    assert inside == [item.split == "sector" for item in made]


def test_the_command_says_what_it_made(tmp_path, capsys) -> None:
    assert main(["data", "sam", "-o", str(tmp_path / "x"), "--limit", "1", "--quiet"]) == 0
    assert "1 sequences" in capsys.readouterr().out
    assert main(["data", "inspect", str(tmp_path / "x")]) == 0
    assert "1 sequences, 0.00 h" in capsys.readouterr().out
    (tmp_path / "x" / "reactions.jsonl").write_text("{}\n")
    assert main(["data", "inspect", str(tmp_path / "x")]) == 2
    assert "damaged" in capsys.readouterr().err
    assert main(["data", "sam", "-o", str(tmp_path / "x"), "--limit", "0"]) == 2
    assert "at least 1" in capsys.readouterr().err
    assert (
        main(["data", "sam", "-o", str(tmp_path / "x"), "--mocap", str(tmp_path / "nothing")]) == 2
    )
    assert "is not a folder" in capsys.readouterr().err
