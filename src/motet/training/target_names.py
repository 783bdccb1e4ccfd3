"""Names of what `motet train` trains besides the methods; free of torch."""

from __future__ import annotations

from collections.abc import Mapping

OTHERS = ("phonetic", "closure-head", "lip-aperture-head", "speech-heads", "lips", "sync-expert")
"""Weights that are no method."""
RENAMED: Mapping[str, str] = {"closing": "closure-head", "opening": "lip-aperture-head"}
"""Names that an earlier version used."""
