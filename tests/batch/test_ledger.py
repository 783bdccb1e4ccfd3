from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from motet.batch import ledger as ledger_module
from motet.batch.jobs import Job, run_jobs
from motet.batch.ledger import Ledger
from motet.errors import AudioError


def write_outputs(job: Job) -> None:
    if job.source.read_bytes() == b"bad":
        raise AudioError("not a sound")
    for output in job.outputs:
        output.write_bytes(b"made")


def make_jobs(folder: Path) -> list[Job]:
    jobs = []
    for name, content in (("a", b"one"), ("b", b"bad"), ("c", b"three")):
        (folder / f"{name}.wav").write_bytes(content)
        jobs.append(Job(folder / f"{name}.wav", (folder / f"{name}.csv",)))
    return jobs


def states(outcomes: list) -> list[str]:
    return [outcome.state for outcome in outcomes]


def test_a_bad_input_is_reported_and_stops_nothing(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path)
    outcomes = run_jobs(jobs, {"seed": 1}, write_outputs, Ledger(tmp_path / "ledger"))
    assert states(outcomes) == ["done", "failed", "done"]
    assert outcomes[1].reason == "not a sound"


def test_done_work_is_skipped_until_input_settings_or_output_change(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path)
    run_jobs(jobs, {"seed": 1}, write_outputs, Ledger(tmp_path / "ledger"))
    assert states(run_jobs(jobs, {"seed": 1}, write_outputs, Ledger(tmp_path / "ledger"))) == [
        "skipped",
        "failed",
        "skipped",
    ]
    assert (
        states(run_jobs(jobs, {"seed": 2}, write_outputs, Ledger(tmp_path / "ledger")))[0] == "done"
    )
    jobs[2].outputs[0].unlink()
    jobs[0].source.write_bytes(b"changed")
    assert states(run_jobs(jobs, {"seed": 2}, write_outputs, Ledger(tmp_path / "ledger"))) == [
        "done",
        "failed",
        "done",
    ]


def test_a_line_cut_short_by_a_crash_costs_only_that_line(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path)
    ledger = tmp_path / "ledger"
    run_jobs(jobs, {}, write_outputs, Ledger(ledger))
    ledger.write_bytes(ledger.read_bytes()[:-9])
    assert states(run_jobs(jobs, {}, write_outputs, Ledger(ledger))) == [
        "skipped",
        "failed",
        "done",
    ]
    assert states(run_jobs(jobs, {}, write_outputs, Ledger(ledger))) == [
        "skipped",
        "failed",
        "skipped",
    ]


def run_one(folder: Path, settings: dict[str, object], work=write_outputs) -> str:
    (folder / "a.wav").write_bytes(b"one")
    job = Job(folder / "a.wav", (folder / "a.csv",))
    return run_jobs([job], settings, work, Ledger(folder / "ledger"))[0].state


@pytest.mark.parametrize("name", ["style", "keys", "text", "source", "avatar", "weights", "person"])
def test_the_content_of_every_input_file_counts(tmp_path: Path, name: str) -> None:
    path = tmp_path / "input.npz"
    if name == "person":
        path.mkdir()
    content = path / "weights.safetensors" if name == "person" else path
    content.write_bytes(b"before")
    value = str(path) if name in ("style", "text", "source") else path
    assert run_one(tmp_path, {name: value}) == "done"
    assert run_one(tmp_path, {name: value}) == "skipped"
    content.write_bytes(b"after!")
    assert run_one(tmp_path, {name: value}) == "done"


def test_a_file_in_an_option_counts(tmp_path: Path) -> None:
    path = tmp_path / "face.npy"
    path.write_bytes(b"before")
    assert run_one(tmp_path, {"option": (f"shape={path}",)}) == "done"
    path.write_bytes(b"after!")
    assert run_one(tmp_path, {"option": (f"shape={path}",)}) == "done"
    assert run_one(tmp_path, {"option": (f"shape={path}",)}) == "skipped"


def test_another_version_runs_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_one(tmp_path, {}) == "done"
    monkeypatch.setattr(ledger_module, "__version__", "99")
    assert run_one(tmp_path, {}) == "done"


@pytest.mark.parametrize("content", [b"", b"another program's"])
def test_an_empty_or_foreign_output_is_not_done(tmp_path: Path, content: bytes) -> None:
    assert run_one(tmp_path, {}) == "done"
    (tmp_path / "a.csv").write_bytes(content)
    assert run_one(tmp_path, {}) == "done"
    assert (tmp_path / "a.csv").read_bytes() == b"made"


def test_what_nobody_foresaw_stops_nothing(tmp_path: Path) -> None:
    def work(job: Job) -> None:
        if job.source.stem == "b":
            raise RecursionError("too deep\nby far")
        write_outputs(job)

    outcomes = run_jobs(make_jobs(tmp_path), {}, work, Ledger(tmp_path / "ledger"))
    assert states(outcomes) == ["done", "failed", "done"]
    assert outcomes[1].reason.endswith("report it: RecursionError: too deep by far")


def test_work_that_writes_nothing_is_not_done(tmp_path: Path) -> None:
    assert run_one(tmp_path, {}, lambda job: None) == "failed"
    assert run_one(tmp_path, {}, lambda job: job.outputs[0].write_bytes(b"")) == "failed"


def test_outputs_are_on_disk_before_the_ledger_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[str] = []
    monkeypatch.setattr(
        os, "fsync", lambda f: synced.append(Path(os.readlink(f"/proc/self/fd/{f}")).name)
    )
    run_one(tmp_path, {})
    assert synced == ["a.csv", "ledger"]


def test_two_copies_of_one_recording_are_both_remembered(tmp_path: Path) -> None:
    jobs = []
    for name in "ab":
        (tmp_path / f"{name}.wav").write_bytes(b"one")
        jobs.append(Job(tmp_path / f"{name}.wav", (tmp_path / f"{name}.csv",)))
    ledger = tmp_path / "ledger"
    assert states(run_jobs(jobs, {}, write_outputs, Ledger(ledger))) == ["done", "done"]
    assert states(run_jobs(jobs, {}, write_outputs, Ledger(ledger))) == ["skipped", "skipped"]


@pytest.mark.parametrize(
    "line",
    [
        b"\xff\xfe\x00", b"not json", b"7", b"null", b'"text"', b"[1]", b"{}",
        b'{"key": 1, "outputs": []}', b'{"key": "a", "outputs": 3}', b"[" * 100_000, b"\x00" * 40,
    ],
)  # fmt: skip
def test_a_corrupt_line_is_set_aside(tmp_path: Path, line: bytes) -> None:
    assert run_one(tmp_path, {}) == "done"
    ledger = tmp_path / "ledger"
    ledger.write_bytes(line + b"\n" + ledger.read_bytes())
    assert run_one(tmp_path, {}) == "skipped"
    assert ledger.read_bytes().count(b"\n") == 1
    assert (tmp_path / "ledger.damaged").read_bytes() == line + b"\n"


def test_a_ledger_of_many_damaged_lines_is_read_in_linear_time(tmp_path: Path) -> None:
    lines = [b'{"key": "%d", "outputs": {}}\n;\n' % number for number in range(30_000)]
    (tmp_path / "ledger").write_bytes(b"".join(lines))
    start = time.process_time()
    ledger = Ledger(tmp_path / "ledger")
    assert time.process_time() - start < 5  # comparing each line with each damaged one: 40 s
    assert ledger.is_done("29999", ())
    assert (tmp_path / "ledger.damaged").read_bytes() == b";\n" * 30_000
    assert len((tmp_path / "ledger").read_bytes().splitlines()) == 30_000


def test_a_line_without_an_end_costs_only_itself(tmp_path: Path) -> None:
    intact = b'{"key": "k", "outputs": {}}\n'
    (tmp_path / "ledger").write_bytes(b"[" * (3 * ledger_module.LONGEST_LINE) + b"\n" + intact)
    assert Ledger(tmp_path / "ledger").is_done("k", ())
    assert (tmp_path / "ledger").read_bytes() == intact
