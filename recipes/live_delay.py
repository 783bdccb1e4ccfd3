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
    clips: int = 0
    """So many of the clips; 0: all."""
    repeats: int = 1
    """The computing of a piece is the least of so many sessions: what other programs on the machine
    add to it goes."""

    def execute(self) -> None:
        """Print ages and cost of every position, then one line for each group."""
        loaded = load("artalk", self.weights)
        clips = [c for c in load_held_out(self.data).clips if c.tracked is not None]
        clips = [c for c in clips if c.group != "grid s1"][: self.clips or None]
        live(loaded, clips[0].audio, 4, 7)  # the first session also loads
        for dial in self.dials:
            commit, look_ahead = (int(number) for number in dial.split(","))
            sessions = [self._session(loaded, clip.audio, commit, look_ahead) for clip in clips]
            self._report(dial, clips, sessions)

    def _session(
        self, loaded: LoadedMethod[Motion], audio: Audio, commit: int, look_ahead: int
    ) -> Session:
        sessions = [live(loaded, audio, commit, look_ahead) for _ in range(self.repeats)]
        least_s = np.min([session.spent_s for session in sessions], axis=0)
        return dataclasses.replace(sessions[0], spent_s=least_s)

    def _report(self, dial: str, clips: list[HeldOutClip], sessions: list[Session]) -> None:
        waited = np.concatenate([s.waited_s for s in sessions])
        ages = np.concatenate([s.ages_s for s in sessions])
        cost = sum(s.spent_s.sum() for s in sessions) / sum(c.audio.seconds for c in clips)
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
    arrived_s: np.ndarray
    """(pieces,) when each was complete."""
    spent_s: np.ndarray
    """(pieces,) CPU seconds of each."""
    emitted: np.ndarray
    """(pieces,) frames that each completed."""

    @property
    def waited_s(self) -> np.ndarray:
        """(frames,) ages of those emitted before the sound ended, computing left out."""
        return self._ages(self.arrived_s)

    @property
    def ages_s(self) -> np.ndarray:
        """(frames,) the same with computing."""
        done_s = 0.0
        done = []
        for arrived_s, spent_s in zip(self.arrived_s, self.spent_s, strict=True):
            done_s = max(done_s, arrived_s) + spent_s
            done.append(done_s)
        return self._ages(np.array(done))

    def _ages(self, done_s: np.ndarray) -> np.ndarray:
        frames = np.arange(self.emitted.sum())
        return np.repeat(done_s, self.emitted) - frames / self.motion.space.fps


def live(loaded: LoadedMethod[Motion], audio: Audio, commit: int, look_ahead: int) -> Session:
    """One session over a recording."""
    stream = loaded.stream({"commit": commit, "look_ahead": look_ahead})
    size, length = round(PIECE_S * audio.sample_rate), audio.samples.shape[-1]
    motions: list[Motion] = []
    spent_s, emitted = [], []
    stops = [min(start + size, length) for start in range(0, length, size)]
    for start, stop in zip(range(0, length, size), stops, strict=True):
        began = time.process_time()
        new = list(stream.push(audio.slice(start, stop)))
        spent_s.append(time.process_time() - began)
        emitted.append(sum(motion.frames for motion in new))
        motions += new
    motions += stream.finish()
    values = torch.cat([motion.values for motion in motions])
    arrived_s = np.array(stops) / audio.sample_rate
    motion = Motion(values, motions[0].space)
    return Session(motion, arrived_s, np.array(spent_s), np.array(emitted))


if __name__ == "__main__":
    tyro.cli(LiveDelay).execute()
