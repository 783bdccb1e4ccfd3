"""`examples/onnx/index.html` in Chromium with ONNX Runtime for the web, without a network."""

from __future__ import annotations

import http.server
import json
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
import soundfile

from motet.cli import main
from tests.clients.programs import ROOT, chromium, node_module

pytestmark = [pytest.mark.clients, pytest.mark.slow]
PAGE = ROOT / "examples" / "onnx" / "index.html"
NOISE = 0.4
DRIVER = """<script>
Math.random = () => 0.4
ready.then(async (model) => {
  const bytes = await (await fetch('demo.flac')).arrayBuffer()
  const motion = await speak(model, bytes)
  return { motion: motion.map((frame) => [...frame]), status: document.body.innerText }
}).catch((error) => ({ error: String(error) }))
  .then((answer) => fetch('/answer', { method: 'POST', body: JSON.stringify(answer) }))
</script>"""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The page and all that lies beside it."""
    pytest.importorskip("onnxruntime", reason="needs the extra onnx")
    folder = tmp_path_factory.mktemp("site")
    assert main(["weights", "onnx", "artalk", "-o", str(folder / "artalk.onnx")]) == 0
    dist = node_module("onnxruntime-web") / "dist"
    for file in (dist / "ort.wasm.min.js", *dist.glob("ort-wasm-simd-threaded.*")):
        (folder / file.name).symlink_to(file)
    sound, _ = soundfile.read(ROOT / "examples" / "demo.flac", dtype="float32")
    soundfile.write(folder / "demo.flac", sound[:32_000], 16_000)
    (folder / "index.html").write_text(PAGE.read_text() + DRIVER)
    return folder


def test_the_page_gives_the_frames_of_onnx_runtime(site: Path, tmp_path: Path) -> None:
    answer = in_chromium(site, tmp_path)
    assert "error" not in answer, answer["error"]
    assert "ms for a second of sound" in answer["status"]
    found = np.array(answer["motion"])
    assert found.shape == (50, 55)
    np.testing.assert_allclose(found, expected(site), atol=1e-4, rtol=0)


def expected(site: Path) -> np.ndarray:
    """The same by ONNX Runtime in Python."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(site / "artalk.onnx"))
    kinds = {"tensor(int64)": np.int64, "tensor(float)": np.float32}
    chunk, noise, *rest = session.get_inputs()
    state = {x.name: np.zeros(x.shape, kinds[x.type]) for x in rest}
    sound, _ = soundfile.read(site / "demo.flac", dtype="float32")
    sound = np.pad(sound, (0, 4 * chunk.shape[0] - len(sound) % chunk.shape[0]))
    frames: list[np.ndarray] = []
    for piece in sound.reshape(-1, chunk.shape[0]):
        feed = {"sound": piece, "noise": np.full(noise.shape, NOISE, np.float32), **state}
        motion, count, *after = session.run(None, feed)
        state = dict(zip(state, after, strict=True))
        frames.extend(motion[: int(count)])
    return np.stack(frames)[:50]


def in_chromium(site: Path, folder: Path, limit_s: float = 300.0) -> dict:
    """What the page answered; every address but this machine's own is unknown to the browser."""
    answer: dict = {}
    done = threading.Event()

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments: object, **options: object) -> None:
            super().__init__(*arguments, directory=str(site), **options)  # type: ignore[arg-type]

        def do_POST(self) -> None:
            answer.update(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()
            done.set()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    command = [
        chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run",
        "--disable-background-networking", f"--user-data-dir={folder / 'profile'}",
        "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1", "--remote-debugging-port=0",
        f"http://127.0.0.1:{server.server_address[1]}/index.html",
    ]  # fmt: skip
    with (folder / "browser.log").open("w") as log:
        browser = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert done.wait(limit_s), (folder / "browser.log").read_text()[-800:]
        finally:
            browser.terminate()
            browser.wait(20)
            server.shutdown()
            server.server_close()
    return answer
