from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from motet.batch.jobs import run_jobs
from motet.batch.ledger import open_ledger
from motet.batch.workers import Workers, worker_count
from tests.batch.work import copy_upper, make_jobs

ROOT = Path(__file__).parents[2]


def states(folder: Path, jobs: list, count: int = 2) -> list[str]:
    outcomes = run_jobs(jobs, {}, copy_upper, open_ledger(folder), Workers(count))
    return [outcome.state for outcome in outcomes]


def test_processes_give_what_one_process_gives(tmp_path: Path) -> None:
    jobs = make_jobs(tmp_path, "a", "b", "bad", "c", "d")
    expected = ["done", "done", "failed", "done", "done"]
    assert states(tmp_path, jobs) == expected
    assert [(tmp_path / f"{n}.out").read_text() for n in (0, 1, 3, 4)] == ["A", "B", "C", "D"]
    again = ["skipped" if state == "done" else state for state in expected]
    assert states(tmp_path, jobs, count=1) == again


def test_a_killed_process_costs_nothing_and_one_that_always_dies_only_itself(
    tmp_path: Path,
) -> None:
    jobs = make_jobs(tmp_path, "a", "dies once", "b", "dies", "c")
    outcomes = run_jobs(jobs, {}, copy_upper, open_ledger(tmp_path), Workers(2))
    assert [o.state for o in outcomes] == ["done", "done", "done", "failed", "done"]
    assert "ended 3 times" in outcomes[3].reason


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    make_jobs(tmp_path, "sleeps", "sleeps")
    program = (
        "import sys; from pathlib import Path; from tests.batch.work import *\n"
        "from tests.batch.test_workers import states\n"
        "folder = Path(sys.argv[1])\n"
        "if __name__ == '__main__': states(folder, make_jobs(folder, 'sleeps', 'sleeps'))\n"
    )
    (tmp_path / "program.py").write_text(program)
    environment = {**os.environ, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen(
        [sys.executable, tmp_path / "program.py", tmp_path], env=environment, cwd=ROOT
    )
    notes = [tmp_path / f"{n}.pid" for n in (0, 1)]
    _until(lambda: all(note.exists() and note.read_text() for note in notes))
    process.kill()
    process.wait()
    _until(lambda: not any(_runs(int(note.read_text())) for note in notes))


def test_ctrl_c_ends_the_processes(tmp_path: Path) -> None:
    def stop(signum: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, stop)
    jobs = make_jobs(tmp_path, "sleeps", "sleeps")
    signal.setitimer(signal.ITIMER_REAL, 6)
    try:
        with pytest.raises(KeyboardInterrupt):
            states(tmp_path, jobs)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    notes = list(tmp_path.glob("*.pid"))
    assert notes and not any(_runs(int(note.read_text())) for note in notes)


def test_never_more_processes_than_jobs() -> None:
    assert worker_count(1) == 1
    assert worker_count(0) == 1
    assert worker_count(3, requested=8) == 3
    assert worker_count(100, requested=8) == 8
    assert 1 <= worker_count(100) <= (os.cpu_count() or 1)


def _runs(process: int) -> bool:
    stat = Path(f"/proc/{process}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def _until(condition: object, seconds: float = 60) -> None:
    assert callable(condition)
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


PROGRAM = """
import sys
from pathlib import Path
from tests.batch.test_workers import states
from tests.batch.work import make_jobs
print(states(Path(sys.argv[1]), make_jobs(Path(sys.argv[1]), "a", "b", "c")))
"""


@pytest.mark.parametrize("how", ["standard input", "script without a guard"])
def test_the_main_program_is_not_run_again(tmp_path: Path, how: str) -> None:
    script = tmp_path / "script.py"
    script.write_text(PROGRAM)
    reads_input = how == "standard input"
    result = subprocess.run(
        [sys.executable, "-" if reads_input else str(script), str(tmp_path)],
        input=PROGRAM if reads_input else None,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(ROOT)])},
        capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert result.stdout.strip() == "['done', 'done', 'done']", result.stderr[-500:]
