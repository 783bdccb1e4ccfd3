from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from motet.batch.jobs import Job, run_jobs
from motet.batch.ledger import open_ledger
from motet.batch.storage import expand, local_copy, location_of, open_store, stored
from motet.errors import InputError, MissingDependency

STORE = "memory://bucket"


@pytest.fixture(autouse=True)
def store() -> Iterator[None]:
    memory, _ = open_store(STORE)
    memory.store.clear()
    for name in ("a", "b"):
        memory.pipe_file(f"/bucket/in/{name}.wav", name.encode())
    yield
    memory.store.clear()


def copy_upper(job: Job) -> None:
    with local_copy(job.source) as path, stored(job.outputs) as outputs:
        outputs[0].write_bytes(path.read_bytes().upper())


def read(address: str) -> bytes:
    with local_copy(address) as path:
        return path.read_bytes()


def test_a_batch_from_store_to_store_with_its_ledger() -> None:
    jobs = [
        Job(f"{STORE}/in/{n}.wav", (f"{STORE}/out/{n}.csv",), {"seed": i})
        for i, n in enumerate("ab")
    ]

    def states() -> list[str]:
        outcomes = run_jobs(jobs, {}, copy_upper, open_ledger(f"{STORE}/out"))
        return [outcome.state for outcome in outcomes]

    assert states() == ["done", "done"]
    assert read(f"{STORE}/out/a.csv") == b"A"
    assert states() == ["skipped", "skipped"]
    memory, _ = open_store(STORE)
    memory.pipe_file("/bucket/out/a.csv", b"another length")
    assert states() == ["done", "skipped"]
    memory.rm("/bucket/out/b.csv")
    assert states() == ["skipped", "done"]


def test_a_job_that_is_not_done_costs_one_request(monkeypatch: pytest.MonkeyPatch) -> None:
    from fsspec.implementations.memory import MemoryFileSystem

    asked: list[str] = []
    for name in ("info", "exists", "size", "get_file"):
        own = getattr(MemoryFileSystem, name)

        def counted(self, path, *rest, own=own, name=name, **named):  # type: ignore[no-untyped-def]
            asked.append(name)
            return own(self, path, *rest, **named)

        monkeypatch.setattr(MemoryFileSystem, name, counted)
    ledger = open_ledger(f"{STORE}/empty")
    assert not ledger.is_done("key", [f"{STORE}/empty/a.csv"])
    assert asked[0] == "get_file" and len(asked) <= 2  # the memory store asks itself once more


def test_patterns_in_stores_and_folders(tmp_path: Path) -> None:
    assert [read(str(address)) for address in expand([f"{STORE}/in/*.wav"])] == [b"a", b"b"]
    for name in ("b.wav", "a.wav", "sub/c.wav", "x[1].wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    wavs = [tmp_path / name for name in ("a.wav", "b.wav", "sub/c.wav", "x[1].wav")]
    assert expand([str(tmp_path / "**/*.wav")]) == wavs
    assert expand([str(tmp_path / "x[1].wav")]) == [tmp_path / "x[1].wav"]
    with pytest.raises(InputError, match="matches no file"):
        expand([str(tmp_path / "*.ogg")])


def test_what_is_missing_is_said() -> None:
    with pytest.raises(InputError, match="does not exist"):
        read(f"{STORE}/in/none.wav")
    with pytest.raises(InputError, match="no store nowhere://"):
        read("nowhere://x/y.wav")
    with pytest.raises(MissingDependency, match="pip install"):
        read("s3://bucket/a.wav")


def test_a_drive_is_no_store() -> None:
    assert location_of("C:/talks/a.wav") == Path("C:/talks/a.wav")
    assert location_of("s3://bucket/a.wav") == "s3://bucket/a.wav"
