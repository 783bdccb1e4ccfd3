"""The data folder: files named by the digest of their content or of the request that made them."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import re
from collections.abc import Mapping
from pathlib import Path

from motet.atomic_write import appearing, make_folder, write_bytes
from motet.batch.ledger import values_digest

ID_PATTERN = r"^[0-9a-f]{24}$"
"""Ids are digests, so that nothing a client sends can name a file elsewhere."""
KINDS = ("sounds", "takes", "avatars", "persons", "renders", "cache")


@dataclasses.dataclass(frozen=True)
class DataFolder:
    """Where the server keeps its files."""

    root: Path

    def make(self) -> None:
        """Make the folder and those inside it.

        Raises:
            UnwritableError: it cannot be made.
        """
        for kind in KINDS:
            make_folder(self.root / kind)

    def path(self, kind: str, identity: str, ending: str = "") -> Path:
        """The file of an id.

        Raises:
            ValueError: not an id, which no caller passes.
        """
        if kind not in KINDS or not re.fullmatch(ID_PATTERN, identity):
            raise ValueError(f"no id of {kind}: {identity[:40]!r}")
        return self.root / kind / f"{identity}{ending}"

    def sound(self, identity: str) -> Path:
        """A sound as it was uploaded; its content tells its format."""
        return self.path("sounds", identity)

    def take(self, identity: str, ending: str = ".npz") -> Path:
        """A take: curves (`.npz`), or a video (`.mp4`) of methods that draw."""
        return self.path("takes", identity, ending)

    def database(self) -> Path:
        """The database."""
        return self.root / "studio.db"

    def cached(self, name: Mapping[str, object], ending: str) -> Path:
        """A file that can be made again, by what it is made of."""
        return self.path("cache", values_digest(name), ending)

    def prune(self, most_bytes: int, keep: Path) -> None:
        """Delete exports and caches, those used least recently first, until everything fits.

        Args:
            keep: a file that stays in any case: it has just been made.
        """
        files = {path: path.stat() for path in self.root.rglob("*") if path.is_file()}
        total = sum(state.st_size for state in files.values())
        again = [path for path in files if path.parent.name in ("renders", "cache")]
        for path in sorted(again, key=lambda path: files[path].st_mtime):
            if total <= most_bytes:
                return
            if path != keep:
                path.unlink(missing_ok=True)
                total -= files[path].st_size

    def scrub(self, message: str) -> str:
        """A message without the paths of this folder."""
        return re.sub(re.escape(str(self.root)) + r"/\w+/[0-9a-f]{24}", "the file", message)


def default_root() -> Path:
    """Where data of programs lies by the conventions of the system."""
    base = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")
    return Path(base) / "motet"


def digest_of_bytes(data: bytes) -> str:
    """24 hex digits of a content."""
    return hashlib.sha256(data).hexdigest()[:24]


__all__ = [
    "ID_PATTERN",
    "DataFolder",
    "appearing",
    "default_root",
    "digest_of_bytes",
    "write_bytes",
]
