"""The database: sounds, takes and jobs, in SQLite with a write-ahead log, so that nothing is lost
when the process is killed.
"""

from __future__ import annotations

import dataclasses
import json
import sqlite3
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypeVar

from motet.config import JsonValue

JobState = Literal["queued", "running", "done", "failed", "cancelled", "interrupted"]
TakeState = Literal["made", "edited", "imported", "rerolled"]
UNFINISHED: tuple[JobState, ...] = ("queued", "running")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS sounds (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, facts TEXT NOT NULL, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS takes (
    id TEXT PRIMARY KEY, sound TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL,
    parent TEXT NOT NULL, facts TEXT NOT NULL, edits TEXT NOT NULL, made REAL NOT NULL);
CREATE TABLE IF NOT EXISTS jobs (
    id TEXT PRIMARY KEY, kind TEXT NOT NULL, request TEXT NOT NULL, state TEXT NOT NULL,
    stage TEXT NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL, problem TEXT NOT NULL,
    result TEXT NOT NULL, made REAL NOT NULL, started REAL NOT NULL, ended REAL NOT NULL,
    event INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS jobs_by_event ON jobs (event);
CREATE INDEX IF NOT EXISTS takes_by_time ON takes (made);
"""
Json = dict[str, JsonValue]


@dataclasses.dataclass(frozen=True)
class SoundRow:
    """An uploaded sound."""

    id: str
    """Digest of its bytes."""
    name: str
    """File name as the client gave it; for people only."""
    facts: Json
    """`seconds`, `rate`, `channels`, `layout`, `mime`, `bytes`."""
    made: float


@dataclasses.dataclass(frozen=True)
class TakeRow:
    """A take."""

    id: str
    """Digest of the sound and of the whole request."""
    sound: str
    """Id of the sound; empty when it was imported without one."""
    request: Json
    state: TakeState
    parent: str
    """Id of the take that it was made of; empty: of none."""
    facts: Json
    """`fps`, `frames`, `space`, `kind`."""
    edits: Json
    """`layers` and the id of the edited `take`; empty: not edited."""
    made: float


@dataclasses.dataclass(frozen=True)
class JobRow:
    """A job: something that a worker computes."""

    id: str
    kind: str
    request: Json
    state: JobState
    stage: str = ""
    done: int = 0
    total: int = 0
    problem: Json = dataclasses.field(default_factory=dict)
    result: Json = dataclasses.field(default_factory=dict)
    made: float = 0.0
    started: float = 0.0
    ended: float = 0.0
    event: int = 0
    """Number of its last change among the changes of all jobs."""


_TABLES: dict[type, str] = {SoundRow: "sounds", TakeRow: "takes", JobRow: "jobs"}
RowT = TypeVar("RowT", SoundRow, TakeRow, JobRow)


class Store:
    """The three tables. Every call is one short transaction; any thread may call.

    Args:
        path: of the database; made when it is not there.
    """

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        self._database.executescript("PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;")
        self._database.executescript(_SCHEMA)
        last = self._rows("SELECT COALESCE(MAX(event), 0) FROM jobs")
        self._event = int(last[0][0])

    def close(self) -> None:
        """Close the database."""
        with self._lock:
            self._database.close()

    def get(self, kind: type[RowT], identity: str) -> RowT | None:
        """The row of an id; None when there is none."""
        return next(self._select(kind, "WHERE id = ?", (identity,)), None)

    def put(self, row: SoundRow | TakeRow) -> None:
        """Add a row, or replace the one of its id."""
        self._write(row)

    def delete(self, kind: type[SoundRow] | type[TakeRow], identity: str) -> None:
        """Remove the row of an id."""
        self._rows(f"DELETE FROM {_TABLES[kind]} WHERE id = ?", (identity,))

    def sounds(self, count: int = 200) -> list[SoundRow]:
        """Sounds, the newest first."""
        return list(self._select(SoundRow, "ORDER BY made DESC LIMIT ?", (count,)))

    def takes(self, before: float, count: int) -> list[TakeRow]:
        """Takes that were made before a time, the newest first; what only serves edits is left
        out.
        """
        where = "WHERE made < ? AND state IN ('made', 'imported') ORDER BY made DESC LIMIT ?"
        return list(self._select(TakeRow, where, (before, count)))

    def children(self, parent: str) -> list[TakeRow]:
        """Takes that were made of another."""
        return list(self._select(TakeRow, "WHERE parent = ?", (parent,)))

    def put_job(self, job: JobRow) -> JobRow:
        """Add or replace a job; it gets the number of this change."""
        self._event += 1
        numbered = dataclasses.replace(job, event=self._event)
        self._write(numbered)
        return numbered

    def jobs_after(self, event: int, job: str = "") -> list[JobRow]:
        """Jobs that changed after that number, of one id or all, in the order of their changes."""
        where = "WHERE event > ? AND (? = '' OR id = ?) ORDER BY event LIMIT 500"
        return list(self._select(JobRow, where, (event, job, job)))

    def jobs_in(self, states: Sequence[JobState]) -> list[JobRow]:
        """Jobs in some states, the oldest first."""
        marks = ",".join("?" * len(states))
        return list(self._select(JobRow, f"WHERE state IN ({marks}) ORDER BY made", states))

    @property
    def last_event(self) -> int:
        """Number of the last change of any job."""
        return self._event

    def _select(
        self, kind: type[RowT], where: str, values: Sequence[str | float]
    ) -> Iterator[RowT]:
        names = [field.name for field in dataclasses.fields(kind)]
        rows = self._rows(f"SELECT {', '.join(names)} FROM {_TABLES[kind]} {where}", values)
        for row in rows:
            yield kind(**{name: _read(name, value) for name, value in zip(names, row, strict=True)})

    def _write(self, row: SoundRow | TakeRow | JobRow) -> None:
        values = {name: _plain(value) for name, value in vars(row).items()}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        self._rows(
            f"INSERT OR REPLACE INTO {_TABLES[type(row)]} ({names}) VALUES ({marks})",
            list(values.values()),
        )

    def _rows(self, sql: str, values: Sequence[str | float] = ()) -> list[tuple[str | float, ...]]:
        with self._lock:
            return self._database.execute(sql, values).fetchall()


_AS_JSON = ("facts", "request", "edits", "problem", "result")


def _plain(value: str | float | Mapping[str, JsonValue]) -> str | float:
    return json.dumps(value, sort_keys=True) if isinstance(value, Mapping) else value


def _read(name: str, value: str | float) -> str | float | Json:
    return json.loads(str(value)) if name in _AS_JSON else value


def now() -> float:
    """Seconds since 1970."""
    return time.time()
