"""The server as a process: killed in the middle of a job, stopped by a signal, started twice."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.serve.conftest import wav

client = pytest.importorskip("websockets.sync.client")
exceptions = pytest.importorskip("websockets.exceptions")


class Server:
    """A running `motet serve`."""

    def __init__(self, folder: Path) -> None:
        line = [sys.executable, "-m", "motet.cli", "serve", "--port", "0", "--data", str(folder)]
        path = os.pathsep.join(sys.path)
        self.process = subprocess.Popen(
            [*line, "--workers", "1", "--warm", "artalk"],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": path},
        )
        assert self.process.stderr is not None
        said = self.process.stderr.readline()
        assert "http://127.0.0.1:" in said, said + self.process.stderr.read()
        self.address = said.split()[-1].strip()

    def ask(self, path: str, data: bytes | None = None, kind: str = "application/json") -> Any:
        request = urllib.request.Request(
            f"{self.address}/api{path}", data, {"Content-Type": kind} if data else {}
        )
        with urllib.request.urlopen(request, timeout=300) as answer:
            body = answer.read()
        return json.loads(body) if answer.headers["Content-Type"] == "application/json" else body

    def upload(self, data: bytes) -> str:
        head = 'Content-Disposition: form-data; name="file"; filename="speech.wav"'
        body = f"--x\r\n{head}\r\n\r\n".encode() + data + b"\r\n--x--\r\n"
        return self.ask("/sounds", body, "multipart/form-data; boundary=x")["id"]

    def job(self, identity: str, states: tuple[str, ...], seconds: float = 400) -> dict[str, Any]:
        end = time.monotonic() + seconds
        while (job := self.ask(f"/jobs/{identity}"))["state"] not in states:
            assert time.monotonic() < end, job
            time.sleep(0.05)
        return job

    def workers(self) -> list[int]:
        """Process ids of its workers."""
        found = []
        for status in Path("/proc").glob("[0-9]*/status"):
            try:
                text = status.read_text()
            except OSError:
                continue
            if f"\nPPid:\t{self.process.pid}\n" in text:
                found.append(int(status.parent.name))
        return found


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    server = Server(folder)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.wait(20)
        assert server.process.stderr is not None
        server.process.stderr.close()


@pytest.mark.slow
def test_a_killed_server_offers_its_job_again_and_the_rerun_has_the_same_bytes(
    tmp_path: Path,
) -> None:
    with running(tmp_path) as server:
        sound = server.upload(wav(6.0))
        body = json.dumps({"sound": sound, "seed": 2}).encode()
        job = server.ask("/takes", body)["job"]
        server.job(job["id"], ("running",))
        workers = server.workers()
        assert workers
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(20)
        end = time.monotonic() + 30
        while any(Path(f"/proc/{pid}").exists() for pid in workers):
            assert time.monotonic() < end, "workers outlive their server"
            time.sleep(0.05)
    with running(tmp_path) as server:
        [offered] = server.ask("/jobs")["jobs"]
        assert (offered["id"], offered["state"]) == (job["id"], "interrupted")
        server.ask(f"/jobs/{job['id']}/restart", b"")
        done = server.job(job["id"], ("done", "failed"))
        assert done["state"] == "done", done
        first = server.ask(f"/takes/{done['result']['take']}/file")
        assert [sound["name"] for sound in server.ask("/sounds")["sounds"]] == ["speech.wav"]
    (tmp_path / "speech.wav").write_bytes(wav(6.0))
    line = ["run", "speech.wav", "-m", "artalk", "--seed", "2", "-o", "take.npz", "--quiet"]
    from motet.cli import main

    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        assert main(line) == 0
    assert (tmp_path / "take.npz").read_bytes() == first


@pytest.mark.slow
def test_sigterm_closes_live_sessions_with_1001_and_ends_the_workers(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        address = server.address.replace("http", "ws") + "/live"
        with client.connect(address, subprotocols=["motet.live.1"]) as socket:
            socket.send(json.dumps({"type": "hello", "rate": 16_000}))
            assert json.loads(socket.recv(timeout=300))["type"] == "ready"
            workers = server.workers()
            server.process.send_signal(signal.SIGTERM)
            with pytest.raises(exceptions.ConnectionClosed) as closed:
                while True:
                    socket.recv(timeout=30)
            assert closed.value.rcvd.code == 1001
        assert server.process.wait(30) in (0, -signal.SIGTERM, 128 + signal.SIGTERM)
        assert not any(Path(f"/proc/{pid}").exists() for pid in workers)


@pytest.mark.slow
def test_a_taken_port_is_refused_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        port = server.address.rpartition(":")[2]
        line = [sys.executable, "-m", "motet.cli", "serve", "--port", port, "--data", str(tmp_path)]
        path = os.pathsep.join(sys.path)
        done = subprocess.run(
            line, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": path}
        )
        assert done.returncode == 2 and "--port" in done.stderr and done.stderr.count("\n") == 1
