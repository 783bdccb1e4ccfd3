"""Where the client programs lie."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
HOME = Path(os.environ.get("MOTET_CLIENTS", ROOT / ".venv-clients"))


def node_module(name: str) -> Path:
    """A package from npm."""
    return _there(HOME / "node_modules" / name)


def node() -> str:
    """Node."""
    return str(_there(Path(shutil.which("node") or "node")))


def blender_python() -> str:
    """A Python with Blender as a module."""
    return str(_there(HOME / "blender" / "bin" / "python"))


def chromium() -> str:
    """A Chromium without a window."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
    found = next((path for name in names if (path := shutil.which(name))), "chromium")
    return str(_there(Path(os.environ.get("MOTET_CHROMIUM", found))))


def _there(path: Path) -> Path:
    if not path.exists():
        pytest.fail(f"{path} is missing; run tests/clients/install_clients.sh")
    return path
