"""Events in a recording as they come: onsets, each with the direction that it comes from and the
kind of sound.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from motet.audio.spatial.direction_of_arrival import azimuth_by_head
from motet.config import JsonValue
from motet.methods.mospa.sound_classifier import SoundKind
from motet.types import Audio

HOP_S = 0.02
BACKGROUND_S = 1.2
"""The level before an onset is the lowest decile of so much sound."""
RISE_DB = 9.0
"""An onset is so much louder than what was before."""
AUDIBLE_DB, FLOOR_DB = -28.0, -66.0
"""It is also louder than this against the window's loudest moment, and against full scale."""
APART_S = 0.6
"""Onsets do not follow each other faster."""
DIRECTION_S = 0.5
PAUSE_S, PAUSE_DB = 1.9, 20.0
"""A sound from the same side is another event where what was before was so much quieter for so
long."""
SAME_DEG = 35.0
"""A direction nearer than this to the one before is the same source."""
WAVERS = 1.5
"""Times the angle of one direction that estimates for one voice waver by."""
END_S, LOUDER_DB = 0.25, 6.0
"""What falls silent within this time, and was no louder by so much than what it follows, is the end
of that."""
SWITCH_FRAMES = 10
"""Frames over which the attended position goes over to a new event's."""


JUMP_S, JUMP_DEG = 0.3, 45.0
"""A given source that turns so far in so short a time has jumped."""
SURE = 0.8
"""Probability from which on a sound of an alarming kind is an event though its side is the same."""
ALARMING = ("cover", "flee")
LEAN_DB, LEAN_HOPS = 5.0, 3
"""An onset within a mixture: the levels of the ears part by so much for so long."""
BESIDE_S = 0.1
"""Onsets nearer than this are one."""
NEW_POWER = 4.0
"""An onset's direction is that of the bands whose power rises by this factor."""

KindOf = Callable[[float, float], SoundKind | None]
"""(start, stop in seconds) -> kind of sound there; None where that is not known."""


@dataclasses.dataclass(frozen=True)
class SoundEvent:
    """An onset, and where it came from."""

    seconds: float
    """From the start of the samples."""
    azimuth_deg: float
    level_db: float = 0.0
    """Loudest moment of its first half second against full scale."""
    kind: SoundKind | None = None


def event_facts(event: SoundEvent, reaction: str = "default") -> dict[str, JsonValue]:
    """An event as the provenance of a take names it.

    Args:
        reaction: family that the user has set, or `default`.
    """
    kind = event.kind
    chosen = reaction
    if reaction == "default":
        chosen = "undecided" if kind is None else kind.family if kind.is_sure else "attend"
    return {
        "seconds": round(event.seconds, 2),
        "sound": "" if kind is None else kind.name,
        "probability": 0.0 if kind is None else round(kind.probability, 2),
        "azimuth_deg": round(event.azimuth_deg),
        "level_db": round(event.level_db, 1),
        "reaction": chosen,
    }


@dataclasses.dataclass(frozen=True)
class Attention:
    """What is attended to before the samples begin."""

    azimuth_deg: float | None = None
    """None: nothing so far."""
    family: str = ""
    """Of the reaction to it, where it is known."""
    since_s: float = -1.0
    """When it began, seconds from the start of the samples."""


def _unknown(start: float, stop: float) -> SoundKind | None:
    del start, stop
    return None


def find_events(
    audio: Audio,
    attention: Attention = Attention(),
    *,
    continues: bool = False,
    bearing: Callable[[float], float] | None = None,
    kind_of: KindOf = _unknown,
) -> tuple[SoundEvent, ...]:
    """Onsets in a binaural sound with their directions and kinds.

    The same sound again and again (rings, barks) is one event where its direction stays, it does
    not pause for long, and nothing alarming begins.

    Args:
        continues: the samples follow others, so what sounds at their start is no onset.
        bearing: direction of a given source at a moment of the samples, degrees; where it is left
            out, directions are estimated.
        kind_of: classifies a stretch of the samples.
    """
    level, events, last = _level_db(audio), [], attention
    moments = onsets(audio, continues=continues)
    jumps = _jumps(bearing, audio.seconds, level) if bearing is not None else []
    # A jump counts where nothing begins to sound beside it.
    moments = sorted([*moments, *(j for j in jumps if all(abs(j - m) > APART_S for m in moments))])
    for number, onset in enumerate(moments):
        stop = moments[number + 1] if number + 1 < len(moments) else audio.seconds
        if audio.seconds - onset < 0.1 or onset < attention.since_s + APART_S / 2:
            continue
        azimuth = _direction(audio, onset) if bearing is None else bearing(onset + 0.1)
        if last.azimuth_deg is not None:
            before = last.azimuth_deg
            if bearing is not None:
                before = bearing(max(0.0, onset - JUMP_S))
            near = SAME_DEG if bearing is None else JUMP_DEG
            kind = kind_of(onset, min(stop, onset + 2.0))
            if _goes_on(level, onset, _apart(azimuth, before) / near, kind, last.family):
                continue
        kind = kind_of(onset, stop)
        events.append(SoundEvent(onset, azimuth, _peak_db(level, onset), kind))
        last = Attention(azimuth, kind.family if kind is not None else "")
    return tuple(events)


def _goes_on(
    level: Float[np.ndarray, " hops"],
    onset: float,
    apart: float,
    kind: SoundKind | None,
    family: str,
) -> bool:
    """Whether an onset is more of what is attended to: from there, without a pause or of the same
    kind after one, and nothing that alarms.

    Args:
        apart: angle to the attended source, as a share of what is the same direction.
        family: of what is attended to.
    """
    if _alarms(kind, family):
        return False
    is_alike = kind is not None and kind.is_sure and kind.family == family
    if _after_pause(level, onset):
        is_unknown = kind is not None and not kind.is_sure
        return apart < 1 and (is_alike or (is_unknown and not _louder(level, onset)))
    # Directions of one voice waver where reflections, or two loudspeakers, blur them.
    return apart < (WAVERS if is_alike or _is_end(level, onset) else 1)


def _louder(level: Float[np.ndarray, " hops"], onset: float) -> bool:
    """Whether a sound is clearly louder than all before it."""
    before = level[: max(1, int(onset / HOP_S))]
    return _peak_db(level, onset) > float(before.max()) + LOUDER_DB


def _is_end(level: Float[np.ndarray, " hops"], onset: float) -> bool:
    """Whether a sound that went on ends here: it falls silent at once, and was no louder."""
    first, stays = int(onset / HOP_S), round(END_S / HOP_S)
    after = level[first + stays : first + 3 * stays]
    before = level[max(0, first - 3 * stays) : first]
    if not len(after) or not len(before):
        return False
    peak = _peak_db(level, onset)
    is_over = float(after.max()) < peak - PAUSE_DB
    return is_over and peak < float(before.max()) + LOUDER_DB


def _alarms(kind: SoundKind | None, family: str) -> bool:
    """Whether a sound from the same side begins that nobody takes for more of the one before."""
    if kind is None or family in ("", *ALARMING):
        return False
    return kind.family in ALARMING and kind.probability >= SURE


def _direction(audio: Audio, onset: float) -> float:
    """Azimuth of what begins to sound; of a mixture, of those bins whose power rises."""
    rate = audio.sample_rate
    start = round(onset * rate)
    piece = audio.slice(start, start + round(DIRECTION_S * rate))
    before = audio.slice(max(0, start - round(DIRECTION_S * rate)), start)
    if before.seconds < 0.2 or float(before.samples.abs().max()) < 1e-4:
        return azimuth_by_head(piece)
    return azimuth_by_head(_risen(piece, before))


def _risen(piece: Audio, before: Audio) -> Audio:
    """The bins of a sound that are much louder than they were before, the others silent."""
    size = 1024
    window = torch.hann_window(size)

    def spectrum(samples: Tensor) -> Tensor:  # (ears, bins, frames)
        return torch.stft(samples, size, size // 4, window=window, return_complex=True)

    new, old = spectrum(piece.samples.float()), spectrum(before.samples.float())
    power, background = new.abs().square().sum(0), old.abs().square().sum(0)
    # Over both ears: what one ear alone loses stays out of the mask.
    rises = power > NEW_POWER * background.mean(-1, keepdim=True)
    share = float(power[rises].sum() / power.sum().clamp(min=1e-12))
    if share < 0.05:  # hardly anything is new
        return piece
    samples = torch.istft(new * rises, size, size // 4, window=window,
                          length=piece.samples.shape[-1])  # fmt: skip
    return dataclasses.replace(piece, samples=samples)


def _jumps(
    bearing: Callable[[float], float], seconds: float, level: Float[np.ndarray, " hops"]
) -> list[float]:
    """Moments at which a given source jumps to another side while it sounds."""
    moments = np.arange(0.0, max(0.0, seconds - JUMP_S), 1 / 30)
    turned = np.array([_apart(bearing(m + JUMP_S), bearing(m)) for m in moments])
    jumps: list[float] = []
    for index in np.flatnonzero(turned > JUMP_DEG):
        moment = float(moments[index]) + JUMP_S / 2
        sounds = level[int(moment / HOP_S) : int((moment + JUMP_S) / HOP_S)]
        is_audible = len(sounds) > 0 and sounds.max() > level.max() + AUDIBLE_DB
        if is_audible and (not jumps or moment - jumps[-1] > APART_S):
            jumps.append(moment)
    return jumps


def _peak_db(level: Float[np.ndarray, " hops"], onset: float) -> float:
    first = int(onset / HOP_S)
    return float(level[first : first + round(DIRECTION_S / HOP_S)].max())


def onsets(audio: Audio, *, continues: bool = False) -> list[float]:
    """Moments, in seconds, at which something begins to sound."""
    level = _level_db(audio)
    if not len(level):
        return []
    before = round(BACKGROUND_S / HOP_S)
    earlier = max(level[0], FLOOR_DB) if continues else FLOOR_DB
    padded = np.concatenate([np.full(before, earlier), level])
    history = np.lib.stride_tricks.sliding_window_view(padded, before)[: len(level)]
    background = np.quantile(history[:, -before // 2 :], 0.1, axis=1)
    recent = history[:, -3:].max(1)
    loud = level > max(level.max() + AUDIBLE_DB, FLOOR_DB)
    rises = (level > background + RISE_DB) & (level > recent + 3.0) & loud
    starts = _spaced(rises, APART_S)
    # What begins on one side of a mixture may follow the mixture's last onset closely.
    beside = _spaced(_leans(audio) & loud, APART_S)
    new = [moment for moment in beside if all(abs(moment - m) > BESIDE_S for m in starts)]
    return sorted([*starts, *new])


def _spaced(marks: Bool[np.ndarray, " hops"], apart_s: float) -> list[float]:
    """Moments of marked hops, in seconds, that do not follow each other faster."""
    moments: list[float] = []
    for index in np.flatnonzero(marks):
        if not moments or index * HOP_S - moments[-1] > apart_s:
            moments.append(float(index * HOP_S))
    return moments


def _leans(audio: Audio) -> Bool[np.ndarray, " hops"]:
    """Where something begins on one side of what sounds already: one ear rises, the other stays."""
    ears = 10 * np.log10(_power(audio) + 1e-12)  # (2, hops)
    before = round(BACKGROUND_S / HOP_S)
    padded = np.pad(ears, ((0, 0), (before, LEAN_HOPS - 1)), mode="edge")
    usual = np.median(
        np.lib.stride_tricks.sliding_window_view(padded[:, : -LEAN_HOPS + 1], before, axis=1),
        axis=2,
    )[:, : ears.shape[1]]
    rise = np.lib.stride_tricks.sliding_window_view(padded[:, before:], LEAN_HOPS, axis=1)
    rise = rise.min(2) - usual  # (2, hops): what lasts over LEAN_HOPS
    sounds = usual.min(0) > max(ears.max() + AUDIBLE_DB, FLOOR_DB)
    return sounds & (np.abs(rise[0] - rise[1]) > LEAN_DB) & (rise.max(0) > LEAN_DB)


def _level_db(audio: Audio) -> Float[np.ndarray, " hops"]:
    return 10 * np.log10(_power(audio).mean(0) + 1e-12)


def _power(audio: Audio) -> Float[np.ndarray, "2 hops"]:
    """Mean square of each ear over each hop."""
    step = round(HOP_S * audio.sample_rate)
    samples = audio.samples.double().numpy()
    count = samples.shape[-1] // step
    return (samples[:, : count * step].reshape(2, count, step) ** 2).mean(2)


def smooth_switches(source: Float[Tensor, "batch frames 3"]) -> Float[Tensor, "batch frames 3"]:
    """Each position averaged with those of the frames just before: a new event takes over within
    a third of a second, not from one frame to the next.
    """
    before = source[:, :1].expand(-1, SWITCH_FRAMES - 1, -1)
    return torch.cat([before, source], 1).unfold(1, SWITCH_FRAMES, 1).mean(-1)


def _after_pause(level: Float[np.ndarray, " hops"], onset_s: float) -> bool:
    """Whether nothing sounded for so long before an onset that it is another event."""
    onset, pause = round(onset_s / HOP_S), round(PAUSE_S / HOP_S)
    before = level[max(0, onset - pause) : onset]
    return len(before) == pause and bool(before.max() < level[onset : onset + 5].max() - PAUSE_DB)


def _apart(first: float, second: float) -> float:
    return abs((first - second + 180) % 360 - 180)
