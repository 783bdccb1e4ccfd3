"""Which times of a recording become keys."""

import dataclasses

import pytest

from motet.errors import ConfigError
from motet.methods.kmtalk.config import KMTalkCondition, check_anchor


@pytest.mark.parametrize(
    "anchor", ["uniform:0", "uniform:2", "uniform:x", "boundary:1", "sometimes"]
)
def test_anchors_that_are_none(anchor: str) -> None:
    with pytest.raises(ConfigError, match="anchor"):
        check_anchor(anchor)


def test_settings_that_contradict() -> None:
    with pytest.raises(ConfigError, match="timing"):
        KMTalkCondition(anchor="file")
    with pytest.raises(ConfigError, match="recogniser"):
        dataclasses.replace(KMTalkCondition(), recogniser="magic")  # type: ignore[arg-type]
