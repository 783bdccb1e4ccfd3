"""The recipe that makes speech with the voices of Kokoro: texts, letters, timing, resuming."""

from __future__ import annotations

import itertools
import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("soundfile")
from recipes.speech import kokoro54
from recipes.speech.packages import SpeechPackages
from recipes.speech_kokoro.english import English, own_words
from recipes.speech_kokoro.generate import generate
from recipes.speech_kokoro.grammar import grammar
from recipes.speech_kokoro.numbers import NUMBERS, cardinal, ordinal
from recipes.speech_kokoro.pack import pack
from recipes.speech_kokoro.plan import Job, jobs
from recipes.speech_kokoro.store import Store
from recipes.speech_kokoro.syllables import kana_ipa, pinyin_ipa
from recipes.speech_kokoro.synthesis import Speech
from recipes.speech_kokoro.timing import FRAME_S, LAG_S, phones_of, timed_phones
from recipes.speech_kokoro.voices import ENGLISH, OTHERS, VALIDATION

LANGUAGES = ("en", *OTHERS)
# every letter of the model's vocabulary that its languages use
LETTERS = "AIOQTWYabdefhijklmnoprstuvwxyzæçðøŋœɐɑɒɔɕəɚɛɜɟɡɣɨɪɯɲɴɸɹɻɽɾʁʂʃʈʊʋʌʎʒʝʣʤʥʦʧʨθχᵊᵻβɖɤʔꭧc"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_rule_of_a_grammar_is_there(language: str) -> None:
    rules = grammar(language).rules
    slots = {
        s for choices in rules.values() for c in choices for s in re.findall(r"\{(#?\w+)\}", c)
    }
    assert {s for s in slots if not s.startswith("#")} <= set(rules)
    assert {s[1:] for s in slots if s.startswith("#")} <= set(NUMBERS)
    kinds = {"statement", "question", "number", "reply", "long", "exclaim", "bilabial"}
    assert kinds <= set(grammar(language).kinds)


def test_jobs_are_the_same_each_time_and_varied() -> None:
    first = list(itertools.islice(jobs(54), 600))
    assert first == list(itertools.islice(jobs(54), 600))
    assert first[:50] != list(itertools.islice(jobs(55), 50))
    assert len({job.text for job in first}) > 540
    assert len({w for job in first for w in job.text.lower().split()}) > 1500


def test_every_prefix_is_balanced() -> None:
    first = list(itertools.islice(jobs(54), 200))
    single = Counter(job.speaker.name for job in first)
    assert set(ENGLISH) <= set(single)
    assert max(single[v] for v in ENGLISH) - min(single[v] for v in ENGLISH) <= 1
    kinds = Counter(job.kind for job in first if job.speaker.language == "en")
    assert set(kinds) == set(grammar("en").kinds)
    assert max(kinds.values()) - min(kinds.values()) <= 1
    assert {job.speaker.language for job in first} == set(LANGUAGES)
    assert 0.28 <= sum(job.pace == "fast" for job in first) / 200 <= 0.32


def test_voices_kept_out_are_in_no_blend() -> None:
    for job in itertools.islice(jobs(54), 1000):
        voices = set(job.speaker.weights)
        assert job.speaker.split == "train" or len(voices) == 1
        assert (job.speaker.split == "validation") == bool(voices & VALIDATION)
        assert sum(job.speaker.weights.values()) == pytest.approx(1)


def test_numbers_as_words() -> None:
    assert cardinal(94_013) == "ninety four thousand thirteen"
    assert (ordinal(12), ordinal(31), ordinal(20)) == ("twelfth", "thirty first", "twentieth")


def test_english_words_in_context() -> None:
    words = {"apple": "ˈæpᵊl", "stop": "stˈɑp", "copy": "kˈɑpi", "ice": "ˈIs", "butter": "bˈʌɾəɹ"}
    us = English({**words, "water": "wˈɔɾəɹ"}, "us")
    assert us.ipa("The apple, the butter.") == "ði ˈæpᵊl, ðə bˈʌTəɹ."
    assert us.word("stopped") == "stˈɑpt"
    assert us.word("copies") == "kˈɑpiz"
    assert us.word("copying") == "kˈɑpiɪŋ"
    assert English({"better": "bˈɛtə", **words}, "gb").ipa("better ice") == "bˈɛtəɹ ˈIs"
    with pytest.raises(KeyError):
        us.ipa("xyzzy")


def test_pinyin_and_kana() -> None:
    assert pinyin_ipa("ni3 hao3, wo3 xue2 ji1dan4") == "ni↓ xau↓, wo↓ ɕɥe↗ ʨi→ta↘n"
    assert kana_ipa("きっぷ と しゃしん。") == "kʲiʔpɯ to ɕaɕiɴ."
    assert kana_ipa("がっこう") == "ɡaʔkoː"


@pytest.mark.parametrize("read", [("zh", pinyin_ipa), ("ja", kana_ipa)], ids=["zh", "ja"])
def test_every_syllable_of_the_texts_is_read(read: tuple) -> None:
    language, ipa = read
    for choices in grammar(language).rules.values():
        for text in choices:
            ipa(re.sub(r"\{\w+\}", "", text).lower())


def test_every_letter_has_a_phone() -> None:
    for language, letter in itertools.product(LANGUAGES, LETTERS):
        assert phones_of(letter, language)
    for sound in own_words().values():
        assert all(phones_of(c, "en") for c in sound if c not in "ˈˌ")


def test_phones_cover_the_sound_without_gaps() -> None:
    letters = list("ðə bˈɪɡ, æ")
    phones = timed_phones(letters, [12, 2, 2, 1, 3, 1, 4, 3, 5, 2, 6, 4], "en")
    assert [p[2] for p in phones] == ["sil", "ð", "ə", "b", "ɪ", "ɡ", "sil", "æ", "sil"]
    assert all(a[1] == pytest.approx(b[0]) for a, b in itertools.pairwise(phones))
    assert phones[0][0] == 0 and phones[-1][1] == pytest.approx(45 * FRAME_S)
    assert phones[1][0] == pytest.approx(12 * FRAME_S - LAG_S)


def test_length_and_tone_belong_to_the_vowel() -> None:
    phones = timed_phones(list("ɡaʔkoː→"), [4, 1, 2, 3, 1, 2, 2, 1, 4], "ja")
    assert [p[2] for p in phones] == ["sil", "ɡ", "a", "k", "o", "sil"]
    assert phones[3][1] - phones[3][0] == pytest.approx(4 * FRAME_S)
    assert phones[4][1] - phones[4][0] == pytest.approx(5 * FRAME_S)


def _speak(job: Job) -> Speech:
    chance = np.random.default_rng(job.index)
    samples = chance.uniform(-2, 2, 2400 + 600 * (job.index % 3)).astype(np.float32)
    return Speech(samples, "ma", [2, 1, 1, job.index % 3], [(0.0, 0.1, "sil")])


def test_resuming_makes_only_what_is_missing(tmp_path: Path) -> None:
    store, hours = Store(tmp_path), 1.5 / 3600
    total = generate(store, lambda: _speak, hours, report=lambda _: None)
    assert hours <= total < hours + 0.2 / 3600
    sounds = sorted(tmp_path.glob("*/*.flac"))
    before = {s: s.stat().st_mtime_ns for s in sounds}
    sounds[1].write_bytes(b"cut")
    sounds[3].with_suffix(".json").write_text('{"half')
    (sounds[0].parent / "000999.part").write_bytes(b"killed")
    assert generate(store, lambda: _speak, hours, report=lambda _: None) == pytest.approx(total)
    again = {s: s.stat().st_mtime_ns for s in sorted(tmp_path.glob("*/*.flac"))}
    assert {s for s in again if again[s] != before.get(s)} == {sounds[1], sounds[3]}
    facts = json.loads(sounds[0].with_suffix(".json").read_text())
    assert facts["licence"].startswith("Apache-2.0") and facts["seed"] == 54


def test_what_cannot_be_read_is_left_out(tmp_path: Path) -> None:
    def speak(job: Job) -> Speech:
        if job.index == 2:
            raise KeyError("unknown")
        return _speak(job)

    said: list[str] = []
    generate(Store(tmp_path), lambda: speak, 0.5 / 3600, report=said.append)
    assert Store(tmp_path).facts(2) is None and Store(tmp_path).facts(3) is not None
    assert any("left out" in line for line in said)


def test_a_complete_folder_needs_no_synthesiser(tmp_path: Path) -> None:
    generate(Store(tmp_path), lambda: _speak, 0.3 / 3600, report=lambda _: None)

    def none() -> None:
        raise AssertionError

    generate(Store(tmp_path), none, 0.3 / 3600, report=lambda _: None)


def test_two_processes_never_share_a_folder(tmp_path: Path) -> None:
    with Store(tmp_path).lock(), pytest.raises(BlockingIOError), Store(tmp_path).lock():
        pass
    with Store(tmp_path).lock():
        pass


def test_packing_gives_a_source_of_the_corpus(tmp_path: Path) -> None:
    store = Store(tmp_path / "out")
    generate(store, lambda: _speak, 0.5 / 3600, report=lambda _: None)
    pack(store, tmp_path / "corpus", "kokoro54", 1.0)
    entries = json.loads((tmp_path / "corpus" / "kokoro54.json").read_text())
    sound = np.load(tmp_path / "corpus" / "kokoro54.audio.npy")
    assert sound.dtype == np.int16
    assert entries[-1]["offset"] + entries[-1]["samples"] == len(sound)
    assert {e["source"] for e in entries} == {"kokoro54"}
    store.folder.rename(tmp_path / "speech_kokoro54")
    read = list(kokoro54.utterances(SpeechPackages(tmp_path, tmp_path)))
    assert [u.name for u in read] == [e["name"] for e in entries]
    assert sum(len(u.samples) for u in read) == len(sound)
    assert [list(p) for p in entries[0]["phones"]] == [
        [p.start, p.end, p.symbol] for p in read[0].phones
    ]
    assert entries[0]["phones"][-1][1] == pytest.approx(entries[0]["samples"] / 16_000, abs=0.01)
