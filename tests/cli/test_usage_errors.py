"""What the parser of the command line refuses is one line, as every other refusal is."""

from __future__ import annotations

import pytest

from motet.cli import main


@pytest.mark.parametrize(
    ("line", "parts"),
    [
        ("dub", ("motet dub needs PATH (The video", "--person PATH (Folder made by `motet fit`)")),
        ("fit demo.flac", ("motet fit needs -o PATH, --out PATH", "see 'motet fit --help'")),
        ("data import", ("motet data import needs", "see 'motet data import --help'")),
        ("run a.wav --sed 3", ("--sed", "perhaps you meant --seed;")),
        ("run a.wav --seed x", ("--seed", "'x'", "see 'motet run --help'")),
        ("run a.wav --size", ("--size",)),
        ("weights", ("list, verify",)),
        ("live --foo", ("--foo",)),
    ],
)
def test_one_line_that_says_what_is_wrong(
    line: str, parts: tuple[str, ...], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(line.split()) == 2
    error = capsys.readouterr().err
    assert len(error.splitlines()) == 1 and "─" not in error and "│" not in error
    for part in parts:
        assert part in error


def test_help_is_still_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "--help"]) == 0
    assert "--figure" in capsys.readouterr().out
