"""A GLB in three.js in a Chromium without a window."""

from __future__ import annotations

import base64
import dataclasses
import http.server
import json
import subprocess
import threading
import urllib.parse
from pathlib import Path
from typing import Any

from tests.clients.programs import chromium, node_module

PAGE = Path(__file__).with_name("page.html")
_KINDS = {".js": "text/javascript", ".html": "text/html", ".glb": "model/gltf-binary"}
_FLAGS = """--headless --no-sandbox --disable-gpu-sandbox --use-gl=angle --use-angle=swiftshader --enable-unsafe-swiftshader
--mute-audio --no-first-run --disable-extensions --disable-background-networking"""


@dataclasses.dataclass
class _Exchange:
    glb: bytes
    found: dict[str, Any] | None = None
    done: threading.Event = dataclasses.field(default_factory=threading.Event)


def show(
    glb: Path,
    times: list[float],
    folder: Path,
    *,
    angle: float = 0.0,
    fine: bool = False,
    limit_s: float = 300.0,
) -> dict[str, Any]:
    """What three.js found in the file at those times; pictures are saved as `folder/TIME.png`
    (`fine` for people to look at)."""
    exchange = _Exchange(glb.read_bytes())
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(exchange))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    query = urllib.parse.urlencode({"times": json.dumps(times), "angle": angle, "fine": int(fine)})
    address = f"http://127.0.0.1:{server.server_address[1]}/page.html?{query}"
    command = [
        chromium(),
        *_FLAGS.split(),
        f"--user-data-dir={folder / 'profile'}",
        "--remote-debugging-port=0",
        address,
    ]
    with (folder / "browser.log").open("w") as log:
        browser = subprocess.Popen(command, stdout=log, stderr=log)
        try:
            assert exchange.done.wait(limit_s), (
                f"no answer from the browser: {(folder / 'browser.log').read_text()[-800:]}"
            )
        finally:
            browser.terminate()
            browser.wait(20)
            server.shutdown()
            server.server_close()
    found = exchange.found or {}
    assert "error" not in found, found["error"]
    for pose in found["poses"]:
        (folder / f"{pose['time']:.3f}.png").write_bytes(
            base64.b64decode(pose.pop("picture").split(",")[1])
        )
    return found


def _handler(exchange: _Exchange) -> type[http.server.BaseHTTPRequestHandler]:
    three = node_module("three")

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            path = urllib.parse.urlsplit(self.path).path
            file = (
                PAGE if path == "/page.html" else (three / path.removeprefix("/three/")).resolve()
            )
            if path == "/take.glb":
                self._answer(exchange.glb, _KINDS[".glb"])
            elif file == PAGE or (file.is_relative_to(three.resolve()) and file.is_file()):
                self._answer(file.read_bytes(), _KINDS.get(file.suffix, "application/octet-stream"))
            else:
                self.send_error(404)

        def do_POST(self) -> None:
            exchange.found = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            self._answer(b"", "text/plain")
            exchange.done.set()

        def _answer(self, body: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
