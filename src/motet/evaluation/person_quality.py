"""The end of a fit: one line that says how good the person is, and a clip to look at."""

from __future__ import annotations

from pathlib import Path

import torch
from jaxtyping import UInt8
from torch import Tensor

from motet.evaluation.talking_person import (
    Progress,
    Seen,
    Tail,
    crops_of,
    held_out,
    look,
    mouth_scores,
    shortened,
    spoken,
    sync,
)
from motet.methods.speech2lip.person.folder import FPS, Person
from motet.tracking.lip_landmarks import LipFinder
from motet.types import Audio

SECONDS = 10
"""Length of the clip, and how much of the held-out footage is judged."""
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
    tail = shortened(held_out(person), SECONDS * int(FPS))
    report("speaking what was held out", 0, 2)
    filmed, drawn = crops_of(tail), spoken(tail, {})
    report("speaking what was held out", 1, 2)
    scores = _scores(tail, look(tail, drawn, finder), look(tail, filmed, finder))
    _write(person, tail, filmed, drawn, clip)
    report("speaking what was held out", 2, 2)
    return line_of(scores, len(tail.frames) / FPS)


def _scores(tail: Tail, drawn: Seen, filmed: Seen) -> dict[str, float]:
    """What the line says, each against filmed."""
    scores = mouth_scores(tail, drawn, filmed)
    own, true = (sync(tail, seen.region) for seen in (drawn, filmed))
    if true.get("sync_confidence", 0.0) > 0:
        # relative to the film: the expert's own scale means nothing to a reader
        scores["sync"] = own["sync_confidence"] / true["sync_confidence"]
    return scores


def line_of(scores: dict[str, float], seconds: float) -> str:
    """Scores in words that need no explanation."""
    words = {
        "opening_range": "the lips open {:.0%} as wide as filmed",
        "opening_correlation": "their opening follows the film with a correlation of {:.2f}",
        "teeth": "{:.0%} of the filmed teeth show",
        "sharpness": "the mouth is {:.0%} as sharp",
        "motion": "moves {:.0%} as much",
        "sync": "lip sync is rated {:.0%} of the film's",
    }
    parts = [text.format(scores[name]) for name, text in words.items() if name in scores]
    return f"drawn against {seconds:.0f} s of film that was held out: {', '.join(parts)}"


def _write(
    person: Person, tail: Tail, filmed: UInt8[Tensor, "n s s 3"], drawn: Tensor, clip: Path
) -> None:
    from motet.export.video import write_video

    # side by side, filmed left: (frames, size, 2 size, 3)
    both = torch.cat([filmed, drawn], 2).numpy()
    sound = person.audio.samples
    # 640 samples of 16 kHz a frame
    samples = torch.cat([sound[:, 640 * s.start : 640 * s.stop] for s in tail.shots], 1)
    facts = {"method": "speech2lip", "person": person.facts.name, "consent": person.facts.consent}
    write_video(clip, iter(both), FPS, audio=Audio(samples, 16_000, "mono"), provenance=facts)
