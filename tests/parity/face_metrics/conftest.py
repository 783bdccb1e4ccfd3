"""Outputs of the released metric and baseline programs: the folder that MOTET_PARITY names, else
the set beside this file."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file
from torch import Tensor

ROOT = Path(__file__).resolve().parents[3]
COMPACT = Path(__file__).parent / "fixtures"


def path_of(name: str) -> Path:
    full = Path(os.environ.get("MOTET_PARITY", ROOT.parent / "shared" / "parity")) / "face_metrics"
    for folder in (full, COMPACT):
        if (folder / name).exists():
            return folder / name
    pytest.skip(f"{name} is neither in {full} nor beside the tests")


@functools.cache
def tensors(name: str) -> dict[str, Tensor]:
    return load_file(path_of(f"{name}.safetensors"))


@functools.cache
def facts(name: str) -> dict[str, Any]:
    return json.loads(path_of(f"{name}.json").read_text())
