"""`motet dub`: a video is known by its content, and the take is as long as it or the speech."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path

import pytest
import torch

from motet.audio import write_audio
from motet.checkpoint import save_checkpoint
from motet.cli import main
from motet.cli.dub import shot_of
from motet.errors import InputError
from motet.methods.speech2lip.config import PRESETS
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Person, Skip, Source, write_facts
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.session import load
from motet.types import Audio

TINY = PRESETS["tiny"]


def video(folder: Path, content: bytes) -> Path:
    path = folder / f"{content.decode()}.mp4"
    path.write_bytes(content)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A person of two videos of 25 and 35 frames; only their digests matter."""
    torch.manual_seed(0)
    person = SyntheticPerson(TINY, 60)
    person.write(tmp_path / "ada")
    sources = tuple(
        Source(f"{name}.mp4", hashlib.sha256(name.encode()).hexdigest()[:12], frames)
        for name, frames in (("one", 25), ("two", 35))
    )
    write_facts(tmp_path / "ada", dataclasses.replace(person.facts, sources=sources, cuts=(25,)))
    weights = Speech2LipModel(TINY).state_dict()
    save_checkpoint(tmp_path / "ada" / "weights.safetensors", weights, TINY, {})
    return tmp_path / "ada"


def test_a_video_is_found_by_its_content(folder: Path, tmp_path: Path) -> None:
    assert shot_of(Person(folder), video(tmp_path, b"two")) == range(25, 60)
    with pytest.raises(InputError, match="motet fit"):
        shot_of(Person(folder), video(tmp_path, b"three"))


@pytest.mark.parametrize(("seconds", "frames"), [(0.5, 35), (2.0, 50)])
def test_the_take_lasts_as_long_as_the_video_or_the_speech(
    folder: Path, tmp_path: Path, seconds: float, frames: int
) -> None:
    import av

    speech, out = tmp_path / "speech.wav", tmp_path / "out.mp4"
    write_audio(Audio.mono(0.2 * torch.randn(round(seconds * 16_000)), 16_000), speech)
    line = ["dub", str(video(tmp_path, b"two")), str(speech), "--person", str(folder)]
    assert main([*line, "-o", str(out), "--quiet"]) == 0
    with av.open(str(out)) as container:
        assert sum(1 for _ in container.decode(video=0)) == frames


def test_a_skipped_span_stays_as_filmed_and_cuts_are_gone_over(folder: Path) -> None:
    facts = dataclasses.replace(
        Person(folder).facts, cuts=(25, 40, 50), skipped=(Skip(40, 50, "no face"),)
    )
    write_facts(folder, facts)
    options = {"person": str(folder), "start": 25, "loop": "once"}
    sound = Audio.mono(0.2 * torch.randn(35 * 640), 16_000)
    made = load("speech2lip").run(sound, options).rgb[0].numpy()
    scene = Person(folder).scene
    same = [(made[k] == scene.frame(25 + k)).all() for k in range(35)]
    assert all(same[15:25]) and not any(same[:15]) and not any(same[25:])


def test_what_the_video_decides_cannot_be_chosen(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    line = ["dub", str(video(tmp_path, b"two")), "x.wav", "--person", str(folder), "-o", "y.mp4"]
    assert main([*line, "--option", "start=3"]) == 2
    assert "leave --option start out" in capsys.readouterr().err
