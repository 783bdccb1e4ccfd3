"""Takes: motion or pictures generated from a recording, ready to be written to files."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path

from motet import config as settings
from motet.config import JsonValue
from motet.export import check_ending, write_clip
from motet.export import read_take as read_clip
from motet.options import OptionValue, Postprocess
from motet.types import Clip


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
        marker: bool = True,
        fps: float | None = None,
    ) -> Path:
        """Write in the format that the path's ending names; the file appears only when complete.

        Args:
            path: .mp4 .webm .mov .png .glb .vrma .csv .json .npz .bvh .html .srt .vtt, or
                .smplx.npz .amass.npz .beat2.npz.
            avatar: a GLB or VRM to animate instead of the house figure (.glb), or whose expressions
                are used (.vrma).
            size: of pictures: pixels, `1920x1080`, `9:16`, `1080p`.
            background: of pictures: `#RRGGBB`, a picture file, `transparent` (.webm .mov .png).
            camera: `head`, `bust`, `three-quarter` or `body`.
            captions: text or .srt/.vtt file, drawn into pictures or written as captions.
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
            marker=marker,
            fps=fps,
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
