"""The options by which a face method is given the words of a recording."""

from __future__ import annotations

from typing import Literal, Protocol

from motet.errors import ConfigError

Recogniser = Literal["auto", "encoder", "loop", "none"]
WORDS = ("text", "timing", "recogniser")
"""Names of the options."""


class WordOptions(Protocol):
    """Options of a take, those of the words among them."""

    @property
    def text(self) -> str:
        """What is said, or a text file."""
        ...

    @property
    def timing(self) -> str:
        """A file with phone times."""
        ...

    @property
    def recogniser(self) -> Recogniser:
        """Who recognises words where none are given."""
        ...

    @property
    def mode(self) -> str:
        """`auto`, `offline` or `stream`."""
        ...


def has_words(options: WordOptions) -> bool:
    """Whether words are given or are to be recognised."""
    return bool(options.text or options.timing or options.recogniser != "none")


def check_words(options: WordOptions) -> None:
    """Check that the words can be used.

    Raises:
        ConfigError: given twice, or in a stream.
    """
    if options.text and options.timing:
        raise ConfigError("timing already holds the phones; give either text or timing")
    if has_words(options) and options.mode == "stream":
        raise ConfigError(
            "words are found in the whole recording, which a stream does not have; leave out"
            " text, timing and recogniser, or mode=stream"
        )
