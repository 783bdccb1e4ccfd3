"""A folder with files of exactly the layouts that users have: the authors' weights, FLAME, a
template; small networks with random numbers.

Sizes are such that the published numbers of attention heads, which no file says, divide them.
"""

from __future__ import annotations

import argparse
import dataclasses
import io
import json
import pickle
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path, PosixPath
from types import SimpleNamespace

import numpy as np
import soundfile
import torch
from safetensors.torch import save_file

from motet.checkpoint import save_checkpoint
from motet.data.readers import vocaset
from motet.encoders.hubert import Hubert, HubertConfig
from motet.encoders.wav2vec2 import Wav2Vec2
from motet.evaluation.body_features import ConditionFeatures, MotionFeatures
from motet.geometry.mesh_files import wavefront
from motet.methods.artalk.config import PRESETS as ARTALK
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.state_dict import released_to_official
from motet.methods.diffposetalk.config import PRESETS as DIFFPOSETALK
from motet.methods.diffposetalk.config import TrunkConfig
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.kmtalk.config import PRESETS as KMTALK
from motet.methods.kmtalk.model import KMTalkModel
from motet.methods.kmtalk.trunk import Trunk
from tests.flame_files import head_tables, random_tables, write_pickle, write_torch

PHONE_TIMES = "start,end,phone\n0.0,0.08,m\n0.08,0.17,ɑ\n0.17,0.26,p\n"
SAM_SPLITS = {"train": 2, "val": 1, "test": 2}
MASKS = ("lips", "forehead", "eye_region", "nose")
POSITION = "encoder.pos_conv_embed.conv"
"""The one layer with weight norm of wav2vec 2.0 and HuBERT."""
TFHP = Path(__file__).parent / "parity" / "diffposetalk" / "fixtures" / "lmdb"
"""Three videos in the layout of HDTF-TFHP, written by the published preprocessing."""
TRUNK = TrunkConfig(24, 1, 12, 16, (4,) * 7, 8, 2)


def write_official_files(folder: Path) -> Path:
    """All files; see the module."""
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    _diffposetalk(folder)
    _artalk(folder)
    _kmtalk(folder)
    write_pickle(folder / "generic_model.pkl", head_tables())
    write_pickle(folder / "random_flame.pkl", random_tables())
    write_torch(folder / "FLAME_with_eye.pt", head_tables())
    vocaset_download(folder / "VOCASET")
    vocaset_companions(folder)
    sam_folder(folder / "SAM")
    feature_networks(folder / "extractor.pt")
    shutil.copytree(TFHP, folder / "HDTF_TFHP", ignore=shutil.ignore_patterns("stats_train.npz"))
    (folder / "HDTF_TFHP" / "val.txt").write_text(
        "P0/000\n"
    )  # the longest: training validates on it
    artalk_database(folder / "ARTALK", {"train": [130, 120], "val": [110]})
    pretrained_encoders(folder)
    shape = np.random.default_rng(0).normal(size=(1, 100))
    np.savez(folder / "who.npz", shape=shape.astype(np.float32))
    return folder


def vocaset_download(folder: Path) -> np.ndarray:
    """Two sentences of a training speaker and one of a test speaker, as downloaded."""
    noise = np.random.default_rng(0)
    folder.mkdir()
    frames = noise.standard_normal((26, vocaset.VERTS, 3)).astype(np.float32)
    np.save(folder / "data_verts.npy", frames)
    train, test = vocaset.TRAIN[0], vocaset.TEST[0]
    index = {
        train: {"sentence01": {k: k for k in range(8)}, "sentence02": {k: k + 8 for k in range(8)}},
        test: {"sentence21": {k: k + 16 for k in range(10)}},
    }
    sounds = {
        subject: {
            name: {
                "audio": (3000 * noise.standard_normal(367 * len(rows))).astype(np.int16),
                "sample_rate": 22050,
            }
            for name, rows in sentences.items()
        }
        for subject, sentences in index.items()
    }
    templates = {subject: noise.standard_normal((vocaset.VERTS, 3)) for subject in index}
    tables = {"subj_seq_to_idx": index, "raw_audio_fixed": sounds, "templates": templates}
    for name, value in tables.items():
        (folder / f"{name}.pkl").write_bytes(pickle.dumps(value, 2))
    return frames


def sam_folder(folder: Path, splits: Mapping[str, int] = SAM_SPLITS) -> Path:
    """Sequences of 8.1 s in SAM's layout: slowly moving bodies, noise at both ears."""
    noise = np.random.default_rng(0)
    for part in ("audio", "motion", "splits"):
        (folder / part).mkdir(parents=True)
    for split, count in splits.items():
        names = [f"{split}{number}_{number % 3}" for number in range(count)]
        (folder / "splits" / f"crossmodal_{split}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            seconds = np.arange(972)[:, None] / 120
            rates, phases = noise.uniform(0.1, 1, (2, 1, 55 * 3))
            poses = 0.1 * np.sin(2 * np.pi * (rates * seconds + phases)).reshape(-1, 55, 3)
            trans = np.concatenate([0.1 * seconds, 0.9 + 0 * seconds, 0 * seconds], 1)
            source = np.tile(noise.normal(size=3), (972, 1))
            arrays = {"poses": poses, "trans": trans, "sound_source": source}
            np.savez(folder / "motion" / f"{name}.npz", **arrays, betas=np.zeros(300))
            for side in "lr":
                sound = 0.1 * noise.standard_normal(round(8.1 * 30720))
                soundfile.write(folder / "audio" / f"{name}_{side}.wav", sound, 30720)
    return folder


def feature_networks(path: Path, hidden: int = 16, layers: int = 1) -> None:
    """MOSPA's two feature networks as their trainer saves them, narrower."""
    torch.manual_seed(2)
    condition, motion = ConditionFeatures(2276, hidden, layers), MotionFeatures(hidden, layers)
    names = {f"module.{name}": value for name, value in motion.state_dict().items()}
    table = {"module.pos_encoder.pe": torch.zeros(1, 5000, 512)}
    stored = {
        "audio_extractor_state_dict": condition.state_dict(),
        "motion_extractor_state_dict": {**names, **table},
        "epoch": 1500,
        "config": SimpleNamespace(batch_size=64),
        "loss": 0.1,
    }
    torch.save(stored, path)


def vocaset_companions(folder: Path) -> None:
    """What goes with VOCASET: phone times of each sentence, vertex sets of FLAME, wav2vec 2.0."""
    (folder / "phones").mkdir()
    for name in (f"{vocaset.TRAIN[0]}_sentence01", f"{vocaset.TRAIN[0]}_sentence02"):
        (folder / "phones" / f"{name}.csv").write_text(PHONE_TIMES)
    (folder / "phones" / f"{vocaset.TEST[0]}_sentence21.csv").write_text(PHONE_TIMES)
    masks = {name: np.arange(k, 4180, 50) for k, name in enumerate(MASKS)}
    (folder / "FLAME_masks.pkl").write_bytes(pickle.dumps(masks, 2))
    encoder = Trunk(KMTALK["tiny_vocaset"]).hears
    write_transformers(folder / "wav2vec2-tiny", "wav2vec2", encoder.state_dict())


def artalk_database(folder: Path, frames: Mapping[str, Sequence[int]]) -> Path:
    """Random clips of these lengths by split, as ARTalk's published training reads them."""
    import lmdb

    folder.mkdir()
    noise = np.random.default_rng(0)
    listed: dict[str, list[tuple[str, int]]] = {}
    with lmdb.open(str(folder), map_size=1 << 26) as store, store.begin(write=True) as writing:
        for split, lengths in frames.items():
            for number, length in enumerate(lengths):
                key, buffer = f"{split}_{number}", io.BytesIO()
                sound = 0.1 * noise.standard_normal(640 * length)  # 16 kHz, 25 frames a second
                motion = noise.standard_normal((length, 112)).astype(np.float32)
                np.savez(buffer, audio=sound.astype(np.float32), motioncode=motion)
                writing.put(key.encode(), buffer.getvalue())
                listed.setdefault(split, []).append((key, length))
    (folder / "metadata.json").write_text(json.dumps(listed))
    return folder


def pretrained_encoders(folder: Path) -> None:
    """Speech encoders of the sizes that the tiny published presets have, random numbers."""
    generator, trunk = ARTALK["tiny_training"].training, DIFFPOSETALK["tiny_published"].trunk
    assert generator is not None and generator.audio is not None and trunk is not None
    tensors = Wav2Vec2(**dataclasses.asdict(generator.audio)).state_dict()
    weight = tensors.pop(f"{POSITION}.weight")
    # Weight norm by its older names: direction, and length over both of the other axes.
    tensors[f"{POSITION}.weight_v"] = weight
    tensors[f"{POSITION}.weight_g"] = weight.pow(2).sum((0, 1), keepdim=True).sqrt()
    write_transformers(folder / "xls-r-tiny", "wav2vec2", tensors)
    hubert = Hubert(HubertConfig(**dataclasses.asdict(trunk)))
    write_transformers(folder / "hubert-tiny", "hubert", hubert.state_dict())


def write_transformers(folder: Path, prefix: str, tensors: Mapping[str, torch.Tensor]) -> None:
    """A speech encoder as the package `transformers` saves it, the weight norm by older names."""
    renamed = {
        f"{POSITION}.parametrizations.weight.original0": f"{POSITION}.weight_g",
        f"{POSITION}.parametrizations.weight.original1": f"{POSITION}.weight_v",
    }
    folder.mkdir(parents=True)
    stored = {f"{prefix}.{renamed.get(name, name)}": value for name, value in tensors.items()}
    save_file(stored, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps({"architectures": ["model"]}))


def _diffposetalk(folder: Path) -> None:
    """`DENOISER.pt`, `STYLE.pt` and `stats_train.npz` as the authors' trainer writes them."""
    tiny = DIFFPOSETALK["tiny_published"]
    config = dataclasses.replace(tiny, trunk=TRUNK, audio_dim=TRUNK.hidden, style=None)
    model = DiffPoseTalkModel(config)
    own = {n: v for n, v in model.state_dict().items() if not n.startswith("coefficients.")}
    options = {"n_motions": 16, "n_heads": 2, "n_diff_steps": 20, "use_indicator": True}
    args = argparse.Namespace(**options, style_enc_ckpt=PosixPath("a/b.pt"))
    torch.save({"args": args, "model": own, "iter": 5}, folder / "denoiser.pt")
    encoder = DiffPoseTalkModel(tiny).style_encoder
    assert encoder is not None
    style = argparse.Namespace(n_motions=16, n_heads=2, feature_dim=16)
    torch.save({"args": style, "encoder": encoder.state_dict()}, folder / "style.pt")
    sizes = {"exp": 50, "pose": 6, "shape": 100}
    statistics = {
        f"{name}_{kind}": np.full(size, 0.1, np.float32)
        for name, size in sizes.items()
        for kind in ("mean", "std")
    }
    np.savez(folder / "stats_train.npz", **statistics)


def _artalk(folder: Path) -> None:
    """`ARTalk_wav2vec.pt`, and a style as a bare tensor that is a view of a longer one."""
    config = ARTALK["tiny_released"].released
    assert config is not None
    tensors = ReleasedModel(config).state_dict()
    torch.save(released_to_official(tensors, config), folder / "ARTalk_wav2vec.pt")
    torch.save(0.1 * torch.randn(400, 106)[100:150], folder / "happy_0.pt")


def _kmtalk(folder: Path) -> None:
    """Weights of a mesh model, and its template."""
    config = KMTALK["tiny_mesh"]
    save_checkpoint(folder / "kmtalk.safetensors", KMTalkModel(config).state_dict(), config, {})
    verts = config.motion_dim // 3
    points = np.random.default_rng(0).normal(size=(verts, 3))
    faces = np.array([[i, (i + 1) % verts, (i + 2) % verts] for i in range(verts)])
    (folder / "template.obj").write_bytes(wavefront(points, faces))
