"""Scenes and persons of the server."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch

from motet.serve.tasks.scenes import PATH_FPS, RATE, Placed, mixed, path_csv
from motet.types import Audio
from tests.serve.conftest import Studio, wav


def placed(start_s: float, x: float, seconds: float = 1.0) -> Placed:
    samples = torch.from_numpy(np.random.default_rng(1).normal(size=(1, round(RATE * seconds))))
    path = np.tile([x, 0.0, 0.0], (round(seconds * PATH_FPS), 1))
    return Placed(Audio(0.1 * samples.float(), RATE, "mono"), start_s, path)


def test_a_sound_on_the_left_is_louder_in_the_left_ear() -> None:
    left = mixed([placed(0.0, 2.0)], 1.0).square().mean(1)
    right = mixed([placed(0.0, -2.0)], 1.0).square().mean(1)
    assert left[0] > 2 * left[1] and right[1] > 2 * right[0]


def test_the_path_is_that_of_the_newest_sound() -> None:
    rows = path_csv([placed(0.0, 2.0), placed(0.5, -1.0)], 1.5).splitlines()[1:]
    at = {round(float(row.split(",")[0]), 2): float(row.split(",")[1]) for row in rows}
    assert at[0.4] == 2.0 and at[0.5] == -1.0 and at[1.4] == -1.0


def test_a_scene_becomes_a_binaural_sound_with_a_path(studio: Studio) -> None:
    sound = studio.upload(wav(0.5), "step.wav")
    points = [{"t": 0, "azimuth": 90, "distance": 2}, {"t": 0.5, "azimuth": -90, "distance": 2}]
    body: dict[str, Any] = {"events": [{"sound": sound["id"], "start_s": 0.2, "points": points}]}
    made = studio.http.post("/api/scenes", json=body)
    assert made.status_code == 201
    scene = made.json()
    assert (scene["layout"], scene["channels"]) == ("binaural", 2)
    assert math.isclose(scene["seconds"], 0.7, abs_tol=0.01)
    rows = studio.http.get(f"/api/sounds/{scene['id']}/path").text.splitlines()
    assert float(rows[1].split(",")[1]) == pytest.approx(2.0, abs=1e-3)  # +X is the left
    assert float(rows[-1].split(",")[1]) == pytest.approx(-2.0, abs=0.3)
    again = studio.http.post("/api/scenes", json=body).json()
    assert again["id"] == scene["id"]


@pytest.mark.parametrize(
    ("events", "status"),
    [([], 422), ([{"sound": "0" * 24, "points": [{"t": 0, "azimuth": 0, "distance": 1}]}], 404)],
)
def test_impossible_scenes_are_refused(studio: Studio, events: list[Any], status: int) -> None:
    assert studio.http.post("/api/scenes", json={"events": events}).status_code == status


def test_a_take_cannot_name_a_path_that_is_not_there(studio: Studio) -> None:
    sound = studio.upload(wav(0.5), "step.wav")
    body = {"sound": sound["id"], "method": "mospa", "options": {"source": "path:" + "0" * 24}}
    assert studio.http.post("/api/takes", json=body).status_code == 404


def test_a_person_needs_consent_and_a_video(studio: Studio) -> None:
    files = [("files", ("me.mp4", b"no video", "video/mp4"))]
    assert studio.http.post("/api/persons", files=files).status_code == 422
    assert studio.http.post("/api/persons", files=files, data={"consent": "   "}).status_code == 422
    other = [("files", ("me.txt", b"no video", "text/plain"))]
    refused = studio.http.post("/api/persons", files=other, data={"consent": "I agree"})
    assert refused.status_code == 415


def test_a_person_that_cannot_be_learnt_says_why_and_is_deleted(studio: Studio) -> None:
    files = [("files", ("me.mp4", b"no video", "video/mp4"))]
    data = {"consent": "I am shown and agree", "name": "Ada", "minutes": "0"}
    job = studio.wait(studio.http.post("/api/persons", files=files, data=data).json())
    assert job["state"] == "failed" and job["problem"]["detail"]
    (person,) = studio.http.get("/api/persons").json()["persons"]
    assert (person["name"], person["ready"]) == ("Ada", False)
    assert studio.http.delete(f"/api/persons/{person['id']}").status_code == 204
    assert studio.http.get("/api/persons").json()["persons"] == []
