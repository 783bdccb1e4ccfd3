from __future__ import annotations

from pathlib import Path

from motet.batch_ledger import Job, Ledger, run_jobs
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


def test_an_unforeseen_failure_stops_nothing_either(tmp_path: Path) -> None:
    def work(job: Job) -> None:
        if job.source.name == "a.wav":
            raise ValueError("frames must\nbe specified")
        write_outputs(job)

    jobs = make_jobs(tmp_path)
    outcomes = run_jobs(jobs, {}, work, Ledger(tmp_path / "ledger"))
    assert states(outcomes) == ["failed", "failed", "done"]
    assert outcomes[0].reason == (
        "internal error, please report it: ValueError: frames must be specified"
    )
