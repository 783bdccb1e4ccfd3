"""What a user installs: the package with its weights and data, nothing of the laboratory."""

from __future__ import annotations

import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LARGEST_MB = 60
"""51 MB today, 50 of them weights (15 of Whisper's encoder)."""
BUILD_INPUTS = ("pyproject.toml", "README.md", "LICENSE", "DATA.md")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built from a copy: an old `build/` in the checkout would bring files back that are gone."""
    folder = tmp_path_factory.mktemp("wheel")
    caches = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "source" / "src", ignore=caches)
    for name in BUILD_INPUTS:
        shutil.copy(ROOT / name, folder / "source")
    offline = ("--quiet", "--no-deps", "--no-build-isolation", "--no-index")
    command = [sys.executable, "-m", "pip", "wheel", *offline, "-w", folder, folder / "source"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return next(folder.glob("motet-*.whl"))


def test_the_wheel_holds_the_package_and_nothing_else(wheel: Path) -> None:
    package = ROOT / "src"
    expected = {
        path.relative_to(package).as_posix()
        for path in (package / "motet").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    names = {n for n in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in n}
    assert names == expected
    assert sum(name.startswith("motet/weights/") for name in names) >= 14


def test_the_wheel_carries_its_licences(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    assert {"LICENSE", "DATA.md"} <= {Path(n).name for n in names if ".dist-info/licenses/" in n}


def test_the_wheel_stays_small(wheel: Path) -> None:
    assert wheel.stat().st_size < LARGEST_MB * 1e6
