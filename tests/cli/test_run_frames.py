"""`motet fit` and `motet run -m speech2lip`: a person from footage, videos of that person, and what
is refused."""

from __future__ import annotations

import json
from pathlib import Path

import av
import pytest
import torch

from motet.audio import write_audio
from motet.checkpoint import save_checkpoint
from motet.cli import main
from motet.export.credentials import read_credentials
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import WEIGHTS, Person
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.types import Audio


@pytest.fixture(scope="module")
def person(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn person with untrained weights."""
    torch.manual_seed(0)
    config = PRESETS["tiny"]
    folder = SyntheticPerson(config).write(tmp_path_factory.mktemp("people") / "drawn")
    save_checkpoint(folder / WEIGHTS, Speech2LipModel(config).state_dict(), config, {})
    return folder


@pytest.fixture(scope="module")
def speech(tmp_path_factory: pytest.TempPathFactory) -> Path:
    samples = 0.2 * torch.randn(2, 44_100 * 3, generator=torch.Generator().manual_seed(0))
    return write_audio(
        Audio(samples, 44_100, "stereo"), tmp_path_factory.mktemp("speech") / "speech.wav"
    )


def test_a_person_speaks_for_longer_than_the_footage(
    person: Path, speech: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.mp4"
    assert (
        main(
            [
                "run",
                str(speech),
                "-m",
                "speech2lip",
                "--person",
                str(person),
                "-o",
                str(out),
                "--quiet",
            ]
        )
        == 0
    )
    with av.open(str(out)) as container:
        sizes = {(f.width, f.height) for f in container.decode(video=0)}
        assert (
            sizes == {Person(person).facts.scene}
            and container.streams.video[0].frames == 75 > Person(person).facts.frames
        )
        sound = container.streams.audio[0]
        assert (sound.rate, sound.channels) == (44_100, 2)
    said = read_credentials(out)
    assert (
        said is not None
        and said.intact
        and said.source_type == "compositeWithTrainedAlgorithmicMedia"
    )
    assert (
        said.facts["person"] == "stand-in"
        and said.facts["consent"] == "drawn in code"
        and said.facts["method"] == "speech2lip"
    )


def test_what_is_changed_afterwards_shows(person: Path, speech: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.mp4"
    main(
        ["run", str(speech), "-m", "speech2lip", "--person", str(person), "-o", str(out), "--quiet"]
    )
    content = bytearray(out.read_bytes())
    content[len(content) // 2] ^= 1
    out.write_bytes(content)
    said = read_credentials(out)
    assert said is not None and not said.intact


def test_a_video_is_checked(person: Path, speech: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out.mp4"
    main(
        ["run", str(speech), "-m", "speech2lip", "--person", str(person), "-o", str(out), "--quiet"]
    )
    assert main(["check", str(out), "--json"]) == 0
    report = json.loads(capsys.readouterr().out)["takes"][str(out)]
    assert report["scores"]["credentials"] == report["scores"]["intact"] == 1.0
    assert (
        "real footage, parts made by an algorithm" in report["remarks"][0]
        and "consent: drawn in code" in report["remarks"][0]
    )
    assert main(["check", str(tmp_path / "none.mp4")]) == 2
    assert "none.mp4" in capsys.readouterr().err
    (tmp_path / "text.mp4").write_text("no video at all")
    assert main(["check", str(tmp_path / "text.mp4")]) == 2
    assert "cannot be opened as a video" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["-o", "{out}/a.glb"], "draws pictures: they are written as .mp4, not as .glb"),
        (["-o", "{out}/a.mp4", "--fps", "30"], "leave --fps out"),
        (["-o", "{out}/a.mp4", "--style", "warm"], "--style belongs to artalk, diffposetalk"),
        (["-o", "{out}/a.mp4", "--person", "{out}"], "is not a person"),
        (
            ["-o", "{out}/a.mp4", "-m", "artalk", "--person", "{person}"],
            "--person belongs to speech2lip",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    arguments: list[str], says: str, person: Path, speech: Path, tmp_path: Path, capsys
) -> None:
    filled = [text.format(out=tmp_path, person=person) for text in arguments]
    method = [] if "-m" in filled else ["-m", "speech2lip"]
    assert main(["run", str(speech), *method, *filled]) == 2
    assert says in capsys.readouterr().err and list(tmp_path.iterdir()) == []


def test_a_person_not_yet_trained(person: Path, speech: Path, tmp_path: Path, capsys) -> None:
    folder = SyntheticPerson(PRESETS["tiny"]).write(tmp_path / "half")
    assert (
        main(
            [
                "run",
                str(speech),
                "-m",
                "speech2lip",
                "--person",
                str(folder),
                "-o",
                str(tmp_path / "a.mp4"),
            ]
        )
        == 2
    )
    assert "no trained model yet" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nowhere.mp4", "--consent", "mine"], "there is no video at nowhere.mp4"),
        (["nowhere.mp4"], "state who consented"),
        (["--consent", "mine"], "no video was named"),
        (["nowhere.mp4", "--consent", "mine", "--minutes", "-1"], "minutes must not be negative"),
        (
            ["nowhere.mp4", "--consent", "mine", "--held-out", "0.9"],
            "held-out must lie between 0 and 0.5",
        ),
        (["examples/demo.flac", "--consent", "mine"], "has no pictures; give a video"),
        (["docs", "--consent", "mine"], "the folder docs holds no videos"),
    ],
)
def test_fits_that_cannot_begin(
    arguments: list[str], says: str, tmp_path: Path, capsys, monkeypatch
) -> None:
    # Packages that are missing are named last: all this is refused without them.
    monkeypatch.setattr("motet.tracking.landmarker.missing_needs", lambda *given: ["install"])
    assert main(["fit", *arguments, "-o", str(tmp_path / "p")]) == 2
    assert says in capsys.readouterr().err and not (tmp_path / "p").exists()
