"""Mandarin from pinyin and Japanese from kana to the IPA letters of Kokoro."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TONES = {"1": "→", "2": "↗", "3": "↓", "4": "↘", "5": ""}
_INITIALS = {
    "zh": "ꭧ", "ch": "ꭧʰ", "sh": "ʂ", "b": "p", "c": "ʦʰ", "d": "t", "f": "f", "g": "k", "h": "x",
    "j": "ʨ", "k": "kʰ", "l": "l", "m": "m", "n": "n", "p": "pʰ", "q": "ʨʰ", "r": "ɻ", "s": "s",
    "t": "tʰ", "x": "ɕ", "z": "ʦ",
}  # fmt: skip
_FINALS = {
    "a": "a0", "ai": "ai0", "an": "a0n", "ang": "a0ŋ", "ao": "au0", "e": "ɤ0", "ei": "ei0",
    "en": "ə0n", "eng": "ə0ŋ", "er": "ɚ0", "i": "i0", "ia": "ja0", "ian": "jɛ0n", "iang": "ja0ŋ",
    "iao": "jau0", "ie": "je0", "in": "i0n", "iu": "jou0", "ing": "i0ŋ", "iong": "jʊ0ŋ",
    "ong": "ʊ0ŋ", "ou": "ou0", "u": "u0", "ui": "wei0", "ua": "wa0", "uai": "wai0", "uan": "wa0n",
    "un": "wə0n", "uang": "wa0ŋ", "ueng": "wə0ŋ", "uo": "wo0", "o": "wo0", "ü": "y0", "üe": "ɥe0",
    "üan": "ɥɛ0n", "ün": "y0n",
}  # fmt: skip
_GLIDES = {
    "yi": "i", "ya": "ia", "yan": "ian", "yang": "iang", "yao": "iao", "ye": "ie", "yin": "in",
    "you": "iu", "ying": "ing", "yong": "iong", "yu": "ü", "yue": "üe", "yuan": "üan", "yun": "ün",
    "wu": "u", "wa": "ua", "wai": "uai", "wan": "uan", "wang": "uang", "wei": "ui", "wen": "un",
    "weng": "ueng", "wo": "uo",
}  # fmt: skip
_SYLLABLE = re.compile(r"([a-zü]+?)(r?)([1-5])")


def pinyin_ipa(text: str) -> str:
    """Pinyin with tone numbers; words stay divided, their syllables are joined.

    Raises:
        KeyError: no syllable of Mandarin.
    """
    return re.sub(r"[a-zü]+r?[1-5]", lambda m: _syllable(m[0]), text)


def _syllable(written: str) -> str:
    body, tone = written[:-1], _TONES[written[-1]]
    erised = body.endswith("r") and body != "er"
    body = body[:-1] if erised else body
    initial = next((i for i in _INITIALS if body.startswith(i)), "")
    final = _GLIDES[body] if body in _GLIDES else body[len(initial) :]
    if initial in ("j", "q", "x") and final.startswith("u"):
        final = "ü" + final[1:]
    sound = "ɨ0" if final == "i" and initial in _BUZZING else _FINALS[final]
    return _INITIALS.get(initial, "") + sound.replace("0", tone) + ("ɻ" if erised else "")


_BUZZING = ("zh", "ch", "sh", "r", "z", "c", "s")
_ROWS: Mapping[str, str] = {
    "あいうえお": "a i ɯ e o", "かきくけこ": "ka kʲi kɯ ke ko", "がぎぐげご": "ɡa ɡʲi ɡɯ ɡe ɡo",
    "さしすせそ": "sa ɕi sɨ se so", "ざじずぜぞ": "ʣa ʥi zɨ ʣe ʣo", "たちつてと": "ta ʨi ʦɨ te to",
    "だぢづでど": "da ʥi zɨ de do", "なにぬねの": "na ɲi nɯ ne no", "はひふへほ": "ha çi ɸɯ he ho",
    "ばびぶべぼ": "ba bʲi bɯ be bo", "ぱぴぷぺぽ": "pa pʲi pɯ pe po",
    "まみむめも": "ma mʲi mɯ me mo", "やゆよ": "ja jɯ jo", "らりるれろ": "ɾa ɾʲi ɾɯ ɾe ɾo",
    "わを": "βa o", "。、？！": ". , ? !",
}  # fmt: skip
_KANA = {k: s for row, sounds in _ROWS.items() for k, s in zip(row, sounds.split(), strict=True)}
_SMALL = {"ゃ": "a", "ゅ": "ɨ", "ょ": "o"}
_KEEPS_GLIDE = "kɡbpmɾ"


def kana_ipa(text: str) -> str:
    """Kana with spaces between words.

    Raises:
        KeyError: a sign that is no kana.
    """
    out: list[str] = []
    for sign in text:
        if sign in _SMALL:
            out[-1] = out[-1].removesuffix("i") + _SMALL[sign]
        elif sign == "ー" or (sign == "う" and out and out[-1][-1] in "oɯɨ"):
            out.append("ː")
        else:
            out.append({"ん": "ɴ", "っ": "ʔ", " ": " "}.get(sign) or _KANA[sign])
    sound = _moraic("".join(out)).replace("？", "?")
    return re.sub(r" ?([.,?!])", r"\1 ", sound).strip()


def _moraic(sound: str) -> str:
    """The nasal before what follows: m before b, p, m; ŋ before k; n before t, d, n, s, z."""
    for following, nasal in (("pbm", "m"), ("kɡ", "ŋ"), ("tdnʦʣʨʥɲɾzsɕ", "n")):
        sound = re.sub(rf"ɴ(?=[ ]?[{following}])", nasal, sound)
    return sound
