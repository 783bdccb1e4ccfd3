"""Outputs of the released metric and baseline programs."""

from __future__ import annotations

from tests.parity.fixture_set import FixtureSet

SET = FixtureSet("face_metrics")
tensors, facts = SET.tensors, SET.facts
