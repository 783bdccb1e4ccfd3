"""Frames over a WebSocket: to everybody who listens, in order, without waiting for anybody."""

from __future__ import annotations

import io
import json
import sys
import threading
import time

import numpy as np
import pytest

from motet.cli import main
from motet.errors import InputError, MissingDependency
from motet.serve import line_server as module
from motet.serve.line_server import LineServer

client = pytest.importorskip("websockets.sync.client")
exceptions = pytest.importorskip("websockets.exceptions")


def until(condition, seconds: float = 10.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def test_every_client_gets_every_line_in_order_and_the_end() -> None:
    with LineServer(0) as server:
        assert not server.wait(0.01)
        with (
            client.connect(f"ws://127.0.0.1:{server.port}") as one,
            client.connect(f"ws://127.0.0.1:{server.port}") as two,
        ):
            until(lambda: server.clients == 2)
            for number in range(50):
                server.send(str(number))
            ending = threading.Thread(target=server.close)
            ending.start()
            assert [list(map(int, one)), list(map(int, two))] == [list(range(50))] * 2
            ending.join(10)


def test_a_client_that_leaves_disturbs_nobody() -> None:
    with LineServer(0) as server:
        with client.connect(f"ws://127.0.0.1:{server.port}"):
            assert server.wait(10)
        with client.connect(f"ws://127.0.0.1:{server.port}") as other:
            until(lambda: server.clients >= 1)
            time.sleep(0.05)
            for number in range(5):
                server.send(str(number))
            assert [other.recv(timeout=10) for _ in range(5)] == list("01234")


def test_a_client_that_does_not_keep_up_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACKLOG", 3)
    with LineServer(0) as server, client.connect(f"ws://127.0.0.1:{server.port}", max_queue=1) as _:
        assert server.wait(10)
        began = time.monotonic()
        for _ in range(300):
            server.send("x" * 100_000)
        assert time.monotonic() - began < 5.0, "the sender waits for nobody"
        until(lambda: server.clients == 0)


def test_a_full_server_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_CLIENTS", 1)
    with LineServer(0) as server, client.connect(f"ws://127.0.0.1:{server.port}"):
        assert server.wait(10)
        with client.connect(f"ws://127.0.0.1:{server.port}") as second:
            with pytest.raises(exceptions.ConnectionClosed) as closed:
                second.recv(timeout=10)
            assert (
                closed.value.rcvd.code == 1013 and "connected already" in closed.value.rcvd.reason
            )


def test_pages_of_other_sites_are_refused() -> None:
    with LineServer(0) as server:
        with (
            pytest.raises(exceptions.InvalidStatus) as refused,
            client.connect(f"ws://127.0.0.1:{server.port}", origin="http://evil.example"),
        ):
            pass
        assert refused.value.response.status_code == 403


def test_clients_that_talk_and_do_not_close_hold_nothing_up() -> None:
    server = LineServer(0)
    with client.connect(f"ws://127.0.0.1:{server.port}") as talker:
        until(lambda: server.clients == 1)
        for _ in range(2000):
            talker.send("x" * 1000)
        server.send("line")
        assert talker.recv(timeout=10) == "line"
        began = time.monotonic()
        server.close()
        assert time.monotonic() - began < 10


def test_a_stopped_program_says_that_it_goes_away() -> None:
    server = LineServer(0)
    with client.connect(f"ws://127.0.0.1:{server.port}") as listener:
        until(lambda: server.clients == 1)
        with pytest.raises(KeyboardInterrupt), server:
            raise KeyboardInterrupt
        with pytest.raises(exceptions.ConnectionClosed) as closed:
            listener.recv(timeout=10)
        assert closed.value.rcvd.code == 1001


def test_a_taken_port_is_an_error_with_a_remedy() -> None:
    with LineServer(0) as server, pytest.raises(InputError, match="--port"):
        LineServer(server.port)


def test_the_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingDependency, match="uvicorn"):
        LineServer(0)


def test_live_sends_the_frames_that_it_prints(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    noise = (np.random.default_rng(0).normal(size=16_000) * 2000).astype("<i2").tobytes()

    def run(*more: str) -> int:
        class Stdin:
            buffer = io.BufferedReader(io.BytesIO(noise))  # type: ignore[arg-type]

        monkeypatch.setattr(sys, "stdin", Stdin())
        return main(["live", *more])

    assert run() == 0
    printed = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ports: list[int] = []
    monkeypatch.setattr(
        LineServer,
        "wait",
        lambda self, seconds=None: ports.append(self.port) or self._somebody.wait(20),
    )
    thread = threading.Thread(target=run, args=("--to", "ws", "--port", "0"))
    thread.start()
    until(lambda: bool(ports), 30)
    with client.connect(f"ws://127.0.0.1:{ports[0]}") as listener:
        sent = [json.loads(line) for line in listener]
    thread.join(20)
    assert len(sent) == len(printed) == 25
    for one, other in zip(sent, printed, strict=True):
        assert {**one, "elapsed_s": 0} == {**other, "elapsed_s": 0}


@pytest.mark.parametrize("port", ["-1", "70000"])
def test_impossible_ports_are_refused(port: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["live", "--to", "ws", "--port", port]) == 2
    assert "65535" in capsys.readouterr().err
