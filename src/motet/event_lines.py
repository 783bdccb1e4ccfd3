"""Lines that name the sounds which a body reacts to."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from typing import cast

from motet.config import JsonValue


def event_lines(detected: Mapping[str, JsonValue]) -> Iterator[str]:
    """A line for each sound that a body reacts to: when, what, from where, how loud, and how."""
    for event in cast("list[dict[str, JsonValue]]", detected.get("sound_events", [])):
        azimuth = int(cast(int, event["azimuth_deg"]))
        side = "ahead" if not azimuth else f"{abs(azimuth)}° {'left' if azimuth > 0 else 'right'}"
        sound = f"{event['sound'] or 'a sound'} ({event['probability']:.0%})"
        yield (
            f"{event['seconds']:.1f} s {sound} from {side}, {event['level_db']:.0f} dB:"
            f" {event['reaction']}"
        )


def note_events(recording: str, detected: Mapping[str, JsonValue]) -> None:
    """Remark each sound of a recording; the command line prints it."""
    for line in event_lines(detected):
        logging.getLogger("motet.run").info("%s: %s", recording, line)
