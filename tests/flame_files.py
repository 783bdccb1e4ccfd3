"""FLAME files of exactly the official layout, made of numbers of our own.

`head_tables`: a head cut out of the house figure, so that what is fitted to FLAME has a known
answer: expression k is `EXPRESSION_SIZE` of ARKit shape k.
"""

from __future__ import annotations

import functools
import pickle
import sys
import types
from pathlib import Path

import numpy as np
import scipy.sparse
import torch

from motet.rigs.house import load_house

EXPRESSION_SIZE = 0.4
NECK_M = 1.40
"""Everything of the house figure's skin above this height is the head."""
SHIFT_M, SCALE = np.array([0.01, -1.49, -0.05]), 0.95
"""From the house figure to the synthetic FLAME."""


def random_tables(verts: int = 40) -> dict[str, np.ndarray]:
    """Tables of the right shapes, full of noise."""
    noise = np.random.default_rng(0)
    weights = noise.random((verts, 5))
    return {
        "v_template": 0.1 * noise.normal(size=(verts, 3)),
        "shapedirs": 0.01 * noise.normal(size=(verts, 3, 400)),
        "posedirs": 0.01 * noise.normal(size=(verts, 3, 36)),
        "J_regressor": np.full((5, verts), 1 / verts),
        "weights": weights / weights.sum(1, keepdims=True),
        "f": noise.integers(0, verts, (2 * verts, 3)).astype(np.uint32),
    }


@functools.cache
def head_tables() -> dict[str, np.ndarray]:
    """A head with the house figure's shapes as expressions."""
    house = load_house()
    shaped, part = house.shaped(), house.part("skin")
    rest = shaped.vertices[part.vertices].double().numpy()
    chosen = np.flatnonzero(rest[:, 1] > NECK_M)
    number = np.full(len(rest), -1)
    number[chosen] = np.arange(len(chosen))
    faces = number[part.faces.numpy() - part.vertices.start]
    faces = faces[(faces >= 0).all(1)]
    template = (rest[chosen] + SHIFT_M) * SCALE
    deltas = house.shape_deltas(eyeballs=False)[:, part.vertices].double().numpy()[:, chosen]
    smooth = np.random.default_rng(0)
    waves = np.sin(template @ smooth.normal(0, 30, (3, 300)) + smooth.uniform(0, 6, 300))
    identity = 0.0005 * waves[:, None] * smooth.normal(size=(3, 300))
    expression = np.zeros((len(chosen), 3, 100))
    expression[..., :52] = EXPRESSION_SIZE * SCALE * deltas.transpose(1, 2, 0)
    jaw = np.linalg.norm(deltas[list_index("jawOpen")], axis=1)
    weights = np.zeros((len(chosen), 5))
    weights[:, 2] = np.clip(jaw / jaw.max(), 0, 1)
    weights[:, 1] = 1 - weights[:, 2]
    eyes = [house.joint_names.index(f"eye.{side}") for side in "LR"]
    joints = [[0, 1.42, 0.02], [0, 1.42, 0.02], [0, 1.49, 0.04], *shaped.joints[eyes].tolist()]
    return {
        "v_template": template,
        "shapedirs": np.concatenate([identity, expression], -1),
        "posedirs": np.zeros((len(chosen), 3, 36)),
        "J_regressor": regressor(template, (np.array(joints) + SHIFT_M) * SCALE),
        "weights": weights,
        "f": faces.astype(np.uint32),
    }


def list_index(name: str) -> int:
    """Row of an ARKit shape."""
    from motet.types import ARKIT_SHAPES

    return ARKIT_SHAPES.index(name)


def regressor(template: np.ndarray, joints: np.ndarray) -> np.ndarray:
    """Weights of the vertices whose weighted mean each joint is (smallest norm, rows sum to 1)."""
    system = np.concatenate([template, np.ones((len(template), 1))], 1)
    goal = np.concatenate([joints, np.ones((len(joints), 1))], 1)
    return np.linalg.lstsq(system.T, goal.T, rcond=None)[0].T


def write_pickle(path: Path, tables: dict[str, np.ndarray]) -> Path:
    """The official `.pkl`: protocol 2, chumpy arrays, a sparse regressor, further entries."""
    module = types.ModuleType("chumpy.ch")

    class Ch:
        """Stands for chumpy's array, which need not be installed."""

        def __init__(self, x: np.ndarray) -> None:
            self.x = x
            self._dirty_vars: set[str] = set()
            self._itr = None

    Ch.__module__, Ch.__qualname__, module.Ch = "chumpy.ch", "Ch", Ch
    package = types.ModuleType("chumpy")
    package.ch = module
    before = {name: sys.modules.get(name) for name in ("chumpy", "chumpy.ch")}
    sys.modules.update({"chumpy": package, "chumpy.ch": module})
    try:
        content = {
            **tables,
            "J_regressor": scipy.sparse.csc_matrix(tables["J_regressor"]),
            "shapedirs": Ch(tables["shapedirs"]),
            "kintree_table": np.array([[2**32 - 1, 0, 1, 1, 1], [0, 1, 2, 3, 4]], np.uint32),
            "bs_style": "lrotmin",
            "bs_type": "lrotmin",
        }
        path.write_bytes(pickle.dumps(content, protocol=2))
    finally:
        for name, module_before in before.items():
            if module_before is None:
                del sys.modules[name]
            else:
                sys.modules[name] = module_before
    return path


def write_torch(path: Path, tables: dict[str, np.ndarray]) -> Path:
    """`FLAME_with_eye.pt`, as ARTalk's authors pack it."""
    tensors = {name: torch.from_numpy(np.asarray(v, np.float64)) for name, v in tables.items()}
    torch.save({"flame_model": tensors, "lmk_embeddings": {}}, path)
    return path
