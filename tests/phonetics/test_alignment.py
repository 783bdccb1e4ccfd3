"""Phone times: against recorded ones of the same aligner, and the ways in which it refuses."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from motet.errors import AudioError, InputError
from motet.phonetics.alignment import (
    Aligner,
    AlignmentFailed,
    Phone,
    PhoneLoop,
    UnknownWords,
    normalise_text,
    spoken,
)
from motet.types import Audio
from tests.parity.fixture_set import FixtureSet

pytest.importorskip("pocketsphinx")
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def aligner() -> Aligner:
    return Aligner()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("Don’t, STOP!", ["don't", "stop"]),
        ("  a-b\n3 ", ["a", "b", "three"]),
        ("the dogs' tails", ["the", "dogs'", "tails"]),
    ],
)
def test_text_becomes_plain_words(text: str, words: list[str]) -> None:
    assert normalise_text(text) == words


def test_unknown_words_are_named_once_each(aligner: Aligner) -> None:
    with pytest.raises(UnknownWords, match="qqxz, vvbn") as caught:
        aligner.align(Audio.mono(torch.zeros(16000), 16000), "the qqxz of vvbn qqxz")
    assert caught.value.words == ("qqxz", "vvbn")


@pytest.mark.parametrize(("audio", "text", "error"), [
    (Audio.mono(torch.zeros(8000), 8000), "hello", AudioError),
    (Audio(torch.zeros(2, 16000), 16000, "stereo"), "hello", AudioError),
    (Audio.mono(torch.zeros(2, 16000), 16000), "hello", AudioError),
    (Audio.mono(torch.zeros(16000), 16000), " ?! ", AlignmentFailed),
    (Audio.mono(torch.zeros(160), 16000), "a text much too long for ten milliseconds of sound, far too long to be laid over it", AlignmentFailed),
])  # fmt: skip
def test_bad_input_is_refused(
    aligner: Aligner, audio: Audio, text: str, error: type[Exception]
) -> None:
    with pytest.raises(error):
        aligner.align(audio, text)


@pytest.mark.parametrize("phones", ["", "B L AH1", "b l ah"])
def test_a_pronunciation_must_be_made_of_phones(aligner: Aligner, phones: str) -> None:
    with pytest.raises(InputError, match="CMU phones"):
        aligner.align(Audio.mono(torch.zeros(16000), 16000), "blah", {"blah": phones})


def test_phones_of_one_kind() -> None:
    phones = [Phone("M", 0.1, 0.2, "me"), Phone("IY", 0.2, 0.4, "me"), Phone("B", 0.4, 0.45, "be")]
    assert spoken(phones, "PBM") == [(0.1, 0.2), (0.4, 0.45)]


def test_a_loop_over_silence_is_silence() -> None:
    phones = PhoneLoop().recognise(Audio.mono(torch.zeros(16000), 16000))
    assert {phone.label for phone in phones} <= {"SIL"}


def _librivox() -> Path | None:
    """The recordings of the Debian package `pocketsphinx-testdata`, from MOTET_LIBRIVOX or where
    the package puts them."""
    folder = Path(os.environ.get("MOTET_LIBRIVOX", "/usr/share/pocketsphinx/test/data/librivox"))
    return folder if folder.is_dir() else None


def test_the_recorded_phone_times_come_out(aligner: Aligner) -> None:
    import soundfile

    recordings = _librivox()
    compact = ROOT / "src" / "motet" / "data" / "librivox"
    for utterance in FixtureSet("face_metrics").facts("alignment_expected")["utterances"]:
        number = Path(utterance["file"]).stem.rpartition("-")[2]
        path = recordings / utterance["file"] if recordings else compact / f"{number}.flac"
        samples, rate = soundfile.read(path, dtype="float32")
        found = aligner.align(Audio.mono(torch.from_numpy(samples), rate), utterance["text"])
        expected = [row for row in utterance["segments_word_phone_start_end"] if row[3] > 0]
        assert [phone.label for phone in found] == [row[1] for row in expected]
        for phone, (word, _, start, end) in zip(found, expected, strict=True):
            assert phone.word == ("" if phone.label == "SIL" else word.partition("(")[0])
            assert abs(phone.start_s - max(start, 0.0)) <= 0.0101
            assert abs(phone.end_s - min(end, utterance["duration_s"])) <= 0.0101
