"""Bake the head-related responses of the MIT KEMAR dummy head into a small npz file of the package.

    apt-get download libmysofa1 && dpkg -x libmysofa1_*.deb x
    python recipes/bake_hrtf.py x/usr/share/libmysofa/MIT_KEMAR_normal_pinna.sofa

The set is symmetric (checked here), so one ear is kept: the left; the right ear hears a direction
as the left one hears its mirror image. Each response is cut to `TAPS` samples from `LEAD` samples
before its first arrival, which is stored apart, so that responses of neighbouring directions can be
averaged without blurring. Reading the source needs sofar. The result is the same on every run."""

import argparse
import sys
from pathlib import Path

import numpy as np

from motet.audio.spatial.hrtf import LEAD, first_arrival, read_sofa  # noqa: E402

TAPS = 256
CITATION = (
    "MIT KEMAR, normal pinna, compact data: W. G. Gardner and K. D. Martin, HRTF measurements of a"
    " KEMAR dummy-head microphone, MIT Media Lab Perceptual Computing Technical Report 280, 1994."
    " Copyright 1994 by the MIT Media Laboratory: provided free with no restrictions on use,"
    " provided the authors are cited."
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("sofa", type=Path, help="MIT_KEMAR_normal_pinna.sofa")
    parser.add_argument(
        "--out",
        type=Path,
        default=Path(__file__).parent.parent / "src" / "motet" / "audio" / "spatial" / "kemar.npz",
    )
    arguments = parser.parse_args()
    directions, responses, rate = read_sofa(arguments.sofa)
    mirror = (directions * [-1, 1, 1]) @ directions.T
    if np.abs(responses[:, 0] - responses[mirror.argmax(axis=1), 1]).max() > 0:
        raise SystemExit("the set is not symmetric; both ears would have to be stored")
    left = responses[:, 0]
    start = np.array([first_arrival(response) - LEAD for response in left])
    cut = np.stack(
        [response[first : first + TAPS] for response, first in zip(left, start, strict=True)]
    )
    cut[:, -16:] *= np.linspace(1, 0, 16)
    scale = np.abs(cut).max() / 32767
    np.savez_compressed(
        arguments.out,
        allow_pickle=False,
        directions=directions.astype(np.float32),
        left=np.round(cut / scale).astype(np.int16),
        scale=np.float64(scale),
        delay_s=((start - start.min()) / rate).astype(np.float32),
        sample_rate=np.int64(rate),
        citation=np.array(CITATION),
    )
    sys.stdout.write(
        f"{arguments.out}  {arguments.out.stat().st_size / 1e6:.2f} MB, {len(left)} directions\n"
    )


if __name__ == "__main__":
    main()
