"""Remarks of a run, such as the sounds that a body reacts to: lines beside the progress bar."""

from __future__ import annotations

import logging
import sys


class _Remarks(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        """The message alone; the stream of the moment, which tests and notebooks replace."""
        print(self.format(record), file=sys.stderr)


def show_remarks(*, quiet: bool) -> None:
    """Print what a run remarks; warnings only when it is quiet."""
    logger = logging.getLogger("motet.run")
    logger.setLevel(logging.WARNING if quiet else logging.INFO)
    if not any(isinstance(handler, _Remarks) for handler in logger.handlers):
        logger.addHandler(_Remarks())
