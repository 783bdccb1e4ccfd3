"""What a user may choose about a file besides its name."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class ExportOptions:
    """Choices for all formats; each takes what concerns it."""

    size: int = 512
    """Height and width of pictures, pixels."""
    avatar: Path | None = None
    """A GLB or VRM to animate instead of the house figure."""
    marker: bool = True
    """Whole-body pictures show where the sound comes from, if the take knows it."""
    progress: Callable[[int], None] | None = None
    """Told the number of frames written so far."""

    def report(self, done: int) -> None:
        """Tell how many frames are written."""
        if self.progress is not None:
            self.progress(done)
