"""A folder with files of exactly the layouts that users have: the authors' weights, FLAME, a
template; small networks with random numbers.

Sizes are such that the published numbers of attention heads, which no file says, divide them.
"""

from __future__ import annotations

import argparse
import dataclasses
import pickle
from pathlib import Path, PosixPath

import numpy as np
import torch

from motet.checkpoint import save_checkpoint
from motet.data.readers import vocaset
from motet.geometry.mesh_files import wavefront
from motet.methods.artalk.config import PRESETS as ARTALK
from motet.methods.artalk.published_v1.model import ReleasedModel
from motet.methods.artalk.state_dict import released_to_official
from motet.methods.diffposetalk.config import PRESETS as DIFFPOSETALK
from motet.methods.diffposetalk.config import TrunkConfig
from motet.methods.diffposetalk.model import DiffPoseTalkModel
from motet.methods.kmtalk.config import PRESETS as KMTALK
from motet.methods.kmtalk.model import KMTalkModel
from tests.flame_files import head_tables, random_tables, write_pickle, write_torch

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
