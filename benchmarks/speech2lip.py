"""Speech2Lip's published model, a frame: as released, with cached parts, and the default model.

python -m benchmarks.speech2lip -o speech2lip.json
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from benchmarks.report import run
from motet.evaluation.bench.clock import least_cpu_seconds
from motet.methods.speech2lip.composition import Scene
from motet.methods.speech2lip.config import PRESETS, Speech2LipConfig
from motet.methods.speech2lip.generate import Speaker
from motet.methods.speech2lip.model import Speech2LipModel
from motet.methods.speech2lip.person.folder import Box
from motet.methods.speech2lip.person.mouth_region import Mouth
from motet.methods.speech2lip.person.synthetic_person import SyntheticPerson
from motet.methods.speech2lip.published import QuickFrames, whole_frames

PUBLISHED_MS = 2850.0
"""CPU milliseconds, one thread, of the published code for a frame of 500 x 500 on the machine of
the method card (AVX-512)."""


def cpu_ms(work: Callable[[], object], repeats: int) -> float:
    """CPU milliseconds of a call."""
    return 1000 * least_cpu_seconds(work, repeats)


def measure(size: int, default_sizes: Sequence[int], repeats: int) -> dict[str, float]:
    """Milliseconds a frame by name."""
    torch.manual_seed(0)
    published = PRESETS["published"]
    model = (
        Speech2LipModel(dataclasses.replace(published, canonical_depth=(size, size)))
        .eval()
        .requires_grad_(False)
    )
    rows, columns = torch.meshgrid(
        torch.linspace(-1, 1, size), torch.linspace(-1, 1, size), indexing="ij"
    )
    grid = torch.stack([columns * 0.99 + 0.01, rows * 0.99], -1)[None]
    lip = Box((size - 120) // 2, size * 6 // 10, 120, 80)
    scene = Scene(torch.rand(1, 3, size, size), torch.rand(1, 3, size, size), grid, lip)
    window, frame = torch.randn(1, 16, 29), torch.tensor([5])
    copies, quick = window.expand(120 * 80, -1, -1), QuickFrames(model)
    result = {
        "published, as released (audio net once a pixel)": cpu_ms(
            lambda: (model.hearing(copies), whole_frames(model, window, frame, scene)), repeats
        ),
        "published, made quick (same colours)": cpu_ms(
            lambda: quick.frames(window, frame, scene), repeats
        ),
    }
    for side in default_sizes:
        name = f"default, {side} x {side}"
        speaker = _default(side)
        heard, shown = torch.randn(16, speaker.model.config.hearing.out), torch.arange(16)
        result[name] = (
            cpu_ms(
                lambda speaker=speaker, heard=heard, shown=shown: speaker.pictures(heard, shown),
                repeats,
            )
            / 16
        )
    return result


class _Held:
    """A drawn person whose pictures are kept, as those of footage are: drawing them is not what is
    measured.
    """

    def __init__(self, config: Speech2LipConfig, size: int) -> None:
        drawn = SyntheticPerson(config, 16)
        lip = Box(size // 3, size // 2, round(0.35 * size), round(0.33 * size))
        self.facts = dataclasses.replace(
            drawn.facts, size=size, scene=(size, size), crop=Box(0, 0, size, size), lip=lip
        )
        self.track = drawn.track
        whole = torch.full((size, size), 255, dtype=torch.uint8)
        picture = torch.randint(256, (size, size, 3), dtype=torch.uint8)
        self.geometry = dataclasses.replace(
            drawn.geometry,
            picture=picture,
            depth=torch.ones(size, size),
            lip_mask=whole,
            face_mask=whole,
            head_mask=whole,
        )
        self._pictures = [
            torch.randint(256, (size, size, 3), dtype=torch.uint8).numpy() for _ in range(16)
        ]

    @property
    def crops(self) -> _Held:
        """Itself."""
        return self

    @property
    def scene(self) -> _Held:
        """Itself."""
        return self

    def frame(self, index: int) -> UInt8[np.ndarray, "size size 3"]:
        """A kept picture."""
        return self._pictures[index]


def _default(size: int) -> Speaker:
    config = PRESETS["default"]
    return Speaker(_Held(config, size), Speech2LipModel(config))


def report(
    size: int = 500, default_sizes: Sequence[int] = (500, 256), repeats: int = 3
) -> dict[str, Any]:
    """Milliseconds a frame, how many times faster than as released, the size of the mouth."""
    cpu_ms_of = measure(size, default_sizes, repeats)
    released = next(iter(cpu_ms_of.values()))
    width, height = Mouth(_Held(PRESETS["default"], 256), PRESETS["default"]).size
    return {
        "cpu_ms": {name: round(value, 1) for name, value in cpu_ms_of.items()},
        "times_faster": {name: round(released / v, 1) for name, v in cpu_ms_of.items()},
        "region_256": {"width": width, "height": height},
    }


if __name__ == "__main__":
    run("speech2lip", report)
