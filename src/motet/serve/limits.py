"""Limits of the server. Each has a flag of `motet serve`; the page reads them from the API."""

from __future__ import annotations

import dataclasses

from motet.errors import ConfigError

MB = 1_000_000


@dataclasses.dataclass(frozen=True)
class Limits:
    """What one user may ask of the server."""

    max_sound_mb: int = 200
    """Largest sound file, MB."""
    max_sound_minutes: int = 60
    """Longest sound, minutes."""
    max_avatar_mb: int = 100
    """Largest avatar, MB."""
    max_video_mb: int = 2000
    """Largest video of a person, MB."""
    max_text: int = 10_000
    """Longest transcript, characters."""
    max_json_mb: int = 1
    """Largest body of any other request, MB."""
    max_queued: int = 20
    """Jobs that may wait for a worker."""
    max_job_minutes: int = 30
    """A job that runs longer is ended, minutes."""
    max_live: int = 8
    """Live sessions at a time."""
    max_live_minutes: int = 60
    """A live session ends after this time, minutes."""
    max_disk_gb: int = 10
    """Size of the data folder above which the exports that were used least recently are deleted,
    GB. Takes and sounds are never deleted."""

    def __post_init__(self) -> None:
        for field in dataclasses.fields(self):
            if getattr(self, field.name) < 1:
                flag = f"--{field.name.replace('_', '-')}"
                raise ConfigError(f"{flag} must be at least 1, not {getattr(self, field.name)}")
