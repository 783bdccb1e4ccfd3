"""Settings of imported weights: what was read wins, what is unknown is refused, the rest is named
as assumed."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from motet.errors import CheckpointError, ConfigError
from motet.imported import read_settings, resolve_config


@dataclasses.dataclass(frozen=True)
class Network:
    width: int = 64
    heads: int = 8


@dataclasses.dataclass(frozen=True)
class Model:
    network: Network = Network()
    scale: float = 1.0
    sizes: tuple[int, ...] = (1, 2)


def test_every_setting_says_where_it_comes_from() -> None:
    model, origins = resolve_config(
        Model(), {"network.width": 48}, {"scale": 2.0}, {"network": {"heads": 6}}
    )
    assert model == Model(Network(48, 6), 2.0)
    assert {row.name: row.origin for row in origins} == {
        "network.width": "tensors",
        "network.heads": "--config",
        "scale": "stored options",
        "sizes": "assumed",
    }


def test_what_a_user_gives_wins_over_stored_options_but_not_over_tensors() -> None:
    model, _ = resolve_config(Model(), {"sizes": [1, 2]}, {"scale": 2.0}, {"scale": 3.0})
    assert model.scale == 3.0
    with pytest.raises(ConfigError, match="in the tensors"):
        resolve_config(Model(), {"network.width": 48}, None, {"network": {"width": 32}})
    model, _ = resolve_config(Model(), {"sizes": [3, 4]}, None, {"sizes": [3, 4]})
    assert model.sizes == (3, 4)


def test_unknown_settings_name_the_nearest_and_wrong_values_their_type() -> None:
    with pytest.raises(ConfigError, match=r"'network\.head'.*did you mean 'network\.heads'"):
        resolve_config(Model(), {}, None, {"network": {"head": 4}})
    with pytest.raises(CheckpointError, match="must be float"):
        resolve_config(Model(), {}, None, {"scale": "much"})


def test_assumed_heads_that_cannot_be_are_refused_with_the_remedy() -> None:
    with pytest.raises(ConfigError, match=r"network\.heads = 8 \(assumed\).*--config"):
        resolve_config(Model(), {"network.width": 36}, None, None, {"network.heads": 36})
    given = {"network": {"heads": 6}}
    model, _ = resolve_config(Model(), {"network.width": 36}, None, given, {"network.heads": 36})
    assert model.network.heads == 6


@pytest.mark.parametrize(
    ("text", "message"), [(None, "does not exist"), ("[1]", "object"), ("{", "JSON")]
)
def test_unusable_setting_files_are_refused(tmp_path: Path, text: str | None, message: str) -> None:
    path = tmp_path / "settings.json"
    if text is not None:
        path.write_text(text)
    with pytest.raises(ConfigError, match=message):
        read_settings(path)
