"""`motet dub`: new speech in a video that a person was fitted from."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from motet.errors import ConfigError, InputError

if TYPE_CHECKING:
    from motet.audio_types import Audio
    from motet.methods.speech2lip.person.folder import Person


@dataclasses.dataclass(frozen=True)
class Dub:
    """New speech in a video: its head, eyes and background stay, the mouth follows the speech. The
    person must have been fitted from this video (motet fit VIDEO -o PERSON).
    """

    video: tyro.conf.Positional[Path]
    """The video, one of those that the person was fitted from."""
    speech: tyro.conf.Positional[Path]
    """What the person is to say. Shorter than the video: they are silent afterwards. Longer: the
    video goes on backwards and forwards."""
    person: Path
    """Folder made by `motet fit`."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """The .mp4 to write."""
    track: int | None = None
    """Sound track of a video with several, from 1; the default one, or the one with speech, when
    left out."""
    channel: int | None = None
    """Channel with the speech, from 1; found from the sound when left out."""
    option: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """NAME=VALUE: an option of speech2lip (`motet methods speech2lip` lists them); may be
    repeated."""
    quiet: bool = False
    """No progress bar and no closing line."""

    def execute(self) -> int:
        """Find the video in the footage, speak over it."""
        from motet.cli.progress import progress_bars
        from motet.cli.recording import open_recording
        from motet.method_options import parse_options
        from motet.methods.speech2lip.person.folder import Person
        from motet.options import Postprocess
        from motet.registry import method_spec
        from motet.request import Request
        from motet.session import load_methods

        spec = method_spec("speech2lip")
        own = parse_options(spec, self.option)
        for name in ("start", "loop", "person"):
            if name in own:
                raise ConfigError(f"the video decides {name}; leave --option {name} out")
        person = Person(self.person)
        shot = shot_of(person, self.video)
        audio = _padded(open_recording(self.speech, (spec,), self.track, self.channel).load(), shot)
        longer = audio.seconds * 25 > len(shot) + 0.5
        options = own | {
            "person": str(self.person),
            "start": shot.start,
            "loop": "file" if longer else "once",
        }
        request = Request(options, Postprocess(), (0,))
        with progress_bars(self.quiet) as bars:
            task = bars.add_task(f"loading {self.person}", total=None)
            generator = load_methods(spec.name, None, options)
            bars.update(task, description=f"writing {self.out.name}")

            def drawn(done: int) -> None:
                bars.update(task, completed=done, total=max(len(shot), done))

            generator.sink.check(request, (self.out,), (spec,))
            generator.write(
                audio,
                request,
                self.speech.name,
                lambda take: [self.out],
                lambda path, frames: drawn,
            )
        if not self.quiet:
            print(f"{self.out}  {self.out.stat().st_size / 1e6:.2f} MB")
        return 0


def shot_of(person: Person, video: Path) -> range:
    """Frames of a person's footage that came from a video. Spans that were skipped in it stay as
    they were filmed.

    Raises:
        InputError: none did, or the file is missing.
    """
    import hashlib

    if not video.is_file():
        raise InputError(f"there is no video at {video}")
    with video.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()[:12]
    first = 0
    for source in person.facts.sources:
        if source.digest == digest:
            return range(first, first + source.frames)
        first += source.frames
    names = ", ".join(source.name for source in person.facts.sources[:3])
    raise InputError(
        f"{person.facts.name} was not fitted from {video} (but from {names}); fit the person in it:"
        f" motet fit {video} -o FOLDER"
    )


def _padded(audio: Audio, shot: range) -> Audio:
    """With silence up to the end of the video."""
    import torch

    missing = round(len(shot) / 25 * audio.sample_rate) - audio.length
    if missing <= 0:
        return audio
    return dataclasses.replace(audio, samples=torch.nn.functional.pad(audio.samples, (0, missing)))


COMMAND = Dub
