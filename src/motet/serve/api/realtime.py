"""`/live/realtime`: a live session that speaks events in the shape of OpenAI's Realtime API."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import TYPE_CHECKING

from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect, WebSocketState

from motet.errors import MotetError
from motet.serve.api.live import AHEAD_S, HELLO_S, INTERNAL, INVALID, TRY_LATER, first_of
from motet.serve.problems import Problem, Refusal, internal_problem, problem, problem_of
from motet.serve.realtime import Translator, error_event, parsed, settings_of
from motet.serve.studio import Shared, Studio

if TYPE_CHECKING:
    from motet.serve.live_room import Room

router = APIRouter()


@router.websocket("/live/realtime")
async def realtime(socket: WebSocket, studio: Shared) -> None:
    """Sound of an agent in, frames of its face out."""
    offered = socket.scope.get("subprotocols", [])
    await socket.accept("realtime" if "realtime" in offered else None)
    room: Room | None = None
    try:
        room, translator = await _begin(socket, studio)
        async with asyncio.timeout(60.0 * studio.limits.max_live_minutes):
            room.sockets += 1
            await first_of(_send(socket, room, translator), _read(socket, room, translator))
    except WebSocketDisconnect:
        return
    except TimeoutError:
        text = f"a live session lasts {studio.limits.max_live_minutes} minutes; begin another"
        await _refuse(socket, problem(429, text), TRY_LATER)
    except (Refusal, MotetError) as error:
        refusal = error.problem if isinstance(error, Refusal) else problem_of(error)
        await _refuse(socket, refusal, TRY_LATER if refusal.status in (429, 503) else INVALID)
    except Exception as error:
        await _refuse(socket, internal_problem(error), INTERNAL)
    finally:
        if room is not None:
            room.sockets -= 1
            studio.rooms.drop(room)


async def _begin(socket: WebSocket, studio: Studio) -> tuple[Room, Translator]:
    try:
        async with asyncio.timeout(HELLO_S):
            first = await socket.receive_text()
    except (TimeoutError, KeyError) as error:
        text = f"no session.update within {HELLO_S:g} s; send it first, as text"
        raise Refusal(422, text) from error
    hello = settings_of(first).hello()
    room = await studio.rooms.open(hello)
    room.is_attended = True
    ready = room.ready
    ready_fields = {name: ready[name] for name in ("method", "fps", "channels", "rest", "delay_s")}
    session = {
        "id": room.id,
        "input_audio_format": "pcm16",
        "input_audio_rate": hello.rate,
        **ready_fields,
    }
    await socket.send_text(json.dumps({"type": "session.created", "session": session}))
    rest = ready["rest"]
    assert isinstance(rest, list)
    numbers = [float(str(number)) for number in rest]
    return room, Translator(hello.rate, float(str(ready["fps"])), numbers)


async def _read(socket: WebSocket, room: Room, translator: Translator) -> None:
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code") or 1006)
        try:
            asked = translator.ask(parsed(message.get("text") or ""))
        except MotetError as error:  # as the service does: an error, and the session goes on
            await socket.send_text(json.dumps(error_event("", str(error))))
            continue
        if asked.sound:
            room.push(asked.sound)
        for one in asked.messages:
            room.ask(one)
        for event in asked.answers:
            await socket.send_text(json.dumps(event))
        while room.queued_s > AHEAD_S and not room.is_closed:
            await asyncio.sleep(0.02)


async def _send(socket: WebSocket, room: Room, translator: Translator) -> None:
    from motet.serve.live_room import Close

    while not isinstance(message := await room.speaker.get(), Close):
        for event in translator.tell(message):
            await socket.send_text(json.dumps(event))
    await socket.close(message.code, message.reason)


async def _refuse(socket: WebSocket, problem: Problem, code: int) -> None:
    with contextlib.suppress(RuntimeError, WebSocketDisconnect):  # it has gone already
        if socket.application_state is WebSocketState.CONNECTED:
            await socket.send_text(json.dumps(error_event(problem.title, problem.detail)))
            await socket.close(code, problem.detail[:120])
