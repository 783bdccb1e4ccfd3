"""`motet keys`: the key motions of a recording as a file to edit, for `motet run --keys`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Protocol, runtime_checkable

import tyro

from motet.cli.recording import open_recording
from motet.errors import ConfigError

if TYPE_CHECKING:
    from motet.config import Settings
    from motet.types import Audio


@runtime_checkable
class HasKeys(Protocol):
    """A method with key motions."""

    def write_keys(self, audio: Audio, condition: Settings, path: Path) -> str:
        """Write the key motions of a recording; returns how they were found."""
        ...


@dataclasses.dataclass(frozen=True)
class Keys:
    """Write the key motions of one recording. Change poses, set "edited" to true there, and run
    with --keys.
    """

    audio: tyro.conf.Positional[Path]
    """Recording."""
    method: Annotated[str, tyro.conf.arg(aliases=["-m"])] = "kmtalk"
    """Method; it must have key motions."""
    out: Annotated[Path | None, tyro.conf.arg(aliases=["-o"])] = None
    """JSON file to write; the recording's name with .keys.json when left out."""
    track: int | None = None
    """Sound track of a video with several, from 1; the default one, or the one with speech, when
    left out."""
    channel: int | None = None
    """Channel with the speech, from 1; found from the sound when left out."""
    text: str = ""
    """Transcript (or a .txt file with it)."""
    weights: Path | None = None
    """A motet checkpoint to use instead of the shipped one."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of the method's own; may be repeated."""
    quiet: bool = False
    """No closing lines."""

    def execute(self) -> int:
        """Write the key motions and say how they were found."""
        from motet.method_options import parse_options
        from motet.session import load

        loaded = load(self.method, self.weights)
        if not isinstance(loaded.method, HasKeys):
            raise ConfigError(f"{self.method} has no key motions; use -m kmtalk")
        text = {"text": self.text} if self.text else {}
        condition = loaded.condition({**text, **parse_options(loaded.spec, self.option)})
        out = self.out or Path(f"{self.audio.stem}.keys.json")
        audio = open_recording(self.audio, (loaded.spec,), self.track, self.channel).load()
        report = loaded.method.write_keys(loaded.prepare(audio), condition, out)
        if not self.quiet:
            print(f"{out}  {report}")
        return 0


COMMAND = Keys
