"""`motet check`: a quality report of takes and videos."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TypedDict

import tyro


class ScoresOf(TypedDict):
    """What was found about one file."""

    scores: dict[str, float]
    remarks: list[str]


@dataclasses.dataclass(frozen=True)
class Check:
    """Whether a take fits its own audio: offset, lip closures (with --text), stillness in silence,
    smoothness, head, blinks, a mouth that stays shut over speech. Remarks do not change the exit
    code.
    """

    take: tyro.conf.Positional[tuple[Path, ...]]
    """Takes (.npz) written by motet, or videos of a speaking face (their content credentials are
    read too)."""
    text: str = ""
    """English transcript of a take: its lip closures at p, b and m are scored too."""
    json: bool = False
    """Print JSON instead of tables."""

    def execute(self) -> int:
        """Report on every take."""
        from motet.errors import ConfigError
        from motet.evaluation.video_quality import ENDINGS

        if not self.take:
            raise ConfigError("no take given")
        if self.text and len(self.take) > 1:
            raise ConfigError("--text belongs to a single take; check the takes one by one")
        if self.text and self.take[0].suffix.lower() in ENDINGS:
            raise ConfigError("--text is for takes (.npz); a video is scored without it")
        reports = {str(path): self._scores(path) for path in self.take}
        if self.json:
            print(json.dumps({"format": "motet-check/1", "takes": reports}, indent=1))
        else:
            for name, report in reports.items():
                _show(name, report)
        return 0

    def _scores(self, path: Path) -> ScoresOf:
        from motet.errors import ConfigError
        from motet.evaluation.video_quality import ENDINGS, check_video

        if path.suffix.lower() in ENDINGS:
            measured = check_video(path)
            return {"scores": measured.scores, "remarks": list(measured.remarks)}
        from motet.evaluation.take_quality import evaluate, remarks
        from motet.export import read_take
        from motet.face.shut_mouth import shut_mouth
        from motet.metrics.lip_geometry import lip_geometry_of
        from motet.rigs.house import load_house

        clip = read_take(path)
        phones = []
        if self.text and clip.audio is None:
            raise ConfigError(f"--text needs the take's audio, {path} has none")
        if self.text and clip.audio is not None:
            from motet.audio import resample, to_mono
            from motet.phonetics.alignment import SAMPLE_RATE
            from motet.phonetics.word_times import aligned_phones

            phones = aligned_phones(resample(to_mono(clip.audio), SAMPLE_RATE), self.text)
        scores = evaluate(clip, lip_geometry_of(load_house()), phones)
        shut = shut_mouth(clip.audio, clip.motion) if clip.audio and clip.motion else []
        return {"scores": scores, "remarks": [*remarks(scores), *shut]}


VIDEO_SCORES = {
    "credentials": ("1", "1: the file carries content credentials"),
    "intact": ("1", "1: nothing was changed since it was signed"),
    "found": ("1", "share of frames with a face"),
    "opening": ("faces", "range of the lip aperture, in heights of the face"),
    "lag_s": ("s", "lips behind the audio, where it can be measured"),
    "still": ("1", "movement of the lips in silence over that in speech"),
}


def _show(name: str, report: ScoresOf) -> None:
    from rich.console import Console
    from rich.table import Table

    from motet.evaluation.take_quality import METRICS

    known = {metric.id: metric for metric in METRICS}
    table = Table("score", "value", "unit", "what it is", title=name, title_justify="left")
    for key, value in report["scores"].items():
        unit, about = (known[key].unit, known[key].about) if key in known else VIDEO_SCORES[key]
        table.add_row(key, f"{value:.3g}", unit, about)
    console = Console(width=max(Console().width, 120))
    console.print(table)
    for remark in report["remarks"] or ["no remarks"]:
        console.print(remark, highlight=False)


COMMAND = Check
