"""How well lips follow voices of different pitch and language: measured bias for the model cards.

    python -m recipes.voice_bias SPEECH --method artalk -o docs/benchmarks/voice_bias.json
    python -m recipes.model_cards

`SPEECH` is a folder of `recipes.speech_kokoro` (synthetic voices, whose phones and times are
known). The target of every utterance is the lip opening that its phones alone give
(`motet.synthesis.performance`), so voices differ in sound, not in what they are asked to do. Most
of these voices were in training sets, so figures compare groups of voices and do not tell how good
lips are: that is measured on film.
"""

from __future__ import annotations

import dataclasses
import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import tyro
from jaxtyping import Float
from numpy import ndarray

from motet.atomic_write import write_bytes
from motet.audio import read_audio, resample, to_mono
from motet.config import JsonValue
from motet.errors import InputError
from motet.face.lip_shapes import measure
from motet.loaded_method import LoadedMethod
from motet.metrics.lip import CLOSED_M, realised_closures
from motet.metrics.lip_geometry import LipGeometry, lip_geometry_of
from motet.phonetics.phones import PhoneSpan
from motet.rigs.house import load_house
from motet.session import load
from motet.synthesis.performance.model import load_model
from motet.synthesis.performance.perform import PerformanceModel, mouth_weights
from motet.synthesis.performance.prosody import RATE_HZ, analyse
from motet.synthesis.performance.style import StyleSettings
from motet.types import Motion
from recipes.performance_model.fit import best_correlation
from recipes.speech_kokoro.store import Store

FORMAT = "motet-voice-bias/1"
SHORTEST_S, LONGEST_S = 1.5, 4.0
PITCH_HZ = (140.0, 200.0)
"""Median pitch that separates low, middle and high voices."""
PITCH_NAMES = ("under 140 Hz", "140 to 200 Hz", "over 200 Hz")
BILABIALS = ("p", "b", "m")
MAX_LAG = 2
"""Frames by which motion may be shifted against the target."""


@dataclasses.dataclass(frozen=True)
class UtteranceScore:
    """One utterance, and the lips that a method made of it."""

    voice: str
    language: str
    held_out: bool
    pitch_hz: float
    """Median of the voiced frames."""
    opening_r: float
    """Correlation of the lip opening with the target, at the best lag."""
    closures: int
    """Phones p, b and m."""
    closed: int
    """Those at which the lips of the figure are under 1 mm apart."""


@dataclasses.dataclass(frozen=True)
class VoiceBias:
    """What is measured."""

    speech: tyro.conf.Positional[Path]
    """Folder of `recipes.speech_kokoro`."""
    out: Annotated[Path, tyro.conf.arg(aliases=["-o"])]
    """JSON file; methods that it already holds and that are not measured now stay."""
    method: tuple[str, ...] = ("artalk",)
    """Face methods."""
    each: int = 2
    """Utterances of every voice in every language."""

    def execute(self) -> None:
        """Measure and write."""
        chosen = choose(Store(self.speech).all(), self.each)
        if not chosen:
            raise InputError(f"{self.speech} holds no utterances of {SHORTEST_S:g} s and more")
        methods: dict[str, JsonValue] = {}
        if self.out.exists():
            methods = json.loads(self.out.read_text(encoding="utf-8"))["methods"]
        scorer = Scorer(load_model(), lip_geometry_of(load_house()))
        store = Store(self.speech)
        for name in self.method:
            loaded = load(name)
            rows = [scorer.score(loaded, store, facts) for facts in chosen]
            methods[name] = {"weights": loaded.digest, **summary(rows)}
            document = {"format": FORMAT, "pitch_hz": [*PITCH_HZ], "methods": methods}
            write_bytes(self.out, (json.dumps(document, indent=1) + "\n").encode())
            print(name, json.dumps(methods[name]))


def choose(utterances: Iterable[Mapping[str, Any]], each: int) -> list[Mapping[str, Any]]:
    """The first utterances of every single voice in every language, of 1.5 to 4 s."""
    chosen: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
    for facts in utterances:
        seconds = facts["samples"] / facts["rate"]
        if len(facts["voices"]) == 1 and SHORTEST_S <= seconds <= LONGEST_S:
            chosen[facts["speaker"], facts["language"]].append(facts)
    return [facts for group in chosen.values() for facts in group[:each]]


@dataclasses.dataclass(frozen=True)
class Scorer:
    """Lips against phones."""

    model: PerformanceModel
    geometry: LipGeometry

    def score(
        self, loaded: LoadedMethod[Motion], store: Store, facts: Mapping[str, Any]
    ) -> UtteranceScore:
        """One utterance through a method with its default options."""
        audio = resample(to_mono(read_audio(store.sound(facts["index"]))), RATE_HZ)
        phones = tuple(PhoneSpan(start, end, symbol) for start, end, symbol in facts["phones"])
        motion = loaded.run(audio, seeds=(0,)).item(0)
        sound = audio.samples.reshape(-1).numpy()
        target = self._target(sound, phones, motion)
        weights = motion["blendshapes"].double().numpy()
        opening = np.maximum(measure(weights)[:, 0], 0.0)  # (frames)
        closures = [(p.start, p.end) for p in phones if p.symbol in BILABIALS]
        gap = self.geometry.opening(motion)  # (frames), metres on the figure
        closed = realised_closures(gap, motion.space.fps, closures, CLOSED_M)
        return UtteranceScore(
            facts["speaker"],
            facts["language"],
            facts["split"] != "train",
            median_pitch_hz(sound),
            best_correlation(opening, target, MAX_LAG),
            len(closures),
            sum(closed),
        )

    def _target(
        self, sound: Float[ndarray, " time"], phones: Sequence[PhoneSpan], motion: Motion
    ) -> Float[ndarray, " frames"]:
        """Lip opening that the phones give, in the default style."""
        prosody = analyse(sound, phones, motion.frames, motion.space.fps)
        weights = mouth_weights(self.model, prosody, phones, StyleSettings(), fps=motion.space.fps)
        return np.maximum(measure(weights)[:, 0], 0.0)


def median_pitch_hz(sound: Float[ndarray, " time"]) -> float:
    """Median over the voiced stretches of a sound at 16 kHz, by autocorrelation, 60 to 400 Hz.

    A periodic sound resembles itself after every multiple of its period: the shortest lag that is
    nearly as good as the best counts.
    """
    size, low, high = 1024, RATE_HZ // 400, RATE_HZ // 60
    window = np.hanning(size)
    pieces = np.lib.stride_tricks.sliding_window_view(sound.astype(np.float64), size)[:: size // 2]
    own = np.fft.irfft(np.abs(np.fft.rfft(window, 2 * size)) ** 2)[:high]
    power = np.fft.irfft(np.abs(np.fft.rfft(pieces * window, 2 * size)) ** 2)[:, :high]
    loud = power[:, 0] > 0.05 * np.quantile(power[:, 0], 0.95)
    likeness = (power / own)[loud] / np.maximum((power / own)[loud, :1], 1e-12)  # (pieces, lags)
    best = likeness[:, low:].max(axis=1)
    good = likeness[:, low:] > 0.9 * best[:, None]
    first = good.argmax(axis=1)
    # From the first good lag on to the top of that peak.
    lags = [
        low + at + int(row[low + at : low + at + at // 4 + 8].argmax())
        for at, row in zip(first, likeness, strict=True)
    ]
    voiced = best > 0.5
    return float(np.median(RATE_HZ / np.array(lags)[voiced])) if voiced.any() else float("nan")


def summary(rows: Sequence[UtteranceScore]) -> dict[str, JsonValue]:
    """Scores by pitch (English alone, so that languages do not mix in), language and set."""
    english = sorted((row for row in rows if row.language == "en"), key=lambda row: row.pitch_hz)
    rows = sorted(rows, key=lambda row: row.language)
    return {
        "pitch": _grouped(
            english, lambda row: PITCH_NAMES[np.searchsorted(PITCH_HZ, row.pitch_hz)]
        ),
        "language": _grouped(rows, lambda row: row.language),
        "voices": _grouped(rows, lambda row: "held out" if row.held_out else "in training sets"),
    }


def _grouped(
    rows: Iterable[UtteranceScore], name_of: Callable[[UtteranceScore], str]
) -> dict[str, JsonValue]:
    groups: dict[str, list[UtteranceScore]] = defaultdict(list)
    for row in rows:
        groups[name_of(row)].append(row)
    return {name: _scores(own) for name, own in groups.items()}


def _scores(rows: Sequence[UtteranceScore]) -> dict[str, JsonValue]:
    """Mean correlation over voices with its standard error, and the share of closed closures."""
    by_voice: dict[str, list[float]] = defaultdict(list)
    for row in rows:
        by_voice[row.voice].append(row.opening_r)
    means = np.array([np.mean(values) for values in by_voice.values()])
    error = float(means.std(ddof=1) / len(means) ** 0.5) if len(means) > 1 else None
    events = sum(row.closures for row in rows)
    return {
        "voices": len(means),
        "utterances": len(rows),
        "opening_r": round(float(means.mean()), 3),
        "standard_error": None if error is None else round(error, 3),
        "closures": events,
        "closed": round(sum(row.closed for row in rows) / events, 3) if events else None,
    }


if __name__ == "__main__":
    tyro.cli(VoiceBias).execute()
