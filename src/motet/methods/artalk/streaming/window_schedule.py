"""Which feature steps a window sees, and when it can be generated.

The window that starts at frame c has `audio_before` steps of context before c, and ends its context
`look_ahead` steps after the frames that it emits. It waits for exactly these steps and sees no
others, even if they have arrived: so every cutting of the sound gives the same frames.
"""

from __future__ import annotations

import dataclasses

from motet.errors import ConfigError
from motet.methods.artalk.config import ArtalkCondition, StreamingConfig

MOST_AHEAD = 50
"""Most steps of sound that a stream's encoder may see ahead (1 s)."""


@dataclasses.dataclass(frozen=True)
class WindowSteps:
    """Feature steps of a window, counted from the start of the sound."""

    start: int
    """Where the window's context starts; negative for the first windows of a session."""
    first: int
    """First step with a feature."""
    stop: int
    """Step after the last one that the window may see."""


@dataclasses.dataclass(frozen=True)
class WindowSchedule:
    """Sliding windows of a session.

    Args:
        commit: frames emitted of each window.
        ahead: feature steps seen beyond the emitted frames.
    """

    config: StreamingConfig
    commit: int
    ahead: int

    def start(self, frame: int) -> int:
        """First step of the context of the window at a frame."""
        return self.config.steps_per_frame * frame - self.config.audio_before

    def needed(self, frame: int) -> int:
        """Steps that must have arrived before the window at a frame is generated."""
        return self.config.steps_per_frame * (frame + self.commit) + self.ahead

    def steps(self, frame: int, available: int) -> WindowSteps:
        """Steps that the window at a frame sees.

        Args:
            available: steps that have arrived; fewer than `needed` at the end of the sound.
        """
        start = self.start(frame)
        first = max(start, 0)
        stop = min(self.needed(frame), available, start + self.config.audio_steps)
        return WindowSteps(start, first, max(first, stop))


def with_schedule(
    condition: ArtalkCondition, config: StreamingConfig, live: bool
) -> ArtalkCondition:
    """The options with `commit` and `look_ahead` set: as they are, or to the mode's defaults.

    Args:
        live: the session streams an encoder that also works offline. Then the encoder looks ahead,
            and not the generator.

    Raises:
        ConfigError: a number outside its range.
    """
    commit = condition.commit or (config.stream_commit if live else config.commit)
    usual = config.stream_look_ahead if live else config.look_ahead
    look_ahead = usual if condition.look_ahead < 0 else condition.look_ahead
    frames = config.codec.frames
    if not 1 <= commit <= frames:
        raise ConfigError(f"commit must lie between 1 and {frames} frames, not {commit}")
    most = MOST_AHEAD if live else config.audio_steps - config.audio_before
    if look_ahead > most:
        raise ConfigError(f"look_ahead must lie between 0 and {most} steps, not {look_ahead}")
    return dataclasses.replace(condition, commit=commit, look_ahead=look_ahead)
