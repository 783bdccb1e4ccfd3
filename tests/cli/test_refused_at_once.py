"""What a command line shows to be wrong by itself is refused before torch is imported."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = "examples/demo.flac"
WRONG = {
    "eval kmtalk --benchmark vocaset --data nowhere": "nowhere does not exist",
    "eval kmtalk --benchmark vocaset": "--data FOLDER",
    "eval kmtalk --benchmark vocasett --data docs": "did you mean 'vocaset'",
    "eval none --benchmark vocaset --data docs": "--predictions FOLDER",
    "eval none --benchmark vocaset --data docs --predictions nowhere": "nowhere does not exist",
    "eval kmtalk --benchmark tfhp --data docs": "--flame",
    "eval kmtalk --benchmark vocaset --data docs --region nose=x": "a region is lips=FILE",
    "eval kmtalk --benchmark vocaset --data docs --region lips=nowhere.txt": "nowhere.txt does not",
    "eval mospa --benchmark sam --data docs --region lips=x": "no effect on the benchmark sam",
    "eval mospa --benchmark sam --data docs --feature-networks nowhere.pt": "nowhere.pt does not",
    "eval speech2lip --data docs --lpips x": "--lpips is for --study pictures",
    "data import beat2 docs": "give the folder of the copy with -o",
    "eval artalk --weights nowhere.safetensors": "nowhere.safetensors does not exist",
    "eval artalk --data nowhere": "nowhere does not exist",
    "eval artalk --study stile": "did you mean 'style'",
    "eval speech2lip --study picture --data docs": "did you mean 'pictures'",
    "eval mospa --study take": "did you mean 'takes'",
    "eval mospa --data nowhere": "nowhere does not exist",
    "eval mospa": "motet data sam",
    "eval artalc": "did you mean 'artalk'",
    "data inspect nowhere": "nowhere does not exist",
    "data inspect docs": "docs is no corpus",
    "data index nowhere": "nowhere does not exist",
    "data synth nowhere.wav": "nowhere.wav does not exist",
    "data track nowhere.mp4": "nowhere.mp4 does not exist",
    "data sam -o out --mocap nowhere": "nowhere is not a folder",
    "train artalk --data nowhere": "nowhere does not exist",
    "train artalk --data README.md": "is a file, not a folder",
    "train artalc --data docs": "did you mean 'artalk'",
    "train artalk --data docs --preset publishd": "no preset",
    "train artalk --data docs --start nowhere.safetensors": "nowhere.safetensors does not exist",
    "train kmtalk --data docs --preset vocaset --encoder nowhere": "nowhere does not exist",
    f"run {DEMO} -m mospa --source 45 -o out.npz": "source must be AZ,EL,DIST",
    f"run {DEMO} -m mospa --source 45,0,0 -o out.npz": "positive distance",
    f"run {DEMO} -m mospa --source nowhere.csv -o out.npz": "there is no such file",
    f"run {DEMO} -m artalk --weights nowhere.safetensors -o out.npz": "does not exist",
}
SCRIPT = """
import contextlib, io, json, sys
from motet.cli import main
found = []
for line in json.load(sys.stdin):
    error = io.StringIO()
    with contextlib.redirect_stderr(error):
        try:
            code = main(line.split())
        except SystemExit as stop:
            code = stop.code
    found.append([code, "torch" in sys.modules, error.getvalue()])
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def refusals() -> dict[str, tuple[int, bool, str]]:
    """Exit code, whether torch was imported so far, and the message of every command, run in one
    process, in order.
    """
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        input=json.dumps(list(WRONG)),
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    return dict(zip(WRONG, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize(("line", "remedy"), WRONG.items())
def test_wrong_command_is_refused_before_torch_is_imported(
    line: str, remedy: str, refusals: dict[str, tuple[int, bool, str]]
) -> None:
    code, heavy, message = refusals[line]
    assert code == 2
    assert remedy in message
    assert message.startswith("motet: ")
    assert message.count("\n") == 1
    assert not heavy
