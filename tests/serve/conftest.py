"""One running studio for all tests of the server, and helpers to talk to it."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("fastapi")

import soundfile
from starlette.testclient import TestClient

from motet.serve.app import create_app
from motet.serve.security import Access
from motet.serve.studio import ServerOptions
from motet.serve.studio import Studio as Server

BASE = "http://127.0.0.1:8420"


def wav(seconds: float = 1.0, rate: int = 16_000, channels: int = 1, seed: int = 0) -> bytes:
    """Noise whose loudness swings, as a WAV file."""
    time_s = np.arange(round(seconds * rate)) / rate
    noise = np.random.default_rng(seed).normal(size=(len(time_s), channels))
    samples = 0.1 * noise * np.abs(np.sin(8 * time_s))[:, None]
    file = io.BytesIO()
    soundfile.write(file, samples, rate, "PCM_16", format="WAV")
    return file.getvalue()


class Studio:
    """A client with the calls that tests repeat."""

    def __init__(self, client: TestClient, folder: Path) -> None:
        self.http, self.folder = client, folder

    def get(self, path: str, **more: Any) -> Any:
        answer = self.http.get(f"/api{path}", **more)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def upload(self, data: bytes, name: str = "speech.wav") -> dict[str, Any]:
        answer = self.http.post("/api/sounds", files={"file": (name, data)})
        assert answer.status_code in (200, 201), answer.text
        return answer.json()

    def wait(self, job: dict[str, Any], seconds: float = 600.0) -> dict[str, Any]:
        """The job when it has ended."""
        end = time.monotonic() + seconds
        while job["state"] in ("queued", "running"):
            assert time.monotonic() < end, job
            time.sleep(0.05)
            job = self.get(f"/jobs/{job['id']}")
        return job

    def take(self, sound: str, **body: Any) -> dict[str, Any]:
        """A take that is made now, or was made before."""
        answer = self.http.post("/api/takes", json={"sound": sound, **body})
        assert answer.status_code in (200, 202), answer.text
        found = answer.json()
        if found["take"] is not None:
            return found["take"]
        job = self.wait(found["job"])
        assert job["state"] == "done", job
        return self.get(f"/takes/{job['result']['take']}")

    def curves(self, take: str, **query: Any) -> tuple[dict[str, Any], np.ndarray]:
        """Header and numbers (frames, numbers of a frame) of a take."""
        answer = self.http.get(f"/api/takes/{take}/curves", params=query)
        assert answer.status_code == 200, answer.text
        return unpacked(answer.content)


def unpacked(data: bytes) -> tuple[dict[str, Any], np.ndarray]:
    """Header and numbers of a file of curves."""
    length = int.from_bytes(data[:4], "little")
    header = json.loads(data[4 : 4 + length])
    numbers = np.frombuffer(data, "<f4", offset=4 + length)
    return header, numbers.reshape(header["frames"], -1)


@pytest.fixture(scope="session")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    folder = tmp_path_factory.mktemp("studio")
    app = create_app(Server(ServerOptions(folder, workers=1, warm=())), Access())
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield Studio(client, folder)


@pytest.fixture(scope="session")
def sound(studio: Studio) -> dict[str, Any]:
    return studio.upload(wav())


@pytest.fixture(scope="session")
def take(studio: Studio, sound: dict[str, Any]) -> dict[str, Any]:
    return studio.take(sound["id"], seed=3)
