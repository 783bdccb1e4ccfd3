"""The phone inventory: consistent tables, splitting, frame labels."""

import pytest

from motet.errors import InputError
from motet.phonetics import phones


def test_every_table_leads_to_known_phones() -> None:
    for table in (phones.ARPABET, phones.FESTVOX_RUSSIAN, phones._IPA_FOLD):
        assert {symbol for parts in table.values() for symbol in parts} <= set(phones.SYMBOLS)


def test_articulation() -> None:
    assert {p.symbol for p in phones.PHONES.values() if p.is_closure} == {"p", "b", "m"}
    assert {p.symbol for p in phones.PHONES.values() if p.is_labiodental} == {"f", "v"}
    assert phones.PHONES["u"].rounding == 1.0 and phones.PHONES["i"].rounding == 0.0
    assert phones.PHONES["a"].openness > phones.PHONES["e"].openness > phones.PHONES["i"].openness
    assert phones.SYMBOLS[0] == phones.SILENCE and len(set(phones.SYMBOLS)) == len(phones.SYMBOLS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("t͡ʃʰ", ("tʃ",)),
        ("aɪ", ("a", "ɪ")),
        ("ˈuː", ("u",)),
        ("g", ("ɡ",)),
        ("ʎ", ("l", "j")),
        ("dʒ", ("dʒ",)),
    ],
)
def test_ipa(text: str, expected: tuple[str, ...]) -> None:
    assert phones.phones_of_ipa(text) == expected


def test_what_is_not_ipa_is_refused() -> None:
    with pytest.raises(InputError, match="no known IPA"):
        phones.phones_of_ipa("漢")
    with pytest.raises(InputError, match="unknown phone label"):
        phones.spans([(0, 1, "QQ")], phones.ARPABET)


def test_diphthongs_are_divided_without_gaps() -> None:
    parts = phones.spans([(0.0, 1.0, "AY"), (1.0, 1.2, "M")], phones.ARPABET)
    assert [p.symbol for p in parts] == ["a", "ɪ", "m"]
    assert parts[0].end == parts[1].start == pytest.approx(0.6) and parts[2].end == 1.2


def test_frame_labels() -> None:
    spans = (phones.PhoneSpan(0.0, 0.05, "m"), phones.PhoneSpan(0.08, 0.12, "a"))
    m, a = phones.INDEX["m"], phones.INDEX["a"]
    assert phones.frame_labels(spans, 7, 50.0) == [m, m, m, -1, a, a, -1]
