from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.tracking.capture.footage import film, pictures

FRAMES = 60


@pytest.fixture(scope="session")
def figure() -> list[np.ndarray]:
    """Two and a half seconds of the house figure."""
    return pictures(FRAMES)


@pytest.fixture(scope="session")
def footage(tmp_path_factory: pytest.TempPathFactory, figure: list[np.ndarray]) -> Path:
    """The same as a video."""
    return film(tmp_path_factory.mktemp("footage") / "figure.mp4", figure)


@pytest.fixture(scope="session")
def landmarker() -> Path:
    """The landmarker's model, where it and MediaPipe are installed."""
    pytest.importorskip("mediapipe")
    from motet.errors import AssetError
    from motet.tracking.landmarker import find_model

    try:
        return find_model()
    except AssetError:
        pytest.skip("the landmarker model is not installed")
