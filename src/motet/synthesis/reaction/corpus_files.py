"""Files of a corpus in SAM's layout (`corpus.py` describes it)."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from motet.atomic_write import appearing, write_bytes
from motet.audio.io.write import write_audio
from motet.errors import InputError
from motet.synthesis.reaction.perform import Performance
from motet.types import Audio

SUBJECTS, SPEAKERS = 12, 4
LIFE = "life"
"""Name of the corpus of long scenes among the sizes of `motet data sam`."""


@dataclasses.dataclass(frozen=True)
class Listed:
    """A sequence as the lists of a corpus name it."""

    name: str
    split: str
    label: str
    subject: int


def claim_folder(out: Path, facts: Mapping[str, object]) -> None:
    """Make the folders; a corpus belongs to one size and seed.

    Raises:
        InputError: the folder holds a corpus of other choices.
    """
    for folder in ("audio", "motion", "splits"):
        (out / folder).mkdir(parents=True, exist_ok=True)
    path, text = out / "corpus.json", json.dumps(facts, sort_keys=True)
    # A corpus of mixed seeds would have two sequences under one name.
    if path.is_file() and path.read_text() != text:
        raise InputError(f"{out} holds another corpus ({path.read_text()}); give an empty folder")
    write_bytes(path, text.encode())


def write_sequence(
    out: Path,
    name: str,
    binaural: Audio,
    body: Performance,
    source: Float[np.ndarray, "frames 3"],
    attended: Bool[np.ndarray, " frames"] | None = None,
    same_audio_as: str = "",
) -> None:
    """Sound, motion and source of a sequence.

    Args:
        source: in the world, metres; one row if it rests.
        attended: whether the figure attends to the source; always, when left out.
        same_audio_as: a sequence that is written already, whose sound files are linked.
    """
    frames = len(body.root)
    # SMPL-X has 55 joints; hands, jaw and eyes stay at rest.
    poses = np.zeros((frames, 55, 3), np.float32)
    poses[:, :25] = (
        Rotation.from_matrix(body.rotations.reshape(-1, 3, 3)).as_rotvec().reshape(frames, 25, 3)
    )
    # the source in the axes of the pelvis: the transpose of its rotation
    local = np.einsum("fji,fj->fi", body.rotations[:, 0], source - body.root)
    arrays = {
        "betas": np.zeros(300, np.float32),
        "poses": poses,
        "trans": body.root.astype(np.float32),
        "sound_source": local.astype(np.float32),
    }
    if attended is not None:
        arrays["attended"] = attended
    for ear, side in enumerate("lr"):
        path = out / "audio" / f"{name}_{side}.wav"
        if same_audio_as:
            _link(out / "audio" / f"{same_audio_as}_{side}.wav", path)
        else:
            ear_audio = Audio(binaural.samples[ear : ear + 1], binaural.sample_rate, "mono")
            write_audio(ear_audio, path, subtype="PCM_16")
    with appearing(out / "motion" / f"{name}.npz") as beside, beside.open("wb") as file:
        np.savez_compressed(file, allow_pickle=False, **arrays)


def _link(source: Path, target: Path) -> None:
    """A second name of a file, or a copy where the file system has no links."""
    target.unlink(missing_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def write_lists(out: Path, made: Sequence[Listed], truths: Sequence[str]) -> None:
    """Splits, labels, subjects and what each reaction set out to do."""
    for split in ("train", "val", "test", "sector"):
        names = "".join(f"{item.name}\n" for item in made if item.split == split)
        write_bytes(out / "splits" / f"crossmodal_{split}.txt", names.encode())
    write_bytes(out / "ignore_list.txt", b"")
    labels = "".join(f"{item.name} {item.label}\n" for item in made)
    write_bytes(out / "audio.txt", labels.encode())
    subjects = "".join(f"{item.name} {item.subject}\n" for item in made)
    write_bytes(out / "subject_ids.txt", subjects.encode())
    write_bytes(out / "reactions.jsonl", "".join(f"{line}\n" for line in truths).encode())
    positions = np.zeros((SUBJECTS, SPEAKERS, 3))
    # SAM places four loudspeakers for each subject.
    count = np.zeros(SUBJECTS, int)
    for line, item in zip(truths, made, strict=True):
        positions[item.subject, count[item.subject] % SPEAKERS] = json.loads(line)["source"]
        count[item.subject] += 1
    with appearing(out / "ssl.npy") as beside, beside.open("wb") as file:
        np.save(file, positions, allow_pickle=False)
