"""The golden numbers on disk, and how they are compared.

`values.npz` holds one flat float32 array for each case, `facts.json` everything that is compared
exactly: the names and shapes of the parts of that array, frame rates, provenance, names in files.
Pictures lie in `pictures/` as lossless PNG.
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from tests.golden.contents import Found

HERE = Path(__file__).parent
VALUES, FACTS, PICTURES = HERE / "values.npz", HERE / "facts.json", HERE / "pictures"
TOLERANCE = 1e-5
"""Absolute. Kernels of other processors differ by 5e-7."""
TOLERANCES = {
    # BVH counts in degrees and centimetres: the same differences are a hundred times larger there.
    ".bvh/": 1e-3,
    "bvh/": 1e-3,
    # Rounded to four digits when written: a number on an edge may fall to the other side.
    "printed/rows": 2e-4,
    "printed/numbers": 2e-4,
    ".keys.json/numbers": 2e-4,
    # Means over squares of 8-bit pixels; single pixels may differ by one.
    "blocks": 0.1,
}
MP4_TOLERANCE = 3.0
"""Of means over squares of decoded video: encoders round in their own ways."""
MEAN_OF_PICTURE, TINT_OF_PICTURE, SHARE_OF_PICTURE = 0.05, 0.01, 0.001
"""Of 8-bit values: largest mean difference; largest mean of one colour with its sign, which
rounding leaves near zero and a change of light does not; share of pixels that differ by over 2."""


def tolerance(name: str) -> float:
    """The largest difference allowed for the part of that name."""
    if ".mp4/" in name:
        return MP4_TOLERANCE
    return max((least for part, least in TOLERANCES.items() if part in name), default=TOLERANCE)


def write(found: Mapping[str, Found]) -> None:
    """Write all cases."""
    facts: dict[str, Any] = {}
    with zipfile.ZipFile(VALUES, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
        for name, case in sorted(found.items()):
            facts[name] = {"parts": _parts(case), "facts": case.facts}
            entry = zipfile.ZipInfo(f"{name}.npy", (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(entry, "w") as file:
                np.lib.format.write_array(file, _flat(case))
    lines = (f" {json.dumps(name)}: {json.dumps(facts[name])}" for name in facts)
    FACTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


def read() -> dict[str, Found]:
    """All cases as they were written."""
    facts = json.loads(FACTS.read_text())
    with np.load(VALUES, allow_pickle=False) as stored:
        return {name: _found(stored[name], entry) for name, entry in facts.items()}


def differences(golden: Found, now: Found) -> list[str]:
    """What differs, as lines to read; none when all is as it was."""
    lines = _facts_that_differ(golden.facts, now.facts)
    if _parts(golden) != _parts(now):
        return [*lines, f"parts were {_parts(golden)}, are {_parts(now)}"]
    for name, values in golden.arrays.items():
        difference = np.abs(now.arrays[name].astype(np.float32).astype(np.float64) - values)
        largest = float(difference.max(initial=0.0))
        if not largest <= tolerance(name):
            count = int((difference > tolerance(name)).sum())
            lines.append(
                f"{name}: {count} of {values.size} numbers differ, most by {largest:.3g}"
                f" ({tolerance(name):g} allowed)"
            )
    return lines


def picture_differs(golden: np.ndarray, now: np.ndarray) -> str:
    """How a picture differs from the golden one by more than is allowed; empty if it does not."""
    if golden.shape != now.shape:
        return f"the shape was {golden.shape}, is {now.shape}"
    signed = now.astype(int) - golden.astype(int)
    mean, share = float(np.abs(signed).mean()), float((np.abs(signed).max(axis=-1) > 2).mean())
    tint = float(np.abs(signed.mean(axis=(0, 1))).max())
    if mean <= MEAN_OF_PICTURE and tint <= TINT_OF_PICTURE and share <= SHARE_OF_PICTURE:
        return ""
    return (
        f"pixels differ by {mean:.4f} on average, {share:.2%} of them by more than 2,"
        f" one colour by {tint:.4f} as a whole"
    )


def write_picture(name: str, picture: np.ndarray) -> None:
    """A picture as lossless PNG."""
    PICTURES.mkdir(exist_ok=True)
    codec: Any = av.CodecContext.create("png", "w")
    codec.height, codec.width = picture.shape[:2]
    codec.pix_fmt, codec.time_base, codec.options = "rgb24", Fraction(1, 25), {"pred": "mixed"}
    frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture), format="rgb24")
    data = b"".join(bytes(packet) for packet in [*codec.encode(frame), *codec.encode(None)])
    (PICTURES / f"{name}.png").write_bytes(data)


def read_picture(name: str) -> np.ndarray:
    """A picture as it was written."""
    with av.open(str(PICTURES / f"{name}.png")) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24")


def _facts_that_differ(golden: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    names = sorted({*golden, *now})
    return [
        f"{name}: was {golden.get(name)!r}, is {now.get(name)!r}"
        for name in names
        if golden.get(name) != now.get(name)
    ]


def _parts(found: Found) -> list[Any]:
    return [[name, list(array.shape)] for name, array in found.arrays.items()]


def _flat(found: Found) -> np.ndarray:
    arrays = [array.reshape(-1) for array in found.arrays.values()]
    return np.concatenate(arrays or [np.zeros(0)]).astype(np.float32)


def _found(flat: np.ndarray, entry: Mapping[str, Any]) -> Found:
    arrays, start = {}, 0
    for name, shape in entry["parts"]:
        stop = start + int(np.prod(shape))
        arrays[name], start = flat[start:stop].reshape(shape), stop
    return Found(arrays, entry["facts"])
