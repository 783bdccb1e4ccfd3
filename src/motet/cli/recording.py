"""The recording of a command line: its sound track and the channel with the speech."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from motet.audio_types import AudioSource
    from motet.method import MethodSpec


def open_recording(
    path: Path, specs: Sequence[MethodSpec], track: int | None, channel: int | None
) -> AudioSource:
    """The sound of a file; where the channel was chosen by itself, a note says which.

    Args:
        specs: the methods that will take it; a note is for those of one channel.
        track: sound track, from 1; chosen from the file when None.
        channel: channel with the speech, from 1; found from the sound when None.

    Raises:
        AudioError: the file cannot be read, or has no such track or channel.
    """
    from motet.audio import open_audio
    from motet.audio.downmix import log, one_channel, speech_mix

    audio = open_audio(path, track=track)
    if channel is not None:
        return one_channel(audio, channel)
    if any(spec.layout == "mono" for spec in specs):
        note = speech_mix(audio).note
        if note:
            log.warning("%s: %s; --channel chooses another", path, note)
    return audio
