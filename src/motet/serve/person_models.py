"""Answers about persons."""

from __future__ import annotations

from pydantic import BaseModel


class Person(BaseModel):
    """Somebody whose face was learnt."""

    id: str
    name: str
    consent: str
    """Who allowed this likeness to speak."""
    ready: bool
    """Something is learnt already, so that takes can be made."""
    preview_url: str
    """Of the last trial's picture; empty: there was none yet."""
    quality: list[str]
    """What `motet fit` reports; empty until it has ended."""
    made: float


class Persons(BaseModel):
    """Persons, the newest first."""

    persons: list[Person]
