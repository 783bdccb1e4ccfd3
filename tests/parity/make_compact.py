"""Make the compact subset again from whole sets: `python -m tests.parity.make_compact FOLDER`.

Chosen by checks a byte, about 13 MB in all. Left out: weights of Speech2Lip's Blend-Net (2.5 MB)
and what needs them, denoisers under single changed options, official pickles.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from safetensors import safe_open
from safetensors.torch import save_file

HERE = Path(__file__).resolve().parent
ADDED = {
    "artalk/common_weights": ".*",
    "artalk/common_io": ".*",
    "artalk/released_io": (
        r"codec\.(prev_motion|this_motion|enc_out.*|\w+_bits|dec_\w+|aux_losses)"
        r"|tf\.\w+\.logits|audio\.(feat|cond)|gen\.(one_window|short\d+)\.motion"
        r"|gen\.\w+\.(bits|prev_bits|\w+_logits)|style\..*|stream\..*"
    ),
    "artalk/training_weights": r"flame\..*",
    "artalk/training_io": r"flame106\..*|codec_train\.(?!pred).*|train\.motion_code",
    "diffposetalk/longform": ".*",
    "diffposetalk/forward_train": ".*",
    "diffposetalk/dataset": ".*",
    "diffposetalk/style_encoder_no_head_pose": ".*",
    "diffposetalk/model_nohead": ".*",
}
"""Tensors beside those that the subset already holds: pattern of their names by file."""
WHOLE_FOLDERS = ("diffposetalk/lmdb",)


def extend(whole: Path, name: str, pattern: str) -> None:
    """One file of the subset with further tensors of the whole set."""
    method, _, file = name.partition("/")
    target = HERE / method / "fixtures" / f"{file}.safetensors"
    tensors = {}
    for path, expected in ((whole / f"{name}.safetensors", pattern), (target, ".*")):
        if path.exists():
            with safe_open(str(path), framework="pt") as stored:
                names = [key for key in stored.keys() if re.fullmatch(expected, key)]  # noqa: SIM118
                tensors |= {key: stored.get_tensor(key) for key in names}
    packed = {sound.stem.partition(".")[2] for sound in target.parent.glob(f"{file}.*.flac")}
    save_file({key: t for key, t in tensors.items() if key not in packed}, target)


def main(whole: Path) -> None:
    """Extend the subset, and copy the descriptions of all its files."""
    for name, pattern in ADDED.items():
        extend(whole, name, pattern)
    for folder in WHOLE_FOLDERS:
        method, _, name = folder.partition("/")
        shutil.copytree(whole / folder, HERE / method / "fixtures" / name, dirs_exist_ok=True)
    for path in HERE.glob("*/fixtures/*.safetensors"):
        method = path.parents[1].name
        for said in (path.stem, path.stem.removesuffix("_io"), "meta"):
            source = whole / method / f"{said}.json"
            if source.exists():
                shutil.copyfile(source, path.parent / source.name)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
