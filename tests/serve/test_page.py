"""The built page of the studio: small, complete, and without anything from outside."""

from __future__ import annotations

import gzip
import json
import re
from pathlib import Path

import pytest

from motet.rigs.house import load_house
from motet.rigs.house.figure import NECK_SHARE
from motet.types import ARKIT_SHAPES

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "src" / "motet" / "serve" / "page"
FIRST_LOAD, ALL, PLAYER = 260_000, 400_000, 6_000
"""Bytes as they are sent, compressed."""
AT_FIXED_NAMES = {
    "index.html",
    "player.js",
    "talk.js",
    "capture.js",
    "favicon.svg",
    "licences.txt",
    "demo.flac",
}
APART = ("player.js", "capture.js", "talk.js")
"""Not of the page: for other pages, for the microphone, and inside pages that `motet` writes."""
LAZY = re.compile(r"three-vrm|meshopt|BodyTab|LiveTab|PersonTab")
"""Chunks that are fetched when something is used for the first time."""
TEXT = (".js", ".css", ".html", ".svg")


def built_files() -> dict[str, Path]:
    return {
        path.relative_to(PAGE).as_posix(): path
        for path in PAGE.rglob("*")
        if path.is_file() and path.suffix != ".gz"
    }


def sent(path: Path) -> int:
    packed = path.with_name(f"{path.name}.gz")
    return (packed if packed.is_file() else path).stat().st_size


def code_and_fonts() -> dict[str, int]:
    return {
        name: sent(path)
        for name, path in built_files().items()
        if path.suffix in (*TEXT, ".woff2") and name not in APART
    }


def test_the_first_load_is_small() -> None:
    first = {name: size for name, size in code_and_fonts().items() if not LAZY.search(name)}
    assert sum(first.values()) <= FIRST_LOAD, first


def test_the_whole_page_is_small() -> None:
    assert sum(code_and_fonts().values()) <= ALL


def test_the_player_is_small_and_needs_nothing() -> None:
    player = PAGE / "player.js"
    assert sent(player) <= PLAYER
    assert not re.search(r"\bimport\b[^.(]", player.read_text())


def test_text_files_are_there_compressed_too() -> None:
    for path in built_files().values():
        if path.suffix in TEXT:
            packed = path.with_name(f"{path.name}.gz")
            assert gzip.decompress(packed.read_bytes()) == path.read_bytes(), path.name


def test_every_built_file_is_referenced() -> None:
    texts = [path.read_text() for path in built_files().values() if path.suffix in TEXT]
    for name in built_files().keys() - AT_FIXED_NAMES:
        assert any(Path(name).name in text for text in texts), name


def test_every_reference_of_the_index_exists() -> None:
    index = (PAGE / "index.html").read_text()
    references = re.findall(r'(?:src|href)="/([^"]+)"', index)
    assert len(references) >= 3
    assert not [name for name in references if not (PAGE / name).is_file()]


def test_the_index_has_no_inline_code_or_style() -> None:
    index = (PAGE / "index.html").read_text()
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", index)


OUTSIDE = [r"""fetch\(["'`]https?:""", r"""\bsrc=["']https?:""", r"url\(https?:"]


@pytest.mark.parametrize("pattern", OUTSIDE)
def test_nothing_is_fetched_from_outside(pattern: str) -> None:
    texts = [path.read_text() for path in built_files().values() if path.suffix in TEXT]
    assert not [text[:60] for text in texts if re.search(pattern, text)]


def test_the_page_turns_neck_and_eyes_as_the_rig_does() -> None:
    page = json.loads((ROOT / "studio" / "src" / "stage" / "house_rig.json").read_text())
    assert page["neck_share"] == NECK_SHARE
    for side, joint in enumerate(("eye.L", "eye.R")):
        expected = {
            name: turn.tolist()
            for name, turn in zip(ARKIT_SHAPES, load_house().eye_turn[side], strict=True)
            if turn.abs().max() > 0
        }
        assert page["eye_turn"][joint].keys() == expected.keys()
        for name, turn in expected.items():
            assert page["eye_turn"][joint][name] == pytest.approx(turn, abs=1e-6)
