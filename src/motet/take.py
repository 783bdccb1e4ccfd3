"""Takes: motion or pictures generated from a recording, ready to be written to files."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Mapping
from pathlib import Path

from motet import config as settings
from motet.config import JsonValue
from motet.export import check_ending, write_clip
from motet.export import read_take as read_clip
from motet.options import OptionValue, Postprocess
from motet.types import Clip


@dataclasses.dataclass(frozen=True)
class Shown:
    """A page that notebooks show in a frame."""

    page: str = dataclasses.field(repr=False)
    """The whole page, as `take.save("talk.html")` writes it."""
    height: int = 480
    """Of the frame, pixels."""

    def _repr_html_(self) -> str:
        frame = f'width="100%" height="{self.height}" style="border:0" sandbox="allow-scripts"'
        return f'<iframe title="take" {frame} srcdoc="{html.escape(self.page)}"></iframe>'


@dataclasses.dataclass(frozen=True, repr=False)
class Take(Clip):
    """A clip as `motet.run` returns it and `motet.read_take` reads it."""

    def save(
        self,
        path: str | Path,
        *,
        avatar: str | Path | None = None,
        size: int | str = 512,
        background: str = "",
        camera: str = "head",
        captions: str = "",
        figure: str = "",
        marker: bool = True,
        fps: float | None = None,
    ) -> Path:
        """Write in the format that the path's ending names; the file appears only when complete.

        Args:
            path: .mp4 .webm .mov .png .glb .vrma .csv .json .npz .bvh .html .srt .vtt, or
                .smplx.npz .amass.npz .beat2.npz .oculus.csv .vrm.csv (also .json).
            avatar: a GLB or VRM to animate instead of the house figure (.glb), or whose expressions
                are used (.vrma).
            size: of pictures: pixels, `1920x1080`, `9:16`, `1080p`.
            background: of pictures: `#RRGGBB`, a picture file, `transparent` (.webm .mov .png).
            camera: `head`, `bust`, `three-quarter` or `body`.
            captions: text or .srt/.vtt file, drawn into pictures or written as captions.
            figure: `mira`, `jonas` or `amara` (pictures, .glb, .html).
            marker: videos of a body show the source position, if the take has one (.mp4).
            fps: frame rate of the file; when left out 60 for .csv, else the take's own.

        Raises:
            InputError: no format has that ending, or the take lacks what the format needs.
        """
        check_ending(path)
        return write_clip(
            self,
            Path(path),
            avatar=avatar,
            size=size,
            background=background,
            camera=camera,
            captions=captions,
            figure=figure,
            marker=marker,
            fps=fps,
        )

    def show(self, height: int = 480) -> Shown:
        """The figure that plays this take, in a notebook; works without a network.

        Raises:
            SpaceError: motion that the house figure cannot play.
        """
        from motet.export.talk_page import talk_page

        return Shown(talk_page(self, str(self.provenance.get("source") or "take")), height)

    def _repr_html_(self) -> str:
        """Facts of the take as a small table, with the opening of its jaw over time."""
        rows = {
            "method": self.provenance.get("method"),
            "seed": self.provenance.get("seed"),
            "source": self.provenance.get("source"),
        }
        out = self.motion or self.frames
        if out is not None:
            fps = out.fps if self.motion is None else self.motion.space.fps
            rows["length"] = f"{out.frames} frames, {out.seconds:.2f} s at {fps:g} fps"
        cells = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(str(value))}</td></tr>"
            for name, value in rows.items()
            if value not in (None, "")
        )
        return f"<table>{cells}</table>{self._sparkline()}"

    def _sparkline(self) -> str:
        """The opening of the jaw as a drawing; empty without a face."""
        if self.motion is None or not self.motion.space.name.startswith("arkit"):
            return ""
        curve = self.motion.channel("blendshapes", "jawOpen").flatten().tolist()
        step = max(1, len(curve) // 300)
        peaks = [max(curve[k : k + step]) for k in range(0, len(curve), step)]
        points = " ".join(f"{k},{32 - 30 * min(value, 1):.1f}" for k, value in enumerate(peaks))
        return (
            f'<svg width="300" height="34" viewBox="0 0 {len(peaks)} 34"'
            ' preserveAspectRatio="none">'
            f'<polyline points="{points}" fill="none" stroke="currentColor"'
            ' vector-effect="non-scaling-stroke"/></svg>'
        )

    def __repr__(self) -> str:
        out = self.motion or self.frames
        method = self.provenance.get("method") or "unknown method"
        length = "empty" if out is None else f"{out.frames} frames, {out.seconds:.2f} s"
        return f"Take({method}, {length}, seed {self.provenance.get('seed', 'unknown')})"


def read_take(path: str | Path) -> Take:
    """A take from a file that holds curves: `.npz` (everything), `.csv`, `.json`, `.bvh` (motion
    only).

    Raises:
        AssetError: the file is missing, damaged, or of a format that holds no curves.
    """
    clip = read_clip(path)
    return Take(clip.audio, clip.motion, clip.frames, clip.provenance)


def provenance(
    method: str,
    weights: str,
    seed: int,
    options: Mapping[str, OptionValue],
    postprocess: Postprocess,
    recording: str,
) -> dict[str, JsonValue]:
    """What a take records about how it was made.

    Args:
        method: name of the method, or two names with a comma.
        weights: digest of the weights.
        recording: file name of the audio; empty when it came from memory.
    """
    return {
        "method": method,
        "weights": weights,
        "seed": seed,
        "options": dict(options),
        "finish": settings.to_json(postprocess),  # the key that older takes have
        "source": recording,
        "synthetic": True,
    }
