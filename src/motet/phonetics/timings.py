"""Phone times that users bring: Praat TextGrid (long and short form, UTF-8 and UTF-16), CTM, JSON
and CSV.

Times are seconds of the recording. Labels may be CMU phones with or without stress marks, IPA, or
anything else: a label that is not understood keeps its times and loses its name. Empty labels,
`sil`, `sp`, `pau`, `<eps>` and their like are silence.

Sources: the manual of Praat (TextGrid file formats), NIST sclite (CTM), pocketsphinx (nested `b`,
`d`, `t`, `w`).
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from motet.errors import AssetError, InputError
from motet.phonetics.phones import ARPABET, SILENCE, PhoneSpan, phones_of_ipa, spans

UNKNOWN = ""
"""Symbol of a phone whose label says nothing to us; only its times count."""
FORMATS = (".textgrid", ".ctm", ".json", ".csv")
_SILENT = {
    "",
    "sil",
    "sp",
    "spn",
    "pau",
    "#",
    "h#",
    "<eps>",
    "<sil>",
    "<s>",
    "</s>",
    "_",
    "<p:>",
    "noise",
    "+noise+",
    "breath",
    "br",
}
_PHONE_TIERS = ("phone", "phones", "phoneme", "phonemes", "segment", "segments", "mau", "seg")
_LARGEST = 50_000_000


@dataclasses.dataclass(frozen=True)
class TimedLabel:
    """Something with a time, as a file has it."""

    start: float
    end: float
    label: str


def read_timings(path: str | Path) -> tuple[PhoneSpan, ...]:
    """Phones of a file in the inventory of motet, in time order; what is not understood has the
    symbol `UNKNOWN`.

    Raises:
        AssetError: not there, too large, of no known form, empty, or with times that are no times.
    """
    return to_spans(read_labels(path))


def read_labels(path: str | Path) -> tuple[TimedLabel, ...]:
    """Labels with times as they stand in the file; see `read_timings` for the errors."""
    path = Path(path)
    reader = {".textgrid": _text_grid, ".ctm": _ctm, ".json": _json, ".csv": _csv}.get(
        path.suffix.lower()
    )
    if reader is None:
        raise AssetError(
            f"{path.name}: phone times are read from .TextGrid, .ctm, .json and .csv files, not"
            f" from {path.suffix or 'a file without ending'!r}"
        )
    text = _text_of(path)
    try:
        found = sorted(reader(text), key=lambda item: (item.start, item.end))
    except (ValueError, KeyError, TypeError, IndexError, RecursionError) as error:
        raise AssetError(
            f"{path.name} cannot be read as {path.suffix}: {error}; export the phone tier again"
        ) from error
    return _checked(found, path.name)


def to_spans(labels: Iterable[TimedLabel]) -> tuple[PhoneSpan, ...]:
    """Labels as phones: by the CMU set when all of them belong to it (any case, with or without
    stress), else by IPA.
    """
    items = list(labels)
    english = all(_silent(item.label) or _cmu(item.label) in ARPABET for item in items)
    return tuple(
        span
        for item in items
        for span in spans(
            [(item.start, item.end, "label")], {"label": _symbols(item.label, english)}
        )
    )


def _silent(label: str) -> bool:
    return label.strip().lower() in _SILENT


def _cmu(label: str) -> str:
    return re.sub(r"\d$", "", label.strip()).upper()


def _symbols(label: str, english: bool) -> tuple[str, ...]:
    if _silent(label):
        return (SILENCE,)
    if english or (_cmu(label) in ARPABET and label.strip()[0].isupper()):
        return ARPABET[_cmu(label)]
    try:
        return phones_of_ipa(label) or (UNKNOWN,)
    except InputError:
        return (UNKNOWN,)


def _text_of(path: Path) -> str:
    try:
        if path.stat().st_size > _LARGEST:
            raise AssetError(
                f"{path} has {path.stat().st_size / 1e6:.0f} MB; phone times of one recording are"
                " far smaller"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AssetError(f"{path} does not exist") from error
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error}") from error
    for mark, name in (
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
        (b"\xef\xbb\xbf", "utf-8-sig"),
    ):
        if data.startswith(mark):
            return _decoded(data, name, path)
    if data[1:2] == b"\x00" or data[:1] == b"\x00":  # UTF-16 without its mark
        return _decoded(data, "utf-16-le" if data[1:2] == b"\x00" else "utf-16-be", path)
    return _decoded(data, "utf-8", path)


def _decoded(data: bytes, name: str, path: Path) -> str:
    try:
        return data.decode(name)
    except UnicodeDecodeError as error:
        raise AssetError(
            f"{path.name} is neither UTF-8 nor UTF-16; save it in one of these"
        ) from error


def _checked(found: list[TimedLabel], name: str) -> tuple[TimedLabel, ...]:
    if not found:
        raise AssetError(f"{name} holds no timed phones")
    for item in found:
        if not (
            math.isfinite(item.start) and math.isfinite(item.end) and 0 <= item.start <= item.end
        ):
            raise AssetError(
                f"{name}: {item.label!r} from {item.start} to {item.end} s is no stretch of time;"
                " times are seconds from the start"
            )
    for one, other in zip(found, found[1:], strict=False):
        if other.start < one.end - 0.005:
            raise AssetError(
                f"{name}: {one.label!r} and {other.label!r} overlap at {other.start:.3f} s; give"
                " one tier of phones, one after the other"
            )
    return tuple(item for item in found if item.end > item.start)


#
#
# -------------------------------------------------------------------------------------------------------------
# TextGrid


def _text_grid(text: str) -> list[TimedLabel]:
    """Both forms hold the same values in the same order; the long form only adds names, which are
    dropped.
    """
    values = list(_grid_values(text))
    if len(values) < 2 or values[1] != "TextGrid":
        raise ValueError("the header is not that of a TextGrid")
    tiers = dict(_grid_tiers(values[2:]))
    if not tiers:
        raise ValueError("no interval tier")
    for name, labels in tiers.items():
        if re.split(r"[ \-_/]", name.strip().lower())[-1] in _PHONE_TIERS:
            return labels
    if len(tiers) == 1:
        return next(iter(tiers.values()))
    raise ValueError(f"no tier is named 'phones'; the interval tiers are {', '.join(tiers)}")


def _grid_values(text: str) -> Iterator[str | float]:
    """Quoted texts, numbers and flags outside of names such as `xmin =` and `intervals [3]:`."""
    pattern = re.compile(
        r'"((?:[^"]|"")*)"|<(exists|absent)>|(?<![\w\[.])(-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\].])'
    )
    for quoted, flag, number in (
        (m.group(1), m.group(2), m.group(3)) for m in pattern.finditer(text)
    ):
        if number is not None:
            yield float(number)
        elif flag is None:
            yield (quoted or "").replace('""', '"')


def _grid_tiers(values: list[str | float]) -> Iterator[tuple[str, list[TimedLabel]]]:
    place = 3  # after the times of the whole and the number of tiers
    while place + 4 < len(values):
        kind, name, count = values[place], str(values[place + 1]), int(values[place + 4])
        width = 3 if kind == "IntervalTier" else 2
        rows = [values[place + 5 + width * i : place + 5 + width * (i + 1)] for i in range(count)]
        if rows and len(rows[-1]) < width:
            raise ValueError("the file is cut short")
        if kind == "IntervalTier":
            yield name, [TimedLabel(float(a), float(b), str(label)) for a, b, label in rows]
        place += 5 + width * count


#
#
# -------------------------------------------------------------------------------------------------------
# the other forms


def _ctm(text: str) -> list[TimedLabel]:
    """Lines of recording, channel, start, length, label and perhaps a confidence."""
    rows = [
        line.split()
        for line in text.splitlines()
        if line.strip() and not line.startswith((";;", "#"))
    ]
    return [TimedLabel(float(row[2]), float(row[2]) + float(row[3]), row[4]) for row in rows]


def _csv(text: str) -> list[TimedLabel]:
    """Columns start, end, phone by name, or in that order without a header; Montreal Forced
    Aligner's CSV has `Begin`, `End`, `Label`, `Type`.
    """
    try:
        dialect = csv.Sniffer().sniff(text[:2000], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    rows = [
        row
        for row in csv.reader(io.StringIO(text), dialect)
        if row and any(cell.strip() for cell in row)
    ]
    heads = [cell.strip().lower() for cell in rows[0]]
    places = [
        next((heads.index(name) for name in names if name in heads), -1) for names in _COLUMNS
    ]
    if -1 in places:
        return [TimedLabel(float(row[0]), float(row[1]), row[2].strip()) for row in rows]
    kind = heads.index("type") if "type" in heads else -1
    body = [row for row in rows[1:] if kind < 0 or row[kind].strip().lower() in ("phones", "phone")]
    start, end, label = places
    return [TimedLabel(float(row[start]), float(row[end]), row[label].strip()) for row in body]


_COLUMNS = (
    ("start", "begin", "xmin", "start_s", "onset"),
    ("end", "stop", "xmax", "end_s", "offset"),
    ("phone", "label", "phoneme", "symbol", "text"),
)


def _json(text: str) -> list[TimedLabel]:
    """Lists of start, end and label in any of the usual spellings; a dictionary may hold them under
    `phones`, `w`, `tiers` ...
    """
    return list(_json_labels(json.loads(text)))


def _json_labels(value: Any) -> Iterator[TimedLabel]:
    if isinstance(value, Mapping):
        if "tiers" in value and isinstance(value["tiers"], Mapping):  # Montreal Forced Aligner
            yield from _json_labels(value["tiers"].get("phones", {}).get("entries", []))
            return
        for name in ("phones", "phonemes", "segments", "w"):
            if isinstance(value.get(name), list):
                for item in value[name]:
                    yield from _json_labels(item)
                return
        yield _json_label(value)
    elif isinstance(value, list) and len(value) >= 3 and not isinstance(value[0], list | Mapping):
        numbers = [item for item in value if isinstance(item, int | float)]
        names = [item for item in value if isinstance(item, str)]
        yield TimedLabel(float(numbers[0]), float(numbers[1]), names[-1])
    elif isinstance(value, list):
        for item in value:
            yield from _json_labels(item)
    else:
        raise ValueError(f"{value!r} is no timed phone")


def _json_label(value: Mapping[str, Any]) -> TimedLabel:
    low = {str(key).lower(): item for key, item in value.items()}
    if "b" in low and "d" in low:  # pocketsphinx: start, length, text
        return TimedLabel(float(low["b"]), float(low["b"]) + float(low["d"]), str(low["t"]))
    start, end, label = (next(low[name] for name in names if name in low) for names in _COLUMNS)
    return TimedLabel(float(start), float(end), str(label))
