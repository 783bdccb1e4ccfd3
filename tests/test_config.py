from __future__ import annotations

import dataclasses
from typing import Literal

import pytest

from motet.config import MIGRATIONS, digest, from_json, to_json
from motet.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class Inner:
    width: int = 3
    rates: tuple[float, ...] = (1.0, 2.5)


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str
    inner: Inner = Inner()
    kind: Literal["a", "b"] = "a"
    limit: float | None = None
    SCHEMA = 2


def test_round_trip() -> None:
    config = Outer("x", Inner(4, (1.0,)), "b", 2.0)
    assert to_json(config)["schema"] == 2
    assert from_json(Outer, to_json(config)) == config
    assert digest(config) == digest(from_json(Outer, to_json(config)))
    assert digest(config) != digest(Outer("y"))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"name": "x", "iner": {}}, "did you mean 'inner'"),
        ({"name": "x", "inner": {"widht": 3}}, "did you mean 'width'"),
        ({}, "needs the settings name"),
        ({"name": 3}, "must be str"),
        ({"name": "x", "kind": "c"}, "one of 'a', 'b'"),
        ({"name": "x", "inner": {"width": True}}, "must be int"),
        ({"name": "x", "inner": {"rates": 3}}, "must be a list"),
        ({"name": "x", "schema": 3}, "newer"),
        ({"name": "x", "schema": 1}, "can no longer be read"),
    ],
)
def test_bad_values_are_named(values: dict, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        from_json(Outer, values)


def test_old_schemas_pass_through_migrations(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(MIGRATIONS, ("Outer", 1), lambda old: {"name": old.pop("title"), **old})
    assert from_json(Outer, {"schema": 1, "title": "x"}) == Outer("x")
