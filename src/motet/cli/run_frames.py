"""`motet run` for methods that draw pictures: frames go to the file as they are made, an hour takes
no more memory than a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from motet.errors import ConfigError

if TYPE_CHECKING:
    from motet.cli.run import Run


def check_speaking(run: Run, outputs: Sequence[Path]) -> None:
    """What of `motet run` makes no sense for pictures is an error.

    Raises:
        ConfigError: another format than mp4, another rate, an avatar, or several methods at once.
    """
    for path in outputs:
        if path.suffix.lower() != ".mp4":
            raise ConfigError(
                f"{run.method} draws pictures: they are written as .mp4, not as {path.suffix}"
            )
    if run.fps is not None:
        raise ConfigError(f"{run.method} draws at the rate of its footage; leave --fps out")
    if run.avatar is not None or run.style:
        raise ConfigError(
            f"{run.method} shows a person's own footage: it takes --person, not --avatar or --style"
        )
    if "," in run.method:
        raise ConfigError(f"a picture method runs alone, not as {run.method}")


def speak(run: Run, source: Path, outputs: Sequence[Path]) -> list[Path]:
    """Draw a recording being spoken, straight into the outputs."""
    from motet.audio import read_audio
    from motet.cli.progress import progress_bars
    from motet.export.video import write_video
    from motet.face.postprocess import Finish
    from motet.session import load, provenance
    from motet.types import frame_count

    audio = read_audio(source)
    weights = run.weights or (_weights(run.person) if run.person else None)
    loaded = load(run.method, str(weights) if weights else None)
    options, finish = _options(run), Finish(run.intensity, run.head, run.blink)
    fps = loaded.method.fps
    written = []
    with progress_bars(run.quiet) as bars:
        for take in range(run.takes):
            facts = {
                **provenance(loaded, run.seed + take, options, finish, source),
                **_likeness(loaded, run.person),
            }
            for path in outputs:
                path = run.named(path, take)
                path.parent.mkdir(parents=True, exist_ok=True)
                task = bars.add_task(
                    f"speaking into {path.name}", total=frame_count(audio.seconds, fps)
                )
                pictures = loaded.pictures(audio, options, seed=run.seed + take)
                written.append(
                    write_video(
                        path,
                        pictures,
                        fps,
                        audio=audio,
                        provenance=facts,
                        progress=lambda done, task=task: bars.update(task, completed=done),
                    )
                )
    return written


def _weights(person: Path) -> Path:
    from motet.methods.speech2lip.person.folder import Person

    path = Person(person).weights
    if not path.exists():
        raise ConfigError(
            f"{person} has no trained model yet; go on with the fit that began it: motet fit VIDEO"
            f" -o {person}"
        )
    return path


def _options(run: Run) -> dict[str, Any]:
    options = run.options()
    if run.person is not None:
        options["person"] = str(run.person)
    if run.intensity != 1.0:
        options.setdefault("intensity", run.intensity)
    if not run.head:
        options.setdefault("loop", "hold")
    return options


def _likeness(loaded: Any, person: Path | None) -> dict[str, str]:
    """Whose face it is and who allowed it, for the video's credentials."""
    from motet.methods.speech2lip.person.folder import read_facts

    facts = read_facts(person) if person is not None else loaded.method.speaker.facts
    return {"person": facts.name, "consent": facts.consent}
