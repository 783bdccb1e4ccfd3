"""The line that a command prints for a file it wrote."""

from __future__ import annotations

import re

from motet.batch.storage import Location, size_of

_NUMBERED = re.compile(r"(.*)\.\d{4,}$")


def written_line(path: Location) -> str:
    """Name and size; of a sequence of numbered files, the first name, their number and size."""
    numbered = _NUMBERED.match(path.stem) if not isinstance(path, str) else None
    if numbered is None or isinstance(path, str):
        return f"{path}  {size_text(size_of(path) or 0)}"
    files = [p for p in path.parent.glob(f"*{path.suffix}") if _is_of(p.stem, numbered[1])]
    size = sum(file.stat().st_size for file in files)
    return f"{path} and following: {len(files)} files  {size_text(size)}"


def _is_of(stem: str, name: str) -> bool:
    match = _NUMBERED.match(stem)
    return match is not None and match[1] == name


def size_text(size: int) -> str:
    """Bytes as MB, of small files as kB."""
    return f"{size / 1e6:.2f} MB" if size >= 100_000 else f"{size / 1e3:.1f} kB"
