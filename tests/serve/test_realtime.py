"""The live session in the shape of OpenAI's Realtime API, spoken to as a proxy of an agent does."""

from __future__ import annotations

import base64
import json
from typing import Any

import numpy as np
import pytest
from starlette.testclient import WebSocketTestSession

from motet.errors import ConfigError
from motet.live.packets import frames_message
from motet.serve.realtime import Translator, settings_of
from tests.serve.conftest import BASE, Studio

RATE = 24_000
NOISE = (np.random.default_rng(0).normal(size=RATE) * 1600).astype("<i2")
SESSION = {"avatar": "raw", "options": {"decode": "expected"}}


def piece(samples: np.ndarray, item: str) -> dict[str, Any]:
    audio = base64.b64encode(samples.astype("<i2").tobytes()).decode()
    return {"type": "response.output_audio.delta", "item_id": item, "delta": audio}


class Agent:
    """A proxy between an agent and its speech service."""

    def __init__(self, socket: WebSocketTestSession) -> None:
        self.socket = socket

    def send(self, event: dict[str, Any]) -> None:
        self.socket.send_text(json.dumps(event))

    def until(self, kind: str) -> list[dict[str, Any]]:
        events: list[dict[str, Any]] = []
        while not events or events[-1]["type"] != kind:
            events.append(json.loads(self.socket.receive_text()))
            assert events[-1]["type"] != "error", events[-1]
        return events


def test_an_agent_speaks_is_cut_and_speaks_again(studio: Studio) -> None:
    address = BASE.replace("http", "ws") + "/live/realtime"
    with studio.http.websocket_connect(address, subprotocols=["realtime"]) as socket:
        agent = Agent(socket)
        agent.send({"type": "session.update", "session": SESSION})
        (created,) = agent.until("session.created")
        assert created["session"]["input_audio_rate"] == RATE
        assert len(created["session"]["rest"]) == 55
        for first in range(0, RATE, RATE // 10):
            agent.send(piece(NOISE[first : first + RATE // 10], "item_1"))
        agent.send({"type": "response.output_audio.done", "item_id": "item_1"})
        events = agent.until("face.frames.done")
        deltas = [event for event in events if event["type"] == "face.frames.delta"]
        stamps = [
            delta["first_sample"] + frame * RATE // 25
            for delta in deltas
            for frame in range(len(delta["frames"]))
        ]
        assert stamps[:25] == [frame * RATE // 25 for frame in range(25)]
        assert {delta["item_id"] for delta in deltas} == {"item_1"}

        agent.send(piece(NOISE, "item_2"))
        cut = {"type": "conversation.item.truncate", "item_id": "item_1", "content_index": 0}
        agent.send({**cut, "audio_end_ms": 400})
        known = agent.until("conversation.item.truncated")[-1]
        assert known["audio_end_ms"] == 400
        ease = agent.until("face.frames.delta")[-1]
        assert ease["item_id"] == "item_1"
        assert ease["first_sample"] + RATE // 25 >= 0.4 * RATE
        assert np.abs(ease["frames"][-1]).max() < 1e-3, "at rest"
        agent.send({"type": "nonsense"})
        while (answer := json.loads(socket.receive_text()))["type"] != "error":
            assert answer["type"] != "face.frames.done"
        assert "nonsense" in answer["error"]["message"]


def test_frames_between_a_cut_and_its_mark_are_void() -> None:
    translator = Translator(RATE, 25.0, [0.0, 0.0])
    translator.ask(piece(NOISE[:9600], "a"))
    frames = frames_message(0, 0, [np.full((5, 1), 0.5), np.full((5, 1), 0.25)])
    (delta,) = translator.tell(frames)
    assert delta["first_sample"] == 0 and len(delta["frames"]) == 5
    asked = translator.ask({"type": "response.cancel"})
    assert [message["type"] for message in asked.messages] == ["interrupt", "mark"]
    assert asked.answers[0]["frames"][-1] == [0.0, 0.0]
    assert translator.tell(frames) == []
    mark = {k: v for k, v in asked.messages[1].items()}
    assert translator.tell(json.dumps(mark)) == []
    translator.ask(piece(NOISE[:9600], "b"))
    later = frames_message(10, 9600, [np.zeros((1, 1)), np.zeros((1, 1))])
    (delta,) = translator.tell(later)
    assert (delta["item_id"], delta["first_sample"]) == ("b", 0)


@pytest.mark.parametrize(
    "event",
    [
        {"type": "input_audio_buffer.append", "audio": "*"},
        {"type": "input_audio_buffer.append", "audio": base64.b64encode(b"abc").decode()},
        {"type": "conversation.item.truncate", "item_id": "none", "audio_end_ms": 1},
        {"type": 7},
    ],
)
def test_events_that_cannot_be_honoured_are_refused(event: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        Translator(RATE, 25.0, [0.0]).ask(event)


@pytest.mark.parametrize(
    "text", ["{", "[]", '{"type":"x"}', '{"type":"session.update","session":{"a":1}}']
)
def test_the_first_event_sets_the_session(text: str) -> None:
    with pytest.raises(ConfigError):
        settings_of(text)
