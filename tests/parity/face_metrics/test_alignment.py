"""Key frames and phone times against the recorded alignment of three LibriVox sentences."""

from __future__ import annotations

import pytest

from motet.methods.kmtalk.keys import key_frames
from motet.phonetics.phones import PhoneSpan
from tests.parity.face_metrics.conftest import SET, facts

UTTERANCES = range(len(SET.cases("alignment_expected", "utterances")))


def segments(utterance: int) -> list[tuple[str, float, float]]:
    rows = facts("alignment_expected")["utterances"][utterance]["segments_word_phone_start_end"]
    return [(phone, max(0.0, start), end) for _, phone, start, end in rows if end > 0]


@pytest.mark.parametrize("utterance", UTTERANCES)
def test_key_frames_of_given_segments(utterance: int) -> None:
    spans = [
        PhoneSpan(start, end, "sil" if phone in ("SIL", "+SPN+", "+NSN+") else "a")
        for phone, start, end in segments(utterance)
    ]
    rates = facts("alignment_expected")["utterances"][utterance]["key_frames"]
    assert rates
    for fps, expected in rates.items():
        keys = key_frames(spans, expected["n_frames"], int(fps), gaps=False)
        assert list(keys.frames) == expected["index"], fps


@pytest.mark.parametrize("utterance", UTTERANCES)
def test_times_of_the_aligner(utterance: int) -> None:
    pytest.importorskip("pocketsphinx")
    from motet.evaluation.held_out import load_held_out
    from motet.phonetics.alignment import Aligner

    known = facts("alignment_expected")["utterances"][utterance]
    clip = next(c for c in load_held_out().clips if c.name in known["file"])
    found = [
        (p.label, p.start_s, p.end_s)
        for p in Aligner().align(clip.audio, known["text"])
        if p.label != "SIL"
    ]
    expected = [row for row in segments(utterance) if row[0] != "SIL"]
    assert [row[0] for row in found] == [row[0] for row in expected]
    assert (
        max(
            abs(a - b)
            for one, other in zip(found, expected, strict=True)
            for a, b in zip(one[1:], other[1:], strict=True)
        )
        <= 0.0101
    )
