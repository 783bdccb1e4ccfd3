"""`motet methods`: what there is, and every option with its meaning."""

from __future__ import annotations

import dataclasses
import re

import pytest

from docs.hooks import method_options
from motet.cli import main
from motet.methods import find_methods
from motet.option_text import options_of
from tests.docs.pages import ROOT

OWN = [name for name, spec in find_methods().items() if spec.method.startswith("motet.")]


def test_all_methods_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods"]) == 0
    printed = capsys.readouterr().out
    assert [line.split()[0] for line in printed.splitlines()[:-1]] == list(find_methods())


@pytest.mark.parametrize("name", OWN)
def test_every_option_is_explained(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", name]) == 0
    printed, table = capsys.readouterr().out, method_options(name, "")
    condition = find_methods()[name].condition_type()
    options = options_of(condition)
    assert [option.name for option in options] == [f.name for f in dataclasses.fields(condition)]
    for option in options:
        assert option.meaning, option.name
        assert f"  {option.name} = " in printed and option.meaning in printed
        assert f"| `{option.name}` |" in table


def test_an_unknown_method_names_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["methods", "artalc"]) == 2
    assert "artalk" in capsys.readouterr().err


@pytest.mark.parametrize("name", OWN)
def test_the_page_of_a_method_shows_its_options_once(name: str) -> None:
    page = (ROOT / "docs" / "methods" / f"{name}.md").read_text()
    assert re.findall(r"<!-- include: OPTIONS (\w+) -->", page) == [name]
