"""Sounds: facts about an upload, peaks of the waveform, a version that every browser plays."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from motet.atomic_write import appearing, write_bytes
from motet.audio import read_audio, resample, to_mono
from motet.audio.io.container_checks import inspect
from motet.config import JsonValue
from motet.errors import AudioError, MotetError
from motet.serve.folder import DataFolder
from motet.serve.tasks.task import Arguments, Json, Report, number, text
from motet.types import Audio

MIME = {
    "wav": "audio/wav",
    "aiff": "audio/aiff",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "mp3": "audio/mpeg",
}
_PLAYABLE_RATES = (8_000, 96_000)


def inspect_sound(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Read an uploaded sound once: length, rate, channels, media type.

    Raises:
        AudioError: it is no sound, or longer than `max_minutes`.
    """
    path = folder.sound(text(arguments, "sound"))
    audio = read_audio(path)
    most = number(arguments, "max_minutes") or 60.0
    if audio.seconds > 60.0 * most:
        raise AudioError(
            f"the sound lasts {audio.seconds / 60:.0f} minutes, at most {most:g} are taken; cut it,"
            " or start the server with --max-sound-minutes"
        )
    kind = inspect(path).kind
    return {
        "seconds": round(audio.seconds, 6),
        "rate": audio.sample_rate,
        "channels": audio.samples.shape[0],
        "layout": audio.layout,
        "mime": MIME.get(kind) or _container(path.read_bytes()[:64]),
        "bytes": path.stat().st_size,
    }


def _container(start: bytes) -> str:
    """Media type of a file that FFmpeg decodes, by its first bytes."""
    if start[4:8] == b"ftyp":
        return "audio/mp4" if start[8:11] == b"M4A" else "video/mp4"
    if start[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm" if b"webm" in start else "video/x-matroska"
    return "application/octet-stream"


def peaks(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Smallest and largest sample of equal stretches, int8, into the file `out` of the cache."""
    audio = to_mono(read_audio(folder.sound(text(arguments, "sound"))))
    samples = audio.samples[0].numpy()
    count = max(1, min(int(number(arguments, "px") or 2000), len(samples)))
    edges = np.linspace(0, len(samples), count, endpoint=False).astype(np.int64)
    pairs = np.stack([np.minimum.reduceat(samples, edges), np.maximum.reduceat(samples, edges)], 1)
    numbers = np.clip(np.round(pairs * 127), -127, 127).astype(np.int8)
    write_bytes(folder.path("cache", text(arguments, "out"), ".peaks"), numbers.tobytes())
    return {}


def align(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Times of the words and phones of a transcript; silence is left out.

    Raises:
        InputError: the text is not what is said, or not English.
    """
    return _aligned(read_audio(folder.sound(text(arguments, "sound"))), text(arguments, "text"))


def speak(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """Speak a text into a sound of the folder; times of its words where they are known.

    Raises:
        MissingDependency: no voice is installed.
        ConfigError: there is no such voice.
    """
    from motet.audio import voice as voices

    words, name = text(arguments, "text"), text(arguments, "voice")
    audio = voices.speak(words, f":{name}" if name else "")
    try:
        phones = _aligned(audio, words)
    except MotetError:  # e.g. a name that the dictionary lacks: it is spoken all the same
        phones = {"words": [], "phones": []}
    return {"sound": stored_sound(audio, folder), "phones": phones}


def stored_sound(audio: Audio, folder: DataFolder) -> Json:
    """Keep a sound that was made here, like an upload; returns its facts and its `id`."""
    from motet.audio.io.write import encode_flac
    from motet.serve.folder import digest_of_bytes

    data = encode_flac(audio.samples.clamp(-1, 1), audio.sample_rate, 16)
    identity = digest_of_bytes(data)
    write_bytes(folder.sound(identity), data)
    return {
        "id": identity,
        "seconds": round(audio.seconds, 6),
        "rate": audio.sample_rate,
        "channels": audio.samples.shape[0],
        "layout": audio.layout,
        "mime": "audio/flac",
        "bytes": len(data),
    }


def _aligned(audio: Audio, words_said: str) -> Json:
    from motet.phonetics.alignment import SAMPLE_RATE, SILENCE
    from motet.phonetics.word_times import aligned_phones

    phones = aligned_phones(resample(to_mono(audio), SAMPLE_RATE), words_said)
    words = [
        (group[0].start_s, group[-1].end_s, word)
        for word, members in itertools.groupby(phones, lambda phone: phone.word)
        if word and (group := list(members))
    ]
    spoken = [(p.start_s, p.end_s, p.label) for p in phones if p.label != SILENCE]
    return {"words": _labels(words), "phones": _labels(spoken)}


def _labels(spans: Sequence[tuple[float, float, str]]) -> list[JsonValue]:
    return [
        {"t0": round(start, 3), "t1": round(end, 3), "label": label} for start, end, label in spans
    ]


def playable(arguments: Arguments, folder: DataFolder, report: Report) -> Json:
    """The sound as a WAV file of one or two channels, into the file `out` of the cache."""
    import soundfile

    audio = read_audio(folder.sound(text(arguments, "sound")))
    if audio.samples.shape[0] > 2:
        audio = to_mono(audio)
    low, high = _PLAYABLE_RATES
    if not low <= audio.sample_rate <= high:
        audio = resample(audio, 48_000)
    with appearing(folder.path("cache", text(arguments, "out"), ".wav")) as beside:
        samples = audio.samples.clamp(-1, 1).numpy().T
        soundfile.write(beside, samples, audio.sample_rate, "PCM_16", format="WAV")
    return {}
