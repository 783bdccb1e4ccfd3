"""`motet keys`: the key motions of a recording as a file that can be edited and given back with
`motet run --keys`.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any

import tyro

from motet.errors import ConfigError


@dataclasses.dataclass(frozen=True)
class KeysOf:
    """Write the key motions of one recording. Change poses, set "edited" to true there, and run
    with --keys.
    """

    audio: tyro.conf.Positional[Path]
    """Recording."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = "kmtalk"
    """Method; it must know key motions."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file; the recording's name with .keys.json when left out."""
    text: str = ""
    """What is said (or a .txt file with it)."""
    weights: Path | None = None
    """A motet checkpoint to use instead of the shipped one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: a setting of the method's own; may be repeated."""
    quiet: bool = False
    """No closing lines."""

    def execute(self) -> int:
        """Find, write, report."""
        from motet.audio import read_audio
        from motet.method import parse_options
        from motet.session import load

        loaded = load(self.method, str(self.weights) if self.weights else None)
        write: Any = getattr(loaded.method, "write_keys", None)
        if write is None:
            raise ConfigError(f"{self.method} has no key motions; use -m kmtalk")
        text = {"text": self.text} if self.text else {}
        condition = loaded.condition({**text, **parse_options(loaded.spec, self.option)})
        out = self.out or Path(f"{self.audio.stem}.keys.json")
        report = write(loaded.prepare(read_audio(self.audio)), condition, out)
        if not self.quiet:
            print(f"{out}  {report}")
        return 0


COMMAND = KeysOf
