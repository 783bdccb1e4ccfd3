"""Whole takes of mospa on sounds that nobody developed with, made by the command, read from BVH.

    python -m recipes.blind_takes --seed 5 --soundfont FONT.sf3 --recordings FOLDER -o OUT

Each seed composes other sounds at other angles: bursts, sirens, music, speech and steps that stand
or move, film tracks without a head's cues, and two events one after the other. RECORDINGS holds a
folder of files for each kind (`music/`, `speech/`, ...), which take the place of made sounds;
`--corpus` is a corpus of `motet data sam --size life`, whose performances give latencies and peaks.
OUT gets `scenes.json` and every take; what lies there already is measured and not made again.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from rich.console import Console

from motet.audio import read_audio, resample, to_mono
from motet.audio.io.write import write_audio
from motet.body.skeleton import BodyPose, body_motion, pose_body
from motet.cli import main as motet
from motet.data.readers.sam import Sam
from motet.encoders.binaural import COLUMNS, ear_features
from motet.evaluation.body_requirements import requirements, requirements_table
from motet.evaluation.body_scenes import MadeScene, Scene, SoundEvent, make_scene
from motet.evaluation.body_takes import TakeScores, score_take, takes_table
from motet.export.bvh import read as read_bvh
from motet.metrics import body_continuity, body_reaction
from motet.reaction_families import SOUND_FAMILIES
from motet.synthesis.soundscape.tones import RATE, Samples, peaked
from motet.take import read_take
from recipes.general_midi import COMPOSERS, Player
from recipes.plain_sounds import MAKERS

REACTS_S = 4.0
"""Peak speeds are looked for within this time of an event."""
KINDS = ("gunshot", "siren", "music", "speech", "footsteps")
"""Alone, for 12 s (told), 20 s (estimated) and 20 s (told, moving)."""
SECONDS_ALONE = ("phone", "bark", "siren", "speech", "gunshot", "chime", "explosion", "applause",
                 "fire_alarm", "footsteps", "engine", "knocking")  # fmt: skip
"""Kinds of first and second events."""
COLUMN_OF_BEATS = 65


@dataclasses.dataclass(frozen=True)
class EventScore:
    """One event of a take and what the figure made of it."""

    scene: str
    sound: str
    detected: str
    """Reaction that the command printed for the event; empty where it found none within 0.7 s."""
    family: str
    """The one that the kind calls for."""
    latency_s: float | None
    right_side: bool
    peak_m_s: float
    shows: bool
    """The motion does what the family is (`shows_family`)."""


class Sounds:
    """Sounds of any kind: recordings where there are some, else played or synthesised ones."""

    def __init__(self, soundfont: Path, recordings: Path | None) -> None:
        self._player = Player(soundfont)
        folders = sorted(recordings.iterdir()) if recordings is not None else []
        self._files = {f.name: sorted(f.iterdir()) for f in folders if f.is_dir()}

    def __call__(
        self, kind: str, seconds: float, seed: tuple[int, ...]
    ) -> tuple[Samples, float, tuple[float, ...]]:
        """Samples, onset and beats."""
        random = np.random.default_rng([*seed, sum(map(ord, kind))])
        composers = {name: compose for name, compose, _ in COMPOSERS}
        if kind in self._files:
            samples = _recorded(random, self._files[kind], seconds)
        elif kind in composers and (kind not in MAKERS or random.random() < 0.7):
            samples = self._player.play(*composers[kind](random, seconds), seconds)
        else:
            samples = peaked(MAKERS[kind](random, seconds))
        onset = float(np.argmax(np.abs(samples) > 0.05 * np.abs(samples).max())) / RATE
        beats = _beats(samples) if kind in ("music", "drum") else ()
        return samples.astype(np.float32), onset, beats


def _recorded(random: np.random.Generator, files: list[Path], seconds: float) -> Samples:
    """A stretch of a recording from its onset on; short ones once, with silence behind them."""
    audio = resample(to_mono(read_audio(files[int(random.integers(len(files)))])), RATE)
    samples, count = audio.samples.flatten().double().numpy(), round(seconds * RATE)
    if len(samples) > 1.5 * count:
        start = int(random.integers(0, len(samples) - count))
        samples = samples[start : start + count]
    first = int(np.argmax(np.abs(samples) > 0.05 * np.abs(samples).max()))
    return peaked(np.pad(samples[first:], (0, count))[:count])


def _beats(samples: Samples) -> tuple[float, ...]:
    """Moments of the beats, as the tracker of the audio features finds them at 120 a second."""
    rows = ear_features(torch.from_numpy(samples).float(), every=1, rhythm=False)
    assert COLUMNS["onset"].stop == COLUMN_OF_BEATS
    return tuple((torch.nonzero(rows[:, COLUMN_OF_BEATS]).flatten() / 120).tolist())


def scenes(seed: int) -> list[Scene]:
    """The scenes of a seed."""
    random = np.random.default_rng([seed, 31])

    def angle() -> float:
        return float(random.integers(-34, 36) * 5 + random.integers(0, 5))

    def made(name: str, seconds: float, *events: SoundEvent, **facts: object) -> Scene:
        scene = Scene(name, seconds, events, seed=seed)
        return dataclasses.replace(scene, **facts)  # type: ignore[arg-type]  # fields by name

    result = []
    for kind in KINDS:
        one, two, three = angle(), angle(), angle()
        start = float(random.uniform(0.3, 1.5))
        path = tuple(three + part * float(random.choice([-1, 1])) * 150 for part in (0, 0.5, 1))
        result += [
            made(f"{kind} {one:.0f}", 12, SoundEvent(kind, start, 10, (one,)), source_given=True),
            made(f"{kind} {two:.0f}, estimated", 20, SoundEvent(kind, start, 18, (two,))),
            made(f"{kind} {path[0]:.0f} to {path[2]:.0f}", 20, SoundEvent(kind, start, 18, path),
                 source_given=True),
        ]  # fmt: skip
    for number, (behind, kind) in enumerate((("rain", "explosion"), ("instrument", "gunshot"))):
        side = float(random.choice([-1, 1]) * random.integers(25, 60))
        event = SoundEvent(kind, 5.0 + 2 * number, 2.5, (side,))
        name = f"film: {behind}, then {kind} {side:.0f}"
        result.append(made(name, 16, event, panned=True, background=behind))
    result += [_two_events(random, seed, number) for number in range(14)]
    speech = SoundEvent("speech", 0.4, 19, (0.0,))
    result.append(made("speaks", 20, speech, options={"role": "speaker"}))
    return result


def _two_events(random: np.random.Generator, seed: int, number: int) -> Scene:
    """Two events from sides that are at least 60 degrees apart; every third as plain stereo."""
    first, second = (str(k) for k in random.choice(SECONDS_ALONE, 2, replace=False))
    panned = number % 3 == 2
    one = two = 0.0
    while abs((one - two + 180) % 360 - 180) < 60:
        one, two = (float(a) for a in (random.integers(-65, 66, 2) if panned else
                                       random.integers(-170, 171, 2)))  # fmt: skip
    start, length = float(random.uniform(0.4, 2.0)), float(random.uniform(3.0, 6.0))
    gap = float(random.uniform(0.3, 3.0))
    events = (
        SoundEvent(first, start, length, (one,)),
        SoundEvent(second, start + length + gap, 4.0, (two,)),
    )
    name = f"{first} {one:.0f}, {second} {two:.0f}" + (" (stereo)" if panned else "")
    return Scene(name, start + length + gap + 6.0, events, panned=panned, seed=seed)


def run_scene(scene: Scene, made: MadeScene, folder: Path) -> tuple[BodyPose, TakeScores, list]:
    """Run the command on a scene and measure its BVH."""
    stem = _stem(scene, folder)
    if not _is_made(stem):
        _run(scene, made, stem)
    take = read_bvh(Path(f"{stem}.bvh")).motion
    assert take is not None
    events = read_take(f"{stem}.npz").provenance.get("sound_events", [])
    return pose_body(take), score_take(scene, made, take), events


def _stem(scene: Scene, folder: Path) -> Path:
    return folder / "".join(c if c.isalnum() or c in "-." else "_" for c in scene.name)


def _is_made(stem: Path) -> bool:
    return Path(f"{stem}.bvh").exists() and Path(f"{stem}.npz").exists()


def _run(scene: Scene, made: MadeScene, stem: Path) -> None:
    """The command, with the sound and the path of the source as files."""
    write_audio(made.audio, f"{stem}.wav")
    words = ["run", f"{stem}.wav", "-m", "mospa", "-o", f"{stem}.bvh", "-o", f"{stem}.npz",
             "--quiet"]  # fmt: skip
    if scene.source_given:
        np.save(f"{stem}.path.npy", made.path)
        words += ["--source", f"{stem}.path.npy"]
    for name, value in scene.options.items():
        words += ["--option", f"{name}={value}"]
    if motet(words):
        raise SystemExit(f"motet {' '.join(words)} failed")


def shows_family(pose: BodyPose, fps: float, onset_s: float, source: np.ndarray, name: str) -> bool:
    """Whether the five seconds after an event look like a family of reactions: hands at the ears,
    gone or down, moving with the music, or turned to it.
    """
    start = min(round(onset_s * fps), len(pose.positions) - 8)
    part = BodyPose(pose.rotations[start:][:150], pose.positions[start:][:150])
    root = part.joint("pelvis").double().numpy()
    gone = float(np.linalg.norm((root - root[0])[:, [0, 2]], axis=1).max())
    if name == "cover":
        return body_reaction.ear_distance(part) < 0.18 or gone > 0.8
    if name == "flee":
        peak = float(body_reaction.movement(part, fps).max())
        return gone > 0.5 or float(root[0, 1] - root[:, 1].min()) > 0.12 or peak > 0.9
    if name == "dance":
        return float(body_reaction.movement(part, fps).mean()) > 0.12
    if name == "avoid":
        return gone > 0.25
    if name == "endure":
        return True
    return body_continuity.on_right_side(pose, fps, onset_s, source)


def score_events(
    scene: Scene, made: MadeScene, pose: BodyPose, scores: TakeScores, found: list
) -> list[EventScore]:
    """Each event of a scene against what was detected and done."""
    fps, speed, rows = 30.0, body_reaction.movement(pose, 30.0), []
    if scene.options.get("role") == "speaker":
        return rows
    for number, (event, onset) in enumerate(zip(scene.events, made.onsets_s, strict=True)):
        near = [f for f in found if abs(f["seconds"] - onset) < 0.7]
        start = round(onset * fps)
        family = SOUND_FAMILIES[event.sound]
        rows.append(
            EventScore(
                scene.name,
                event.sound,
                str(near[0]["reaction"]) if near else "",
                family,
                scores.latency_s[number],
                scores.right_side[number],
                float(speed[start : start + round(REACTS_S * fps)].max()),
                shows_family(pose, fps, onset, made.sources[number], family),
            )
        )
    return rows


def corpus_figures(folder: Path, most: int = 15) -> Mapping[str, tuple[float, float]]:
    """Median latency and median peak speed of the performances of each family in a corpus."""
    corpus, rows = Sam(folder), {}
    for name, truth in corpus.reactions().items():
        family = str(truth["policy"]).partition("/")[0]
        if family not in SOUND_FAMILIES.values() or len(rows.setdefault(family, [])) >= most:
            continue
        stored = corpus.read(name)
        pose = pose_body(body_motion(stored.root.float(), stored.rotations.float(), 30.0))
        start = round(float(truth["onset_s"]) * 30)
        speed = body_reaction.movement(pose, 30.0)
        late = body_continuity.latency(pose, 30.0, float(truth["onset_s"]))
        if late is not None and start + 60 < len(speed):
            rows[family].append((late, float(speed[start : start + round(REACTS_S * 30)].max())))
    return {family: _medians(values) for family, values in rows.items() if values}


def _medians(values: list[tuple[float, float]]) -> tuple[float, float]:
    late, peak = np.median(np.array(values), axis=0)
    return float(late), float(peak)


def summary(rows: list[EventScore], corpus: Mapping[str, tuple[float, float]]) -> list[str]:
    """Lines about events by family."""
    lines = []
    for family in dict.fromkeys(row.family for row in rows):
        own = [row for row in rows if row.family == family]
        late = [row.latency_s for row in own if row.latency_s is not None]
        known = corpus.get(family)
        beside = "" if known is None else f" (corpus {known[0]:.2f} s, {known[1]:.2f} m/s)"
        lines.append(
            f"{family}: {len(own)} events, found {sum(bool(r.detected) for r in own)}, family"
            f" {sum(r.detected == family for r in own)}, shown {sum(r.shows for r in own)}, side"
            f" {sum(r.right_side for r in own)}, median latency {np.median(late or [9.0]):.2f} s,"
            f" peak {np.median([r.peak_m_s for r in own]):.2f} m/s{beside}"
        )
    return lines


def _line(event: Mapping[str, object]) -> str:
    facts = ("seconds", "sound", "probability", "azimuth_deg", "reaction")
    return " ".join(str(event[name]) for name in facts) + ";"


def main() -> None:
    """Make, run, measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--soundfont", type=Path, required=True)
    parser.add_argument("--recordings", type=Path)
    parser.add_argument("--corpus", type=Path)
    parser.add_argument("--only", default="", help="parts of names of scenes, with | between")
    parser.add_argument("--measure", action="store_true", help="only takes that are there")
    parser.add_argument("-o", "--out", type=Path, required=True)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    asked.out.mkdir(parents=True, exist_ok=True)
    sounds, chosen, scores, events = Sounds(asked.soundfont, asked.recordings), [], [], []
    every = list(enumerate(scenes(asked.seed)))
    # In an order of chance, so that a run that is cut short has some of each kind.
    for at in np.random.default_rng(asked.seed).permutation(len(every)):
        number, scene = every[at]
        if asked.only and not any(part in scene.name for part in asked.only.split("|")):
            continue
        if asked.measure and not _is_made(_stem(scene, asked.out)):
            continue
        made = make_scene(scene, number, sounds)
        pose, score, found = run_scene(scene, made, asked.out)
        chosen.append(scene)
        scores.append(score)
        events += score_events(scene, made, pose, score, found)
        print(f"{scene.name}:", *map(_line, found), flush=True)
    corpus = corpus_figures(asked.corpus) if asked.corpus is not None else {}
    console = Console(width=170)
    console.print(takes_table(scores), requirements_table(requirements(chosen, scores)))
    print(*summary(events, corpus), sep="\n")
    pairs = {scene.name for scene in chosen if len(scene.events) == 2}
    second = [row for row in events if row.scene in pairs][1::2]
    right = sum(r.right_side and r.latency_s is not None and r.latency_s <= 1.2 for r in second)
    print(f"second events in time and on the right side: {right} of {len(second)}")
    rows = {"takes": scores, "events": events}
    text = json.dumps({k: [dataclasses.asdict(row) for row in v] for k, v in rows.items()})
    (asked.out / "scenes.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
