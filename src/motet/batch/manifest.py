"""Manifests: a table of recordings, each with settings of its own.

A `.csv` file with a header, or a `.jsonl` file of one object a line. The column `audio` names the
recording, `name` the outputs; the other columns are settings of `motet run`. Paths are relative to
the manifest. An empty cell means the batch's setting.
"""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import io
from collections.abc import Iterator, Mapping
from pathlib import Path

from motet.batch.storage import Location, is_address, local_copy, location_of
from motet.config import JsonValue, parse_json
from motet.errors import ConfigError, InputError, nearest

TEXTS = ("text", "style", "source", "genre", "emotion", "gaze", "captions")
MAY_BE_FILES = ("text", "style", "source", "captions")
"""Texts that may also name a file, looked for beside the table first."""
NUMBERS = ("seed", "track", "channel")
DECIMALS = ("intensity", "head_scale")
FILES = ("keys", "person", "avatar")
COLUMNS = ("audio", "name", *TEXTS, *NUMBERS, *DECIMALS, *FILES)


@dataclasses.dataclass(frozen=True)
class Row:
    """One recording of a manifest."""

    audio: Location
    name: str = ""
    settings: Mapping[str, object] = dataclasses.field(default_factory=dict)


def read_manifest(location: Location) -> list[Row]:
    """The recordings of a manifest.

    Raises:
        InputError: it is no table, has no recordings, or a cell cannot be read; names the row.
        ConfigError: a column that no recording can have.
    """
    with local_copy(location) as path:
        try:
            text = path.read_text(encoding="utf-8-sig")
        except UnicodeDecodeError as error:
            raise InputError(f"{location} is not text in UTF-8; save it as UTF-8") from error
    folder = location.parent if isinstance(location, Path) else location.rpartition("/")[0]
    objects = _csv if str(location).lower().endswith(".csv") else _json_lines
    rows = [_row(cells, folder, f"{location}, row {n}") for n, cells in objects(text, location)]
    if not rows:
        raise InputError(f"{location} names no recording")
    return rows


def _csv(text: str, location: Location) -> Iterator[tuple[int, Mapping[str, JsonValue]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        for number, cells in enumerate(reader, 1):
            if None in cells or None in cells.values():
                raise InputError(
                    f"{location}, row {number} has not as many cells as the header; put texts with"
                    " commas in quotes"
                )
            yield number, dict(cells)
    except csv.Error as error:
        raise InputError(f"{location}, row {reader.line_num}: {error}") from error


def _json_lines(text: str, location: Location) -> Iterator[tuple[int, Mapping[str, JsonValue]]]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            cells = parse_json(line)
        except ValueError as error:
            raise InputError(f"{location}, row {number} is not JSON: {error}") from error
        if not isinstance(cells, dict):
            raise InputError(f"{location}, row {number} is not an object such as {{'audio': ...}}")
        yield number, cells


def _row(cells: Mapping[str, JsonValue], folder: Location, row_name: str) -> Row:
    for column in cells:
        if column not in COLUMNS:
            raise ConfigError(
                f"{row_name}: no recording has {column!r}; {nearest(column, COLUMNS)}"
                f" (columns: {', '.join(COLUMNS)})"
            )
    filled = {name: value for name, value in cells.items() if value not in ("", None)}
    audio = filled.get("audio")
    if not isinstance(audio, str):
        raise InputError(f"{row_name} names no audio")
    name = str(filled.get("name", ""))
    if "/" in name or "\\" in name or name in (".", ".."):
        raise InputError(f"{row_name}: name {name!r} must be a file name without folders")
    settings = {
        column: _cell(column, value, folder, row_name)
        for column, value in filled.items()
        if column not in ("audio", "name")
    }
    return Row(_inside(folder, audio), name, settings)


def _cell(column: str, value: JsonValue, folder: Location, row_name: str) -> object:
    if column in NUMBERS + DECIMALS:
        kind, number = ("a whole number", int) if column in NUMBERS else ("a number", float)
        try:
            return number(str(value))
        except ValueError as error:
            raise InputError(f"{row_name}: {column} must be {kind}, not {value!r}") from error
    if not isinstance(value, str):
        raise InputError(f"{row_name}: {column} must be text, not {value!r}")
    if column in FILES:
        path = _inside(folder, value)
        if not isinstance(path, Path):
            raise InputError(f"{row_name}: {column} must be a local file, not {path}")
        return path
    if column in MAY_BE_FILES and isinstance(folder, Path) and len(value) < 256:
        beside = folder / value
        with contextlib.suppress(OSError):  # a sentence may be longer than a name can be
            return str(beside) if beside.is_file() else value
    return value


def _inside(folder: Location, text: str) -> Location:
    if is_address(text) or Path(text).is_absolute():
        return location_of(text)
    return folder / text if isinstance(folder, Path) else f"{folder}/{text}"
