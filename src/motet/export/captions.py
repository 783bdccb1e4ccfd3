"""Captions: what is said and when, as .srt, .vtt, or drawn into pictures.

Times come from a caption file, or from the text, which is aligned with the sound
(`motet.phonetics.word_times`). Words are grouped to lines that can be read: at most 42 characters,
ending at a pause or a full stop.
"""

from __future__ import annotations

import dataclasses
import itertools
import logging
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from motet.atomic_write import write_bytes
from motet.errors import AssetError, ConfigError, InputError, require
from motet.export.options import ExportOptions
from motet.phonetics.word_times import TimedWord, joined, word_times
from motet.types import Clip

_LOG = logging.getLogger("motet.run")
MOST_CHARACTERS = 42
"""Of a line: what subtitle guidelines of broadcasters allow."""
MOST_S = 5.0
PAUSE_S = 0.35
"""Silence after which a new caption begins."""
LEAST_S = 0.6
"""A caption stays at least this long, if the next one lets it."""
_TIME = re.compile(r"(?<!\d)(?:(\d{1,4}):)?(\d{1,2}):(\d{2})[.,](\d{3})")
_ENDINGS = (".srt", ".vtt")
_MOST_BYTES = 1 << 20


@dataclasses.dataclass(frozen=True)
class Cue:
    """A caption."""

    start_s: float
    end_s: float
    text: str


def write(clip: Clip, path: Path, options: ExportOptions) -> None:
    """Write captions; the text is that of the options, else the take's own.

    Raises:
        ConfigError: there is no text.
        InputError: the take has no sound, or the text no words.
    """
    cues = cues_of(clip, options.picture.captions)
    is_vtt = path.suffix.lower() == ".vtt"
    write_bytes(path, (vtt(cues) if is_vtt else srt(cues)).encode("utf-8"))
    frames = clip.motion.frames if clip.motion is not None else 0
    options.report(frames)


def srt(cues: Sequence[Cue]) -> str:
    """Captions as SubRip."""
    blocks = (
        f"{number}\n{_clock(cue.start_s, ',')} --> {_clock(cue.end_s, ',')}\n{cue.text}\n"
        for number, cue in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def vtt(cues: Sequence[Cue]) -> str:
    """Captions as WebVTT."""
    blocks = (
        f"{_clock(cue.start_s, '.')} --> {_clock(cue.end_s, '.')}\n{_escaped(cue.text)}\n"
        for cue in cues
    )
    return "WEBVTT\n\n" + "\n".join(blocks)


def cues_of(clip: Clip, captions: str) -> list[Cue]:
    """Captions of a clip.

    Args:
        captions: text, a .txt file with it, or a .srt or .vtt file; empty: the take's own text.

    Raises:
        ConfigError: there is no text.
        AssetError: a file that cannot be read.
        InputError: the clip has no sound, or the text no words.
    """
    if captions.lower().endswith(_ENDINGS):
        cues = read_cues(Path(captions))
        late = [cue.start_s for cue in cues if clip.motion and cue.start_s > clip.motion.seconds]
        if late:
            message = "%s: %d of %d captions begin after the end of the take (%.2f s)"
            _LOG.warning(message, captions, len(late), len(cues), clip.motion.seconds)
        return cues
    text = _text(captions) or str(dict(clip.provenance.get("options") or {}).get("text", ""))
    text = _text(text)
    if not text:
        raise ConfigError(
            "captions need what is said: give --captions TEXT, a .txt file, or .srt or .vtt"
        )
    if clip.audio is None:
        raise InputError("captions are timed by the sound, the take has none; give --audio FILE")
    return lines_of(word_times(clip.audio.load(), text))


def _text(captions: str) -> str:
    if not captions.lower().endswith(".txt"):
        return " ".join(captions.split())
    path = Path(captions)
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise AssetError(f"{path} is larger than a text; give the transcript alone")
        return " ".join(path.read_text(encoding="utf-8").split())
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"{path} is not a text file that can be read; save it as UTF-8") from error


def lines_of(words: Sequence[TimedWord]) -> list[Cue]:
    """Words grouped to captions. What is said without a pause is divided into lines of about the
    same length, so that no word is left alone.
    """
    cues = [
        Cue(line[0].start_s, line[-1].end_s, joined([word.text for word in line]))
        for phrase in _phrases(words)
        for line in _divided(phrase)
    ]
    return [_readable(cue, following) for cue, following in _pairs(cues)]


def _phrases(words: Sequence[TimedWord]) -> list[list[TimedWord]]:
    """Words up to a pause or the end of a sentence."""
    phrases: list[list[TimedWord]] = []
    for word in words:
        ended = phrases and (
            word.start_s - phrases[-1][-1].end_s > PAUSE_S
            or phrases[-1][-1].text.endswith((".", "!", "?", "。", "！", "？"))
        )
        if ended or not phrases:
            phrases.append([])
        phrases[-1].append(word)
    return phrases


def _divided(phrase: list[TimedWord]) -> list[list[TimedWord]]:
    """The fewest lines that can be read, as equal as the words allow."""
    for count in range(1, len(phrase)):
        lines = _equal_lines(phrase, count)
        if all(_is_short(line) for line in lines):
            return lines
    return [[word] for word in phrase]


def _equal_lines(phrase: list[TimedWord], count: int) -> list[list[TimedWord]]:
    lengths = np.cumsum([len(word.text) + 1 for word in phrase])
    # The middle of a word decides in which line it stands.
    middles = lengths - 0.5 * np.diff(lengths, prepend=0)
    number = np.minimum((count * middles / lengths[-1]).astype(int), count - 1)
    lines = [[w for w, k in zip(phrase, number, strict=True) if k == n] for n in range(count)]
    return [line for line in lines if line]


def _is_short(line: Sequence[TimedWord]) -> bool:
    length = len(joined([word.text for word in line]))
    return length <= MOST_CHARACTERS and line[-1].end_s - line[0].start_s <= MOST_S


def _pairs(cues: Sequence[Cue]) -> Iterator[tuple[Cue, Cue | None]]:
    yield from itertools.zip_longest(cues, cues[1:])


def _readable(cue: Cue, following: Cue | None) -> Cue:
    end = max(cue.end_s, cue.start_s + LEAST_S)
    limit = end if following is None else max(cue.end_s, following.start_s)
    return dataclasses.replace(cue, end_s=min(end, limit))


def read_cues(path: Path) -> list[Cue]:
    """Captions from a .srt or .vtt file.

    Raises:
        AssetError: it cannot be read, or holds none.
    """
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise AssetError(f"{path} is larger than 1 MB and is not read as captions")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AssetError(f"{path} cannot be read as captions; save it as UTF-8") from error
    cues = []
    for block in re.split(r"\r?\n\s*\r?\n", text):
        rows = [row.strip() for row in block.strip().splitlines()]
        at = next((n for n, row in enumerate(rows) if "-->" in row), None)
        times = _TIME.findall(rows[at]) if at is not None else []
        if at is None or len(times) < 2:
            continue
        words = re.sub(r"<[^>]*>", "", " ".join(rows[at + 1 :])).strip()
        if words:
            cues.append(Cue(_seconds(times[0]), _seconds(times[1]), words))
    if not cues:
        raise AssetError(
            f"{path} holds no captions: times are written 00:00:01,000 --> 00:00:02,000"
        )
    return cues


def _seconds(parts: tuple[str, ...]) -> float:
    hours, minutes, seconds, thousandths = (int(part or 0) for part in parts)
    return 3600 * hours + 60 * minutes + seconds + thousandths / 1000


def _clock(seconds: float, point: str) -> str:
    whole, thousandths = divmod(round(1000 * seconds), 1000)
    return f"{whole // 3600:02d}:{whole // 60 % 60:02d}:{whole % 60:02d}{point}{thousandths:03d}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def with_captions(
    pictures: Iterator[UInt8[np.ndarray, "height width channels"]],
    fps: float,
    cues: Sequence[Cue],
) -> Iterator[UInt8[np.ndarray, "height width channels"]]:
    """Pictures with captions near their lower edge: white letters with a dark outline.

    Raises:
        MissingDependency: Pillow is not installed.
    """
    require("PIL", "captions")
    drawn: tuple[Cue, np.ndarray] | None = None
    for number, picture in enumerate(pictures):
        now = number / fps
        cue = next((cue for cue in cues if cue.start_s <= now < cue.end_s), None)
        if cue is None:
            yield picture
            continue
        if drawn is None or drawn[0] is not cue:
            drawn = cue, _lettering(cue.text, picture.shape[1], picture.shape[0])
        yield _over(picture, drawn[1])


def _lettering(text: str, width: int, height: int) -> UInt8[np.ndarray, "height width 4"]:
    from PIL import Image, ImageDraw, ImageFont

    layer = Image.new("RGBA", (width, height), (0, 0, 0, 0))
    size = max(12, round(min(0.05 * height, 0.062 * width)))
    font = ImageFont.load_default(size)
    draw = ImageDraw.Draw(layer)
    rows = _wrapped(text, lambda row: draw.textlength(row, font=font) <= 0.88 * width)
    step = round(1.3 * size)
    top = round(0.93 * height) - step * len(rows)
    for row, line in enumerate(rows):
        anchor = width / 2, top + row * step
        draw.text(
            anchor, line, font=font, fill="white", anchor="mt", stroke_width=max(1, size // 12),
            stroke_fill=(0, 0, 0, 200),
        )  # fmt: skip
    return np.asarray(layer)


def _wrapped(text: str, fits: object) -> list[str]:
    rows: list[str] = []
    for word in text.split():
        longer = f"{rows[-1]} {word}" if rows else word
        if rows and fits(longer):  # type: ignore[operator]  # a function of text
            rows[-1] = longer
        else:
            rows.append(word)
    return rows


def _over(picture: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """The letters over the picture; where it is transparent, they are opaque."""
    share = layer[..., 3:].astype(np.float32) / 255
    colour = picture[..., :3] * (1 - share) + layer[..., :3] * share
    result = picture.copy()
    result[..., :3] = np.round(colour).astype(np.uint8)
    if picture.shape[2] == 4:
        result[..., 3] = np.maximum(picture[..., 3], layer[..., 3])
    return result
