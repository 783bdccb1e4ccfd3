"""The live socket: hello and ready, frames, flush, interrupt, resume, listeners, refusals."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from starlette.testclient import WebSocketDenialResponse, WebSocketTestSession
from starlette.websockets import WebSocketDisconnect

import motet
from motet.live.packets import read_frames
from motet.serve.api.live import MOST_REFUSED
from motet.types import ARKIT_SHAPES, Audio
from tests.serve.conftest import BASE, Studio

NOISE = (np.random.default_rng(0).normal(size=16_000) * 1600).astype("<i2")
HELLO = {"type": "hello", "rate": 16_000, "avatar": "raw", "options": {"decode": "expected"}}
CHUNK = 640
"""Bytes of 20 ms."""


@contextmanager
def connected(studio: Studio, path: str = "/live") -> Iterator[WebSocketTestSession]:
    address = BASE.replace("http", "ws") + path
    with studio.http.websocket_connect(address, subprotocols=["motet.live.1"]) as socket:
        yield socket


def start(socket: WebSocketTestSession, **changes: Any) -> dict[str, Any]:
    socket.send_text(json.dumps({**HELLO, **changes}))
    while (answer := json.loads(socket.receive_text()))["type"] == "loading":
        pass
    return answer


def send(socket: WebSocketTestSession, samples: np.ndarray) -> None:
    data = samples.tobytes()
    for first in range(0, len(data), CHUNK):
        socket.send_bytes(data[first : first + CHUNK])


def frames(socket: WebSocketTestSession, count: int) -> tuple[list[int], np.ndarray]:
    """Places on the sample clock, and numbers, of the next frames."""
    samples: list[int] = []
    tables: list[np.ndarray] = []
    while len(samples) < count:
        message = socket.receive()
        if message.get("bytes") is None:
            assert message["type"] == "websocket.send", message
            assert json.loads(message["text"])["type"] in ("stats", "warning", "pong")
            continue
        first, sample, table = read_frames(message["bytes"])
        assert first == len(samples)
        samples += [sample + 640 * frame for frame in range(len(table))]
        tables.append(table)
    return samples, np.concatenate(tables)


def test_sound_goes_in_and_its_frames_come_out(studio: Studio) -> None:
    with connected(studio) as socket:
        ready = start(socket)
        assert socket.accepted_subprotocol == "motet.live.1"
        assert ready["type"] == "ready" and ready["fps"] == 25 and len(ready["rest"]) == 55
        assert [one["name"] for one in ready["channels"]][:52] == list(ARKIT_SHAPES)
        assert ready["delay_s"] == {"algorithm": 0.26, "advice": 0.37}
        send(socket, NOISE)
        socket.send_text(json.dumps({"type": "flush"}))
        samples, table = frames(socket, 29)
        assert samples[:25] == [640 * frame for frame in range(25)]
        assert np.abs(table[28]).max() < 1e-3, "back at rest"
    options = {"decode": "expected", "commit": 3, "look_ahead": 6, "mode": "stream"}
    import torch

    sound = Audio.mono(torch.from_numpy(NOISE.astype(np.float32) / 32768), 16_000)
    whole = motet.load("artalk").run(sound, options, seeds=(0,))
    assert np.allclose(table[:25], whole.values[0], atol=2e-3)


def test_the_figure_and_an_avatar_move_in_their_own_channels(studio: Studio) -> None:
    with connected(studio) as socket:
        ready = start(socket, avatar="house", delay_s=0.3)
        kinds = [one["kind"] for one in ready["channels"]]
        assert kinds.count("morph") == 52 and "rotation" in kinds
        assert ready["delay_s"]["algorithm"] == 0.26
        send(socket, NOISE[:8000])
        socket.send_text(json.dumps({"type": "flush"}))
        _, table = frames(socket, 12)
        assert table.shape[1] == sum(one["size"] for one in ready["channels"]) == len(ready["rest"])


def test_interrupt_set_and_ping(studio: Studio) -> None:
    with connected(studio) as socket:
        start(socket)
        socket.send_text(json.dumps({"type": "ping", "t": 12.5}))
        pong = json.loads(socket.receive_text())
        assert (pong["type"], pong["t"], pong["sample"]) == ("pong", 12.5, 0)
        send(socket, NOISE)
        socket.send_text(json.dumps({"type": "set", "options": {"style": "warm"}}))
        samples, _ = frames(socket, 25)  # all that was sent comes before the change
        assert samples == sorted(samples)
        socket.send_text(json.dumps({"type": "interrupt"}))
        socket.send_text(json.dumps({"type": "set", "options": {"styl": "warm"}}))
        error = receive_json(socket)
        assert error["type"] == "error" and "style" in str(error["problem"])
        socket.send_text(json.dumps({"type": "set", "options": {"emotion": "joy=1"}}))
        assert "postprocess" in str(receive_json(socket)["problem"])
        acting = {"emotion": "joy=1", "gaze": "free"}
        socket.send_text(json.dumps({"type": "set", "postprocess": acting}))
        socket.send_text(json.dumps({"type": "ping", "t": 1}))
        assert receive_json(socket)["type"] == "pong"


def test_a_lost_speaker_comes_back_without_losing_a_sample(studio: Studio) -> None:
    with connected(studio) as socket:
        session = start(socket)["session"]
        send(socket, NOISE[:8000])
        first_samples, first = frames(socket, 4)
        socket.close(1006)
    time.sleep(0.2)
    with connected(studio) as socket:
        resume = {"type": "resume", "session": session, "from_sample": 6400}
        socket.send_text(json.dumps(resume))
        ready = json.loads(socket.receive_text())
        assert ready["session"] == session and ready["received"] == 8000
        send(socket, NOISE[6400:])
        socket.send_text(json.dumps({"type": "flush"}))
        rows: dict[int, np.ndarray] = {}
        while len(rows) < 25 - len(first):
            message = socket.receive()
            if message.get("bytes") is not None:
                start_frame, _, table = read_frames(message["bytes"])
                rows |= {start_frame + index: row for index, row in enumerate(table)}
        assert max(rows) >= 24
    with connected(studio) as socket:
        socket.send_text(json.dumps({**resume, "session": "0" * 24}))
        assert receive_json(socket)["problem"]["status"] == 410


def test_listeners_see_the_same_frames(studio: Studio) -> None:
    with connected(studio) as socket:
        session = start(socket)["session"]
        with connected(studio, f"/live/{session}/watch") as listener:
            assert json.loads(listener.receive_text())["session"] == session
            listener.send_text("whatever a listener says is read and forgotten")
            send(socket, NOISE)
            socket.send_text(json.dumps({"type": "flush"}))
            _, mine = frames(socket, 25)
            _, theirs = frames(listener, 25)
            assert np.array_equal(mine[:25], theirs[:25])
    with connected(studio, f"/live/{'0' * 24}/watch") as listener:
        assert receive_json(listener)["problem"]["status"] == 404


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"method": "kmtalk"}, "whole recording"),
        ({"method": "nothing"}, "no method"),
        ({"method": "artalk,mospa"}, "one method"),
        ({"method": "mospa", "options": {}}, "binaural"),
        ({"options": {"style": "/etc/passwd"}}, "cannot name a file"),
        ({"options": {"styl": "warm"}}, "style"),
        ({"delay_s": 0.1}, "0.16 s"),
        ({"rate": 1}, "rate"),
        ({"format": "mp3"}, "format"),
        ({"echo": True}, "echo"),
        ({"type": "hi"}, "type"),
        ({"avatar": "0" * 24}, "avatar"),
    ],
)
def test_what_cannot_be_honoured_is_refused_with_its_reason(
    studio: Studio, changes: dict[str, Any], text: str
) -> None:
    with connected(studio) as socket:
        answer = start(socket, **changes)
        assert answer["type"] == "error" and text in str(answer["problem"])
        end = closed(socket)
        assert end.code == 1008 and end.reason
        assert str(studio.folder) not in str(answer)


def test_a_full_machine_refuses_with_1013(studio: Studio) -> None:
    import os

    quickest = {"delay_s": 0.26, "options": {"decode": "expected"}}
    most = int(0.5 * (os.cpu_count() or 1) / 0.35) + 1
    sockets = []
    try:
        for _ in range(min(most, 8) + 1):
            context = connected(studio)
            sockets.append((context, context.__enter__()))
            answer = start(sockets[-1][1], **quickest)
            if answer["type"] == "error":
                break
        assert answer["problem"]["status"] == 429 and "try again" in answer["problem"]["remedy"]
        assert closed(sockets[-1][1]).code == 1013
    finally:
        for context, _ in sockets:
            context.__exit__(None, None, None)


def test_a_wrong_message_is_answered_and_the_session_goes_on(studio: Studio) -> None:
    with connected(studio) as socket:
        start(socket)
        send(socket, NOISE[:8000])
        for message in (b"abc", "no JSON", '{"type": "dance"}'):
            if isinstance(message, bytes):
                socket.send_bytes(message)
            else:
                socket.send_text(message)
            assert receive_json(socket)["type"] == "error"
        send(socket, NOISE[8000:])
        socket.send_text(json.dumps({"type": "flush"}))
        assert len(received_frames(socket, 29)) == 29


def test_values_that_are_not_finite_are_skipped(studio: Studio) -> None:
    with connected(studio) as socket:
        start(socket, format="f32")
        sound = (NOISE / 32768).astype("<f4")
        sound[8000:8160] = np.nan  # one message
        send(socket, sound)
        assert "not finite" in str(receive_json(socket)["problem"])
        socket.send_text(json.dumps({"type": "ping", "t": 0}))
        assert receive_json(socket)["sample"] == 16_000


def test_a_client_that_only_errs_is_let_go(studio: Studio) -> None:
    with connected(studio) as socket:
        start(socket)
        for _ in range(MOST_REFUSED + 1):
            socket.send_text("no JSON")
        assert closed(socket).code == 1008


def received_frames(socket: WebSocketTestSession, count: int) -> list[int]:
    """First samples of the next frames, whatever is said between them."""
    samples: list[int] = []
    while len(samples) < count:
        message = socket.receive()
        if message.get("bytes") is not None:
            _, sample, table = read_frames(message["bytes"])
            samples += [sample + 640 * frame for frame in range(len(table))]
    return samples


def test_pages_of_other_sites_get_403(studio: Studio) -> None:
    for headers in ({"Origin": "http://evil.example"}, {"Host": "evil.example"}):
        with (
            pytest.raises(WebSocketDenialResponse) as refused,
            studio.http.websocket_connect("ws://127.0.0.1:8420/live", headers=headers),
        ):
            pass
        assert refused.value.status_code == 403


def receive_json(socket: WebSocketTestSession) -> dict[str, Any]:
    """The next message in words that is no statistics."""
    while True:
        message = socket.receive()
        if message.get("text") is not None:
            found = json.loads(message["text"])
            if found["type"] not in ("stats", "warning"):
                return found
        assert message["type"] == "websocket.send", message


def closed(socket: WebSocketTestSession) -> WebSocketDisconnect:
    """How the socket ends."""
    with pytest.raises(WebSocketDisconnect) as end:
        while True:
            message = socket.receive()
            socket._raise_on_close(message)
    return end.value
