"""How old live frames are and how well they fit film, by the position of the delay dial.

    python -m recipes.live_delay --data DATA --dials 2,5 4,7 4,25

`DATA` holds `other_speakers`. Each clip is pushed in pieces of 20 ms, as from a microphone. A
frame is at its own time k / 25 s; it is emitted when the piece that completes it has arrived and
has been computed. Computing is counted in CPU seconds and queues up: a piece is begun when it has
arrived and the one before is done. So a busy machine gives the same ages as an idle one of its
speed. Correlations and spreads are medians over the clips of a group (`recipes.lip_ladder`).
"""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import numpy as np
import torch
import tyro

from motet.evaluation.held_out import HeldOutClip, load_held_out
from motet.loaded_method import LoadedMethod
from motet.session import load
from motet.types import Audio, Motion
from recipes.lip_ladder import report

PIECE_S = 0.02
"""What a microphone delivers at once."""


@dataclasses.dataclass(frozen=True)
class LiveDelay:
    """The positions of the dial that are asked for, on all clips of other speakers."""

    data: Path
    """Folder with other_speakers."""
    dials: tuple[str, ...] = ("2,5", "4,7", "4,25")
    """Each as commit,look_ahead."""
    weights: Path | None = None
    """ARTalk's weights; the shipped ones when left out."""

    def execute(self) -> None:
        """Print ages and cost of every position, then one line for each group."""
        loaded = load("artalk", self.weights)
        clips = [c for c in load_held_out(self.data).clips if c.tracked is not None]
        clips = [c for c in clips if c.group != "grid s1"]
        live(loaded, clips[0].audio, 4, 7)  # the first session also loads
        for dial in self.dials:
            commit, look_ahead = (int(number) for number in dial.split(","))
            sessions = [live(loaded, clip.audio, commit, look_ahead) for clip in clips]
            self._report(dial, clips, sessions)

    def _report(self, dial: str, clips: list[HeldOutClip], sessions: list[Session]) -> None:
        waited = np.concatenate([s.waited_s for s in sessions])
        ages = np.concatenate([s.ages_s for s in sessions])
        cost = sum(s.cpu_s for s in sessions) / sum(c.audio.seconds for c in clips)
        print(
            f"{dial}: age without computing {waited.min():.2f} to {waited.max():.2f} s,"
            f" with it p50 {np.quantile(ages, 0.5):.3f} p95 {np.quantile(ages, 0.95):.3f} s,"
            f" {cost:.2f} CPU-s per second of sound"
        )
        report(dial, clips, [s.motion for s in sessions])


@dataclasses.dataclass(frozen=True)
class Session:
    """A live session from its first to its last sample."""

    motion: Motion
    ages_s: np.ndarray
    """(frames,) of those emitted before the sound ended."""
    waited_s: np.ndarray
    """(frames,) the same without computing."""
    cpu_s: float


def live(loaded: LoadedMethod[Motion], audio: Audio, commit: int, look_ahead: int) -> Session:
    """One session over a recording."""
    stream = loaded.stream({"commit": commit, "look_ahead": look_ahead})
    size = round(PIECE_S * audio.sample_rate)
    motions: list[Motion] = []
    rows: list[tuple[float, float]] = []
    done_s = cpu_s = 0.0
    frames = 0
    for start in range(0, audio.samples.shape[-1], size):
        piece = audio.slice(start, min(start + size, audio.samples.shape[-1]))
        began = time.process_time()
        emitted = list(stream.push(piece))
        spent = time.process_time() - began
        arrived_s = start / audio.sample_rate + piece.seconds
        done_s, cpu_s = max(done_s, arrived_s) + spent, cpu_s + spent
        for motion in emitted:
            own = (frames + np.arange(motion.frames)) / motion.space.fps
            rows += zip(done_s - own, arrived_s - own, strict=True)
            frames += motion.frames
        motions += emitted
    motions += stream.finish()
    ages, waited = np.array(rows).T
    values = torch.cat([motion.values for motion in motions])
    return Session(Motion(values, motions[0].space), ages, waited, cpu_s)


if __name__ == "__main__":
    tyro.cli(LiveDelay).execute()
