"""No flag is ignored: what a method or a format cannot honour is refused before anything loads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile

from motet import session
from motet.cli import main

TAKES = Path(__file__).parents[1] / "golden" / "files"


@pytest.fixture
def speech(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    soundfile.write(path, 0.1 * np.sin(np.arange(16000) * 0.1), 16000)
    return path


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ("-m mospa --no-head -o {out}.npz", "head acts on a face"),
        ("-m mospa --intensity 0.5 -o {out}.npz", "intensity acts on a face"),
        ("-m mospa --no-blink -o {out}.bvh", "blink acts on a face"),
        ("-m mospa --no-close-end -o {out}.bvh", "close_end acts on a face"),
        ("-m speech2lip --no-blink -o {out}.mp4", "own footage"),
        ("-m speech2lip --size 256 -o {out}.mp4", "--captions cannot change it"),
        ("-m speech2lip --avatar {take} -o {out}.mp4", "--avatar cannot change it"),
        ("-m speech2lip --no-marker -o {out}.mp4", "--no-marker cannot change it"),
        ("-m speech2lip --person {out} --weights {take} -o {out}.mp4", "--person or --weights"),
        ("-m artalk --guidance.audio 2.5 -o {out}.npz", "training generation"),
        ("-m artalk --guidance.style 2 -o {out}.npz", "give one with style"),
        (
            "-m kmtalk --guidance.audio 2 -o {out}.npz",
            "--guidance.audio belongs to artalk, diffposetalk, mospa",
        ),
        (
            "-m mospa --guidance.style 2 -o {out}.npz",
            "--guidance.style belongs to artalk, diffposetalk",
        ),
        ("-m artalk --person {out} -o {out}.mp4", "--person belongs to speech2lip"),
        ("-m artalk --source 90,0,2 -o {out}.npz", "--source belongs to mospa"),
        ("-m artalk --genre dull -o {out}.npz", "--genre belongs to mospa"),
        ("-m mospa --genre wild -o {out}.npz", "genre must be one of"),
        ("-m mospa --text hello -o {out}.npz", "--text belongs to artalk, diffposetalk, kmtalk"),
        ("-m artalk --keys {take} -o {out}.npz", "--keys belongs to kmtalk"),
        ("-m mospa --style warm -o {out}.npz", "--style belongs to"),
        ("-m artalk --size 256 -o {out}.csv", "--size, --background and --camera are for .mp4"),
        ("-m artalk --avatar {take} -o {out}.npz", "--avatar acts on .glb, .vrma"),
        ("-m artalk --no-marker -o {out}.mp4", "--no-marker is for videos"),
        ("-m mospa --no-marker -o {out}.mp4", "--no-marker is for videos"),
        ("-m mospa --source 90,0,2 --no-marker -o {out}.bvh", "--no-marker is for videos"),
        ("-m artalk --formats csv -o {out}.npz", "--formats is for a folder"),
        ("-m artalk -o {out}.flame.npz", "holds FLAME or mesh motion"),
        ("-m artalk --option temperature=0.5 --option temperature=0.6 -o {out}.npz", "twice"),
        ("-m artalk --style warm --option style=calm -o {out}.npz", "by a flag and by --option"),
        ("-m artalk --option smooth=yes -o {out}.npz", "only the published models have it"),
        ("-m artalk --option decode=wild -o {out}.npz", "must be one of lively"),
        (
            "-m diffposetalk --option encode_windows=yes -o {out}.npz",
            "encode_windows has no effect",
        ),
        ("-m diffposetalk --option flexibility=0.5 -o {out}.npz", "flexibility"),
        (
            "-m kmtalk --takes 2 --no-blink --no-gestures --gaze method -o {out}.npz",
            "leave --takes or --no-gestures out",
        ),
        ("--emotion joyful=1 -o {out}.npz", "no emotion 'joyful'"),
        ("--gaze up -o {out}.npz", "gaze must be camera"),
        ("--head-scale 0.5 --no-head -o {out}.npz", "leave one out"),
        ("-m mospa --emotion joy=1 -o {out}.bvh", "emotion acts on a face"),
        ("-m kmtalk --option clamp=no -o {out}.npz", "clamp has no effect"),
        ("-m kmtalk --option template={take} -o {out}.npz", "mesh spaces"),
        ("-m kmtalk --text hello --option timing={take} -o {out}.npz", "either text or timing"),
        ("-m artalk,mospa --weights {take} -o {out}.npz", "--weights belongs to one method"),
    ],
)
def test_run_refuses_before_it_loads(
    arguments: str,
    remedy: str,
    speech: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(session, "_load", lambda *_, **__: pytest.fail("a model was loaded"))
    names = {"out": tmp_path / "new" / "out", "take": TAKES / "artalk.npz"}
    filled = [part.format(**names) for part in arguments.split()]
    assert main(["run", str(speech), *filled]) == 2
    error = capsys.readouterr().err
    assert remedy in error and len(error.strip().splitlines()) == 1
    assert error.startswith("motet: ")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("arguments", "remedy"),
    [
        ("export {take} --size 256 -o {out}.csv", "--size, --background and --camera are for .mp4"),
        ("export {take} --avatar {take} -o {out}.csv", "--avatar acts on .glb, .vrma"),
        ("export {take} --audio {speech} -o {out}.csv", "--audio goes into"),
        ("export {take} -o {out}.flame.npz", "holds FLAME or mesh motion"),
        ("render {take} --no-marker -o {out}.mp4", "--no-marker is for takes of a body"),
        ("check {speech} --text hello", "not a take"),
    ],
)
def test_other_verbs_refuse_too(
    arguments: str,
    remedy: str,
    speech: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = {"out": tmp_path / "out", "take": TAKES / "artalk.npz", "speech": speech}
    assert main([part.format(**names) for part in arguments.split()]) == 2
    error = capsys.readouterr().err
    assert remedy in error and len(error.strip().splitlines()) == 1
    assert sorted(tmp_path.iterdir()) == [speech]


def test_a_dotted_name_of_a_recording_is_no_layout(speech: Path, tmp_path: Path) -> None:
    dotted = speech.rename(tmp_path / "dr.smith.wav")
    folder = tmp_path / "out"
    assert main(["run", str(dotted), "-o", str(folder), "--formats", "npz", "--quiet"]) == 0
    assert (folder / "dr.smith.npz").exists()
