"""From a dropped sound to curves: health, methods, sounds, takes, jobs, events."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import struct
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pytest
import soundfile
from fastapi import FastAPI
from fastapi import Path as PathParameter
from starlette.testclient import TestClient

import motet
from motet.cli import main
from motet.options import Postprocess
from motet.phonetics.alignment import PHONES
from motet.serve.problems import install
from motet.types import ARKIT_SHAPES
from tests.serve.conftest import Studio, wav


def test_health_names_methods_formats_and_limits(studio: Studio) -> None:
    health = studio.get("/health")
    assert health["version"] == motet.__version__ and health["state"] in ("loading", "ready")
    names = {method["name"]: method for method in health["methods"]}
    assert set(names) >= set(motet.methods())
    assert names["artalk"]["delays"] == [0.16, 0.26, 0.58]
    assert not names["mospa"]["delays"]
    assert names["kmtalk"]["look_ahead_s"] is None and names["kmtalk"]["whole_recording"]
    assert {".mp4", ".glb", ".amass.npz"} <= {one["ending"] for one in health["formats"]}
    assert health["limits"]["max_queued"] == 20


def test_a_method_describes_its_options(studio: Studio) -> None:
    found = studio.get("/methods/artalk")
    decode = found["options"]["properties"]["decode"]
    assert (
        decode["enum"][0] == decode["default"] == "lively" and "expected" in decode["description"]
    )
    assert "warm" in found["styles"]
    assert set(found["postprocess"]["properties"]) == {
        field.name for field in dataclasses.fields(Postprocess)
    }
    assert studio.get("/methods/mospa")["postprocess"]["properties"] == {}
    problem = studio.http.get("/api/methods/artalc")
    assert problem.status_code == 404 and "artalk" in problem.json()["remedy"]


def test_the_same_bytes_are_the_same_sound(studio: Studio) -> None:
    first = studio.http.post("/api/sounds", files={"file": ("a.wav", wav(0.5))})
    again = studio.http.post("/api/sounds", files={"file": ("b.wav", wav(0.5))})
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json() == again.json()
    assert first.json()["seconds"] == 0.5 and first.json()["mime"] == "audio/wav"


def test_a_sound_comes_back_whole_in_parts_and_as_peaks(studio: Studio) -> None:
    data = wav(0.5, channels=2)
    sound = studio.upload(data)
    assert studio.http.get(sound["url"]).content == data
    part = studio.http.get(sound["url"], headers={"Range": "bytes=10-19"})
    assert part.status_code == 206 and part.content == data[10:20]
    assert studio.http.get(sound["url"], headers={"Range": "bytes=999999-"}).status_code == 416
    pairs = np.frombuffer(studio.http.get(f"{sound['peaks_url']}?px=40").content, np.int8)
    samples = soundfile.read(io.BytesIO(data))[0].mean(1)
    assert pairs.shape == (80,) and abs(pairs.max() / 127 - samples.max()) < 0.01
    assert studio.http.get(f"{sound['peaks_url']}?px=0").status_code == 422


def test_a_sound_of_many_channels_has_a_version_that_browsers_play(studio: Studio) -> None:
    sound = studio.upload(wav(0.5, channels=6, rate=48_000), "film.wav")
    played, rate = soundfile.read(io.BytesIO(studio.http.get(sound["playable_url"]).content))
    assert sound["channels"] == 6 and played.ndim == 1 and (len(played), rate) == (24_000, 48_000)


@pytest.mark.parametrize(
    ("data", "status"), [(b"", 400), (b"no sound at all", 400), (wav(0.5)[:-4000], 400)]
)
def test_what_is_no_sound_is_refused_and_not_kept(studio: Studio, data: bytes, status: int) -> None:
    before = sorted(os.listdir(studio.folder / "sounds"))
    answer = studio.http.post("/api/sounds", files={"file": ("../../x.wav", data)})
    problem = answer.json()
    assert answer.status_code == status == problem["status"]
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["detail"] and str(studio.folder) not in answer.text
    assert sorted(os.listdir(studio.folder / "sounds")) == before


def test_a_take_has_the_bytes_of_the_command_line(
    studio: Studio, take: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "speech.wav").write_bytes(wav())
    monkeypatch.chdir(tmp_path)
    words = take["command"].split()
    assert words[:2] == ["motet", "run"]
    assert main([*words[1:], "-o", "take.npz", "--quiet"]) == 0
    file = studio.http.get(take["file_url"])
    assert file.content == (tmp_path / "take.npz").read_bytes()
    assert "speech-artalk-3.npz" in file.headers["content-disposition"]


def test_asked_twice_a_take_comes_from_the_disk(
    studio: Studio, sound: dict[str, Any], take: dict[str, Any]
) -> None:
    again = studio.http.post("/api/takes", json={"sound": sound["id"], "seed": 3})
    assert again.status_code == 200 and again.json()["take"] == take
    listed = studio.get("/takes", params={"count": 1})
    assert len(listed["takes"]) == 1 and listed["cursor"]
    rest = studio.get("/takes", params={"cursor": listed["cursor"]})["takes"]
    assert listed["takes"][0]["id"] not in [one["id"] for one in rest]


def test_curves_are_numbers_of_the_figure_and_of_the_take(
    studio: Studio, take: dict[str, Any]
) -> None:
    header, numbers = studio.curves(take["id"])
    assert numbers.shape == (25, sum(one["size"] for one in header["channels"]))
    morphs = [one["target"] for one in header["channels"] if one["kind"] == "morph"]
    assert morphs == list(ARKIT_SHAPES)
    quaternions = numbers[:, 52:].reshape(25, -1, 4)
    assert np.allclose(np.linalg.norm(quaternions, axis=-1), 1, atol=1e-5)
    raw_header, raw = studio.curves(take["id"], avatar="raw", fps=50)
    assert raw.shape == (50, 55) and raw_header["channels"][-1]["name"] == "head.z"
    assert np.allclose(raw[::2, :52], numbers[:, :52], atol=1e-6)


def test_the_figure_has_the_nodes_that_curves_name(studio: Studio, take: dict[str, Any]) -> None:
    data = studio.http.get("/api/figure.glb").content
    length = struct.unpack_from("<I", data, 12)[0]
    content = json.loads(data[20 : 20 + length])
    names = {node["name"] for node in content["nodes"]}
    header, _ = studio.curves(take["id"])
    assert {one["node"] for one in header["channels"] if one["kind"] == "rotation"} <= names
    assert "animations" not in content


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"options": {"decod": "lively"}}, 422, "decode"),
        ({"options": {"decode": "loud"}}, 422, "lively"),
        ({"options": {"style": "/etc/passwd"}}, 422, "cannot name a file"),
        ({"options": {"style": "x.npz"}}, 422, "cannot name a file"),
        ({"options": {"style": "take:nothing"}}, 422, "take:ID"),
        ({"options": {"style": f"take:{'0' * 24}"}}, 404, "no such take"),
        ({"options": {"top_p": 3}}, 422, "top_p"),
        ({"method": "mospa", "postprocess": {"blink": False}}, 422, "acts on a face"),
        ({"source": "90,0,2"}, 422, "has no source"),
        ({"postprocess": {"intensity": 9}}, 422, "between 0 and 3"),
        ({"method": "nothing"}, 422, "known"),
        ({"method": "speech2lip", "fps": 30}, 422, "footage"),
        ({"seed": -1}, 422, "seed"),
        ({"sound": "0" * 24}, 404, "no such sound"),
        ({"sound": "../../etc/passwd"}, 422, "sound"),
        ({"colour": "red"}, 422, "colour"),
    ],
)
def test_requests_that_cannot_be_honoured_are_refused_at_once(
    studio: Studio, sound: dict[str, Any], body: dict[str, Any], status: int, text: str
) -> None:
    answer = studio.http.post("/api/takes", json={"sound": sound["id"], **body})
    assert answer.status_code == status, answer.text
    assert text in answer.text and answer.json()["detail"]


def test_a_job_that_fails_says_why_and_what_to_do(studio: Studio, sound: dict[str, Any]) -> None:
    body = {"sound": sound["id"], "options": {"guidance_audio": 3.0}}
    job = studio.wait(studio.http.post("/api/takes", json=body).json()["job"])
    assert job["state"] == "failed" and job["problem"]["status"] == 422
    assert "training generation" in job["problem"]["detail"]


def test_events_begin_with_the_present_state_and_resume(
    studio: Studio, sound: dict[str, Any]
) -> None:
    body = {"sound": sound["id"], "seed": 77}
    job = studio.http.post("/api/takes", json=body).json()["job"]
    studio.wait(job)
    kinds, last = events_of(studio, job["id"])
    assert kinds == ["done"]
    other = studio.wait(studio.http.post("/api/takes", json={**body, "seed": 78}).json()["job"])
    kinds, _ = events_of(studio, "", last)
    assert kinds == ["done"] and other["state"] == "done"


def events_of(studio: Studio, job: str, last: str = "") -> tuple[list[str], str]:
    """Kinds of the events up to the first end of a job, and the id of the last."""
    headers = {"Last-Event-ID": last} if last else {}
    kinds = []
    with studio.http.stream("GET", f"/api/events?job={job}", headers=headers) as answer:
        for line in answer.iter_lines():
            if line.startswith("id: "):
                last = line.removeprefix("id: ")
            if line.startswith("event: "):
                kinds.append(line.removeprefix("event: "))
            if not line and kinds and kinds[-1] != "progress":
                break
    return kinds, last


def test_a_cancelled_job_ends_and_the_next_one_runs(studio: Studio) -> None:
    sound = studio.upload(wav(40.0), "long.wav")
    job = studio.http.post("/api/takes", json={"sound": sound["id"]}).json()["job"]
    assert studio.http.delete(f"/api/jobs/{job['id']}").status_code == 202
    assert studio.wait(job)["state"] == "cancelled"
    assert studio.take(studio.upload(wav(0.5))["id"])["frames"] == 13
    assert studio.http.delete(f"/api/jobs/{'0' * 24}").status_code == 404


def test_a_take_is_imported_with_its_sound(studio: Studio, take: dict[str, Any]) -> None:
    data = studio.http.get(take["file_url"]).content
    answer = studio.http.post("/api/takes/import", files={"file": ("mine.npz", data)})
    assert answer.status_code == 201, answer.text
    found = answer.json()["take"]
    assert (found["state"], found["frames"], found["method"]) == ("imported", 25, "artalk")
    assert studio.get("/sounds")["sounds"] and studio.http.get(f"/api/sounds/{found['sound']}")
    mine, original = studio.curves(found["id"])[1], studio.curves(take["id"])[1]
    assert np.array_equal(mine, original)
    answer = studio.http.post("/api/takes/import", files={"file": ("mine.exe", data)})
    assert answer.status_code == 415
    answer = studio.http.post("/api/takes/import", files={"file": ("mine.csv", data)})
    assert answer.status_code == 400 and str(studio.folder) not in answer.text


def test_a_malformed_id_is_answered_as_an_unknown_one() -> None:
    app = FastAPI()
    install(app)

    @app.get("/takes/{identity}")
    def take(identity: Annotated[str, PathParameter(pattern="^[0-9a-f]{24}$")]) -> str:
        return identity

    with TestClient(app) as client:
        answer = client.get("/takes/zzz")
        assert answer.status_code == 404 and "[0-9a-f]" not in answer.text
        assert client.get(f"/takes/{'0' * 24}").status_code == 200


def test_a_transcript_gives_the_times_of_words_and_phones(studio: Studio) -> None:
    folder = Path(motet.__file__).parent / "data" / "librivox"
    sentences = json.loads((folder / "sentences.json").read_text())
    name, text = "0870", sentences["0870"]
    sound = studio.upload((folder / f"{name}.flac").read_bytes(), f"{name}.flac")
    answer = studio.http.post(f"/api/sounds/{sound['id']}/phones", json={"text": text})
    assert answer.status_code == 200, answer.text
    words, phones = answer.json()["words"], answer.json()["phones"]
    assert [word["label"] for word in words] == text.lower().split()
    times = [t for span in phones for t in (span["t0"], span["t1"])]
    assert times == sorted(times) and times[0] >= 0 and times[-1] <= sound["seconds"]
    assert len(phones) > len(words) and {span["label"] for span in phones} <= PHONES
    longer = " ".join([text] * 12)  # more than can be said in that time
    answer = studio.http.post(f"/api/sounds/{sound['id']}/phones", json={"text": longer})
    assert answer.status_code in (400, 422) and answer.json()
