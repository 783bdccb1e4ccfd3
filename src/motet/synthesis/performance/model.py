"""The fitted performance model as a file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from motet.errors import AssetError
from motet.phonetics.phones import SYMBOLS
from motet.synthesis.performance.acoustics import Acoustics
from motet.synthesis.performance.coarticulation import DominanceModel
from motet.synthesis.performance.perform import PerformanceModel

SHIPPED = Path(__file__).with_name("fitted.safetensors")
"""The fit that comes with the package: GRID s1 training clips, phone labels of festvox-ru, flite
and GRID."""


def save_model(model: PerformanceModel, path: Path) -> None:
    """Write a fitted model (float16 for the large tables)."""
    tensors = {
        f"dominance.{f.name}": torch.from_numpy(getattr(model.dominance, f.name)).float()
        for f in dataclasses.fields(DominanceModel)
    }
    tensors |= {
        f"acoustics.{f.name}": torch.from_numpy(np.asarray(getattr(model.acoustics, f.name))).half()
        for f in dataclasses.fields(Acoustics)
    }
    save_file(
        tensors,
        path,
        {
            "format": "motet-performance",
            "symbols": json.dumps(SYMBOLS),
            "acoustic_share": json.dumps(model.acoustic_share),
        },
    )


def load_model(path: Path = SHIPPED) -> PerformanceModel:
    """Read a fitted model.

    Raises:
        AssetError: missing, damaged, or made for another phone inventory.
    """
    try:
        with safe_open(str(path), framework="pt") as file:
            facts = file.metadata() or {}
            # double precision: the fit's products are long sums
            tables = {name: file.get_tensor(name).double().numpy() for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError, ValueError) as error:
        raise AssetError(f"{path} is missing or damaged; reinstall motet") from error
    if facts.get("format") != "motet-performance" or json.loads(facts.get("symbols", "[]")) != list(
        SYMBOLS
    ):
        raise AssetError(
            f"{path} is no performance model for the phones of this version; reinstall motet"
        )
    parts = {
        kind: {name.partition(".")[2]: t for name, t in tables.items() if name.startswith(kind)}
        for kind in ("dominance", "acoustics")
    }
    try:
        share = tuple(float(x) for x in json.loads(facts["acoustic_share"]))
        return PerformanceModel(
            DominanceModel(**parts["dominance"]), Acoustics(**parts["acoustics"]), share
        )  # type: ignore[arg-type]
    except (TypeError, KeyError, ValueError) as error:
        raise AssetError(f"{path} lacks tables; reinstall motet") from error
