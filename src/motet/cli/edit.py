"""`motet edit`: corrections of a face take."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import tyro

from motet.cli.written import written_line
from motet.errors import AssetError, ConfigError

LARGEST = 1 << 26


@dataclasses.dataclass(frozen=True)
class Edit:
    """Apply the edits of the studio to a take: key poses, regions, shifts, closed lips, stretches
    of other takes. The base file never changes.
    """

    take: tyro.conf.Positional[Path]
    """The take (.npz) of a face."""
    edits: Path
    """JSON: a list of layers, or an object with `layers` (docs/guides/editing.md)."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """File to write; its ending chooses the format."""

    def execute(self) -> int:
        """Read, apply, write."""
        from motet.editing import edited_clip, read_edits
        from motet.export import check_ending, read_take, write_clip
        from motet.types import Motion

        check_ending(self.out)
        if self.out.absolute() == self.take.absolute():
            raise ConfigError("-o is the take itself, which never changes; give another name")
        if not self.edits.is_file() or self.edits.stat().st_size > LARGEST:
            raise AssetError(f"{self.edits} is no file of edits; save one in the studio")

        def read(take_id: str) -> Motion:
            """A take that a layer names: NAME.npz beside the edits."""
            motion = read_take(self.edits.parent / f"{Path(take_id).name}.npz").motion
            if motion is None:
                raise AssetError(f"the take {take_id} has no motion; leave its layer out")
            return motion

        clip = edited_clip(read_take(self.take), read_edits(self.edits.read_bytes()), read)
        written = write_clip(clip, self.out)
        print(written_line(written))
        return 0


COMMAND = Edit
