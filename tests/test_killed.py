"""kill -9 at any moment: the next run goes on, and nothing unfinished is left behind."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BATCH = """
import sys, time
from pathlib import Path
from motet.atomic_write import appearing
from motet.batch.jobs import Job, run_jobs
from motet.batch.ledger import LEDGER_NAME, Ledger
folder = Path(sys.argv[1])

def work(job):
    with appearing(job.outputs[0]) as beside:
        beside.write_bytes(job.source.name.encode())
        if job.source.name == sys.argv[2]:
            (folder / "ready").touch()
            time.sleep(600)

jobs = [Job(folder / name, (folder / f"{name}.out",)) for name in ("a", "b", "c")]
print([outcome.state for outcome in run_jobs(jobs, {}, work, Ledger(folder / LEDGER_NAME))])
"""
VIDEO = """
import sys, time
from pathlib import Path
import numpy as np
from motet.export.video import write_video
folder = Path(sys.argv[1])

def pictures():
    for number in range(150):  # the encoder writes nothing before it has looked ahead
        if number == 149 and sys.argv[2] == "slow":
            while not list(folder.iterdir()):
                time.sleep(0.05)
            (folder / "ready").touch()
            time.sleep(600)
        yield np.full((64, 64, 3), number, np.uint8)

write_video(folder / "a.mp4", pictures(), 25, credentials=False)
"""
SYNTH = """
import sys, time
from pathlib import Path
import motet.synthesis.performance.synthesis as synthesis
import motet.synthesis.whisper_weights as whisper_weights
from motet.cli import main
from tests.data.test_clip import recording
folder, slow = Path(sys.argv[1]), sys.argv[2]

def synthesise(path, options, encoder):
    if path.stem == slow:
        (folder / "ready").touch()
        time.sleep(600)
    print("made", path.stem)
    return recording(path.stem)

synthesis.synthesise = synthesise
whisper_weights.load_whisper_encoder = lambda path: None
sounds = [str(folder / name) for name in ("a.wav", "b.wav")]
sys.exit(main(["data", "synth", *sounds, "-o", str(folder / "corpus")]))
"""


def start(program: str, folder: Path, how: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-c", program, str(folder), how]
    return subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def killed(program: str, folder: Path, how: str) -> str:
    """Run until it says that it is in the middle of its work, then kill it."""
    process = start(program, folder, how)
    end = time.monotonic() + 300
    try:
        while not (folder / "ready").exists() and process.poll() is None:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.kill()
        out = process.communicate()[0]
    (folder / "ready").unlink()
    return out


def finished(program: str, folder: Path) -> str:
    process = start(program, folder, "")
    out = process.communicate(timeout=300)[0]
    assert process.returncode == 0, out
    return out


def test_a_batch_goes_on_behind_the_last_finished_file(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name).write_text(name)
    killed(BATCH, tmp_path, "b")
    assert len([path for path in tmp_path.iterdir() if path.name.startswith(".")]) == 1
    assert finished(BATCH, tmp_path) == "['skipped', 'done', 'done']\n"
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["a", "b", "c", "a.out", "b.out", "c.out", "motet-ledger.jsonl"]
    )


def test_a_video_leaves_nothing_behind(tmp_path: Path) -> None:
    killed(VIDEO, tmp_path, "slow")
    assert not (tmp_path / "a.mp4").exists() and any(tmp_path.iterdir())
    finished(VIDEO, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


def test_synthesised_performances_are_made_once(tmp_path: Path) -> None:
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_text(name)
    killed(SYNTH, tmp_path, "b")
    assert [path.name for path in (tmp_path / "corpus").glob("*.safetensors")] == ["a.safetensors"]
    out = finished(SYNTH, tmp_path)
    assert "made b" in out and "made a" not in out and "1 of 2 were made before" in out
    names = {path.name for path in (tmp_path / "corpus").iterdir()}
    assert names == {"a.safetensors", "b.safetensors", "index.json", "motet-ledger.jsonl"}


@pytest.mark.parametrize("name", ["run.json", "state.safetensors"])
def test_damaged_files_of_a_training_run_are_one_line(tmp_path: Path, name: str) -> None:
    from motet.errors import ConfigError
    from motet.training.loop import train
    from tests.training.driver import CONFIG, EXAMPLES, toy_stage

    (tmp_path / name).write_bytes(b'{"stage": "to')
    with pytest.raises(ConfigError, match=f"{name} is damaged"):
        train(toy_stage(), EXAMPLES, CONFIG, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} <= {name, "run.json"}


def test_a_log_line_cut_short_costs_only_itself(tmp_path: Path) -> None:
    from motet.training.run_folder import LOG, RunLog

    (tmp_path / LOG).write_text('{"step": 1}\n{"st')
    RunLog(tmp_path, None, tensorboard=False).write({"step": 2.0})
    lines = (tmp_path / LOG).read_text().splitlines()
    assert lines == ['{"step": 1}', '{"st', '{"step": 2.0}']
