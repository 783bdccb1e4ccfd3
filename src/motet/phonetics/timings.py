"""Phone times from users' files: Praat TextGrid, CTM, JSON and CSV.

Times are seconds of the recording. Labels may be CMU phones with or without stress marks, IPA, or
anything else: an unknown label keeps its times and loses its name. Empty labels, `sil`, `sp`,
`pau`, `<eps>` and the like are silence.

Sources: the manual of Praat (TextGrid file formats), NIST sclite (CTM), pocketsphinx (nested `b`,
`d`, `t`, `w`).
"""

from __future__ import annotations

import csv
import dataclasses
import io
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from motet.config import parse_json
from motet.errors import AssetError, InputError
from motet.phonetics.phones import ARPABET, SILENCE, PhoneSpan, phones_of_ipa, spans

UNKNOWN = ""
"""Symbol of a phone whose label is not understood; only its times count."""
FORMATS = (".textgrid", ".ctm", ".json", ".csv")
_SILENT = {
    "", "sil", "sp", "spn", "pau", "#", "h#", "<eps>", "<sil>", "<s>", "</s>", "_", "<p:>",
    "noise", "+noise+", "breath", "br",
}  # fmt: skip
_PHONE_TIERS = ("phone", "phones", "phoneme", "phonemes", "segment", "segments", "mau", "seg")
_COLUMNS = (
    ("start", "begin", "xmin", "start_s", "onset"),
    ("end", "stop", "xmax", "end_s", "offset"),
    ("phone", "label", "phoneme", "symbol", "text"),
)
"""Names of the columns start, end and label, in CSV and JSON."""
_BYTE_ORDER_MARKS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"\xef\xbb\xbf": "utf-8-sig"}
_MAX_BYTES = 50_000_000
_MAX_OVERLAP_S = 0.005
_DAMAGE = (
    csv.Error, ValueError, KeyError, TypeError, IndexError, AttributeError, ArithmeticError,
    RecursionError,
)  # fmt: skip
"""What reading a file of another structure raises."""


@dataclasses.dataclass(frozen=True)
class TimedLabel:
    """A label with its times in seconds, as a file has it."""

    start: float
    end: float
    label: str


def read_timings(path: str | Path) -> tuple[PhoneSpan, ...]:
    """Phones of a file in the inventory of motet, in time order.

    A label that is not understood becomes `UNKNOWN`.

    Raises:
        AssetError: not there, too large, of no known format, empty, or with impossible times.
    """
    return to_spans(read_labels(path))


def read_labels(path: str | Path) -> tuple[TimedLabel, ...]:
    """Labels with times as they stand in the file; see `read_timings` for the errors."""
    path = Path(path)
    readers = {".textgrid": _text_grid, ".ctm": _ctm, ".json": _json, ".csv": _csv}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise AssetError(
            f"{path.name}: phone times are read from .TextGrid, .ctm, .json and .csv files, not"
            f" from {path.suffix or 'a file without ending'!r}"
        )
    text = _read_text(path)
    try:
        labels = sorted(reader(text), key=lambda label: (label.start, label.end))
    except _DAMAGE as error:
        raise AssetError(
            f"{path.name} cannot be read as {path.suffix}: {str(error)[:200]}; export the phone"
            " tier again"
        ) from error
    _check_times(labels, path.name)
    return tuple(label for label in labels if label.end > label.start)


def to_spans(labels: Iterable[TimedLabel]) -> tuple[PhoneSpan, ...]:
    """Labels as phones of the inventory.

    They are read as CMU phones if all of them belong to that set (any case, with or without
    stress), else as IPA.
    """
    items = list(labels)
    is_cmu = all(_is_silent(item.label) or _cmu(item.label) in ARPABET for item in items)
    result: list[PhoneSpan] = []
    for item in items:
        symbols = {item.label: _symbols(item.label, is_cmu)}
        result += spans([(item.start, item.end, item.label)], symbols)
    return tuple(result)


def _is_silent(label: str) -> bool:
    return label.strip().lower() in _SILENT


def _cmu(label: str) -> str:
    """Upper case without the stress digit."""
    return re.sub(r"\d$", "", label.strip()).upper()


def _symbols(label: str, is_cmu: bool) -> tuple[str, ...]:
    if _is_silent(label):
        return (SILENCE,)
    if is_cmu or (_cmu(label) in ARPABET and label.strip()[0].isupper()):
        return ARPABET[_cmu(label)]
    try:
        return phones_of_ipa(label) or (UNKNOWN,)
    except InputError:
        return (UNKNOWN,)


def _read_text(path: Path) -> str:
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise AssetError(
                f"{path} has {size / 1e6:.0f} MB; phone times of one recording are far smaller"
            )
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise AssetError(f"{path} does not exist") from error
    except OSError as error:
        raise AssetError(f"{path} cannot be read: {error}") from error
    try:
        return data.decode(_encoding(data))
    except UnicodeDecodeError as error:
        raise AssetError(
            f"{path.name} is neither UTF-8 nor UTF-16; save it in one of these"
        ) from error


def _encoding(data: bytes) -> str:
    for mark, name in _BYTE_ORDER_MARKS.items():
        if data.startswith(mark):
            return name
    # UTF-16 without a mark: every other byte of ASCII text is zero.
    if data[1:2] == b"\x00":
        return "utf-16-le"
    return "utf-16-be" if data[:1] == b"\x00" else "utf-8"


def _check_times(labels: list[TimedLabel], name: str) -> None:
    if not labels:
        raise AssetError(f"{name} holds no timed phones")
    for item in labels:
        finite = math.isfinite(item.start) and math.isfinite(item.end)
        if not finite or not 0 <= item.start <= item.end:
            raise AssetError(
                f"{name}: {item.label!r} from {item.start} to {item.end} s is no interval of time;"
                " times are seconds from the start"
            )
    for label, following in zip(labels, labels[1:], strict=False):
        if following.start < label.end - _MAX_OVERLAP_S:
            raise AssetError(
                f"{name}: {label.label!r} and {following.label!r} overlap at"
                f" {following.start:.3f} s; give one tier of phones, one after the other"
            )


def _text_grid(text: str) -> list[TimedLabel]:
    """The phone tier of a TextGrid, long or short form.

    Both forms hold the same values in the same order; the long form adds names, which are dropped.
    Not praatio: it takes a file that was cut short for a whole one and drops the sign of negative
    times.
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


_GRID_VALUE = re.compile(
    r'"(?P<text>(?:[^"]|"")*)"'  # quoted text; a quote inside is doubled
    r"|<(?P<flag>exists|absent)>"
    # a number that is no part of a name such as `intervals [3]:`
    r"|(?<![\w\[.])(?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)(?![\w\].])"
)


def _grid_values(text: str) -> Iterator[str | float]:
    """Quoted texts and numbers in file order."""
    for match in _GRID_VALUE.finditer(text):
        if match["number"] is not None:
            yield float(match["number"])
        elif match["flag"] is None:
            yield match["text"].replace('""', '"')


def _grid_tiers(values: list[str | float]) -> Iterator[tuple[str, list[TimedLabel]]]:
    """Interval tiers; each tier is class, name, start, end, count and `count` rows."""
    position = 3  # after the start and end of the whole and the number of tiers
    while position + 4 < len(values):
        kind, name, _, _, count = values[position : position + 5]
        if not isinstance(count, float) or not 0 <= count <= len(values):
            raise ValueError("a tier states an impossible number of intervals")
        width = 3 if kind == "IntervalTier" else 2
        first, position = position + 5, position + 5 + width * int(count)
        if position > len(values):
            raise ValueError("the file is cut short")
        if kind == "IntervalTier":
            rows = [values[row : row + 3] for row in range(first, position, 3)]
            yield str(name), [TimedLabel(float(a), float(b), str(text)) for a, b, text in rows]


def _ctm(text: str) -> list[TimedLabel]:
    """Lines of recording, channel, start, duration, label and perhaps a confidence."""
    lines = (line for line in text.splitlines() if not line.startswith((";;", "#")))
    rows = [line.split() for line in lines if line.strip()]
    return [TimedLabel(float(row[2]), float(row[2]) + float(row[3]), row[4]) for row in rows]


def _csv(text: str) -> list[TimedLabel]:
    """Columns start, end and phone by name, or in that order without a header.

    The Montreal Forced Aligner's CSV has `Begin`, `End`, `Label`, `Type`.
    """
    try:
        dialect = csv.Sniffer().sniff(text[:2000], delimiters=",;\t")
    except csv.Error:
        dialect = csv.excel
    cells = csv.reader(io.StringIO(text), dialect)
    rows = [row for row in cells if any(cell.strip() for cell in row)]
    header = [cell.strip().lower() for cell in rows[0]]
    columns = [next((header.index(n) for n in names if n in header), -1) for names in _COLUMNS]
    if -1 in columns:
        columns = [0, 1, 2]
    else:
        kind = header.index("type") if "type" in header else -1
        rows = [row for row in rows[1:] if kind < 0 or row[kind].strip().lower() in _PHONE_TIERS]
    start, end, label = columns
    return [TimedLabel(float(row[start]), float(row[end]), row[label].strip()) for row in rows]


def _json(text: str) -> list[TimedLabel]:
    """Start, end and label in any of the usual spellings, in nested lists and dictionaries."""
    return list(_json_labels(parse_json(text)))


def _json_labels(value: Any) -> Iterator[TimedLabel]:
    if isinstance(value, Mapping):
        if isinstance(value.get("tiers"), Mapping):  # Montreal Forced Aligner
            yield from _json_labels(value["tiers"].get("phones", {}).get("entries", []))
            return
        lists = (value[name] for name in ("phones", "phonemes", "segments", "w") if name in value)
        nested = next((items for items in lists if isinstance(items, list)), None)
        if nested is None:
            yield _json_label(value)
        for item in nested or ():
            yield from _json_labels(item)
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
    if "b" in low and "d" in low:  # pocketsphinx: start, duration, text
        return TimedLabel(float(low["b"]), float(low["b"]) + float(low["d"]), str(low["t"]))
    columns = [next((name for name in names if name in low), None) for names in _COLUMNS]
    if None in columns:
        raise ValueError(f"an entry has no start, end and label: {', '.join(low)[:80]!r}")
    start, end, label = (low[str(name)] for name in columns)
    return TimedLabel(float(start), float(end), str(label))
