"""What each protocol of `motet eval` takes: flags, studies, folders."""

from __future__ import annotations

from collections.abc import Mapping

ALWAYS = ("method", "data", "out", "device", "study", "json", "quiet")
USED = {
    "none": ("seed", "takes", "long_s", "baselines"),
    "face": ("weights", "style", "text", "option", "seed", "takes", "long_s", "baselines"),
    "study": ("weights", "option", "takes"),
    "body": ("weights", "option", "seed", "takes", "limit", "baselines"),
    "person": ("every", "recordings", "option", "lpips"),
    "benchmark": (
        "benchmark",
        "predictions",
        "region",
        "feature_networks",
        "split",
        "flame",
        "weights",
        "style",
        "option",
        "seed",
        "takes",
    ),
}
"""The flags that each evaluation protocol uses."""
TAKES = ("takes", "takes-seen")
"""Studies of bodies that need no corpus."""
STUDIES: Mapping[str, tuple[str, ...]] = {
    "none": (),
    "face": ("steps", "style"),
    "body": ("steps", *TAKES),
    "person": ("pictures", "voices"),
}
"""Values of `--study` by evaluation protocol."""
FOLDERS = {
    "body": "of a corpus that 'motet data sam' made",
    "person": "of a person that 'motet fit' made",
}
"""What --data is, where it is no folder of tracked recordings."""
