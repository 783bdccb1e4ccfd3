"""Phone times in all the forms that users bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import praatio.textgrid
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from motet.errors import AssetError
from motet.phonetics.phones import PhoneSpan
from motet.phonetics.timings import UNKNOWN, TimedLabel, read_labels, read_timings, to_spans

WANTED = (
    PhoneSpan(0.0, 0.3, "sil"),
    PhoneSpan(0.3, 0.38, "b"),
    PhoneSpan(0.38, 0.5, "i"),
    PhoneSpan(0.5, 0.75, "sil"),
)
LONG = """File type = "ooTextFile"
Object class = "TextGrid"

xmin = 0
xmax = 0.75
tiers? <exists>
size = 2
item []:
    item [1]:
        class = "IntervalTier"
        name = "words"
        xmin = 0
        xmax = 0.75
        intervals: size = 1
        intervals [1]:
            xmin = 0.3
            xmax = 0.5
            text = "the ""bee"" 2"
    item [2]:
        class = "IntervalTier"
        name = "speaker - phones"
        xmin = 0
        xmax = 0.75
        intervals: size = 4
        intervals [1]:
            xmin = 0
            xmax = 0.3
            text = ""
        intervals [2]:
            xmin = 0.3
            xmax = 0.38
            text = "B"
        intervals [3]:
            xmin = 0.38
            xmax = 0.5
            text = "IY1"
        intervals [4]:
            xmin = 0.5
            xmax = 0.75
            text = "sp"
"""
SHORT = """File type = "ooTextFile"
Object class = "TextGrid"

0
0.75
<exists>
2
"TextTier"
"marks"
0
0.75
1
0.2
"here"
"IntervalTier"
"phones"
0
0.75
4
0
0.3
"sil"
0.3
0.38
"b"
0.38
0.5
"i"
0.5
0.75
""
"""
CTM = (
    ";; made by an aligner\nrec 1 0.00 0.30 SIL\nrec 1 0.30 0.08 B\nrec 1 0.38 0.12 IY\nrec 1 0.50"
    " 0.25 SIL 0.9\n"
)
FORMS = {
    "a.TextGrid": LONG,
    "b.TextGrid": SHORT,
    "c.ctm": CTM,
    "d.csv": "start,end,phone\n0,0.3,sil\n0.3,0.38,b\n0.38,0.5,iː\n0.5,0.75,sil\n",
    "e.csv": "Begin,End,Label,Type,Speaker\n0.3,0.5,bee,words,x\n0,0.3,sil,phones,x\n0.3,0.38,B,phones,x\n0.38,0.5,IY1,phones,x\n0.5,0.75,spn,phones,x\n",
    "f.csv": "0;0.3;sil\n0.3;0.38;b\n0.38;0.5;i\n0.5;0.75;sil\n",
    "g.json": json.dumps([[0, 0.3, "sil"], [0.3, 0.38, "b"], [0.38, 0.5, "i"], [0.5, 0.75, "sil"]]),
    "h.json": json.dumps({"phones": [{"start": 0, "end": 0.3, "phone": ""}, {"start": 0.3, "end": 0.38, "phone": "B"},
                                     {"start": 0.38, "end": 0.5, "phone": "IY"}, {"start": 0.5, "end": 0.75, "phone": "sil"}]}),
    "i.json": json.dumps({"b": 0, "d": 0.75, "t": "bee", "w": [{"b": 0.0, "d": 0.3, "t": "SIL"}, {"b": 0.3, "d": 0.2, "t": "bee", "w": [
        {"b": 0.3, "d": 0.08, "t": "B"}, {"b": 0.38, "d": 0.12, "t": "IY"}]}, {"b": 0.5, "d": 0.25, "t": "SIL"}]}),
    "j.json": json.dumps({"start": 0, "tiers": {"words": {"entries": [[0.3, 0.5, "bee"]]}, "phones": {"type": "interval", "entries": [
        [0, 0.3, ""], [0.3, 0.38, "B"], [0.38, 0.5, "IY1"], [0.5, 0.75, ""]]}}}),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le"])
def test_every_form_says_the_same(name: str, encoding: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_bytes(FORMS[name].encode(encoding))
    found = read_timings(path)
    assert [span.symbol for span in found] == [span.symbol for span in WANTED]
    for one, other in zip(found, WANTED, strict=True):
        assert (one.start, one.end) == pytest.approx((other.start, other.end))


@pytest.mark.parametrize("form", ["long_textgrid", "short_textgrid"])
def test_praatio_writes_what_is_read(
    form: Literal["long_textgrid", "short_textgrid"], tmp_path: Path
) -> None:
    entries = [(0, 0.1, ""), (0.1, 0.25, 'a "b"'), (0.25, 1.5, "ʃ")]
    grid = praatio.textgrid.Textgrid()
    grid.addTier(praatio.textgrid.PointTier("marks", [(0.2, "here")], 0, 1.5))
    grid.addTier(praatio.textgrid.IntervalTier("phones", entries, 0, 1.5))
    grid.save(str(tmp_path / "x.TextGrid"), form, includeBlankSpaces=True)
    assert read_labels(tmp_path / "x.TextGrid") == tuple(TimedLabel(*entry) for entry in entries)


def test_cmu_phones_in_any_case_and_ipa_are_told_apart() -> None:
    assert [
        s.symbol
        for s in to_spans([TimedLabel(0, 1, "ah0"), TimedLabel(1, 2, "th"), TimedLabel(2, 3, "r")])
    ] == ["ʌ", "θ", "ɹ"]
    assert [
        s.symbol
        for s in to_spans([TimedLabel(0, 1, "tʃʰ"), TimedLabel(1, 2, "aː"), TimedLabel(2, 3, "r")])
    ] == ["tʃ", "a", "r"]
    assert [s.symbol for s in to_spans([TimedLabel(0, 1, "AY")])] == ["a", "ɪ"]


def test_what_is_not_understood_keeps_its_time() -> None:
    assert to_spans([TimedLabel(0.1, 0.2, "@@7")]) == (PhoneSpan(0.1, 0.2, UNKNOWN),)


BROKEN = {
    "x.TextGrid": "no grid at all",
    "y.TextGrid": SHORT[:140],
    "z.TextGrid": (
        SHORT.replace('"phones"', '"silly"') + '"IntervalTier"\n"other"\n0\n1\n1\n0\n1\n"a"\n'
    ),
    "w.TextGrid": SHORT.replace("0.38", "-0.38"),
    "v.TextGrid": LONG[: LONG.rindex("intervals [4]")],
    "x.ctm": "rec 1 zero one B\n",
    "x.csv": "a,b\n1,2\n",
    "x.json": "[[0.1, 0.2",
    "y.json": json.dumps([[0.3, 0.1, "b"]]),
    "z.json": json.dumps([[0.0, 0.4, "b"], [0.2, 0.6, "i"]]),
    "u.json": json.dumps([]),
    "v.json": "[" * 5000,
    "x.txt": "hello",
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_used_is_a_typed_error(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(BROKEN[name])
    with pytest.raises(AssetError):
        read_labels(tmp_path / name)


def test_a_missing_file_and_foreign_bytes(tmp_path: Path) -> None:
    with pytest.raises(AssetError, match="does not exist"):
        read_labels(tmp_path / "none.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xe9\xe8,1,2\n")
    with pytest.raises(AssetError, match="UTF"):
        read_labels(tmp_path / "bytes.csv")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=80), st.sampled_from([".TextGrid", ".ctm", ".json", ".csv"]))
def test_damage_is_a_typed_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, ending: str
) -> None:
    path = tmp_path_factory.mktemp("damage") / f"x{ending}"
    path.write_bytes(data)
    try:
        read_timings(path)
    except AssetError:
        pass


def damaged_timings() -> dict[str, bytes]:
    grid = '"ooTextFile" "TextGrid" 0 1 <exists> 1 "IntervalTier" "phones" 0 1 {} 0 1 "a"'
    return {
        "huge.json": b'[{"start": 1' + b"0" * 400 + b', "end": 2, "phone": "a"}]',
        "lacks.json": b'{"phones": [{"end": 0.8, "phone": "a"}]}',
        "tiers.json": b'{"tiers": {"phones": [1]}}',
        "deep.json": b"[" * 100_000,
        "null.json": b"null",
        "backwards.TextGrid": grid.format("-2").encode(),
        "endless.TextGrid": grid.format("1e300").encode(),
        "infinite.TextGrid": grid.format("1e999").encode(),
        "empty.csv": b"",
        "infinite.ctm": b"a 1 inf inf a",
    }


@pytest.mark.parametrize(("name", "data"), damaged_timings().items())
def test_numbers_in_a_file_drive_nothing(tmp_path: Path, name: str, data: bytes) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(AssetError) as caught:
        read_timings(tmp_path / name)
    assert len(str(caught.value)) < 400
