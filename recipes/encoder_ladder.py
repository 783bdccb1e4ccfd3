"""How well a linear regression on an encoder's features follows the lips of people it never met.

    python -m recipes.encoder_ladder --data DATA --look-ahead 0.12 0.3

Ridge regression, fitted on the tracked GRID speaker, from features to the gap between the inner
lips and the mouth's width; correlation with film on `DATA/other_speakers` (best lag within 0.2 s),
medians over the GRID, web and White House clips. One row for the whole recording (steps around a
frame), one for each look-ahead of the stream (steps of the past only).
"""

from __future__ import annotations

import argparse
import resource
from pathlib import Path

from motet.encoders.base import encode
from motet.encoders.whisper.encoder import WhisperAudioEncoder, load_whisper_encoder
from recipes.probes.lips import CENTRED_STEPS, PAST_STEPS, LipProbe, Listen, probe_lips


def features_of(encoder: WhisperAudioEncoder, gain_db: float = 0.0) -> Listen:
    """Features of a sound, made louder or quieter first."""
    gain = 10 ** (gain_db / 20)
    return lambda samples: encode(encoder, gain * samples.unsqueeze(0))[0]


def row(name: str, probe: LipProbe) -> str:
    """One line of the table."""
    cells = [f"{probe.held_out:.3f}"]
    for channel in ("opening", "width"):
        cells += [f"{probe.median(channel, kind):.3f}" for kind in ("grid", "web", "wh")]
    return f"| {name} | " + " | ".join(cells) + " |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--look-ahead", type=float, nargs="*", default=[0.12, 0.3], metavar="S")
    parser.add_argument("--hop", type=float, default=0.16, metavar="S")
    parser.add_argument("--precision", choices=("float32", "int8"), default="float32")
    parser.add_argument("--weights", type=Path, help="another Whisper model")
    parser.add_argument(
        "--gain", type=float, default=0.0, metavar="DB", help="level of other people"
    )
    parser.add_argument("--penalty", type=float, default=0.3, help="of the ridge regression")
    parser.add_argument("--stride", type=int, default=3, help="every so many clips are fitted")
    options = parser.parse_args()
    encoder = load_whisper_encoder(options.weights, 0)
    modes = [("offline", encoder, CENTRED_STEPS)]
    for seconds in options.look_ahead:
        name = f"stream {seconds:.2f}-{seconds + options.hop - 0.02:.2f} s"
        modes.append((name, encoder.streaming(seconds, options.hop, options.precision), PAST_STEPS))
    print("| mode | s1 | opening GRID | web | WH | width GRID | web | WH | CPU-s a second |")
    print("|---|" + "---|" * 8)
    for name, mode, reach in modes:
        began = resource.getrusage(resource.RUSAGE_SELF).ru_utime
        probe = probe_lips(
            features_of(mode),
            options.data / "grid_s1",
            options.data / "other_speakers",
            reach,
            options.stride,
            options.penalty,
            listen_others=features_of(mode, options.gain),
        )
        cost = (resource.getrusage(resource.RUSAGE_SELF).ru_utime - began) / probe.seconds
        print(row(name, probe), f"{cost:.3f} |", flush=True)


if __name__ == "__main__":
    main()
