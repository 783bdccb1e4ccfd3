"""Where lips are lost: targets, codec, regressor, generator, each rung against tracked people.

    python -m recipes.lip_ladder --data DATA --weights artalk.safetensors

`DATA` holds `other_speakers` and `grid_s1`. Rungs: `targets` are what `motet data synth` makes of
the sound alone (phones recognised), `codec` the same through ARTalk's codec, `regressor` the linear
map inside ARTalk, `offline` and `stream` the method as users get it. `--gain` adds the same mouth
scaled to people's spreads (`--weights` of an older model then show what scaling alone would do).
Numbers are medians over the clips of a group: correlation with film at the best lag, spread over
that of the film, closures of p, b and m under 1 mm over all events.
"""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import tyro
from jaxtyping import Float
from numpy import ndarray

from motet.cli.requests import method_options
from motet.encoders.base import MouthEncoder, encode
from motet.evaluation.face_scores import closure_counts
from motet.evaluation.held_out import HeldOutClip, load_held_out
from motet.face.lip_shapes import joined, measure, solve_mouth, spread
from motet.face.mouth_blend import widened
from motet.loaded_method import LoadedMethod
from motet.methods.artalk.streaming.generate import ArtalkStreaming
from motet.metrics.lip_geometry import lip_geometry_of
from motet.rigs.house import load_house
from motet.session import load
from motet.synthesis.performance.synthesis import SynthOptions, synthesise
from motet.types import Motion, arkit_space
from recipes.performance_model.fit import best_correlation

Rung = Callable[[HeldOutClip], Motion]
KNOWN_EVERY = 5
"""Every so many clips of the man in training (GRID s1, clips kept apart) are scored."""


@dataclasses.dataclass(frozen=True)
class Ladder:
    """The rungs that are asked for, on all groups."""

    data: Path
    """Folder with other_speakers (and grid_s1)."""
    weights: Path | None = None
    """ARTalk's weights; the shipped ones when left out."""
    whisper: Path | None = None
    """Whisper weights for the targets; the installed package when left out."""
    rungs: tuple[str, ...] = ("targets", "codec", "regressor", "offline", "stream")
    gain: bool = False
    """Also the last rung with opening and width scaled to people's spreads."""
    options: tuple[str, ...] = ()
    """Options of the method, NAME=VALUE."""

    def execute(self) -> None:
        """Print one line for each rung and group."""
        loaded = load("artalk", self.weights)
        method = loaded.method
        assert isinstance(method, ArtalkStreaming)
        rungs = self._rungs(loaded, method)
        clips = [c for c in load_held_out(self.data).clips if c.tracked is not None]
        known = [c for c in clips if c.group == "grid s1"][::KNOWN_EVERY]
        clips = [c for c in clips if c.group != "grid s1"] + known
        print(f"{'rung':<10} {'group':<12} gap r  width r  gap x  width x  closures")
        for name in self.rungs:
            motions = [rungs[name](clip) for clip in clips]
            report(name, clips, motions)
        if self.gain:
            report("gain only", clips, scaled(clips, motions))

    def _rungs(self, loaded: LoadedMethod[Motion], method: ArtalkStreaming) -> dict[str, Rung]:
        given = method_options("artalk", {}, self.options)

        def targets(clip: HeldOutClip) -> Motion:
            return synthesise(clip.audio, SynthOptions(whisper=self.whisper)).motion

        def run(mode: str) -> Rung:
            return lambda clip: loaded.run(clip.audio, {"mode": mode, **given}).item(0)

        return {
            "targets": targets,
            "codec": lambda clip: through_codec(method, targets(clip)),
            "regressor": lambda clip: regressed(method, clip),
            "offline": run("offline"),
            "stream": run("stream"),
            "method": lambda clip: loaded.run(clip.audio, given).item(0),
        }


@torch.inference_mode()
def through_codec(method: ArtalkStreaming, motion: Motion) -> Motion:
    """Window after window encoded to bits and decoded, each with the last one as context."""
    codec, frames = method.model.codec, method.config.codec.frames
    values = motion.values
    padded = torch.cat([values, values[-1:].expand(-len(values) % frames, -1)])
    before, past, windows = torch.zeros(1, frames, codec.config.bits), padded[None, :0], []
    for now in padded[None].split(frames, 1):
        features = codec.encode(torch.cat([past, now], 1))[:, -frames:]
        total = codec.quantizer.total(codec.quantizer.signs(features)[1])
        windows.append(codec.decode(torch.cat([before, total], 1), keep=frames))
        before, past = total, now
    return Motion(torch.cat(windows, 1)[0, : len(values)], motion.space)


@torch.inference_mode()
def regressed(method: ArtalkStreaming, clip: HeldOutClip) -> Motion:
    """The regressor's mouth on the whole recording."""
    encoder = method.encoder
    assert isinstance(encoder, MouthEncoder)
    features = encode(encoder, clip.audio.samples.reshape(1, -1))
    shapes = widened(
        encoder.mouth(features)[0, :: method.config.steps_per_frame], encoder.mouth_mean
    )
    mouth = spread(shapes.double().numpy())
    still = np.zeros((len(mouth), 3))
    return Motion(torch.from_numpy(np.concatenate([mouth, still], 1)).float(), arkit_space())


def lips(motion: Motion) -> Float[ndarray, "frames 4"]:
    """The lip measures of a motion, the gap at least 0."""
    measures = measure(motion["blendshapes"].double().numpy())
    return np.column_stack([np.maximum(measures[:, 0], 0.0), measures[:, 1:]])


def compared(clip: HeldOutClip, motion: Motion) -> tuple[ndarray, ndarray, ndarray]:
    """At the film's frames: predicted measures, those fitted to the film, its opening."""
    tracked, made = clip.tracked, lips(motion)
    assert tracked is not None
    time = tracked.time_s.numpy()
    inside = (time >= 0) & (time <= (len(made) - 1) / motion.space.fps)
    at = time[inside] * motion.space.fps
    rows = [np.interp(at, np.arange(len(made)), made[:, k]) for k in range(2)]
    return np.stack(rows, 1), lips(tracked.motion)[inside], tracked.opening.numpy()[inside]


def scores(clip: HeldOutClip, motion: Motion) -> tuple[float, float, float, float]:
    """Correlation of opening and width, spread of both over that of the film."""
    assert clip.tracked is not None
    made, truth, opening = compared(clip, motion)
    lag = round(clip.max_lag_s * clip.tracked.fps)
    spreads = made.std(0) / truth[:, :2].std(0)
    return (
        best_correlation(made[:, 0], opening, lag),
        best_correlation(made[:, 1], truth[:, 1], lag),
        float(spreads[0]),
        float(spreads[1]),
    )


def report(name: str, clips: list[HeldOutClip], motions: list[Motion]) -> None:
    """One line a group."""
    geometry = lip_geometry_of(load_house())
    for group in dict.fromkeys(clip.group for clip in clips):
        pairs = [(c, m) for c, m in zip(clips, motions, strict=True) if c.group == group]
        medians = [
            statistics.median(v) for v in zip(*(scores(c, m) for c, m in pairs), strict=True)
        ]
        counts = [closure_counts(geometry.measure(m), c.phones) for c, m in pairs]
        events = sum(c.get("closures", 0.0) for c in counts)
        closed = sum(c.get("closure_recall", 0.0) for c in counts)
        share = f"{closed / events:.2f} of {events:.0f}" if events else "-"
        numbers = "  ".join(f"{value:6.3f}" for value in medians)
        print(f"{name:<10} {group:<12} {numbers}  {share}", flush=True)


def scaled(clips: list[HeldOutClip], motions: list[Motion]) -> list[Motion]:
    """The mouths of all clips with one factor for opening shapes and one for width shapes, so that
    the median spreads are people's.
    """
    values = [scores(c, m) for c, m in zip(clips, motions, strict=True) if c.group != "grid s1"]
    opening, width = (1 / statistics.median(v[k] for v in values) for k in (2, 3))
    return [_scaled(motion, opening, width) for motion in motions]


def _scaled(motion: Motion, opening: float, width: float) -> Motion:
    weights = motion["blendshapes"].double().numpy()
    expected = measure(weights) * np.array([opening, width, opening, opening])
    mouth = spread(solve_mouth(expected, joined(weights)))
    changed = mouth.any(0)
    result = motion.values.clone()
    result[:, :52][:, changed] = torch.from_numpy(mouth[:, changed]).float()
    return Motion(result, motion.space)


if __name__ == "__main__":
    tyro.cli(Ladder).execute()
