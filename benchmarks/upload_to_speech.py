"""A running studio: seconds from the end of an upload until its curves are there to be played.

    motet serve --port 8420 &
    python benchmarks/upload_to_speech.py --recording examples/demo.flac

Does what the page does after a file is dropped: the upload, its take, the curves. The recording is
changed in its last bits each time, so that nothing is answered from disk. Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import time
import urllib.request
from pathlib import Path

import numpy as np
import soundfile

from motet.audio import read_audio


def ask(base: str, path: str, body: bytes | None = None, kind: str = "application/json") -> bytes:
    """One request to the server."""
    request = urllib.request.Request(f"{base}/api{path}", body, {"Content-Type": kind})
    with urllib.request.urlopen(request) as answer:
        return answer.read()


def upload(base: str, recording: bytes) -> str:
    """The id of an uploaded sound."""
    border = "motet-benchmark"
    head = f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
    body = head.encode() + recording + f"\r\n--{border}--\r\n".encode()
    return json.loads(ask(base, "/sounds", body, f"multipart/form-data; boundary={border}"))["id"]


def speech_s(base: str, recording: bytes) -> float:
    """Seconds from the upload's end to the curves of its take."""
    sound = upload(base, recording)
    began = time.monotonic()
    found = json.loads(ask(base, "/takes", json.dumps({"sound": sound}).encode()))
    job, take = found["job"], found["take"]
    while take is None:
        job = json.loads(ask(base, f"/jobs/{job['id']}"))
        if job["state"] not in ("queued", "running", "done"):
            raise SystemExit(f"the job ended as {job['state']}: {job['problem']}")
        take = job["result"] if job["state"] == "done" else None
        time.sleep(0.02)
    identity = take.get("take") or take.get("id")
    ask(base, f"/takes/{identity}/curves?avatar=raw")
    return time.monotonic() - began


def main() -> None:
    """Read the options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recording", type=Path, default=Path("examples/demo.flac"))
    parser.add_argument("--port", type=int, default=8420)
    parser.add_argument("--times", type=int, default=4)
    options = parser.parse_args()
    audio, found = read_audio(options.recording), []
    for number in range(options.times):
        samples = audio.samples.numpy().T.copy()
        samples[number] += 1e-3
        file = io.BytesIO()
        soundfile.write(file, np.clip(samples, -1, 1), audio.sample_rate, format="WAV")
        found.append(speech_s(f"http://127.0.0.1:{options.port}", file.getvalue()))
    report = {
        "recording_s": round(audio.seconds, 2),
        "first_s": round(found[0], 2),
        "median_s": round(float(np.median(found)), 2),
        "load": [round(value, 1) for value in os.getloadavg()],
    }
    print(json.dumps(report))


if __name__ == "__main__":
    main()
