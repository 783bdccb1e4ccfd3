"""The end of a fit: one line that says how good the person is, and a clip to look at."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from motet.evaluation.talking_person import (
    Progress,
    crops_of,
    held_out,
    look,
    scores_of,
    spoken,
)
from motet.methods.speech2lip.person.folder import FPS, Person
from motet.tracking.lip_landmarks import LipFinder
from motet.types import Audio

SECONDS = 10
"""Length of the clip."""
_LEAST_S = 2.0


def judge(
    person: Person, finder: LipFinder | None, clip: Path, progress: Progress | None = None
) -> str:
    """Let a person speak the held-out sound of their footage; write filmed and drawn side by side,
    return the line.

    Args:
        clip: the .mp4 to write.
    """
    if person.facts.frames - person.facts.train_frames < _LEAST_S * FPS:
        return "quality was not measured: nothing was held out of the footage"
    report = progress or (lambda what, done, total: None)
    tail = held_out(person)
    report("speaking what was held out", 0, 2)
    filmed, drawn = crops_of(tail), spoken(tail, {})
    report("speaking what was held out", 1, 2)
    scores = scores_of(tail, look(tail, drawn, finder), look(tail, filmed, finder))
    _write(person, filmed, drawn, clip)
    report("speaking what was held out", 2, 2)
    return line_of(scores, len(tail.frames) / FPS)


def line_of(scores: dict[str, float], seconds: float) -> str:
    """Scores in words that need no explanation."""
    words = {
        "opening_range": "opens {:.0%} as far",
        "opening_correlation": "in time by {:.2f} of 1",
        "teeth": "shows {:.0%} of the teeth",
        "sharpness": "{:.0%} as sharp",
        "motion": "moves {:.0%} as much",
    }
    parts = [text.format(scores[name]) for name, text in words.items() if name in scores]
    return f"against {seconds:.0f} s of film that it did not learn from: {', '.join(parts)}"


def _write(person: Person, filmed: UInt8[Tensor, "n s s 3"], drawn: Tensor, clip: Path) -> None:
    from motet.export.video import write_video

    count = min(len(filmed), SECONDS * int(FPS))
    both = torch.cat([filmed[:count], drawn[:count]], 2).numpy()
    first = person.facts.train_frames * 640
    samples = person.audio.samples[:, first : first + count * 640]
    facts = {"method": "speech2lip", "person": person.facts.name, "consent": person.facts.consent}
    write_video(clip, iter(both), FPS, audio=Audio(samples, 16_000, "mono"), provenance=facts)
