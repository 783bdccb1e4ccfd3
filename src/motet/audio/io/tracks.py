"""Which sound track of a video is read."""

from __future__ import annotations

import logging
from pathlib import Path

from av.stream import Disposition

from motet.audio.downmix import LONGEST_S, PARTS, band_frames, speech_activity
from motet.audio.io.decode import decode, opened
from motet.audio.io.sound import Limits, Sound
from motet.errors import AudioError

AUDIBLE = 1e-4
"""Activity (`speech_activity`) of a track that is not silent: about -70 dB of full scale."""
AHEAD = 2.0
"""A later track is taken when it has this much more activity than an earlier one."""
log = logging.getLogger("motet.audio")


def decode_track(path: Path, track: int | None, limits: Limits, frames: int | None) -> Sound:
    """Decode the sound track of that number, or the one to be preferred.

    Args:
        track: counted from 1.
        frames: encoded frames that the file's own header declares, where known.

    Raises:
        AudioError: there is no such track, or it cannot be decoded.
    """
    with opened(path) as container:
        defaults = [bool(s.disposition & Disposition.default) for s in container.streams.audio]
    count = len(defaults)
    if track is not None:
        if not 1 <= track <= count:
            raise AudioError(f"{path} has no sound track {track}; it has {count}, counted from 1")
        return decode(path, limits, frames, track - 1)
    if count == 1:
        return decode(path, limits, frames)
    if defaults.count(True) == 1:
        sound = decode(path, limits, frames, defaults.index(True))
        if _activity(sound) > AUDIBLE:
            _announce(path, count, defaults.index(True), "it is marked as default")
            return sound
    index, sound = _most_active(path, count, limits, frames)
    _announce(path, count, index, "it has the most speech")
    return sound


def _most_active(path: Path, count: int, limits: Limits, frames: int | None) -> tuple[int, Sound]:
    """The track with speech, its index first; earlier ones are preferred. A track that cannot be
    decoded does not count unless none can.
    """
    best: tuple[int, Sound] | None = None
    failure: AudioError | None = None
    for index in range(count):
        try:
            sound = decode(path, limits, frames, index)
        except AudioError as error:
            failure = failure or error
            continue
        if best is None or _activity(sound) > AHEAD * _activity(best[1]):
            best = index, sound
    if best is None:
        raise failure or AudioError(f"{path} has no sound track that can be decoded")
    return best


def _activity(sound: Sound) -> float:
    excerpt = sound.excerpt(LONGEST_S, PARTS)
    return max(speech_activity(row) for row in band_frames(excerpt, sound.rate))


def _announce(path: Path, count: int, index: int, reason: str) -> None:
    log.warning(
        "%s has %d sound tracks: number %d is taken, %s; --track chooses another",
        path,
        count,
        index + 1,
        reason,
    )
